// SPDX-License-Identifier: Apache-2.0
//! The things of a local cloud, as its files and its database keep them. Times are milliseconds since 1970.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::defaults;
use crate::ec2::Tags;
use crate::{AccountId, ImageId, InstanceId, Region, SnapshotId, VolumeId};

/// An instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRecord {
    /// Its id.
    pub id: InstanceId,
    /// Its account.
    pub account: AccountId,
    /// Its region, if not the cloud's.
    #[serde(default)]
    pub region: Option<Region>,
    /// Its state.
    #[serde(default = "defaults::running")]
    pub state: String,
    /// Its zone.
    pub zone: String,
    /// Its type.
    #[serde(default = "defaults::large")]
    pub kind: String,
    /// The device name of its root.
    #[serde(default = "defaults::xvda")]
    pub root_device: String,
    /// False if its root is a disk of the host that it runs on.
    #[serde(default = "defaults::yes")]
    pub root_is_ebs: bool,
    /// Its volumes by device name.
    #[serde(default)]
    pub disks: BTreeMap<String, VolumeId>,
    /// Private addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Private DNS name.
    #[serde(default)]
    pub dns: String,
    /// Hardware addresses.
    #[serde(default)]
    pub macs: Vec<String>,
    /// Codes of a marketplace.
    #[serde(default)]
    pub product_codes: Vec<String>,
    /// Its image.
    #[serde(default)]
    pub image: Option<ImageId>,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeRecord {
    /// Its id.
    pub id: VolumeId,
    /// Its account.
    pub account: AccountId,
    /// Its region, if not the cloud's.
    #[serde(default)]
    pub region: Option<Region>,
    /// Its size in GiB; 0 means that of its file, rounded up.
    #[serde(default)]
    pub size_gib: u64,
    /// Its zone.
    pub zone: String,
    /// The snapshot that it was made of.
    #[serde(default)]
    pub snapshot: Option<SnapshotId>,
    /// The key's ARN, if it is encrypted.
    #[serde(default)]
    pub key: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub created: u64,
    /// From when on its id is known.
    #[serde(default)]
    pub visible: u64,
    /// From when on it is available.
    #[serde(default)]
    pub ready: u64,
    /// When it vanishes because its key cannot be used.
    #[serde(default)]
    pub ghost: Option<u64>,
    /// When its deletion ends.
    #[serde(default)]
    pub deleted: Option<u64>,
    /// Codes of a marketplace.
    #[serde(default)]
    pub product_codes: Vec<String>,
    /// Why snapshots of it fail.
    #[serde(default)]
    pub snapshots_fail: Option<String>,
    /// Where it is attached.
    #[serde(default)]
    pub attachment: Option<AttachmentRecord>,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// Where a volume is attached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentRecord {
    /// The instance.
    pub instance: InstanceId,
    /// The device name that was asked for.
    pub device: String,
    /// From when on it is attached.
    #[serde(default)]
    pub attached: u64,
    /// When its detachment ends.
    #[serde(default)]
    pub detached: Option<u64>,
    /// True if the detachment did not wait for the instance.
    #[serde(default)]
    pub force: bool,
    /// True if the instance did not let go when it should have.
    #[serde(default)]
    pub busy: bool,
    /// True once the device was shown.
    #[serde(default)]
    pub shown: bool,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRecord {
    /// Its id.
    pub id: SnapshotId,
    /// Its account.
    pub account: AccountId,
    /// Its region, if not the cloud's.
    #[serde(default)]
    pub region: Option<Region>,
    /// The volume that it was made of.
    pub volume: VolumeId,
    /// True for a copy of another snapshot.
    #[serde(default)]
    pub copy: bool,
    /// The volume's size in GiB; 0 means that of its file, rounded up.
    #[serde(default)]
    pub size_gib: u64,
    /// When it was begun.
    #[serde(default)]
    pub started: u64,
    /// From when on its id is known.
    #[serde(default)]
    pub visible: u64,
    /// When it is completed, or fails.
    #[serde(default)]
    pub ready: u64,
    /// Why it fails.
    #[serde(default)]
    pub fails: Option<String>,
    /// True if it is deleted once it is completed.
    #[serde(default)]
    pub deleting: bool,
    /// The key's ARN, if it is encrypted.
    #[serde(default)]
    pub key: Option<String>,
    /// Its description.
    #[serde(default)]
    pub description: String,
    /// `standard` or `archive`.
    #[serde(default = "defaults::standard")]
    pub tier: String,
    /// Codes of a marketplace.
    #[serde(default)]
    pub product_codes: Vec<String>,
    /// With whom it is shared.
    #[serde(default)]
    pub shares: BTreeSet<AccountId>,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// An image.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// Its id.
    pub id: ImageId,
    /// Its account.
    pub account: AccountId,
    /// Its region, if not the cloud's.
    #[serde(default)]
    pub region: Option<Region>,
    /// The device name of its root.
    #[serde(default = "defaults::xvda")]
    pub root_device: String,
    /// Its snapshots by device name.
    pub disks: BTreeMap<String, SnapshotId>,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its ARN.
    pub arn: String,
    /// Its account.
    pub account: AccountId,
    /// True for `aws/ebs`.
    #[serde(default)]
    pub managed: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion` …
    #[serde(default = "defaults::enabled")]
    pub state: String,
    /// `AWS_KMS`, `EXTERNAL` …
    #[serde(default = "defaults::kms")]
    pub origin: String,
    /// Other accounts that its policy lets use it.
    #[serde(default)]
    pub users: BTreeSet<AccountId>,
    /// Accounts that may not use it, its own perhaps.
    #[serde(default)]
    pub denied: BTreeSet<AccountId>,
}

/// `host.toml`: what happens to the scanner's host. Tests write it while the cloud is open.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostState {
    /// When the spot instance is taken away, in seconds since 1970.
    pub interruption: Option<i64>,
    /// True if the group means to terminate it.
    pub terminating: bool,
    /// Volumes that the instance does not let go of.
    pub busy: BTreeSet<VolumeId>,
}
