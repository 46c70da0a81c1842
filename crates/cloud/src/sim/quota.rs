// SPDX-License-Identifier: Apache-2.0
//! Calls that the service refuses because there were too many.
//!
//! Source: Amazon EC2 Developer Guide, "Request throttling" and "Error codes"; Amazon EBS endpoints and quotas.

use std::collections::HashMap;
use std::time::Duration;

use crate::ec2::{AttachVolume, DescribeVolumes};
use crate::ec2::{CreateSnapshot, CreateSnapshots, DescribeInstances, DescribeSnapshots, Find};
use crate::pace::bucket::Bucket;
use crate::pace::rates::{self, Key, Of};
use crate::{Answer, Call, Cloud, Error, Scope, SnapshotId, VolumeId};

/// Quotas as AWS has them by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// The least time between two snapshots of one volume.
    pub between_snapshots: Duration,
    /// Pending snapshots of one volume.
    pub pending_of_a_volume: usize,
    /// Pending copies in one account and region.
    pub pending_copies: usize,
    /// Volumes at one instance.
    pub attachments: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        let between_snapshots = Duration::from_secs(15);
        Self { between_snapshots, pending_of_a_volume: 5, pending_copies: 20, attachments: 28 }
    }
}

/// What was used so far. Times are milliseconds of one clock.
#[derive(Debug, Default)]
pub(super) struct Used {
    buckets: HashMap<Key, Bucket>,
    /// When each volume had its last snapshot.
    last: HashMap<VolumeId, u64>,
    /// The snapshots of each volume.
    of_volume: HashMap<VolumeId, Vec<SnapshotId>>,
    /// The copies of each account and region.
    copies: HashMap<(String, String), Vec<SnapshotId>>,
}

impl Used {
    /// Takes a token of each rate that the call needs, or refuses it. A refused call takes none.
    pub(super) fn rate(&mut self, scope: &Scope, call: &Call, now: u64) -> Result<(), Error> {
        let needs = rates::needs(scope, call);
        for (key, quota) in &needs {
            let full = || Bucket::new(quota.bucket, quota.per_second, now);
            let bucket = self.buckets.entry(key.clone()).or_insert_with(full);
            if !bucket.wait(now, 0.0).is_zero() {
                let code = code(&key.of);
                return Err(Error::of(call.action().name(), code, "Request limit exceeded."));
            }
        }
        for (key, _) in &needs {
            if let Some(bucket) = self.buckets.get_mut(key) {
                bucket.take();
            }
        }
        Ok(())
    }

    /// Refuses a second snapshot of a volume within 15 seconds.
    pub(super) fn spacing(
        &self,
        quotas: &Quotas,
        call: &Call,
        volumes: &[VolumeId],
        now: u64,
    ) -> Result<(), Error> {
        let between = u64::try_from(quotas.between_snapshots.as_millis()).unwrap_or(u64::MAX);
        let is_early =
            |volume: &VolumeId| self.last.get(volume).is_some_and(|last| now.saturating_sub(*last) < between);
        if let Some(volume) = volumes.iter().find(|volume| is_early(volume)) {
            let message =
                format!("The maximum per volume CreateSnapshot request rate has been exceeded: {volume}");
            return Err(Error::of(call.action().name(), "SnapshotCreationPerVolumeRateExceeded", message));
        }
        Ok(())
    }

    /// Takes note of what a call made.
    pub(super) fn made(&mut self, scope: &Scope, answer: &Answer, now: u64) {
        let mut snapshot = |of: &VolumeId, id: &SnapshotId| {
            self.last.insert(of.clone(), now);
            self.of_volume.entry(of.clone()).or_default().push(id.clone());
        };
        match answer {
            Answer::CreateSnapshots(all) => all.iter().for_each(|one| snapshot(&one.volume, &one.id)),
            Answer::CreateSnapshot(one) => snapshot(&one.volume, &one.id),
            Answer::CopySnapshot(id) => self.copies.entry(place(scope)).or_default().push(id.clone()),
            _ => {}
        }
    }

    /// What has to be looked at in the cloud before the call is let through: snapshots of which at most so many may be
    /// pending, and the code if more are.
    pub(super) fn pending(
        &self,
        quotas: &Quotas,
        scope: &Scope,
        call: &Call,
        volumes: &[VolumeId],
    ) -> Vec<Pending> {
        let of_volumes = volumes.iter().filter_map(|volume| self.of_volume.get(volume)).map(|ids| Pending {
            ids: ids.clone(),
            most: quotas.pending_of_a_volume,
            code: "ConcurrentSnapshotLimitExceeded",
        });
        let is_copy = matches!(call, Call::CopySnapshot(_));
        let copies = self.copies.get(&place(scope)).filter(|_| is_copy).map(|ids| Pending {
            ids: ids.clone(),
            most: quotas.pending_copies,
            code: "ResourceLimitExceeded",
        });
        of_volumes.chain(copies).collect()
    }
}

/// Snapshots of which only so many may be pending.
pub(super) struct Pending {
    ids: Vec<SnapshotId>,
    most: usize,
    code: &'static str,
}

impl Pending {
    /// Refuses the call if as many are pending as may be.
    pub(super) async fn check(&self, cloud: &Cloud, scope: &Scope, call: &Call) -> Result<(), Error> {
        let mut pending = 0_usize;
        for ids in self.ids.chunks(200) {
            let find = Find::Ids(ids.to_vec());
            let mut token = None;
            loop {
                let page = cloud.ask(scope, DescribeSnapshots { find: find.clone(), token }).await?;
                pending = pending.saturating_add(page.items.iter().filter(|s| s.state == "pending").count());
                token = page.token;
                if token.is_none() {
                    break;
                }
            }
        }
        if pending < self.most {
            return Ok(());
        }
        let message = format!("{pending} are pending, at most {} may be", self.most);
        Err(Error::of(call.action().name(), self.code, message))
    }
}

/// The volumes that a call makes snapshots of.
pub(super) async fn volumes(cloud: &Cloud, scope: &Scope, call: &Call) -> Result<Vec<VolumeId>, Error> {
    match call {
        Call::CreateSnapshot(CreateSnapshot { volume, .. }) => Ok(vec![volume.clone()]),
        Call::CreateSnapshots(CreateSnapshots { instance, exclude_root, exclude, .. }) => {
            let ask = DescribeInstances { ids: vec![instance.clone()], token: None };
            let Some(found) = cloud.ask(scope, ask).await?.items.into_iter().next() else {
                return Ok(vec![]);
            };
            let is_left_out = |device: &str, volume: &VolumeId| {
                exclude.contains(volume) || (*exclude_root && device == found.root_device)
            };
            let meant = found.disks.iter().filter(|(device, volume)| !is_left_out(device, volume));
            Ok(meant.map(|(_, volume)| volume.clone()).collect())
        }
        _ => Ok(vec![]),
    }
}

/// Refuses to attach one volume more than an instance takes.
pub(super) async fn attachments(
    quotas: &Quotas,
    cloud: &Cloud,
    scope: &Scope,
    call: &Call,
) -> Result<(), Error> {
    let Call::AttachVolume(AttachVolume { instance, .. }) = call else { return Ok(()) };
    let mut attached = 0_usize;
    let mut token = None;
    loop {
        let page =
            cloud.ask(scope, DescribeVolumes { find: Find::AttachedTo(instance.clone()), token }).await?;
        attached = attached.saturating_add(page.items.len());
        token = page.token;
        if token.is_none() {
            break;
        }
    }
    if attached < quotas.attachments {
        return Ok(());
    }
    let message =
        format!("{attached} volumes are attached to {instance}, at most {} may be", quotas.attachments);
    Err(Error::of(call.action().name(), "AttachmentLimitExceeded", message))
}

fn code(of: &Of) -> &'static str {
    match of {
        Of::Action(name) if name.starts_with("ec2:") => "RequestLimitExceeded",
        Of::Action(name) if name.starts_with("ebs:") => "ThrottlingException/ACCOUNT_THROTTLED",
        Of::Action(_) => "ThrottlingException",
        Of::Snapshot(_) => "ThrottlingException/RESOURCE_LEVEL_THROTTLE",
        Of::Kms => "RequestThrottledException/DEPENDENCY_REQUEST_THROTTLED",
    }
}

fn place(scope: &Scope) -> (String, String) {
    (scope.account.to_string(), scope.region.to_string())
}
