// SPDX-License-Identifier: Apache-2.0
//! Every rule, with each of its parts violated one by one.

mod extra;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::ec2::{Attachment, Find, Instance, Page, Snapshot, Tags, Volume};
use crate::{
    AccountId, Answer, Call, Clock, Cloud, Error, InstanceId, IntentId, Purpose, Region, Scope, Service,
    SnapshotId, Timestamp, VolumeId,
};

/// A cloud of fixed things that answers in pages of one, after an empty one.
#[derive(Default)]
struct Fake {
    snapshots: Vec<Snapshot>,
    volumes: Vec<Volume>,
    instances: Vec<Instance>,
    shares: Vec<AccountId>,
}

fn page<T: Clone>(items: &[T], token: Option<&String>) -> Page<T> {
    let Some(at) = token.map(|token| token.parse::<usize>().unwrap()) else {
        return Page { items: vec![], token: Some("0".to_owned()) };
    };
    let more = at + 1 < items.len();
    Page { items: items.get(at).cloned().into_iter().collect(), token: more.then(|| (at + 1).to_string()) }
}

fn is_meant<T: PartialEq>(find: &Find<T>, id: &T, tags: &Tags) -> bool {
    match find {
        Find::Ids(ids) => ids.contains(id),
        Find::Intent(intent) => tags.get(TAG_INTENT).is_some_and(|value| value == intent.as_str()),
        Find::Deployment(name) => tags.get(TAG_DEPLOYMENT) == Some(name),
        Find::AttachedTo(_) => false,
    }
}

#[async_trait::async_trait]
impl Service for Fake {
    async fn call(&self, _: &Scope, call: Call) -> Result<Answer, Error> {
        Ok(match call {
            Call::DescribeSnapshots(ask) => {
                let meant = |s: &&Snapshot| is_meant(&ask.find, &s.id, &s.tags);
                let found: Vec<_> = self.snapshots.iter().filter(meant).cloned().collect();
                Answer::DescribeSnapshots(page(&found, ask.token.as_ref()))
            }
            Call::DescribeVolumes(ask) => {
                let meant = |v: &&Volume| is_meant(&ask.find, &v.id, &v.tags);
                let found: Vec<_> = self.volumes.iter().filter(meant).cloned().collect();
                Answer::DescribeVolumes(page(&found, ask.token.as_ref()))
            }
            Call::DescribeInstances(ask) => {
                let meant = |i: &&Instance| ask.ids.contains(&i.id);
                let found: Vec<_> = self.instances.iter().filter(meant).cloned().collect();
                Answer::DescribeInstances(page(&found, ask.token.as_ref()))
            }
            Call::DescribeShares(_) => Answer::DescribeShares(self.shares.clone()),
            other => return Err(Error::of(other.action().name(), "InvalidAction", "not in this cloud")),
        })
    }
}

fn cloud(fake: Fake) -> Cloud {
    Cloud { service: Arc::new(fake), clock: Clock::from(Timestamp(2_000)) }
}

fn account(n: u8) -> AccountId {
    AccountId::parse(&format!("{n:012}")).unwrap()
}

fn scope() -> Scope {
    let region = Region::parse("eu-west-1").unwrap();
    Scope { account: account(1), region, purpose: Purpose::Release, job: "job-1".to_owned() }
}

fn owner() -> Owner {
    Owner::new("acme".to_owned(), [7; 32])
}

fn origin(intent: u8) -> Origin {
    let intent = IntentId::parse(&format!("{intent:032x}")).unwrap();
    Origin { account: account(1), region: scope().region, job: "job-1".to_owned(), intent }
}

fn volume_id(n: usize) -> VolumeId {
    VolumeId::parse(&format!("vol-{n:x}")).unwrap()
}

fn snapshot_id(n: usize) -> SnapshotId {
    SnapshotId::parse(&format!("snap-{n:x}")).unwrap()
}

fn instance_id(n: usize) -> InstanceId {
    InstanceId::parse(&format!("i-{n:x}")).unwrap()
}

fn expected(sources: &[&str]) -> Expected {
    let sources = sources.iter().map(|id| (*id).to_owned()).collect();
    let (from, until) = (Timestamp(1_000), Timestamp(1_600));
    Expected { origin: origin(1), sources, from, until, answered: vec![] }
}

/// Of volumes 1 and 2.
fn set() -> Expected {
    expected(&["vol-1", "vol-2"])
}

fn snapshot(n: usize, of: usize, marks: Marks) -> Snapshot {
    Snapshot {
        id: snapshot_id(n),
        volume: volume_id(of),
        state: "completed".to_owned(),
        state_message: String::new(),
        started: Timestamp(1_200),
        size_gib: 8,
        full_bytes: None,
        encrypted: false,
        key: None,
        owner: account(1),
        description: marks.description,
        tier: "standard".to_owned(),
        tags: marks.tags,
    }
}

/// Snapshot 10 + n of volume n, of the set of volumes 1 and 2.
fn member(n: usize) -> Snapshot {
    snapshot(10 + n, n, owner().snapshot_marks(&origin(1), &[volume_id(1), volume_id(2)]))
}

/// Copy 20 of snapshot 11.
fn copy() -> Snapshot {
    let id = 0xffff_ffff;
    snapshot(20, id, owner().copy_marks(&origin(1), &snapshot_id(11)))
}

/// Volume 30 of snapshot 11.
fn volume() -> Volume {
    Volume {
        id: volume_id(30),
        state: "available".to_owned(),
        size_gib: 8,
        zone: "eu-west-1a".to_owned(),
        snapshot: Some(snapshot_id(11)),
        encrypted: false,
        key: None,
        created: Timestamp(1_200),
        product_codes: vec![],
        attachments: vec![],
        tags: owner().volume_marks(&origin(1), &snapshot_id(11)).tags,
    }
}

fn attachment(instance: usize) -> Attachment {
    let state = "attached".to_owned();
    Attachment {
        volume: volume_id(30),
        instance: instance_id(instance),
        device: "/dev/sdf".to_owned(),
        state,
    }
}

fn instance(n: usize, state: &str) -> Instance {
    Instance {
        id: instance_id(n),
        state: state.to_owned(),
        image: None,
        zone: "eu-west-1a".to_owned(),
        kind: "c7i.large".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        root_is_ebs: true,
        disks: BTreeMap::new(),
        addresses: vec![],
        dns: String::new(),
        macs: vec![],
        product_codes: vec![],
        tags: Tags::new(),
    }
}

async fn look_at_snapshots(all: Vec<Snapshot>, what: &Expected) -> Result<Owned<SnapshotId>, NotOurs> {
    let id = all[0].id.clone();
    let cloud = cloud(Fake { snapshots: all, ..Fake::default() });
    owner().snapshot(&cloud, &scope(), what, &id).await
}

async fn look_at_copies(all: Vec<Snapshot>, what: &Expected) -> Result<Owned<SnapshotId>, NotOurs> {
    let id = all[0].id.clone();
    let cloud = cloud(Fake { snapshots: all, ..Fake::default() });
    owner().copy(&cloud, &scope(), what, &id).await
}

async fn look_at_volumes(all: Vec<Volume>, what: &Expected) -> Result<Owned<VolumeId>, NotOurs> {
    let id = all[0].id.clone();
    let cloud = cloud(Fake { volumes: all, ..Fake::default() });
    owner().volume(&cloud, &scope(), what, &id).await
}

/// The part of the rule that does not hold, and what breaks it.
type Break<T> = (&'static str, fn(&mut T));

#[track_caller]
fn assert_foreign<T: std::fmt::Debug>(result: Result<T, NotOurs>, part: &str) {
    match result {
        Err(NotOurs::Foreign { why, .. }) => assert!(why.contains(part), "{why:?} does not say {part:?}"),
        other => panic!("{other:?} is not foreign for {part:?}"),
    }
}

#[tokio::test]
async fn each_member_of_our_set_is_ours() {
    for n in [1, 2] {
        let others = vec![member(n), member(3 - n)];
        assert_eq!(look_at_snapshots(others, &set()).await, Ok(Owned(snapshot_id(10 + n))));
    }
}

#[tokio::test]
async fn what_is_not_there_is_absent_and_not_foreign() {
    let cloud = cloud(Fake { snapshots: vec![member(1)], ..Fake::default() });
    let absent = owner().snapshot(&cloud, &scope(), &set(), &snapshot_id(99)).await;
    assert_eq!(absent, Err(NotOurs::Absent("snap-63".to_owned())));
    let absent = owner().volume(&cloud, &scope(), &expected(&["snap-b"]), &volume_id(99)).await;
    assert_eq!(absent, Err(NotOurs::Absent("vol-63".to_owned())));
}

#[tokio::test]
async fn a_snapshot_that_breaks_one_part_of_the_rule_is_foreign() {
    let breaks: [Break<Snapshot>; 12] = [
        ("description", |s| s.description = "nightly backup".to_owned()),
        ("description", |s| s.description.push(' ')),
        ("description", |s| s.description = owner().snapshot_marks(&origin(2), &[volume_id(1)]).description),
        ("lacks the tag snapscan:mac", |s| drop(s.tags.remove(TAG_MAC))),
        ("lacks the tag snapscan", |s| s.tags.clear()),
        ("tag snapscan:intent", |s| drop(s.tags.insert(TAG_INTENT.into(), origin(2).intent.to_string()))),
        ("tag snapscan:job", |s| drop(s.tags.insert(TAG_JOB.into(), "job-2".into()))),
        ("none of ours", |s| drop(s.tags.insert("snapscan:mac-2".into(), "AAAAAAAAAAA".into()))),
        ("no MAC names its volume", |s| s.volume = volume_id(3)),
        ("made at 999", |s| s.started = Timestamp(999)),
        ("made at 1601", |s| s.started = Timestamp(1_601)),
        ("belongs to account", |s| s.owner = account(2)),
    ];
    for (part, violate) in breaks {
        let mut snapshot = member(1);
        violate(&mut snapshot);
        assert_foreign(look_at_snapshots(vec![snapshot], &set()).await, part);
    }
}

#[tokio::test]
async fn tags_of_the_customer_beside_ours_change_nothing() {
    let mut snapshot = member(1);
    snapshot.tags.insert("CostCenter".to_owned(), "4711".to_owned());
    snapshot.tags.insert("snapscanner".to_owned(), "x".to_owned());
    assert!(look_at_snapshots(vec![snapshot], &set()).await.is_ok());
}

#[tokio::test]
async fn our_tags_copied_to_a_foreign_snapshot_of_the_same_volume_make_it_foreign_and_ours_stays_ours() {
    let mut foreign = member(1);
    foreign.id = snapshot_id(66);
    foreign.description = "before the upgrade".to_owned();
    assert_foreign(look_at_snapshots(vec![foreign.clone(), member(1)], &set()).await, "description");
    assert!(look_at_snapshots(vec![member(1), foreign], &set()).await.is_ok());
}

#[tokio::test]
async fn our_intent_on_another_volume_is_foreign_although_tags_and_description_agree() {
    let mut foreign = member(1);
    foreign.volume = volume_id(9);
    assert_foreign(look_at_snapshots(vec![foreign.clone()], &set()).await, "no MAC names");
    let named = expected(&["vol-1", "vol-2", "vol-9"]);
    assert_foreign(look_at_snapshots(vec![foreign], &named).await, "tag snapscan:mac");
}

#[tokio::test]
async fn a_member_more_than_was_asked_for_is_ours_if_the_answer_named_it_and_all_else_agrees() {
    // Volume 3 was attached after the instance was looked at: the set has a member that no MAC names.
    let extra = Snapshot { id: snapshot_id(13), volume: volume_id(3), ..member(1) };
    let answered = Expected { answered: vec!["snap-b".to_owned(), "snap-d".to_owned()], ..set() };
    let all = vec![extra.clone(), member(1)];
    assert_eq!(look_at_snapshots(all.clone(), &answered).await, Ok(Owned(snapshot_id(13))));
    assert_foreign(look_at_snapshots(all, &set()).await, "no MAC names");
    // One that copies all marks, of that same volume, is not in the answer, and makes nothing ambiguous.
    let copied = Snapshot { id: snapshot_id(66), ..extra.clone() };
    assert_foreign(look_at_snapshots(vec![copied.clone(), extra.clone()], &answered).await, "no MAC names");
    assert_eq!(look_at_snapshots(vec![extra.clone(), copied], &answered).await, Ok(Owned(snapshot_id(13))));
    let breaks: [Break<Snapshot>; 4] = [
        ("description", |s| s.description.push(' ')),
        ("tag snapscan:intent", |s| drop(s.tags.insert(TAG_INTENT.into(), origin(2).intent.to_string()))),
        ("tag snapscan:mac", |s| drop(s.tags.insert(TAG_MAC.into(), "AAAAAAAAAAA".into()))),
        ("belongs to account", |s| s.owner = account(2)),
    ];
    for (part, violate) in breaks {
        let mut snapshot = extra.clone();
        violate(&mut snapshot);
        assert_foreign(look_at_snapshots(vec![snapshot], &answered).await, part);
    }
}

#[tokio::test]
async fn what_another_deployment_of_the_same_name_made_is_foreign() {
    let other = Owner::new("acme".to_owned(), [8; 32]);
    let volumes = [volume_id(1), volume_id(2)];
    let made = snapshot(11, 1, other.snapshot_marks(&origin(1), &volumes));
    assert_foreign(look_at_snapshots(vec![made], &set()).await, "tag snapscan:mac");
    let renamed = Owner::new("acne".to_owned(), [7; 32]);
    let made = snapshot(11, 1, renamed.snapshot_marks(&origin(1), &volumes));
    assert_foreign(look_at_snapshots(vec![made], &set()).await, "tag snapscan says");
}

#[tokio::test]
async fn what_is_looked_at_in_another_account_or_region_is_foreign() {
    let cloud = cloud(Fake { snapshots: vec![member(1)], volumes: vec![volume()], ..Fake::default() });
    let elsewhere = Scope { account: account(2), ..scope() };
    let result = owner().snapshot(&cloud, &elsewhere, &set(), &snapshot_id(11)).await;
    assert_foreign(result, "looked at in 000000000002");
    let elsewhere = Scope { region: Region::parse("eu-west-2").unwrap(), ..scope() };
    let result = owner().volume(&cloud, &elsewhere, &expected(&["snap-b"]), &volume_id(30)).await;
    assert_foreign(result, "looked at in 000000000001 eu-west-2");
}

#[tokio::test]
async fn two_snapshots_that_both_meet_the_rule_are_ambiguous_and_neither_is_touched() {
    let second = Snapshot { id: snapshot_id(77), ..member(1) };
    for all in [vec![member(1), second.clone(), member(2)], vec![second, member(2), member(1)]] {
        assert!(matches!(look_at_snapshots(all, &set()).await, Err(NotOurs::Ambiguous { .. })));
    }
    let second = Snapshot { id: snapshot_id(78), ..copy() };
    let all = vec![copy(), second];
    assert!(matches!(look_at_copies(all, &expected(&["snap-b"])).await, Err(NotOurs::Ambiguous { .. })));
    let second = Volume { id: volume_id(79), ..volume() };
    let all = vec![volume(), second];
    assert!(matches!(look_at_volumes(all, &expected(&["snap-b"])).await, Err(NotOurs::Ambiguous { .. })));
}

/// As a scanner meets it whose clock is an hour behind.
#[tokio::test]
async fn what_the_answer_named_is_ours_whenever_it_was_made_and_what_was_found_is_not() {
    let answered = |source| Expected {
        answered: ["snap-b", "snap-14", "vol-1e"].map(str::to_owned).to_vec(),
        ..expected(&[source])
    };
    let late = Timestamp(1_600 + 3_600);
    let set = Expected { answered: vec![member(1).id.to_string()], ..set() };
    let one = Snapshot { started: late, ..member(1) };
    assert_eq!(look_at_snapshots(vec![one.clone()], &set).await, Ok(Owned(one.id.clone())));
    let other = Snapshot { started: late, ..member(2) };
    assert_foreign(look_at_snapshots(vec![other], &set).await, "made at");
    let one = Snapshot { started: late, ..copy() };
    assert_eq!(look_at_copies(vec![one], &answered("snap-b")).await, Ok(Owned(copy().id)));
    let one = Volume { created: late, ..volume() };
    assert_eq!(look_at_volumes(vec![one], &answered("snap-b")).await, Ok(Owned(volume().id)));
}

#[tokio::test]
async fn a_copy_is_ours_by_its_source_whatever_its_volume_says() {
    let what = expected(&["snap-b"]);
    assert_eq!(look_at_copies(vec![copy()], &what).await, Ok(Owned(snapshot_id(20))));
    let of_another = snapshot(20, 5, owner().copy_marks(&origin(1), &snapshot_id(12)));
    assert_foreign(look_at_copies(vec![of_another], &what).await, "tag snapscan:mac");
    let late = Snapshot { started: Timestamp(1_601), ..copy() };
    assert_foreign(look_at_copies(vec![late], &what).await, "made at");
    let plain = Snapshot { description: String::new(), ..copy() };
    assert_foreign(look_at_copies(vec![plain], &what).await, "description");
    assert_foreign(look_at_copies(vec![member(1)], &what).await, "tag");
    assert_foreign(look_at_snapshots(vec![copy()], &set()).await, "no MAC names");
    assert_foreign(look_at_copies(vec![copy()], &expected(&["snap-b", "snap-c"])).await, "2 sources");
}

#[tokio::test]
async fn a_volume_that_breaks_one_part_of_the_rule_is_foreign() {
    let what = expected(&["snap-b"]);
    assert_eq!(look_at_volumes(vec![volume()], &what).await, Ok(Owned(volume_id(30))));
    let breaks: [Break<Volume>; 8] = [
        ("made of snap-c", |v| v.snapshot = Some(snapshot_id(12))),
        ("made of no snapshot", |v| v.snapshot = None),
        ("made at", |v| v.created = Timestamp(999)),
        ("made at", |v| v.created = Timestamp(1_601)),
        ("lacks", |v| v.tags.clear()),
        ("tag snapscan:mac", |v| v.tags = owner().volume_marks(&origin(1), &snapshot_id(12)).tags),
        ("tag", |v| v.tags = owner().volume_marks(&origin(2), &snapshot_id(11)).tags),
        ("tag snapscan:mac", |v| {
            v.tags = Owner::new("acme".into(), [8; 32]).volume_marks(&origin(1), &snapshot_id(11)).tags
        }),
    ];
    for (part, violate) in breaks {
        let mut volume = volume();
        violate(&mut volume);
        assert_foreign(look_at_volumes(vec![volume], &what).await, part);
    }
    assert_foreign(look_at_volumes(vec![volume()], &set()).await, "2 sources");
}

#[tokio::test]
async fn an_attachment_is_ours_by_its_volume_and_its_instance() {
    let (scanner, what) = (instance_id(1), expected(&["snap-b"]));
    let look = async |volume: Volume, instances: Vec<Instance>| {
        let cloud = cloud(Fake { volumes: vec![volume], instances, ..Fake::default() });
        owner().attachment(&cloud, &scope(), &what, &volume_id(30), &scanner).await
    };
    let at = |instances: &[usize]| Volume {
        attachments: instances.iter().map(|n| attachment(*n)).collect(),
        state: "in-use".to_owned(),
        ..volume()
    };
    assert_eq!(look(at(&[1]), vec![]).await, Ok(Owned(attachment(1))));
    assert_eq!(look(at(&[2]), vec![instance(2, "terminated")]).await, Ok(Owned(attachment(2))));
    assert_foreign(look(at(&[2]), vec![instance(2, "running")]).await, "neither this scanner nor terminated");
    assert_foreign(look(at(&[2]), vec![]).await, "neither this scanner nor terminated");
    assert_foreign(look(at(&[1, 2]), vec![]).await, "attached to i-1 and i-2");
    assert!(matches!(look(at(&[]), vec![]).await, Err(NotOurs::Absent(_))));
    let foreign = Volume { tags: Tags::new(), ..at(&[1]) };
    assert_foreign(look(foreign, vec![]).await, "lacks the tag");
}

#[tokio::test]
async fn a_share_is_ours_on_what_is_ours_with_the_account_that_the_intent_names() {
    let look = async |snapshot: Snapshot, what: Expected, with: u8| {
        let id = snapshot.id.clone();
        let fake = Fake { snapshots: vec![snapshot], shares: vec![account(5)], ..Fake::default() };
        owner().shared(&cloud(fake), &scope(), &what, &id, &account(with)).await
    };
    assert_eq!(look(member(1), set(), 5).await, Ok(Owned(snapshot_id(11))));
    assert_eq!(look(copy(), expected(&["snap-b"]), 5).await, Ok(Owned(snapshot_id(20))));
    assert!(matches!(look(member(1), set(), 6).await, Err(NotOurs::Absent(_))));
    let foreign = Snapshot { description: String::new(), ..member(1) };
    assert_foreign(look(foreign, set(), 5).await, "description");
}

#[tokio::test]
async fn without_a_ledger_what_the_things_say_is_proved_by_their_macs() {
    let look = async |snapshot: Snapshot, before: i64| {
        let id = snapshot.id.clone();
        let cloud = cloud(Fake { snapshots: vec![snapshot], ..Fake::default() });
        owner().abandoned_snapshot(&cloud, &scope(), &id, Timestamp(before)).await
    };
    assert_eq!(look(member(1), 1_200).await, Ok(Owned(snapshot_id(11))));
    assert_eq!(look(copy(), 1_200).await, Ok(Owned(snapshot_id(20))));
    assert_foreign(look(member(1), 1_199).await, "made at");
    assert_foreign(look(Snapshot { volume: volume_id(3), ..member(1) }, 1_200).await, "no MAC names");
    assert_foreign(look(Snapshot { description: String::new(), ..member(1) }, 1_200).await, "description");
    assert_foreign(look(Snapshot { tags: Tags::new(), ..member(1) }, 1_200).await, "lacks the tag");
    let mut other_job = member(1);
    other_job.tags.insert(TAG_JOB.to_owned(), "job-2".to_owned());
    assert_foreign(look(other_job, 1_200).await, "description");
    let mut other_source = copy();
    other_source.tags.insert(TAG_SOURCE.to_owned(), "snap-c".to_owned());
    assert_foreign(look(other_source, 1_200).await, "tag snapscan:mac");

    let look = async |volume: Volume, before: i64| {
        let cloud = cloud(Fake { volumes: vec![volume], ..Fake::default() });
        owner().abandoned_volume(&cloud, &scope(), &volume_id(30), Timestamp(before)).await
    };
    assert_eq!(look(volume(), 1_200).await, Ok(Owned(volume_id(30))));
    assert_foreign(look(volume(), 1_199).await, "made at");
    assert_foreign(
        look(Volume { snapshot: Some(snapshot_id(12)), ..volume() }, 1_200).await,
        "tag snapscan:mac",
    );
    let mut other_job = volume();
    other_job.tags.insert(TAG_JOB.to_owned(), "job-2".to_owned());
    assert_foreign(look(other_job, 1_200).await, "tag snapscan:mac");
}

#[tokio::test]
async fn the_largest_set_fits_into_what_aws_takes_and_each_member_is_ours() {
    let volumes: Vec<VolumeId> = (0..128).map(|n| volume_id(0x0123_4567_89ab_cde0 + n)).collect();
    let marks = owner().snapshot_marks(&origin(1), &volumes);
    assert_eq!(marks.tags.len(), 3 + 7);
    assert!(marks.tags.values().all(|value| value.len() <= 255), "{:?}", marks.tags);
    assert!(marks.tags.keys().all(|key| key.len() <= 127 && tag_keys().contains(key)));
    let what = Expected { sources: volumes.iter().map(VolumeId::to_string).collect(), ..set() };
    for volume in [&volumes[0], &volumes[64], &volumes[127]] {
        let member = Snapshot { volume: volume.clone(), ..snapshot(11, 1, marks.clone()) };
        assert!(look_at_snapshots(vec![member.clone()], &what).await.is_ok());
        let cloud = cloud(Fake { snapshots: vec![member], ..Fake::default() });
        let before = Timestamp(1_300);
        assert!(owner().abandoned_snapshot(&cloud, &scope(), &snapshot_id(11), before).await.is_ok());
    }
    let long = Owner::new("d".repeat(160), [7; 32]);
    assert!(long.snapshot_marks(&origin(1), &volumes).description.len() <= 255);
}

#[test]
fn marks_are_the_same_whatever_order_the_volumes_come_in() {
    let (one, two) = (volume_id(1), volume_id(2));
    let marks = |volumes: &[VolumeId]| owner().snapshot_marks(&origin(1), volumes);
    assert_eq!(marks(&[one.clone(), two.clone()]), marks(&[two, one]));
}

/// All texts that differ from this one in one bit of one byte, or lack one.
fn flips(text: &str) -> impl Iterator<Item = String> + '_ {
    let flipped = (0..text.len()).flat_map(move |at| {
        (0..7).map(move |bit| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            String::from_utf8(bytes).unwrap()
        })
    });
    flipped.chain((0..text.len()).map(move |at| format!("{}{}", &text[..at], &text[at + 1..])))
}

#[tokio::test]
async fn flipping_any_bit_of_a_tag_or_description_makes_it_foreign() {
    let before = Timestamp(1_300);
    let look = async |snapshot: Snapshot| {
        let id = snapshot.id.clone();
        let cloud = cloud(Fake { snapshots: vec![snapshot], ..Fake::default() });
        let known = match id == snapshot_id(20) {
            true => owner().copy(&cloud, &scope(), &expected(&["snap-b"]), &id).await,
            false => owner().snapshot(&cloud, &scope(), &set(), &id).await,
        };
        [known, owner().abandoned_snapshot(&cloud, &scope(), &id, before).await]
    };
    for whole in [member(1), copy()] {
        assert!(look(whole.clone()).await.iter().all(Result::is_ok));
        let mut broken: Vec<Snapshot> =
            flips(&whole.description).map(|description| Snapshot { description, ..whole.clone() }).collect();
        for (key, value) in &whole.tags {
            broken.extend(flips(value).map(|value| {
                let mut tags = whole.tags.clone();
                tags.insert(key.clone(), value);
                Snapshot { tags, ..whole.clone() }
            }));
        }
        assert!(broken.len() > 1_000, "{}", broken.len());
        for snapshot in broken {
            for result in look(snapshot).await {
                assert_foreign(result, "");
            }
        }
    }
}
