// SPDX-License-Identifier: Apache-2.0
//! Instances, volumes and snapshots, as far as a scanner needs them.
//!
//! Source: Amazon EC2 API Reference; the fields are those of the actions of the same name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::owned::Owned;
use crate::{AccountId, ImageId, InstanceId, IntentId, Region, SnapshotId, Timestamp, VolumeId};

/// Tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What is on it; it may be empty before the end.
    pub items: Vec<T>,
    /// Where to go on; absent at the end, and only there.
    pub token: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), token: None }
    }
}

/// Instances by id. Ids are sent as a filter: an unknown one is missing from the list and no error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeInstances {
    /// At most 100.
    pub ids: Vec<InstanceId>,
    /// Where the last page ended.
    pub token: Option<String>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`.
    pub state: String,
    /// The image that it was made of.
    pub image: Option<ImageId>,
    /// Its zone.
    pub zone: String,
    /// Its type.
    pub kind: String,
    /// The device name of its root, such as `/dev/xvda`.
    pub root_device: String,
    /// True if its root is an EBS volume.
    pub root_is_ebs: bool,
    /// Its EBS volumes by device name.
    pub disks: BTreeMap<String, VolumeId>,
    /// Private addresses.
    pub addresses: Vec<String>,
    /// Private DNS name.
    pub dns: String,
    /// Hardware addresses.
    pub macs: Vec<String>,
    /// Codes of a marketplace, if any.
    pub product_codes: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

/// Which volumes or snapshots are meant. Ids are sent as a filter: an unknown one is missing and no error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Find<T> {
    /// These, at most 200.
    Ids(Vec<T>),
    /// What carries the tag of this intent.
    Intent(IntentId),
    /// What carries the tag of this deployment.
    Deployment(String),
    /// Volumes that are attached to this instance.
    AttachedTo(InstanceId),
}

/// Volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeVolumes {
    /// Which.
    pub find: Find<VolumeId>,
    /// Where the last page ended.
    pub token: Option<String>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// `creating`, `available`, `in-use`, `deleting`, `deleted`, `error`.
    pub state: String,
    /// Its size in GiB.
    pub size_gib: u64,
    /// Its zone.
    pub zone: String,
    /// The snapshot that it was made of.
    pub snapshot: Option<SnapshotId>,
    /// Whether it is encrypted, and the ARN of the key.
    pub encrypted: bool,
    /// The key's ARN.
    pub key: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Codes of a marketplace, if any.
    pub product_codes: Vec<String>,
    /// Where it is attached.
    pub attachments: Vec<Attachment>,
    /// Tags.
    pub tags: Tags,
}

/// A volume at an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// The volume.
    pub volume: VolumeId,
    /// The instance.
    pub instance: InstanceId,
    /// The device name that was asked for.
    pub device: String,
    /// `attaching`, `attached`, `detaching`, `detached`, `busy`.
    pub state: String,
}

/// Snapshots of the account itself, or shared with it by id; never public ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeSnapshots {
    /// Which.
    pub find: Find<SnapshotId>,
    /// Where the last page ended.
    pub token: Option<String>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// The volume that it was made of; arbitrary for a copy.
    pub volume: VolumeId,
    /// `pending`, `completed`, `error`, `recoverable`, `recovering`.
    pub state: String,
    /// Why, where it is in error.
    pub state_message: String,
    /// When it was begun.
    pub started: Timestamp,
    /// The volume's size in GiB.
    pub size_gib: u64,
    /// Bytes of all its blocks, where AWS says so.
    pub full_bytes: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The key's ARN.
    pub key: Option<String>,
    /// Its account.
    pub owner: AccountId,
    /// Its description.
    pub description: String,
    /// `standard` or `archive`.
    pub tier: String,
    /// Tags.
    pub tags: Tags,
}

/// Images by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeImages {
    /// Which.
    pub ids: Vec<ImageId>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its account.
    pub owner: AccountId,
    /// Its snapshots by device name.
    pub disks: BTreeMap<String, SnapshotId>,
    /// The device name of its root.
    pub root_device: String,
    /// Tags.
    pub tags: Tags,
}

/// Types of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeInstanceTypes {
    /// Which, such as `c7i.large`.
    pub kinds: Vec<String>,
}

/// How many volumes a type of instance takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceType {
    /// Its name.
    pub kind: String,
    /// Attachments at most.
    pub attachments: u32,
    /// True if network cards and instance-store disks count among them.
    pub shared: bool,
    /// Disks of its own.
    pub instance_disks: u32,
}

/// With whom a snapshot is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeShares {
    /// The snapshot.
    pub snapshot: SnapshotId,
}

/// A key's state and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeKey {
    /// Its ARN.
    pub key: String,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    /// True if AWS manages it (`aws/ebs`): what it encrypts cannot be shared.
    pub is_aws_managed: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion`, `PendingImport`, `Unavailable` …
    pub state: String,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
    pub origin: String,
}

/// Makes one crash-consistent set of snapshots. AWS has no client token for this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSnapshots {
    /// The instance.
    pub instance: InstanceId,
    /// Leave out its root?
    pub exclude_root: bool,
    /// Other volumes to leave out, at most 40; the root's id is refused here.
    pub exclude: Vec<VolumeId>,
    /// The description of each.
    pub description: String,
    /// The tags of each.
    pub tags: Tags,
}

/// Makes a snapshot of one volume. AWS has no client token for this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSnapshot {
    /// The volume.
    pub volume: VolumeId,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

/// Copies a snapshot into the scope's region. AWS has no client token for this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySnapshot {
    /// The source; completed.
    pub source: SnapshotId,
    /// Its region.
    pub source_region: Region,
    /// The key of the copy; the account's default if none is named.
    pub key: Option<String>,
    /// Whether the copy shall be encrypted.
    pub encrypted: bool,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

/// Lets one account make volumes of a snapshot; never `all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareSnapshot {
    /// The snapshot: ours.
    pub snapshot: Owned<SnapshotId>,
    /// With whom.
    pub with: AccountId,
}

/// Takes a share back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnshareSnapshot {
    /// The snapshot: ours.
    pub snapshot: Owned<SnapshotId>,
    /// With whom it was shared.
    pub with: AccountId,
}

/// Deletes a snapshot. Of a pending one it takes effect once that is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteSnapshot {
    /// The snapshot: ours.
    pub snapshot: Owned<SnapshotId>,
}

/// Makes a gp3 volume of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateVolume {
    /// The snapshot: ours, or shared with us.
    pub snapshot: SnapshotId,
    /// The zone.
    pub zone: String,
    /// The key; the account's default if none is named.
    pub key: Option<String>,
    /// One a call: AWS makes no second volume for the same token.
    pub token: String,
    /// Its tags.
    pub tags: Tags,
}

/// Attaches a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachVolume {
    /// The volume: ours.
    pub volume: Owned<VolumeId>,
    /// The instance: the scanner itself.
    pub instance: InstanceId,
    /// The device name, such as `/dev/sdf`; the kernel shows another.
    pub device: String,
}

/// Detaches a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachVolume {
    /// The attachment: of a volume of ours.
    pub attachment: Owned<Attachment>,
    /// Without waiting for the instance to let go of it.
    pub force: bool,
}

/// Deletes a volume that is attached nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteVolume {
    /// The volume: ours.
    pub volume: Owned<VolumeId>,
}
