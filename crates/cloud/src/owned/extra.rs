// SPDX-License-Identifier: Apache-2.0
//! A member of a set that nobody asked for, where the answer that would have named it was lost.
//!
//! A volume that is attached between the look at an instance and the call becomes a member of the set, and no MAC names
//! it. All the same it can be told: a set has the volumes of *its* instance, of one instant, and the description that all
//! its members carry is secret until the first of them exists and cannot be changed on what exists already.
//!
//! | must hold | because |
//! |---|---|
//! | account, tags, description and window as for every member | a foreign snapshot cannot be given our description afterwards |
//! | its volume is attached to the instance of the call, and was not left out of it | a set has no others |
//! | a member that a MAC names is there, begun within a second | whoever copies a description must have seen it first |
//! | it is the only one of its volume | of two, neither is touched |
//!
//! So a snapshot that somebody made before, or for himself, never qualifies; one that he made on purpose with all our
//! marks, of this instance's volume and in the same second, would be deleted, and nothing else of his.

use super::look::{find_snapshot, find_volume, snapshots};
use super::rule::Claim;
use super::{Expected, NotOurs, Owner};
use crate::ec2::{Find, Snapshot};
use crate::{Cloud, InstanceId, Scope, SnapshotId, VolumeId};

/// Members of one set begin together. Source: Amazon EBS User Guide, "Create multi-volume Amazon EBS snapshots": they
/// are of one point in time; the times that AWS shows of them are whole seconds in its examples.
const TOGETHER: i64 = 1;

/// Of what a set was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The instance.
    pub instance: InstanceId,
    /// Its volumes that the call left out.
    pub left_out: Vec<VolumeId>,
}

/// What a snapshot is that carries a set's marks, and is of a volume that no MAC names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// The set's own: a volume was attached just before the call.
    Ours,
    /// It may be, and that cannot be proved: somebody must look. Why.
    Suspect(String),
    /// Somebody else's. Why.
    Foreign(String),
}

impl Owner {
    /// Judges a snapshot that carries the marks of a set whose answer was lost.
    ///
    /// # Errors
    /// `Absent` if it is not there (any more), `Cloud` if it cannot be looked at.
    pub async fn extra_member(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        whole: &Whole,
        id: &SnapshotId,
    ) -> Result<Extra, NotOurs> {
        let claim = match Claim::snapshot(self, expected) {
            Ok(claim) => claim,
            Err(why) => return Ok(Extra::Foreign(why)),
        };
        let snapshot = find_snapshot(cloud, scope, id).await?;
        if let Err(why) = claim.extra_holds(self, &snapshot) {
            return Ok(Extra::Foreign(why));
        }
        if whole.left_out.contains(&snapshot.volume) {
            return Ok(Extra::Foreign(format!("the set left out its volume {}", snapshot.volume)));
        }
        if !is_attached(cloud, scope, &snapshot.volume, &whole.instance).await? {
            let why = format!("its volume {} is not attached to {}", snapshot.volume, whole.instance);
            return Ok(Extra::Foreign(why));
        }
        let all = snapshots(cloud, scope, Find::Intent(expected.origin.intent.clone())).await?;
        let is_twin = |other: &&Snapshot| other.id != snapshot.id && other.volume == snapshot.volume;
        if let Some(twin) = all.iter().filter(is_twin).find(|other| claim.extra_holds(self, other).is_ok()) {
            return Ok(Extra::Suspect(format!("{} claims the same volume {}", twin.id, snapshot.volume)));
        }
        let is_together = |other: &&Snapshot| {
            other.started.0.abs_diff(snapshot.started.0) <= TOGETHER.unsigned_abs()
                && claim.snapshot_holds(self, other).is_ok()
        };
        match all.iter().filter(|other| other.id != snapshot.id).find(is_together) {
            Some(_) => Ok(Extra::Ours),
            None => Ok(Extra::Suspect("no member that a MAC names began with it".to_owned())),
        }
    }
}

async fn is_attached(
    cloud: &Cloud,
    scope: &Scope,
    volume: &VolumeId,
    instance: &InstanceId,
) -> Result<bool, NotOurs> {
    match find_volume(cloud, scope, volume).await {
        Ok(found) => {
            let is_there =
                |one: &crate::ec2::Attachment| one.instance == *instance && one.state != "detached";
            Ok(found.attachments.iter().any(is_there))
        }
        Err(NotOurs::Absent(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
