// SPDX-License-Identifier: Apache-2.0
//! What each call costs at worst: one table, with its day.
//!
//! Source: AWS's public price lists of us-east-1 for EC2 and EBS (snapshots, gp3, direct interface, transfer between regions),
//! SQS (standard queue), S3 (standard), DynamoDB (on demand), Secrets Manager and KMS; [`OTHER_REGIONS`] stands for the
//! dearer ones. Free tiers and negotiated prices are left out.

use crate::{Action, Call, Region};

/// The day of the prices.
pub const PRICES_DATED: &str = "2026-11-21";
/// Prices of other regions are at most so many times as high.
const OTHER_REGIONS: u64 = 2;
/// Days that whatever is made exists at most. A run takes minutes; the rest is for the one that is killed.
const DAYS: u64 = 1;
/// Days of a month as AWS's examples count it.
const MONTH: u64 = 30;
/// Billionths of a dollar for a GiB of snapshot and month: $0.05.
const SNAPSHOT_GIB_MONTH: u64 = 50_000_000;
/// The same of a gp3 volume: $0.08.
const VOLUME_GIB_MONTH: u64 = 80_000_000;
/// Billionths of a dollar for a GiB that goes to another region: $0.02.
const TRANSFER_GIB: u64 = 20_000_000;

/// Billionths of a dollar that a call in this region costs at worst; `gib` is the size of all that it makes something of.
pub(super) fn worst(region: &Region, call: &Call, gib: u64) -> u64 {
    let kept = |month: u64| gib.saturating_mul(month).saturating_mul(DAYS).div_ceil(MONTH);
    let made = match call {
        Call::CreateSnapshots(_) | Call::CreateSnapshot(_) => kept(SNAPSHOT_GIB_MONTH),
        Call::CopySnapshot(copy) if copy.source_region != *region => {
            kept(SNAPSHOT_GIB_MONTH).saturating_add(gib.saturating_mul(TRANSFER_GIB))
        }
        Call::CopySnapshot(_) => kept(SNAPSHOT_GIB_MONTH),
        Call::CreateVolume(_) => kept(VOLUME_GIB_MONTH),
        _ => 0,
    };
    made.saturating_add(request(call.action())).saturating_mul(OTHER_REGIONS)
}

/// Billionths of a dollar for one request. A new call wants a price.
fn request(action: Action) -> u64 {
    match action {
        // $0.0006 and $0.003 for 1,000.
        Action::ListSnapshotBlocks => 600,
        Action::GetSnapshotBlock => 3_000,
        // $0.40 for a million.
        Action::Receive
        | Action::ExtendLease
        | Action::DeleteMessage
        | Action::Send
        | Action::Bury
        | Action::CountMessages => 400,
        // $0.005 for 1,000, and a tenth of a tenth of that to read.
        Action::PutObject | Action::ListObjects => 5_000,
        Action::GetObject => 400,
        // $1.25 for a million written, $0.25 for a million read; a transaction or a retry inside counts twice.
        Action::PutRow | Action::DeleteRow => 2_500,
        Action::GetRow | Action::ListRows => 500,
        // $0.05 and $0.03 for 10,000.
        Action::GetSecret => 5_000,
        Action::DescribeKey => 3_000,
        // Requests to EC2, STS, Auto Scaling and the metadata service are free, and so is every deletion of an object.
        Action::DescribeInstances
        | Action::DescribeVolumes
        | Action::DescribeSnapshots
        | Action::DescribeImages
        | Action::DescribeInstanceTypes
        | Action::DescribeShares
        | Action::CreateSnapshots
        | Action::CreateSnapshot
        | Action::CopySnapshot
        | Action::ShareSnapshot
        | Action::UnshareSnapshot
        | Action::DeleteSnapshot
        | Action::CreateVolume
        | Action::AttachVolume
        | Action::DetachVolume
        | Action::DeleteVolume
        | Action::WhoAmI
        | Action::DeleteObject
        | Action::Describe
        | Action::Watch
        | Action::Protect
        | Action::DryRun => 0,
    }
}

/// True for what takes away: it is never refused, whatever was spent.
pub(super) fn is_release(action: Action) -> bool {
    crate::owned::kinds::KINDS.iter().any(|kind| kind.released_by.contains(&action))
        || matches!(action, Action::DeleteMessage | Action::DeleteObject | Action::DeleteRow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebs::GetSnapshotBlock;
    use crate::ec2::{CopySnapshot, CreateVolume, Tags};
    use crate::{Purpose, SnapshotId};

    #[test]
    fn prices_are_those_that_a_bill_would_have_doubled_for_other_regions() {
        let snapshot = SnapshotId::parse("snap-0a").unwrap();
        let get = Call::from(GetSnapshotBlock { snapshot: snapshot.clone(), index: 0, token: String::new() });
        // $0.003 for a thousand.
        let here = Region::parse("eu-west-1").unwrap();
        assert_eq!(1_000 * worst(&here, &get, 0), 2 * 3_000_000);
        let zone = "eu-west-1a".to_owned();
        let snapshot_of = snapshot.clone();
        let create =
            CreateVolume { snapshot: snapshot_of, zone, key: None, token: String::new(), tags: Tags::new() };
        // 30 GiB of gp3 for a day of thirty: 8 cents.
        assert_eq!(worst(&here, &create.into(), 30), 2 * 80_000_000);
        let there = Region::parse("us-east-1").unwrap();
        for (from, transfer) in [(&here, 0), (&there, 30 * 20_000_000)] {
            let copy = CopySnapshot {
                source: snapshot.clone(),
                source_region: from.clone(),
                key: None,
                encrypted: false,
                description: String::new(),
                tags: Tags::new(),
            };
            assert_eq!(worst(&here, &copy.into(), 30), 2 * (50_000_000 + transfer), "from {from}");
        }
    }

    #[test]
    fn whatever_releases_is_allowed_and_nothing_that_makes_is() {
        for action in Action::ALL.iter().copied().filter(|action| action.changes()) {
            let only_releases =
                !action.purposes().contains(&Purpose::Create) && action != Action::ShareSnapshot;
            assert_eq!(is_release(action), only_releases, "{action:?}");
        }
    }
}
