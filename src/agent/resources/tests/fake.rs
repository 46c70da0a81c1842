// SPDX-License-Identifier: Apache-2.0
//! A cloud in memory that lies as the real one may: late ids, lost answers, pending deletions, decoys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use snapscan_cloud::ec2::{Attachment, Find, Instance, Page, Snapshot, Tags, Volume};
use snapscan_cloud::{
    AccountId, Action, Answer, Call, Clock, Error, InstanceId, Scope, Service, SnapshotId, Timestamp,
    VolumeId,
};

use super::Halt;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is refused, without effect.
    Refused(&'static str),
    /// It takes effect, and its answer is lost.
    Lost,
    /// It never arrives, and nobody says so.
    Swallowed,
}

/// How the cloud behaves.
#[derive(Default, Clone)]
pub(super) struct Manner {
    /// Seconds until a new thing shows in lists.
    pub(super) late: i64,
    /// Seconds until a snapshot is complete.
    pub(super) pending: i64,
    /// Seconds until a detach or the deletion of a volume shows.
    pub(super) slow: i64,
    /// Snapshots of these volumes end in error.
    pub(super) error: BTreeSet<String>,
    /// Calls that are not allowed.
    pub(super) denied: BTreeSet<Action>,
    /// Volumes vanish after this many seconds: the key cannot be used.
    pub(super) ghost: Option<i64>,
    /// By the number of the changing call, from 0: what happens to it.
    pub(super) faults: BTreeMap<usize, Fault>,
    /// Deleting a snapshot answers with this code.
    pub(super) locked: Option<&'static str>,
    /// This volume was attached just before a set is made.
    pub(super) attached: Option<VolumeId>,
    /// It is at the target no more.
    pub(super) detached: bool,
    /// Leave decoys beside all that is made.
    pub(super) decoys: bool,
}

struct Thing<T> {
    body: T,
    shown: i64,
    gone: Option<i64>,
    is_decoy: bool,
    shares: BTreeSet<AccountId>,
}

#[derive(Default)]
struct World {
    snapshots: BTreeMap<SnapshotId, Thing<Snapshot>>,
    volumes: BTreeMap<VolumeId, Thing<Volume>>,
    next: u64,
    changing: usize,
    /// Actions and the ids that they were about, in order.
    log: Vec<(Action, String)>,
    tokens: BTreeSet<String>,
}

/// The cloud; clones are the same one.
#[derive(Clone)]
pub(super) struct Fake {
    world: Arc<Mutex<World>>,
    manner: Arc<Mutex<Manner>>,
    clock: Clock,
}

impl Fake {
    pub(super) fn new(clock: Clock, manner: Manner) -> Self {
        Self { world: Arc::default(), manner: Arc::new(Mutex::new(manner)), clock }
    }

    pub(super) fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Ids of ours that exist, with those that carry a share or an attachment named once more.
    pub(super) fn ours(&self) -> Vec<String> {
        let (world, now) = (self.lock(), self.clock.now().0);
        let mut ours = Vec::new();
        for (id, thing) in world.snapshots.iter().filter(|(_, thing)| !thing.is_decoy && !thing.is_gone(now))
        {
            ours.push(id.to_string());
            ours.extend(thing.shares.iter().map(|with| format!("{id} shared with {with}")));
        }
        for (id, thing) in world.volumes.iter().filter(|(_, thing)| !thing.is_decoy && !thing.is_gone(now)) {
            ours.push(id.to_string());
            ours.extend(thing.body.attachments.iter().map(|at| format!("{id} at {}", at.instance)));
        }
        ours
    }

    /// How many decoys exist, and how often one was the object of a change.
    pub(super) fn decoys(&self) -> (usize, usize) {
        let (world, now) = (self.lock(), self.clock.now().0);
        let snapshots = world.snapshots.iter().filter(|(_, thing)| thing.is_decoy && !thing.is_gone(now));
        let volumes = world.volumes.iter().filter(|(_, thing)| thing.is_decoy && !thing.is_gone(now));
        let ids: BTreeSet<String> =
            snapshots.map(|(id, _)| id.to_string()).chain(volumes.map(|(id, _)| id.to_string())).collect();
        let touched = world.log.iter().filter(|(action, id)| action.changes() && ids.contains(id)).count();
        (ids.len(), touched)
    }

    /// How often this was called.
    pub(super) fn count(&self, action: Action) -> usize {
        self.lock().log.iter().filter(|(one, _)| *one == action).count()
    }

    /// Calls that change something.
    pub(super) fn changing(&self) -> usize {
        self.lock().changing
    }

    /// Puts a thing beside ours by hand.
    pub(super) fn plant(&self, mut snapshot: Snapshot) -> SnapshotId {
        let mut world = self.lock();
        snapshot.id = world.snapshot_id();
        let (id, now) = (snapshot.id.clone(), self.clock.now().0);
        world.snapshots.insert(id.clone(), Thing::new(snapshot, now, true));
        id
    }

    /// The snapshot of ours of this volume.
    pub(super) fn of(&self, volume: &VolumeId) -> Snapshot {
        let world = self.lock();
        let mut ours =
            world.snapshots.values().filter(|thing| !thing.is_decoy && thing.body.volume == *volume);
        ours.next().unwrap().body.clone()
    }

    /// A thing that was put there by hand is taken away by hand.
    pub(super) fn remove(&self, id: &SnapshotId) {
        self.lock().snapshots.remove(id).unwrap();
    }

    /// A snapshot as it is.
    pub(super) fn snapshot(&self, id: &SnapshotId) -> Option<Snapshot> {
        self.lock().snapshots.get(id).map(|thing| thing.body.clone())
    }

    /// Somebody takes our tags off a snapshot.
    pub(super) fn strip(&self, id: &SnapshotId) {
        let mut world = self.lock();
        world.snapshots.get_mut(id).unwrap().body.tags.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let manner = self.manner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (action, now) = (call.action(), self.clock.now().0);
        assert!(action.purposes().contains(&scope.purpose), "{action:?} as {:?}", scope.purpose);
        let mut world = self.lock();
        world.log.push((action, subject(&call)));
        if manner.denied.contains(&action) {
            return Err(Error::of(action.name(), "UnauthorizedOperation", "not allowed"));
        }
        let fault = action.changes().then(|| {
            world.changing += 1;
            manner.faults.get(&(world.changing - 1)).copied()
        });
        match fault.flatten() {
            Some(Fault::Refused(code)) => return Err(Error::of(action.name(), code, "as planned")),
            Some(Fault::Swallowed) => return Err(Error::of(action.name(), "Timeout", "no answer")),
            Some(Fault::Lost) => {
                let _lost = world.answer(&manner, scope, now, call);
                return Err(Error::of(action.name(), "ConnectionLost", "after its effect"));
            }
            None => {}
        }
        world.answer(&manner, scope, now, call)
    }
}

impl<T> Thing<T> {
    fn new(body: T, shown: i64, is_decoy: bool) -> Self {
        Self { body, shown, gone: None, is_decoy, shares: BTreeSet::new() }
    }

    fn is_gone(&self, now: i64) -> bool {
        self.gone.is_some_and(|gone| gone <= now)
    }

    fn is_listed(&self, now: i64) -> bool {
        self.shown <= now && !self.is_gone(now)
    }
}

impl World {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn snapshot_id(&mut self) -> SnapshotId {
        SnapshotId::parse(&format!("snap-{:017x}", self.number())).unwrap()
    }

    fn volume_id(&mut self) -> VolumeId {
        VolumeId::parse(&format!("vol-{:017x}", self.number())).unwrap()
    }

    fn answer(&mut self, manner: &Manner, scope: &Scope, now: i64, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        let not_found = |code: &str| Error::of(action, code, "no such thing");
        Ok(match call {
            Call::CreateSnapshots(ask) => {
                let mut volumes = super::volumes_of(&ask.instance);
                volumes.extend(manner.attached.clone());
                let made = volumes
                    .iter()
                    .map(|volume| self.snap(manner, scope, now, volume.clone(), &ask.description, &ask.tags));
                Answer::CreateSnapshots(made.collect())
            }
            Call::CreateSnapshot(ask) => {
                Answer::CreateSnapshot(self.snap(manner, scope, now, ask.volume, &ask.description, &ask.tags))
            }
            Call::CopySnapshot(ask) => {
                let any = VolumeId::parse("vol-ffffffff").unwrap();
                let copy = self.snap(manner, scope, now, any, &ask.description, &ask.tags);
                Answer::CopySnapshot(copy.id)
            }
            Call::CreateVolume(ask) => {
                assert!(self.tokens.insert(ask.token.clone()), "a token was used twice");
                Answer::CreateVolume(self.volume(manner, now, &ask.snapshot, &ask.zone, &ask.tags))
            }
            Call::DescribeSnapshots(ask) => {
                let listed = self.snapshots.values().filter(|thing| thing.is_listed(now));
                let all = listed.map(|thing| settled(manner, now, &thing.body));
                let mine = all.filter(|one| one.owner == scope.account);
                Answer::DescribeSnapshots(page(
                    mine.filter(|one| finds(&ask.find, &one.id, &one.tags)),
                    ask.token,
                ))
            }
            Call::DescribeVolumes(ask) => {
                let listed = self.volumes.values().filter(|thing| thing.is_listed(now));
                let theirs = manner.attached.as_ref().filter(|_| !manner.detached).map(theirs);
                let all = listed.map(|thing| thing.body.clone()).chain(theirs);
                Answer::DescribeVolumes(page(
                    all.filter(|one| finds(&ask.find, &one.id, &one.tags)),
                    ask.token,
                ))
            }
            Call::DescribeInstances(ask) => {
                let all = ask.ids.into_iter().map(|id| instance(id, "running"));
                Answer::DescribeInstances(page(all, ask.token))
            }
            Call::DescribeShares(ask) => {
                let thing = self.snapshots.get(&ask.snapshot).filter(|thing| thing.is_listed(now));
                let thing = thing.ok_or_else(|| not_found("InvalidSnapshot.NotFound"))?;
                Answer::DescribeShares(thing.shares.iter().cloned().collect())
            }
            Call::ShareSnapshot(ask) => {
                let thing = self.snapshots.get_mut(ask.snapshot.id());
                let thing = thing.ok_or_else(|| not_found("InvalidSnapshot.NotFound"))?;
                thing.shares.insert(ask.with);
                Answer::ShareSnapshot(())
            }
            Call::UnshareSnapshot(ask) => {
                let thing = self.snapshots.get_mut(ask.snapshot.id());
                let thing = thing.ok_or_else(|| not_found("InvalidSnapshot.NotFound"))?;
                thing.shares.remove(&ask.with);
                Answer::UnshareSnapshot(())
            }
            Call::DeleteSnapshot(ask) => {
                if let Some(code) = manner.locked {
                    return Err(Error::of(action, code, "the snapshot is locked"));
                }
                let thing = self.snapshots.get_mut(ask.snapshot.id()).filter(|thing| !thing.is_gone(now));
                let thing = thing.ok_or_else(|| not_found("InvalidSnapshot.NotFound"))?;
                let complete = thing.body.started.0 + manner.pending;
                thing.gone = thing.gone.or(Some(complete.max(now)));
                Answer::DeleteSnapshot(())
            }
            Call::AttachVolume(ask) => {
                let thing = self.volumes.get_mut(ask.volume.id());
                let thing = thing.ok_or_else(|| not_found("InvalidVolume.NotFound"))?;
                if !thing.body.attachments.is_empty() {
                    return Err(Error::of(action, "VolumeInUse", "it is attached"));
                }
                thing.body.state = "in-use".to_owned();
                thing.body.attachments.push(Attachment {
                    volume: thing.body.id.clone(),
                    instance: ask.instance,
                    device: ask.device,
                    state: "attached".to_owned(),
                });
                Answer::AttachVolume(())
            }
            Call::DetachVolume(ask) => {
                let thing = self.volumes.get_mut(&ask.attachment.id().volume);
                let thing = thing.ok_or_else(|| not_found("InvalidVolume.NotFound"))?;
                thing.body.attachments.clear();
                thing.body.state = "available".to_owned();
                Answer::DetachVolume(())
            }
            Call::DeleteVolume(ask) => {
                let thing = self.volumes.get_mut(ask.volume.id()).filter(|thing| !thing.is_gone(now));
                let thing = thing.ok_or_else(|| not_found("InvalidVolume.NotFound"))?;
                if !thing.body.attachments.is_empty() {
                    return Err(Error::of(action, "VolumeInUse", "it is attached"));
                }
                thing.gone = thing.gone.or(Some(now + manner.slow));
                Answer::DeleteVolume(())
            }
            other => panic!("{:?} is not played", other.action()),
        })
    }

    fn snap(
        &mut self,
        manner: &Manner,
        scope: &Scope,
        now: i64,
        volume: VolumeId,
        text: &str,
        tags: &Tags,
    ) -> Snapshot {
        let id = self.snapshot_id();
        let body = Snapshot {
            id: id.clone(),
            volume,
            state: "pending".to_owned(),
            state_message: String::new(),
            started: Timestamp(now),
            size_gib: 8,
            full_bytes: None,
            encrypted: true,
            key: Some("arn:aws:kms:eu-west-1:111111111111:key/k".to_owned()),
            owner: scope.account.clone(),
            description: text.to_owned(),
            tier: "standard".to_owned(),
            tags: tags.clone(),
        };
        if manner.decoys {
            // Our tags on a snapshot of the same volume; and all our marks on one of another volume.
            let copied = Snapshot { description: "nightly backup".to_owned(), ..body.clone() };
            let other = VolumeId::parse("vol-0dec0").unwrap();
            let other = Snapshot { volume: other, started: Timestamp(now - 9_000), ..body.clone() };
            for mut decoy in [copied, other] {
                decoy.id = self.snapshot_id();
                self.snapshots.insert(decoy.id.clone(), Thing::new(decoy, now, true));
            }
        }
        self.snapshots.insert(id, Thing::new(body.clone(), now + manner.late, false));
        body
    }

    fn volume(
        &mut self,
        manner: &Manner,
        now: i64,
        snapshot: &SnapshotId,
        zone: &str,
        tags: &Tags,
    ) -> VolumeId {
        let id = self.volume_id();
        let body = Volume {
            id: id.clone(),
            state: if manner.ghost.is_some() { "creating" } else { "available" }.to_owned(),
            size_gib: 8,
            zone: zone.to_owned(),
            snapshot: Some(snapshot.clone()),
            encrypted: true,
            key: None,
            created: Timestamp(now),
            product_codes: vec![],
            attachments: vec![],
            tags: tags.clone(),
        };
        if manner.decoys {
            // Our intent on another volume, attached to us.
            let id = self.volume_id();
            let here = Attachment {
                volume: id.clone(),
                instance: super::scanner(),
                device: "/dev/sdz".to_owned(),
                state: "attached".to_owned(),
            };
            let other = SnapshotId::parse("snap-0dec0").unwrap();
            let decoy =
                Volume { id: id.clone(), snapshot: Some(other), attachments: vec![here], ..body.clone() };
            self.volumes.insert(id, Thing::new(decoy, now, true));
        }
        let mut thing = Thing::new(body, now + manner.late, false);
        thing.gone = manner.ghost.map(|after| now + after);
        self.volumes.insert(id.clone(), thing);
        id
    }
}

/// A volume of the target.
fn theirs(id: &VolumeId) -> Volume {
    let here = Attachment {
        volume: id.clone(),
        instance: super::target(),
        device: "/dev/sdx".to_owned(),
        state: "attached".to_owned(),
    };
    Volume {
        id: id.clone(),
        state: "in-use".to_owned(),
        size_gib: 8,
        zone: "eu-west-1a".to_owned(),
        snapshot: None,
        encrypted: true,
        key: None,
        created: Timestamp(0),
        product_codes: vec![],
        attachments: vec![here],
        tags: Tags::new(),
    }
}

/// A snapshot in the state that it has by now.
fn settled(manner: &Manner, now: i64, body: &Snapshot) -> Snapshot {
    let mut body = body.clone();
    if manner.error.contains(body.volume.as_str()) {
        body.state = "error".to_owned();
        body.state_message = "as planned".to_owned();
    } else if now >= body.started.0 + manner.pending {
        body.state = "completed".to_owned();
    }
    body
}

fn finds<T: PartialEq>(find: &Find<T>, id: &T, tags: &Tags) -> bool {
    match find {
        Find::Ids(ids) => ids.contains(id),
        Find::Intent(intent) => tags.get("snapscan:intent").is_some_and(|tag| tag == intent.as_str()),
        Find::Deployment(name) => tags.get("snapscan").is_some_and(|tag| tag == name),
        Find::AttachedTo(_) => false,
    }
}

/// One thing a page, and the first page empty: who stops early misses things.
fn page<T>(items: impl Iterator<Item = T>, token: Option<String>) -> Page<T> {
    let at: usize = token.map_or(0, |token| token.parse().unwrap());
    let mut rest = items.skip(at.saturating_sub(1));
    let items: Vec<T> = if at == 0 { vec![] } else { rest.by_ref().take(1).collect() };
    let token = rest.next().map(|_| (at + 1).to_string());
    Page { items, token }
}

fn subject(call: &Call) -> String {
    match call {
        Call::DeleteSnapshot(ask) => ask.snapshot.id().to_string(),
        Call::ShareSnapshot(ask) => ask.snapshot.id().to_string(),
        Call::UnshareSnapshot(ask) => ask.snapshot.id().to_string(),
        Call::DeleteVolume(ask) => ask.volume.id().to_string(),
        Call::AttachVolume(ask) => ask.volume.id().to_string(),
        Call::DetachVolume(ask) => ask.attachment.id().volume.to_string(),
        _ => String::new(),
    }
}

fn instance(id: InstanceId, state: &str) -> Instance {
    Instance {
        id,
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

/// The cloud as one process sees it, until that dies.
pub(super) struct Seen(pub(super) Fake, pub(super) Arc<Halt>);

#[async_trait::async_trait]
impl Service for Seen {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        self.1.pass(&format!("cloud.{action}.before")).await;
        let answer = self.0.answer(scope, call);
        self.1.pass(&format!("cloud.{action}.after")).await;
        answer
    }
}
