// SPDX-License-Identifier: Apache-2.0
//! What the files of a local cloud say: the things that were there before anything was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::records::{
    AttachmentRecord, HostState, ImageRecord, InstanceRecord, KeyRecord, SnapshotRecord, VolumeRecord,
};
use crate::ec2::InstanceType;
use crate::{AccountId, ImageId, InstanceId, Region, SnapshotId, VolumeId};

/// Bytes of a GiB.
pub(super) const GIB: u64 = 1 << 30;

/// Everything that the files say.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// `cloud.toml`
    pub settings: Settings,
    /// `instances.toml`, tables `[[instance]]`
    pub instances: BTreeMap<InstanceId, InstanceRecord>,
    /// `volumes.toml`, tables `[[volume]]`
    pub volumes: BTreeMap<VolumeId, VolumeRecord>,
    /// `snapshots.toml`, tables `[[snapshot]]`: snapshots that others made
    pub snapshots: BTreeMap<SnapshotId, SnapshotRecord>,
    /// `images.toml`, tables `[[image]]`
    pub images: BTreeMap<ImageId, ImageRecord>,
    /// `keys.toml`, tables `[[key]]`
    pub keys: BTreeMap<String, KeyRecord>,
    /// `secrets.toml`: names and values
    pub secrets: BTreeMap<String, String>,
    /// `host.toml`
    pub host: HostState,
}

/// `cloud.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The region of everything that names none.
    pub region: Region,
    /// The zones that there are.
    pub zones: Vec<String>,
    /// The wall's time from which on the clock runs faster, in milliseconds since 1970.
    pub epoch: u64,
    /// How many of the clock's seconds pass in one of the wall's.
    pub speed: u32,
    /// Messages are delivered so often before they are dead.
    pub deliveries: u32,
    /// Pending snapshots of an account at most.
    pub pending: usize,
    /// The scanner's host.
    pub host: Host,
    /// How long things take.
    pub latency: Latency,
    /// How lists are cut.
    pub paging: Paging,
    /// The accounts, beside the scanner's.
    #[serde(rename = "account")]
    pub accounts: Vec<Account>,
    /// Types of instances beside those that are built in.
    #[serde(rename = "type")]
    pub types: Vec<InstanceType>,
}

/// The scanner's host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// The scanner's own account.
    pub account: AccountId,
    /// Its instance.
    pub instance: InstanceId,
    /// Its type.
    pub kind: String,
    /// Its zone.
    pub zone: String,
    /// Its Auto Scaling group.
    pub group: Option<String>,
    /// Other scanners whose devices appear in the same folder: for tests.
    pub beside: BTreeSet<InstanceId>,
}

impl Host {
    /// True if volumes that are attached to this instance appear as devices.
    pub(super) fn shows(&self, instance: &InstanceId) -> bool {
        self.instance == *instance || self.beside.contains(instance)
    }
}

/// How long things take, in seconds of the clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// From the call to a completed snapshot.
    pub snapshot: u64,
    /// From the call to a completed copy.
    pub copy: u64,
    /// From the call to an available volume.
    pub volume: u64,
    /// From the call to an attached volume.
    pub attach: u64,
    /// From the call to a detached volume.
    pub detach: u64,
    /// From the call to a deleted volume.
    pub delete: u64,
    /// How long a new id is unknown to other calls.
    pub late: u64,
    /// How long after its creation a volume vanishes whose key cannot be used.
    pub ghost: u64,
    /// How long tokens of block lists' pages are good.
    pub page_token: u64,
    /// How long tokens of blocks are good.
    pub block_token: u64,
}

/// How lists are cut into pages.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// Things on a page of EC2's lists and of tables; 0 means 1,000.
    pub items: usize,
    /// Blocks on a page, whatever is asked for; 0 means as many as asked for.
    pub blocks: usize,
    /// An empty page with a token before each page.
    pub empty: bool,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// True if its role can be assumed without the external id: a mistake that `doctor` must find.
    #[serde(default)]
    pub open: bool,
    /// Actions that its policies deny, such as `ec2:CreateSnapshots`.
    #[serde(default)]
    pub denied: BTreeSet<String>,
    /// The key of new volumes and copies where none is named and encryption is wanted.
    #[serde(default)]
    pub default_key: Option<String>,
    /// Are new volumes and copies encrypted, asked for or not?
    #[serde(default)]
    pub encrypt: bool,
}

impl World {
    /// Reads the files of a folder; a missing one says nothing.
    ///
    /// # Errors
    /// With the file's name, and what is wrong in it.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut world = World {
            settings: read(folder, "cloud.toml")?,
            instances: table(folder, "instance", |record: &InstanceRecord| record.id.clone())?,
            volumes: table(folder, "volume", |record: &VolumeRecord| record.id.clone())?,
            snapshots: table(folder, "snapshot", |record: &SnapshotRecord| record.id.clone())?,
            images: table(folder, "image", |record: &ImageRecord| record.id.clone())?,
            keys: table(folder, "key", |record: &KeyRecord| record.arn.clone())?,
            secrets: read(folder, "secrets.toml")?,
            host: read(folder, "host.toml")?,
        };
        world.complete(folder);
        Ok(world)
    }

    /// Puts in what follows from something else: attachments from disks, sizes from files.
    fn complete(&mut self, folder: &Path) {
        for instance in self.instances.values() {
            for (device, id) in &instance.disks {
                let volume = self.volumes.entry(id.clone()).or_insert_with(|| VolumeRecord::of(id, instance));
                volume.attachment = Some(AttachmentRecord::given(&instance.id, device));
            }
        }
        for volume in self.volumes.values_mut().filter(|volume| volume.size_gib == 0) {
            volume.size_gib = size_gib(&folder.join(format!("volumes/{}.img", volume.id)));
        }
        for snapshot in self.snapshots.values_mut().filter(|snapshot| snapshot.size_gib == 0) {
            snapshot.size_gib = size_gib(&folder.join(format!("snapshots/{}.img", snapshot.id)));
        }
    }

    /// The account of this id.
    pub(super) fn account(&self, id: &AccountId) -> Option<Account> {
        let listed = self.settings.accounts.iter().find(|account| account.id == *id).cloned();
        let own = (self.settings.host.account == *id).then(|| Account::new(id.clone()));
        listed.or(own)
    }

    /// Whether an account may use a key now; without a key there is nothing to be asked.
    pub(super) fn may_use(&self, key: Option<&str>, account: &AccountId) -> bool {
        let Some(arn) = key else { return true };
        let own_default = arn.ends_with(&format!(":{account}:alias/aws/ebs"));
        own_default || self.keys.get(arn).is_some_and(|key| key.state == "Enabled" && key.lets(account))
    }
}

fn size_gib(path: &Path) -> u64 {
    fs::metadata(path).map_or(1, |file| file.len().div_ceil(GIB).max(1))
}

fn read<T: DeserializeOwned + Default>(folder: &Path, name: &str) -> io::Result<T> {
    let path = folder.join(name);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => {
            return Err(io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display())));
        }
    };
    toml::from_str(&text).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not in order: {error}", path.display()))
    })
}

/// Reads the tables `[[name]]` of the file `names.toml`.
fn table<K: Ord, T: DeserializeOwned>(
    folder: &Path,
    name: &str,
    key: impl Fn(&T) -> K,
) -> io::Result<BTreeMap<K, T>> {
    let mut tables: BTreeMap<String, Vec<T>> = read(folder, &format!("{name}s.toml"))?;
    let records = tables.remove(name).unwrap_or_default();
    if let Some(other) = tables.keys().next() {
        let message =
            format!("{}/{name}s.toml has tables [[{other}]]; it wants [[{name}]]", folder.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(records.into_iter().map(|record| (key(&record), record)).collect())
}
