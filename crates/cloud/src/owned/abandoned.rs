// SPDX-License-Identifier: Apache-2.0
//! Things of ours that no ledger knows any more, because it died with its instance.
//!
//! Everything that the rule needs is read from the thing itself and proved by its MACs; only the job's window is unknown.
//! In its place stands an age, so that no running job's thing is taken: `before` comes from the cloud's own clock (the
//! `Date` of an answer), less 24 hours, and not at all where clocks differ by more than five minutes.

use super::look::{find_snapshot, find_volume, foreign};
use super::marks::{TAG_INTENT, TAG_JOB, TAG_SOURCE, listed_macs};
use super::rule::{Claim, Kind};
use super::{NotOurs, Origin, Owned, Owner};
use crate::ec2::Tags;
use crate::{Cloud, IntentId, Scope, SnapshotId, Timestamp, VolumeId};

impl Owner {
    /// Looks at a snapshot or copy that no ledger knows: is it of this deployment, and made before `before`?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn abandoned_snapshot(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        id: &SnapshotId,
        before: Timestamp,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        let snapshot = find_snapshot(cloud, scope, id).await?;
        let kind = match snapshot.tags.get(TAG_SOURCE).map(|source| SnapshotId::parse(source)) {
            Some(Some(source)) => Kind::Copy(source),
            Some(None) => return Err(foreign(id, format!("its tag {TAG_SOURCE} names no snapshot"))),
            None => Kind::Snapshot(listed_macs(&snapshot.tags)),
        };
        let claim = claim(scope, &snapshot.tags, kind, before).map_err(|why| foreign(id, why))?;
        self.claimed_snapshot(cloud, scope, &claim, &snapshot).await
    }

    /// Looks at a volume that no ledger knows: is it of this deployment, and made before `before`?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn abandoned_volume(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        id: &VolumeId,
        before: Timestamp,
    ) -> Result<Owned<VolumeId>, NotOurs> {
        let volume = find_volume(cloud, scope, id).await?;
        let snapshot = volume.snapshot.clone().ok_or_else(|| foreign(id, "it was made of no snapshot"))?;
        let claim = claim(scope, &volume.tags, Kind::Volume(snapshot), before);
        let claim = claim.map_err(|why| foreign(id, why))?;
        self.claimed_volume(cloud, scope, &claim, &volume).await
    }
}

fn claim(scope: &Scope, tags: &Tags, kind: Kind, before: Timestamp) -> Result<Claim, String> {
    let tag = |key: &str| tags.get(key).ok_or_else(|| format!("it lacks the tag {key}"));
    let intent =
        IntentId::parse(tag(TAG_INTENT)?).ok_or_else(|| format!("its tag {TAG_INTENT} names none"))?;
    let origin = Origin {
        account: scope.account.clone(),
        region: scope.region.clone(),
        job: tag(TAG_JOB)?.clone(),
        intent,
    };
    // Nobody remembers an answer: what no MAC names is not taken.
    Ok(Claim { origin, kind, from: Timestamp(i64::MIN), until: before, answered: Vec::new() })
}
