// SPDX-License-Identifier: Apache-2.0
//! What a local cloud is like where its files say nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{
    AttachmentRecord, ImageRecord, InstanceRecord, KeyRecord, SnapshotRecord, VolumeRecord,
};
use super::world::{Account, Host, Latency, Paging, Settings};
use crate::ec2::{InstanceType, Tags};
use crate::{AccountId, ImageId, InstanceId, Region, SnapshotId, VolumeId};

pub(super) fn running() -> String {
    "running".to_owned()
}

pub(super) fn large() -> String {
    "m7i.large".to_owned()
}

pub(super) fn xvda() -> String {
    "/dev/xvda".to_owned()
}

pub(super) fn standard() -> String {
    "standard".to_owned()
}

pub(super) fn enabled() -> String {
    "Enabled".to_owned()
}

pub(super) fn kms() -> String {
    "AWS_KMS".to_owned()
}

pub(super) fn yes() -> bool {
    true
}

/// The volume id that copies of snapshots name.
/// Source: Amazon EBS User Guide, "Copy an Amazon EBS snapshot".
pub(super) fn no_volume() -> VolumeId {
    VolumeId::parse("vol-ffffffff").expect("it has the form of an id")
}

/// Types of instances that need no table of their own. The first has a limit of its own for volumes, the others share
/// theirs with network cards and disks.
/// Source: Amazon EC2 User Guide, "Amazon EBS volume limits for Amazon EC2 instances".
pub(super) fn types() -> Vec<InstanceType> {
    let shared = |kind: &str, instance_disks| InstanceType {
        kind: kind.to_owned(),
        attachments: 28,
        shared: true,
        instance_disks,
    };
    let dedicated = |kind: &str| InstanceType {
        kind: kind.to_owned(),
        attachments: 32,
        shared: false,
        instance_disks: 0,
    };
    vec![
        dedicated("c7i.large"),
        dedicated("m7i.large"),
        shared("m5.large", 0),
        shared("t3.micro", 0),
        shared("c5d.large", 1),
    ]
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: Region::parse("eu-west-1").expect("it has the form of a region"),
            zones: vec!["eu-west-1a".to_owned(), "eu-west-1b".to_owned()],
            epoch: 0,
            speed: 1,
            deliveries: 10,
            pending: 100,
            host: Host::default(),
            latency: Latency::default(),
            paging: Paging::default(),
            accounts: Vec::new(),
            types: Vec::new(),
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            account: AccountId::parse("111111111111").expect("it has the form of an account"),
            instance: InstanceId::parse("i-00000000000000001").expect("it has the form of an id"),
            kind: "c7i.large".to_owned(),
            zone: "eu-west-1a".to_owned(),
            group: None,
            beside: BTreeSet::new(),
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            snapshot: 5,
            copy: 5,
            volume: 1,
            attach: 1,
            detach: 1,
            delete: 1,
            late: 0,
            ghost: 10,
            page_token: 60 * 60,
            block_token: 7 * 24 * 60 * 60,
        }
    }
}

impl Account {
    /// An account that allows what a purpose allows.
    pub fn new(id: AccountId) -> Self {
        Self { id, open: false, denied: BTreeSet::new(), default_key: None, encrypt: false }
    }
}

impl InstanceRecord {
    /// A running instance without disks.
    pub fn new(id: InstanceId, account: AccountId, zone: &str) -> Self {
        Self {
            id,
            account,
            region: None,
            state: running(),
            zone: zone.to_owned(),
            kind: large(),
            root_device: xvda(),
            root_is_ebs: true,
            disks: BTreeMap::new(),
            addresses: Vec::new(),
            dns: String::new(),
            macs: Vec::new(),
            product_codes: Vec::new(),
            image: None,
            tags: Tags::new(),
        }
    }
}

impl VolumeRecord {
    /// A volume that is not attached.
    pub fn new(id: VolumeId, account: AccountId, zone: &str) -> Self {
        Self {
            id,
            account,
            region: None,
            size_gib: 0,
            zone: zone.to_owned(),
            snapshot: None,
            key: None,
            created: 0,
            visible: 0,
            ready: 0,
            ghost: None,
            deleted: None,
            product_codes: Vec::new(),
            snapshots_fail: None,
            attachment: None,
            tags: Tags::new(),
        }
    }

    /// A disk of an instance of which nothing else is known.
    pub(super) fn of(id: &VolumeId, instance: &InstanceRecord) -> Self {
        let volume = Self::new(id.clone(), instance.account.clone(), &instance.zone);
        Self { region: instance.region.clone(), product_codes: instance.product_codes.clone(), ..volume }
    }
}

impl AttachmentRecord {
    /// An attachment since the beginning.
    pub(super) fn given(instance: &InstanceId, device: &str) -> Self {
        Self {
            instance: instance.clone(),
            device: device.to_owned(),
            attached: 0,
            detached: None,
            force: false,
            busy: false,
            shown: true,
        }
    }
}

impl SnapshotRecord {
    /// A completed snapshot.
    pub fn new(id: SnapshotId, account: AccountId, volume: VolumeId) -> Self {
        Self {
            id,
            account,
            region: None,
            volume,
            copy: false,
            size_gib: 0,
            started: 0,
            visible: 0,
            ready: 0,
            fails: None,
            deleting: false,
            key: None,
            description: String::new(),
            tier: standard(),
            product_codes: Vec::new(),
            shares: BTreeSet::new(),
            tags: Tags::new(),
        }
    }
}

impl ImageRecord {
    /// An image without snapshots.
    pub fn new(id: ImageId, account: AccountId) -> Self {
        Self { id, account, region: None, root_device: xvda(), disks: BTreeMap::new(), tags: Tags::new() }
    }
}

impl KeyRecord {
    /// A customer key that is enabled.
    pub fn new(arn: &str, account: AccountId) -> Self {
        Self {
            arn: arn.to_owned(),
            account,
            managed: false,
            state: enabled(),
            origin: kms(),
            users: BTreeSet::new(),
            denied: BTreeSet::new(),
        }
    }

    /// Whether its policy lets an account use it.
    pub(super) fn lets(&self, account: &AccountId) -> bool {
        let listed = self.account == *account || (!self.managed && self.users.contains(account));
        listed && !self.denied.contains(account)
    }
}
