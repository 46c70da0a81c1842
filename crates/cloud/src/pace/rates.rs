// SPDX-License-Identifier: Apache-2.0
//! The quotas that a call uses, and how much of each a scanner may take.
//!
//! Source: Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2 API" (token bucket sizes and refill rates,
//! one bucket for each action); Amazon EBS endpoints and quotas (direct APIs); AWS KMS Developer Guide, "Request quotas".

use crate::{AccountId, Action, Call, Error, Region, Scope, SnapshotId};

/// A quota of AWS, whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    /// Calls at once.
    pub(crate) bucket: f64,
    /// Calls a second.
    pub(crate) per_second: f64,
    /// Whose it is.
    pub(crate) service: Service,
}

/// Which share of a quota applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Ebs,
    Kms,
}

/// One bucket of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) of: Of,
}

/// What the bucket counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Calls of one action.
    Action(&'static str),
    /// Blocks of one snapshot.
    Snapshot(SnapshotId),
    /// Requests to KMS that use a key.
    Kms,
}

/// The share of each service's quotas that one scanner may take: the rest is the customer's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Of EC2.
    pub ec2: f64,
    /// Of the EBS direct interface.
    pub ebs: f64,
    /// Of KMS.
    pub kms: f64,
    /// Scanners that sign with the same accounts, this one included.
    pub scanners: u32,
    /// Blocks under way at once, over all accounts.
    pub blocks: usize,
}

impl Default for Shares {
    fn default() -> Self {
        Self { ec2: 0.5, ebs: 0.5, kms: 0.1, scanners: 1, blocks: 256 }
    }
}

impl Shares {
    /// What one scanner may take of a quota: tokens at once, tokens a second.
    pub(crate) fn of(&self, quota: Quota) -> (f64, f64) {
        let share = match quota.service {
            Service::Ec2 => self.ec2,
            Service::Ebs => self.ebs,
            Service::Kms => self.kms,
        };
        let share = share.clamp(0.001, 1.0) / f64::from(self.scanners.max(1));
        (quota.bucket * share, quota.per_second * share)
    }
}

/// The quotas that a call uses, its action's own first; none where AWS publishes none that a scanner comes near.
pub(crate) fn needs(scope: &Scope, call: &Call) -> Vec<(Key, Quota)> {
    let key = |of| Key { account: scope.account.clone(), region: scope.region.clone(), of };
    let ebs = |per_second| Quota { bucket: per_second, per_second, service: Service::Ebs };
    let kms = |per_second| Quota { bucket: per_second, per_second, service: Service::Kms };
    let own = key(Of::Action(call.permission().name()));
    match call {
        Call::ListSnapshotBlocks(_) => vec![(own, ebs(50.0))],
        // Whether the snapshot is encrypted is not known here, so each block counts as one use of a key.
        Call::GetSnapshotBlock(get) => vec![
            (own, ebs(blocks_of_account(&scope.region))),
            (key(Of::Kms), kms(uses_of_keys(&scope.region))),
            (key(Of::Snapshot(get.snapshot.clone())), ebs(1_000.0)),
        ],
        Call::DescribeKey(_) => vec![(own, kms(2_000.0))],
        call => match ec2(call.permission()) {
            Some((bucket, per_second)) => vec![(own, Quota { bucket, per_second, service: Service::Ec2 })],
            None => vec![],
        },
    }
}

/// Which of a call's buckets an error emptied; none if it speaks of no rate that is kept here.
pub(crate) fn throttled(error: &Error, key: &Key) -> bool {
    let (code, reason) = error.code.split_once('/').unwrap_or((&error.code, ""));
    match (code, reason) {
        // 15 seconds between snapshots of one volume: no rate of the account.
        ("SnapshotCreationPerVolumeRateExceeded", _) => false,
        (_, "RESOURCE_LEVEL_THROTTLE") => matches!(key.of, Of::Snapshot(_)),
        (_, "DEPENDENCY_REQUEST_THROTTLED") => key.of == Of::Kms,
        _ => matches!(key.of, Of::Action(_)),
    }
}

fn ec2(action: Action) -> Option<(f64, f64)> {
    Some(match action {
        Action::CreateSnapshots
        | Action::CreateSnapshot
        | Action::DeleteSnapshot
        | Action::ShareSnapshot
        | Action::UnshareSnapshot
        | Action::CreateVolume
        | Action::DeleteVolume => (100.0, 5.0),
        Action::AttachVolume | Action::DetachVolume | Action::CopySnapshot => (50.0, 5.0),
        Action::DescribeInstances
        | Action::DescribeVolumes
        | Action::DescribeSnapshots
        | Action::DescribeImages
        | Action::DescribeInstanceTypes
        | Action::DescribeShares => (100.0, 20.0),
        _ => return None,
    })
}

fn blocks_of_account(region: &Region) -> f64 {
    match region.as_str() {
        "us-east-1" | "us-east-2" | "us-west-2" | "ap-southeast-1" | "eu-west-1" => 5_000.0,
        _ => 1_000.0,
    }
}

fn uses_of_keys(region: &Region) -> f64 {
    match region.as_str() {
        "us-east-1" | "us-west-2" | "eu-west-1" => 50_000.0,
        "us-east-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1" | "eu-central-1"
        | "eu-west-2" => 10_000.0,
        _ => 5_500.0,
    }
}
