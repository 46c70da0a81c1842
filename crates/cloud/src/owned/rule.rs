// SPDX-License-Identifier: Apache-2.0
//! The rule of each kind, for a thing as it was just described.
//!
//! MACs are compared as any text is: whoever could learn something from the time that takes would have to make a resource
//! for each try, and reads the right value off our own ones anyway.

use super::marks::{Marks, TAG_DEPLOYMENT};
use super::{Expected, Origin, Owner};
use crate::Timestamp;
use crate::ec2::{Snapshot, Tags, Volume};
use crate::{SnapshotId, VolumeId};

/// Which rule, with everything that it compares.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) origin: Origin,
    pub(super) kind: Kind,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) answered: Vec<String>,
}

/// What it is made of.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A member of a set, with the MACs of all its members.
    Snapshot(Vec<String>),
    /// A copy of this snapshot.
    Copy(SnapshotId),
    /// A volume of this snapshot.
    Volume(SnapshotId),
}

impl Claim {
    /// A member of the set that the ledger knows; refused if a source is no volume.
    pub(super) fn snapshot(owner: &Owner, expected: &Expected) -> Result<Self, String> {
        let volumes: Option<Vec<VolumeId>> = expected.sources.iter().map(|id| VolumeId::parse(id)).collect();
        let volumes = volumes.ok_or("the ledger names a source that is no volume")?;
        let macs = owner.set_macs(&expected.origin, volumes.iter().map(VolumeId::as_str));
        Ok(Self::of(expected, Kind::Snapshot(macs)))
    }

    /// A copy that the ledger knows; refused if its source is not one snapshot.
    pub(super) fn copy(expected: &Expected) -> Result<Self, String> {
        Ok(Self::of(expected, Kind::Copy(one_snapshot(expected)?)))
    }

    /// A volume that the ledger knows; refused if its source is not one snapshot.
    pub(super) fn volume(expected: &Expected) -> Result<Self, String> {
        Ok(Self::of(expected, Kind::Volume(one_snapshot(expected)?)))
    }

    fn of(expected: &Expected, kind: Kind) -> Self {
        let Expected { origin, sources: _, from, until, answered } = expected.clone();
        Self { origin, kind, from, until, answered }
    }

    /// Is this snapshot or copy the one? Else the part of the rule that does not hold.
    pub(super) fn snapshot_holds(&self, owner: &Owner, snapshot: &Snapshot) -> Result<(), String> {
        if is_skipped() {
            return Ok(());
        }
        let is_answered = self.is_answered(snapshot.id.as_str());
        self.snapshot_is_marked(owner, snapshot, is_answered)?;
        if is_answered { Ok(()) } else { self.in_time(snapshot.started) }
    }

    /// Does this snapshot carry the marks? One that AWS's answer named may be of a volume that no MAC names.
    fn snapshot_is_marked(
        &self,
        owner: &Owner,
        snapshot: &Snapshot,
        is_answered: bool,
    ) -> Result<(), String> {
        if snapshot.owner != self.origin.account {
            return Err(format!("it belongs to account {}, not {}", snapshot.owner, self.origin.account));
        }
        let marks = match &self.kind {
            Kind::Snapshot(macs) => {
                let mac = owner.volume_mac(&self.origin, snapshot.volume.as_str());
                if !macs.contains(&mac) && !is_answered {
                    return Err(format!("no MAC names its volume {}", snapshot.volume));
                }
                owner.set_marks(&self.origin, macs)
            }
            Kind::Copy(source) => owner.copy_marks(&self.origin, source),
            Kind::Volume(_) => return Err("it is a snapshot and should be a volume".to_owned()),
        };
        agrees(&snapshot.tags, &marks)?;
        if snapshot.description != marks.description {
            return Err("its description is not the one that goes with its tags".to_owned());
        }
        Ok(())
    }

    /// Does this snapshot carry all marks of the set, of whatever volume? Else the part of the rule that does not hold.
    pub(super) fn extra_holds(&self, owner: &Owner, snapshot: &Snapshot) -> Result<(), String> {
        if is_skipped() {
            return Ok(());
        }
        self.snapshot_is_marked(owner, snapshot, true)?;
        self.in_time(snapshot.started)
    }

    /// Is this volume the one? Else the part of the rule that does not hold.
    pub(super) fn volume_holds(&self, owner: &Owner, volume: &Volume) -> Result<(), String> {
        if is_skipped() {
            return Ok(());
        }
        let Kind::Volume(snapshot) = &self.kind else {
            return Err("it is a volume and should be a snapshot".to_owned());
        };
        match &volume.snapshot {
            Some(made_of) if made_of == snapshot => {}
            Some(other) => return Err(format!("it was made of {other}, not of {snapshot}")),
            None => return Err(format!("it was made of no snapshot, not of {snapshot}")),
        }
        agrees(&volume.tags, &owner.volume_marks(&self.origin, snapshot))?;
        if self.is_answered(volume.id.as_str()) { Ok(()) } else { self.in_time(volume.created) }
    }

    /// True if AWS's own answer named it, or it was proved once. Its time proves nothing more then, and may be far off by a
    /// clock of ours that is wrong: only what is found by its marks has to have been made when it was asked for.
    fn is_answered(&self, id: &str) -> bool {
        self.answered.iter().any(|one| one == id)
    }

    fn in_time(&self, made: Timestamp) -> Result<(), String> {
        if (self.from..=self.until).contains(&made) {
            return Ok(());
        }
        Err(format!("it was made at {}, not from {} to {}", made.0, self.from.0, self.until.0))
    }
}

fn one_snapshot(expected: &Expected) -> Result<SnapshotId, String> {
    match expected.sources.as_slice() {
        [source] => SnapshotId::parse(source).ok_or_else(|| format!("its source {source:?} is no snapshot")),
        sources => Err(format!("the ledger names {} sources, not one", sources.len())),
    }
}

/// Are the tags of ours among these the wanted ones, no fewer and no more?
fn agrees(tags: &Tags, marks: &Marks) -> Result<(), String> {
    for (key, wanted) in &marks.tags {
        match tags.get(key) {
            Some(value) if value == wanted => {}
            Some(_) => return Err(format!("its tag {key} says something else")),
            None => return Err(format!("it lacks the tag {key}")),
        }
    }
    match tags.keys().find(|key| is_ours(key) && !marks.tags.contains_key(*key)) {
        Some(key) => Err(format!("it has a tag {key} that none of ours has")),
        None => Ok(()),
    }
}

fn is_ours(key: &str) -> bool {
    key.strip_prefix(TAG_DEPLOYMENT).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// False. In the crash test's own build it may be told to let everything pass for ours, and must notice that.
fn is_skipped() -> bool {
    cfg!(feature = "crash-points")
        && std::env::var("SNAPSCAN_SABOTAGE").is_ok_and(|fault| fault == "owned-skipped")
}
