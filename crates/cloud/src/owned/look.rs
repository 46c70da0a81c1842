// SPDX-License-Identifier: Apache-2.0
//! Looks at a thing again, just before something is done to it.

use super::rule::Claim;
use super::{Expected, NotOurs, Owned, Owner};
use crate::ec2::{
    Attachment, DescribeInstances, DescribeShares, DescribeSnapshots, DescribeVolumes, Find, Page, Snapshot,
    Volume,
};
use crate::{AccountId, Class, Cloud, Error, InstanceId, Scope, SnapshotId, VolumeId};

/// Pages of one list at most: 1,000 entries each is far beyond what an account may have.
const MOST_PAGES: usize = 1_000;

impl Owner {
    /// Looks at a snapshot again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn snapshot(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        id: &SnapshotId,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        let claim = Claim::snapshot(self, expected).map_err(|why| foreign(id, why))?;
        self.claimed_snapshot(cloud, scope, &claim, &find_snapshot(cloud, scope, id).await?).await
    }

    /// Looks at a copy again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn copy(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        id: &SnapshotId,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        let claim = Claim::copy(expected).map_err(|why| foreign(id, why))?;
        self.claimed_snapshot(cloud, scope, &claim, &find_snapshot(cloud, scope, id).await?).await
    }

    /// Looks at a share again: is the snapshot or copy ours, and is it shared with `with`, the account that the share's
    /// own intent names? `expected` is what is known of the snapshot or copy.
    ///
    /// # Errors
    /// Why it is not, or cannot be told; `Absent` if it is not shared with that account.
    pub async fn shared(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        id: &SnapshotId,
        with: &AccountId,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        let is_copy = expected.sources.iter().all(|source| SnapshotId::parse(source).is_some());
        let owned = match is_copy {
            true => self.copy(cloud, scope, expected, id).await?,
            false => self.snapshot(cloud, scope, expected, id).await?,
        };
        let accounts = cloud.ask(scope, DescribeShares { snapshot: id.clone() }).await;
        match accounts.map_err(|error| not_found(error, id))?.contains(with) {
            true => Ok(owned),
            false => Err(NotOurs::Absent(format!("a share of {id} with {with}"))),
        }
    }

    /// Looks at a volume again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn volume(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        id: &VolumeId,
    ) -> Result<Owned<VolumeId>, NotOurs> {
        let claim = Claim::volume(expected).map_err(|why| foreign(id, why))?;
        self.claimed_volume(cloud, scope, &claim, &find_volume(cloud, scope, id).await?).await
    }

    /// Looks at a volume's attachments again: is there one of a volume of ours, to this scanner or to an instance that
    /// is terminated? `expected` is what is known of the volume.
    ///
    /// # Errors
    /// Why it is not, or cannot be told; `Absent` if it is attached nowhere.
    pub async fn attachment(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        expected: &Expected,
        id: &VolumeId,
        scanner: &InstanceId,
    ) -> Result<Owned<Attachment>, NotOurs> {
        let claim = Claim::volume(expected).map_err(|why| foreign(id, why))?;
        let volume = find_volume(cloud, scope, id).await?;
        self.claimed_volume(cloud, scope, &claim, &volume).await?;
        let mut held = volume.attachments.into_iter().filter(|attachment| attachment.state != "detached");
        let attachment = held.next().ok_or_else(|| NotOurs::Absent(format!("an attachment of {id}")))?;
        if attachment.volume != *id {
            return Err(foreign(id, format!("its attachment is one of {}", attachment.volume)));
        }
        if let Some(second) = held.next() {
            let why = format!("it is attached to {} and {}", attachment.instance, second.instance);
            return Err(foreign(id, why));
        }
        if attachment.instance != *scanner && !is_terminated(cloud, scope, &attachment.instance).await? {
            let why = format!(
                "{}, where it is attached, is neither this scanner nor terminated",
                attachment.instance
            );
            return Err(foreign(id, why));
        }
        Ok(Owned(attachment))
    }

    /// Does the snapshot meet the claim, and is it the only one of its intent and source?
    pub(super) async fn claimed_snapshot(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        claim: &Claim,
        snapshot: &Snapshot,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        in_place(scope, claim, &snapshot.id)?;
        claim.snapshot_holds(self, snapshot).map_err(|why| foreign(&snapshot.id, why))?;
        let is_set = matches!(claim.kind, super::rule::Kind::Snapshot(_));
        for other in snapshots(cloud, scope, Find::Intent(claim.origin.intent.clone())).await? {
            let is_same_source = !is_set || other.volume == snapshot.volume;
            if other.id != snapshot.id && is_same_source && claim.snapshot_holds(self, &other).is_ok() {
                return Err(ambiguous(claim, &snapshot.id, &other.id));
            }
        }
        Ok(Owned(snapshot.id.clone()))
    }

    /// Does the volume meet the claim, and is it the only one of its intent?
    pub(super) async fn claimed_volume(
        &self,
        cloud: &Cloud,
        scope: &Scope,
        claim: &Claim,
        volume: &Volume,
    ) -> Result<Owned<VolumeId>, NotOurs> {
        in_place(scope, claim, &volume.id)?;
        claim.volume_holds(self, volume).map_err(|why| foreign(&volume.id, why))?;
        for other in volumes(cloud, scope, Find::Intent(claim.origin.intent.clone())).await? {
            if other.id != volume.id && claim.volume_holds(self, &other).is_ok() {
                return Err(ambiguous(claim, &volume.id, &other.id));
            }
        }
        Ok(Owned(volume.id.clone()))
    }
}

/// The snapshot as the cloud shows it now.
pub(super) async fn find_snapshot(
    cloud: &Cloud,
    scope: &Scope,
    id: &SnapshotId,
) -> Result<Snapshot, NotOurs> {
    let found = snapshots(cloud, scope, Find::Ids(vec![id.clone()])).await;
    let mut found = found.map_err(|error| not_found(error, id))?.into_iter();
    found.find(|snapshot| snapshot.id == *id).ok_or_else(|| NotOurs::Absent(id.to_string()))
}

/// The volume as the cloud shows it now.
pub(super) async fn find_volume(cloud: &Cloud, scope: &Scope, id: &VolumeId) -> Result<Volume, NotOurs> {
    let found = volumes(cloud, scope, Find::Ids(vec![id.clone()])).await;
    let mut found = found.map_err(|error| not_found(error, id))?.into_iter();
    found.find(|volume| volume.id == *id).ok_or_else(|| NotOurs::Absent(id.to_string()))
}

async fn is_terminated(cloud: &Cloud, scope: &Scope, id: &InstanceId) -> Result<bool, NotOurs> {
    let mut token = None;
    for _ in 0..MOST_PAGES {
        let page = cloud.ask(scope, DescribeInstances { ids: vec![id.clone()], token }).await?;
        if let Some(instance) = page.items.iter().find(|instance| instance.id == *id) {
            return Ok(instance.state == "terminated");
        }
        token = page.token;
        if token.is_none() {
            return Ok(false);
        }
    }
    Err(endless("ec2:DescribeInstances").into())
}

pub(super) async fn snapshots(
    cloud: &Cloud,
    scope: &Scope,
    find: Find<SnapshotId>,
) -> Result<Vec<Snapshot>, Error> {
    let mut all = Vec::new();
    let mut token = None;
    for _ in 0..MOST_PAGES {
        let page = cloud.ask(scope, DescribeSnapshots { find: find.clone(), token }).await?;
        let Page { items, token: next } = page;
        all.extend(items);
        token = next;
        if token.is_none() {
            return Ok(all);
        }
    }
    Err(endless("ec2:DescribeSnapshots"))
}

async fn volumes(cloud: &Cloud, scope: &Scope, find: Find<VolumeId>) -> Result<Vec<Volume>, Error> {
    let mut all = Vec::new();
    let mut token = None;
    for _ in 0..MOST_PAGES {
        let page = cloud.ask(scope, DescribeVolumes { find: find.clone(), token }).await?;
        let Page { items, token: next } = page;
        all.extend(items);
        token = next;
        if token.is_none() {
            return Ok(all);
        }
    }
    Err(endless("ec2:DescribeVolumes"))
}

fn in_place(scope: &Scope, claim: &Claim, id: &impl ToString) -> Result<(), NotOurs> {
    let origin = &claim.origin;
    if scope.account == origin.account && scope.region == origin.region {
        return Ok(());
    }
    let why = format!(
        "it was looked at in {} {} and made in {} {}",
        scope.account, scope.region, origin.account, origin.region
    );
    Err(foreign(id, why))
}

pub(super) fn foreign(id: &impl ToString, why: impl Into<String>) -> NotOurs {
    NotOurs::Foreign { id: id.to_string(), why: why.into() }
}

fn ambiguous(claim: &Claim, one: &impl ToString, other: &impl ToString) -> NotOurs {
    NotOurs::Ambiguous { one: one.to_string(), other: other.to_string(), intent: claim.origin.intent.clone() }
}

/// Some ways of asking answer with an error where others leave the thing out: both mean the same.
fn not_found(error: Error, id: &impl ToString) -> NotOurs {
    match error.class {
        Class::NotFound => NotOurs::Absent(id.to_string()),
        _ => NotOurs::Cloud(error),
    }
}

fn endless(action: &str) -> Error {
    Error::of(action, "EndlessList", format!("the list has not ended after {MOST_PAGES} pages"))
}
