// SPDX-License-Identifier: Apache-2.0
//! Whether a session may do something to a thing, asked without its being done.
//!
//! EC2 has a flag for this in each of its actions. A request of its own, not a flag on the requests that change
//! something: no wrapper and no cloud can take the one for the other, and since nothing happens to the thing it needs no
//! proof of being ours. Source: Amazon EC2 API Reference, "Common query parameters", `DryRun`: allowed is the error
//! `DryRunOperation`, denied is `UnauthorizedOperation`; it says nothing about keys, quotas and the state of things.

use serde::{Deserialize, Serialize};

use crate::ec2::Tags;
use crate::{AccountId, Action, InstanceId, SnapshotId, VolumeId};

/// Asks whether the session may do this; answered if it may. Whatever else EC2 says first is the error, such as
/// `InvalidSnapshot.NotFound` for a thing that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the request of the same name, with the fields of its documentation"
)]
pub enum DryRun {
    CreateSnapshots { instance: InstanceId, tags: Tags },
    CreateSnapshot { volume: VolumeId, tags: Tags },
    CopySnapshot { source: SnapshotId, tags: Tags },
    ShareSnapshot { snapshot: SnapshotId, with: AccountId },
    UnshareSnapshot { snapshot: SnapshotId, with: AccountId },
    DeleteSnapshot { snapshot: SnapshotId },
    CreateVolume { snapshot: SnapshotId, zone: String, tags: Tags },
    AttachVolume { volume: VolumeId, instance: InstanceId, device: String },
    DetachVolume { volume: VolumeId, instance: InstanceId },
    DeleteVolume { volume: VolumeId },
}

impl DryRun {
    /// What would be done.
    pub fn of(&self) -> Action {
        match self {
            Self::CreateSnapshots { .. } => Action::CreateSnapshots,
            Self::CreateSnapshot { .. } => Action::CreateSnapshot,
            Self::CopySnapshot { .. } => Action::CopySnapshot,
            Self::ShareSnapshot { .. } => Action::ShareSnapshot,
            Self::UnshareSnapshot { .. } => Action::UnshareSnapshot,
            Self::DeleteSnapshot { .. } => Action::DeleteSnapshot,
            Self::CreateVolume { .. } => Action::CreateVolume,
            Self::AttachVolume { .. } => Action::AttachVolume,
            Self::DetachVolume { .. } => Action::DetachVolume,
            Self::DeleteVolume { .. } => Action::DeleteVolume,
        }
    }
}
