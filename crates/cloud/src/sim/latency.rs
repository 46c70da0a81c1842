// SPDX-License-Identifier: Apache-2.0
//! How long actions take.
//!
//! Source: Amazon EBS User Guide, "Optimize performance" of the direct APIs (some 100 ms a request); the rest is what
//! such calls usually take.

use std::time::Duration;

use super::dice::Dice;
use crate::Action;

/// How long actions take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Latency {
    /// No longer than the cloud itself takes.
    #[default]
    None,
    /// As AWS does, by chance within a range for each action.
    Aws,
    /// The same, each so many times as long.
    Stretched(u32),
    /// Each the same.
    Each(Duration),
}

impl Latency {
    pub(super) fn of(self, action: Action, dice: &mut Dice) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Each(latency) => latency,
            Self::Aws => aws(action, dice),
            Self::Stretched(times) => aws(action, dice) * times,
        }
    }
}

fn aws(action: Action, dice: &mut Dice) -> Duration {
    let (low, high) = milliseconds(action);
    Duration::from_millis(dice.between(low, high))
}

fn milliseconds(action: Action) -> (u64, u64) {
    match action {
        Action::GetSnapshotBlock => (10, 100),
        Action::ListSnapshotBlocks => (20, 200),
        Action::CreateSnapshots | Action::CreateSnapshot | Action::CopySnapshot => (300, 1_500),
        Action::CreateVolume | Action::AttachVolume | Action::DetachVolume => (200, 800),
        Action::DeleteVolume
        | Action::DeleteSnapshot
        | Action::ShareSnapshot
        | Action::UnshareSnapshot
        | Action::DescribeShares => (100, 400),
        Action::DescribeInstances
        | Action::DescribeVolumes
        | Action::DescribeSnapshots
        | Action::DescribeImages
        | Action::DescribeInstanceTypes => (50, 300),
        Action::Describe | Action::Watch => (1, 3),
        _ => (5, 50),
    }
}
