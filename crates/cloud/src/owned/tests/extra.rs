// SPDX-License-Identifier: Apache-2.0
//! A member of a set that nobody asked for, with each part of its rule violated one by one.

use super::*;

/// Volume 3, at the instance of the set.
fn attached() -> Volume {
    let here = Attachment { volume: volume_id(3), ..attachment(7) };
    let state = "in-use".to_owned();
    Volume { id: volume_id(3), state, snapshot: None, attachments: vec![here], tags: Tags::new(), ..volume() }
}

fn whole() -> Whole {
    Whole { instance: instance_id(7), left_out: vec![volume_id(4)] }
}

/// The member more: of volume 3.
fn more() -> Snapshot {
    Snapshot { id: snapshot_id(13), volume: volume_id(3), ..member(1) }
}

async fn judge(snapshots: Vec<Snapshot>, volumes: Vec<Volume>, whole: &Whole) -> Extra {
    let fake = Fake { snapshots, volumes, ..Fake::default() };
    owner().extra_member(&cloud(fake), &scope(), &set(), whole, &snapshot_id(13)).await.unwrap()
}

#[tokio::test]
async fn a_snapshot_of_a_volume_of_the_instance_that_began_with_the_set_is_its_member() {
    assert_eq!(judge(vec![more(), member(1), member(2)], vec![attached()], &whole()).await, Extra::Ours);
    let all = vec![member(2), Snapshot { started: Timestamp(1_201), ..more() }];
    assert_eq!(judge(all, vec![attached()], &whole()).await, Extra::Ours, "one of the set's own is enough");
}

#[tokio::test]
async fn whatever_lacks_a_mark_or_is_of_another_volume_is_foreign() {
    let breaks: [Break<Snapshot>; 8] = [
        ("description", |s| s.description.push(' ')),
        ("description", |s| s.description = "nightly backup".to_owned()),
        ("tag snapscan:job", |s| drop(s.tags.insert(TAG_JOB.into(), "job-2".into()))),
        ("tag snapscan:mac", |s| drop(s.tags.insert(TAG_MAC.into(), "AAAAAAAAAAA".into()))),
        ("made at 1601", |s| s.started = Timestamp(1_601)),
        ("belongs to account", |s| s.owner = account(2)),
        ("is not attached to i-7", |s| s.volume = volume_id(5)),
        ("left out its volume vol-4", |s| s.volume = volume_id(4)),
    ];
    for (part, violate) in breaks {
        let mut snapshot = more();
        violate(&mut snapshot);
        let judged = judge(vec![snapshot, member(1)], vec![attached()], &whole()).await;
        assert!(matches!(&judged, Extra::Foreign(why) if why.contains(part)), "{part}: {judged:?}");
    }
    let all = vec![more(), member(1)];
    let judged = judge(all.clone(), vec![], &whole()).await;
    assert!(matches!(judged, Extra::Foreign(_)), "its volume is gone: {judged:?}");
    let elsewhere = Whole { instance: instance_id(8), ..whole() };
    let judged = judge(all.clone(), vec![attached()], &elsewhere).await;
    assert!(matches!(judged, Extra::Foreign(_)), "at another instance: {judged:?}");
    let mut gone = attached();
    gone.attachments[0].state = "detached".to_owned();
    let judged = judge(all, vec![gone], &whole()).await;
    assert!(matches!(judged, Extra::Foreign(_)), "detached: {judged:?}");
}

#[tokio::test]
async fn what_did_not_begin_with_a_member_that_a_mac_names_is_suspect() {
    let late = Snapshot { started: Timestamp(1_202), ..more() };
    let early = Snapshot { started: Timestamp(1_198), ..more() };
    for (name, all) in [
        ("alone", vec![more()]),
        ("later", vec![late, member(1)]),
        ("earlier", vec![early, member(1)]),
        ("with a decoy", vec![more(), Snapshot { description: "x".to_owned(), ..member(1) }]),
        ("with another like it", vec![more(), Snapshot { volume: volume_id(9), ..member(1) }]),
        ("twice", vec![more(), member(1), Snapshot { id: snapshot_id(14), ..more() }]),
    ] {
        let judged = judge(all, vec![attached()], &whole()).await;
        assert!(matches!(judged, Extra::Suspect(_)), "{name}: {judged:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_absent() {
    let fake = Fake { volumes: vec![attached()], ..Fake::default() };
    let judged = owner().extra_member(&cloud(fake), &scope(), &set(), &whole(), &snapshot_id(13)).await;
    assert!(matches!(judged, Err(NotOurs::Absent(_))), "{judged:?}");
}
