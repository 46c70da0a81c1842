// SPDX-License-Identifier: Apache-2.0
//! Things of others that look like ours: whoever touches one of them has taken it for his own.
//!
//! | decoy | looks like ours because |
//! |---|---|
//! | a snapshot | it has our name, our deployment's tag and a description like ours |
//! | a snapshot | it has tags and description of one that the agent made, so its very intent, on another volume |
//! | a volume | it has the same tags |
//! | a volume | it is attached to the scanner and has our deployment's tag |

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use serde::Serialize;
use sha2::{Digest, Sha256};
use snapscan_cloud::ec2::{DescribeShares, DescribeSnapshots, DescribeVolumes, Find};
use snapscan_cloud::local::{Builder, Event, SnapshotRecord, VolumeRecord, World};
use snapscan_cloud::owned::TAG_DEPLOYMENT;
use snapscan_cloud::{AccountId, Cloud, Purpose, Scope, SnapshotId, VolumeId};

use super::stage::Stage;
use super::world::{DEPLOYMENT, id};
use crate::error::Failure;
use crate::render::hex;

/// The volume that decoys are snapshots of: that of the machine that is left alone.
pub(super) const SOURCE: &str = "vol-0de30000000000016";
const NAMED: &str = "snap-0dec0000000000001";
const COPIED: &str = "snap-0dec0000000000002";
const VOLUME: &str = "vol-0dec0000000000003";
const ATTACHED: &str = "vol-0dec0000000000004";
/// How many there are.
pub(super) const COUNT: usize = 4;

/// Adds the decoys, with the bytes of `image`; two get their tags later.
///
/// # Errors
/// None, as long as the ids above have the form of ids.
pub(super) fn add(mut builder: Builder, customer: &AccountId, image: &Path) -> io::Result<Builder> {
    let name = |tags: &mut BTreeMap<String, String>| {
        tags.insert("Name".to_owned(), "snapscan".to_owned());
        tags.insert(TAG_DEPLOYMENT.to_owned(), DEPLOYMENT.to_owned());
    };
    let source = id(SOURCE, VolumeId::parse)?;
    let snapshot = |text| {
        let id = id(text, SnapshotId::parse)?;
        Ok::<_, io::Error>(SnapshotRecord::new(id, customer.clone(), source.clone()))
    };
    let (mut named, copied) = (snapshot(NAMED)?, snapshot(COPIED)?);
    name(&mut named.tags);
    named.description = format!("snapscan {DEPLOYMENT}");
    let host = builder.world.settings.host.clone();
    let volume = VolumeRecord::new(id(VOLUME, VolumeId::parse)?, customer.clone(), &host.zone);
    let mut attached = VolumeRecord::new(id(ATTACHED, VolumeId::parse)?, host.account.clone(), &host.zone);
    name(&mut attached.tags);
    if let Some(scanner) = builder.world.instances.get_mut(&host.instance) {
        scanner.disks.insert("/dev/sdf".to_owned(), attached.id.clone());
    }
    builder = builder.snapshot(named, image).snapshot(copied, image);
    Ok(builder.volume(volume, image).volume(attached, image))
}

/// Those that get the marks of something that the agent made, when it has made something.
const PLANTED: [&str; 2] = [COPIED, VOLUME];

/// What each decoy was when nobody had touched it.
pub(super) struct Decoys {
    digests: Digests,
    harmed: Vec<String>,
}

/// The digest of each decoy, or why it has none.
type Digests = BTreeMap<&'static str, Result<String, String>>;

impl Decoys {
    /// Looks at them: right after they were made, before an agent starts.
    ///
    /// # Errors
    /// If one of them cannot be looked at.
    pub(super) async fn look(cloud: &Cloud, on: Watch<'_>) -> Result<Self, Failure> {
        let digests = digests(cloud, on).await;
        for (name, digest) in &digests {
            if let Err(why) = digest {
                let what = format!("cannot look at the decoy {name}: {why}");
                return Err(Failure::new(what, "see `cloud.log` with --keep DIR"));
            }
        }
        Ok(Self { digests, harmed: Vec::new() })
    }

    /// Gives two of them the marks of what the agent has made, and looks at these two again. What was done to any of them
    /// until then is noted.
    ///
    /// # Errors
    /// If nothing of ours is there, or a file of the cloud cannot be written.
    pub(super) async fn plant(&mut self, cloud: &Cloud, on: Watch<'_>) -> Result<(), Failure> {
        self.harmed = changed(&self.digests, &digests(cloud, on).await);
        copy_marks(cloud, on.customer, on.stage).await?;
        let mut planted = digests(cloud, on).await;
        planted.retain(|name, _| PLANTED.contains(name));
        self.digests.extend(planted);
        Ok(())
    }

    /// What was done to them: one is not what it was, or somebody tried to change it.
    pub(super) async fn harmed(&self, cloud: &Cloud, on: Watch<'_>, events: &[Event]) -> Vec<String> {
        let mut harmed = self.harmed.clone();
        harmed.extend(changed(&self.digests, &digests(cloud, on).await));
        harmed.extend(tried(events));
        harmed.sort();
        harmed.dedup();
        harmed
    }
}

/// In whose name decoys are looked at, and where their bytes are.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    /// The account that most of them are in.
    pub(super) customer: &'a Scope,
    /// The scanner's account.
    pub(super) scanner: &'a Scope,
    /// Where the cloud is.
    pub(super) stage: &'a Stage,
}

/// Gives the tags and the description of one of our snapshots to a snapshot and a volume of somebody else.
///
/// # Errors
/// If there is none of ours, or a file of the cloud cannot be written.
async fn copy_marks(cloud: &Cloud, read: &Scope, stage: &Stage) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot plant the demo's decoys: {error}"), "see `cloud.log` with --keep")
    };
    let find = Find::Deployment(DEPLOYMENT.to_owned());
    let page = cloud.ask(read, DescribeSnapshots { find, token: None }).await;
    let page = page.map_err(|error| failed(&error))?;
    let ours = page.items.into_iter().find(|one| one.id.as_str() != NAMED);
    let ours = ours.ok_or_else(|| failed(&"no snapshot of ours is there"))?;
    let plant = || -> io::Result<()> {
        let mut world = World::read(&stage.cloud())?;
        if let Some(copied) = world.snapshots.get_mut(&id(COPIED, SnapshotId::parse)?) {
            copied.tags.clone_from(&ours.tags);
            copied.description.clone_from(&ours.description);
            copied.started = u64::try_from(ours.started.0).unwrap_or(0).saturating_mul(1000);
        }
        if let Some(volume) = world.volumes.get_mut(&id(VOLUME, VolumeId::parse)?) {
            volume.tags.clone_from(&ours.tags);
        }
        world.write(&stage.cloud())
    };
    plant().map_err(|error| failed(&error))
}

/// Looks at each decoy: at all that the cloud says of it, and at its bytes.
async fn digests(cloud: &Cloud, on: Watch<'_>) -> Digests {
    let mut digests = Digests::new();
    for name in [NAMED, COPIED] {
        let look = snapshot(cloud, on.customer, on.stage, name).await;
        digests.insert(name, look.map_err(|error| error.to_string()));
    }
    for (name, scope) in [(VOLUME, on.customer), (ATTACHED, on.scanner)] {
        let look = volume(cloud, scope, on.stage, name).await;
        digests.insert(name, look.map_err(|error| error.to_string()));
    }
    digests
}

/// The decoys that are not what they were.
fn changed(before: &Digests, now: &Digests) -> Vec<String> {
    let other = before.iter().filter(|(name, digest)| now.get(**name) != Some(*digest));
    let words = other.map(|(name, _)| match now.get(name) {
        Some(Err(why)) => format!("{name}: {why}"),
        _ => format!("{name}: another digest than before"),
    });
    words.collect()
}

/// What somebody tried to do to decoys, with success or without.
fn tried(events: &[Event]) -> Vec<String> {
    let of = |name: &str| events.iter().find(|event| event.ids.iter().any(|id| id == name));
    let tried = [NAMED, COPIED, VOLUME, ATTACHED].into_iter().filter_map(|name| Some((name, of(name)?)));
    tried.map(|(name, event)| format!("{name}: {} by job {:?}", event.action, event.job)).collect()
}

async fn snapshot(cloud: &Cloud, scope: &Scope, stage: &Stage, name: &str) -> io::Result<String> {
    let id = id(name, SnapshotId::parse)?;
    let request = DescribeSnapshots { find: Find::Ids(vec![id.clone()]), token: None };
    let page = cloud.ask(scope, request).await.map_err(io::Error::other)?;
    let shares = DescribeShares { snapshot: id };
    let shares = cloud.ask(&scope.to(Purpose::Release), shares).await.map_err(io::Error::other)?;
    digest(&(page.items, shares), &stage.cloud().join(format!("snapshots/{name}.img")))
}

async fn volume(cloud: &Cloud, scope: &Scope, stage: &Stage, name: &str) -> io::Result<String> {
    let request = DescribeVolumes { find: Find::Ids(vec![id(name, VolumeId::parse)?]), token: None };
    let page = cloud.ask(scope, request).await.map_err(io::Error::other)?;
    digest(&page.items, &stage.cloud().join(format!("volumes/{name}.img")))
}

/// SHA-256 of what was said, then of offset and bytes of each part of the file that is no hole.
fn digest(said: &impl Serialize, path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(said)?);
    let file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut from = 0;
    loop {
        let start = match lseek(&file, from, Whence::SeekData) {
            Ok(start) => start,
            Err(Errno::ENXIO) => break,
            Err(error) => return Err(error.into()),
        };
        from = lseek(&file, start, Whence::SeekHole)?;
        digest.update(start.to_le_bytes());
        let (mut at, end) = (u64::try_from(start).unwrap_or(0), u64::try_from(from).unwrap_or(0));
        while at < end {
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let read = file.read_at(&mut buffer[..most], at)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            at += read as u64;
        }
    }
    Ok(hex(&digest.finalize()))
}

#[cfg(test)]
mod tests {
    use snapscan_cloud::local::EventKind;

    use super::*;

    #[test]
    fn a_decoy_with_another_digest_one_that_is_gone_and_one_that_was_tried_are_named() {
        let digest = |text: &str| Ok(text.to_owned());
        let before = Digests::from([(NAMED, digest("1")), (COPIED, digest("2")), (VOLUME, digest("3"))]);
        assert_eq!(changed(&before, &before.clone()), Vec::<String>::new());
        let mut now = before.clone();
        now.insert(NAMED, digest("4"));
        now.insert(VOLUME, Err("it is gone".to_owned()));
        assert_eq!(
            changed(&before, &now),
            ["snap-0dec0000000000001: another digest than before", "vol-0dec0000000000003: it is gone"]
        );
        let event = Event {
            seq: 1,
            at: 0,
            account: String::new(),
            region: String::new(),
            purpose: "Release".to_owned(),
            job: "web".to_owned(),
            action: "ec2:DeleteSnapshot".to_owned(),
            kind: EventKind::Refused,
            ids: vec![COPIED.to_owned()],
            code: Some("UnauthorizedOperation".to_owned()),
            size_gib: 0,
        };
        assert_eq!(tried(&[event]), ["snap-0dec0000000000002: ec2:DeleteSnapshot by job \"web\""]);
    }
}
