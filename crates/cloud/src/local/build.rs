// SPDX-License-Identifier: Apache-2.0
//! How the folder of a local cloud is made: from what there shall be, and from images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use super::bytes;
use super::records::{ImageRecord, InstanceRecord, KeyRecord, SnapshotRecord, VolumeRecord};
use super::world::{Account, GIB, Settings, World};
use crate::{SnapshotId, VolumeId};

/// Gathers what there shall be in a cloud, then writes its folder.
#[derive(Debug, Default)]
pub struct Builder {
    /// What the files will say.
    pub world: World,
    volumes: BTreeMap<VolumeId, PathBuf>,
    snapshots: BTreeMap<SnapshotId, PathBuf>,
}

impl Builder {
    /// A cloud with nothing in it but the scanner's own host.
    pub fn new() -> Self {
        let mut builder = Self::default();
        let host = builder.world.settings.host.clone();
        let scanner = InstanceRecord::new(host.instance, host.account, &host.zone);
        builder = builder.instance(InstanceRecord { kind: host.kind, ..scanner });
        builder
    }

    /// Sets region, clock, latencies and the host; call it before anything is added. The scanner's instance is the
    /// host that these settings name.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.world.instances.remove(&self.world.settings.host.instance);
        let host = settings.host.clone();
        self.world.settings = settings;
        let scanner = InstanceRecord::new(host.instance, host.account, &host.zone);
        self.instance(InstanceRecord { kind: host.kind, ..scanner })
    }

    /// Adds an account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.world.settings.accounts.push(account);
        self
    }

    /// Adds an instance; its disks are volumes that are added too, or about which nothing but their bytes is to be said.
    #[must_use]
    pub fn instance(mut self, instance: InstanceRecord) -> Self {
        self.world.instances.insert(instance.id.clone(), instance);
        self
    }

    /// Adds a volume that has the bytes of a raw image.
    #[must_use]
    pub fn volume(mut self, volume: VolumeRecord, image: &Path) -> Self {
        self.volumes.insert(volume.id.clone(), image.to_owned());
        self.world.volumes.insert(volume.id.clone(), volume);
        self
    }

    /// Adds a snapshot that somebody else made, with the bytes of a raw image.
    #[must_use]
    pub fn snapshot(mut self, snapshot: SnapshotRecord, image: &Path) -> Self {
        self.snapshots.insert(snapshot.id.clone(), image.to_owned());
        self.world.snapshots.insert(snapshot.id.clone(), snapshot);
        self
    }

    /// Adds an image of snapshots that are added too.
    #[must_use]
    pub fn image(mut self, image: ImageRecord) -> Self {
        self.world.images.insert(image.id.clone(), image);
        self
    }

    /// Adds a key.
    #[must_use]
    pub fn key(mut self, key: KeyRecord) -> Self {
        self.world.keys.insert(key.arn.clone(), key);
        self
    }

    /// Adds a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.world.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes the folder. Images are copied, their holes remain holes; each is as long as its size in GiB says, and
    /// cannot be written afterwards.
    ///
    /// # Errors
    /// What the system answers about a file, with its name.
    pub fn write(mut self, folder: &Path) -> io::Result<()> {
        for name in ["volumes", "snapshots", "outbox", "devices"] {
            fs::create_dir_all(folder.join(name))?;
        }
        for (id, image) in &self.volumes {
            let Some(volume) = self.world.volumes.get_mut(id) else { continue };
            volume.size_gib = place(image, &folder.join(format!("volumes/{id}.img")), volume.size_gib)?;
        }
        for (id, image) in &self.snapshots {
            let Some(snapshot) = self.world.snapshots.get_mut(id) else { continue };
            snapshot.size_gib = place(image, &folder.join(format!("snapshots/{id}.img")), snapshot.size_gib)?;
        }
        self.world.write(folder)
    }
}

impl World {
    /// Writes all files but `host.toml`, which tests write.
    ///
    /// # Errors
    /// What the system answers.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        save(folder, "cloud.toml", &self.settings)?;
        save_table(folder, "instance", self.instances.values())?;
        save_table(folder, "volume", self.volumes.values())?;
        save_table(folder, "snapshot", self.snapshots.values())?;
        save_table(folder, "image", self.images.values())?;
        save_table(folder, "key", self.keys.values())?;
        save(folder, "secrets.toml", &self.secrets)
    }
}

impl super::records::HostState {
    /// Writes `host.toml`: an open cloud takes it into account from the next call on.
    ///
    /// # Errors
    /// What the system answers.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        save(folder, "host.toml", self)
    }
}

/// Copies an image; answers its size in GiB, which is at least `least`.
fn place(image: &Path, target: &Path, least: u64) -> io::Result<u64> {
    let told =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot copy {}: {error}", image.display()));
    let size = fs::metadata(image).map_err(told)?.len().div_ceil(GIB).max(least).max(1);
    bytes::place(image, target, size).map_err(told)?;
    Ok(size)
}

fn save_table<'a, T: Serialize + 'a>(
    folder: &Path,
    name: &str,
    records: impl Iterator<Item = &'a T>,
) -> io::Result<()> {
    let records: Vec<&T> = records.collect();
    save(folder, &format!("{name}s.toml"), &BTreeMap::from([(name, records)]))
}

/// Writes a file whole or not at all.
fn save<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    let text = toml::to_string(value).map_err(io::Error::other)?;
    let aside = folder.join(format!(".{name}"));
    fs::write(&aside, text)?;
    fs::rename(aside, folder.join(name))
}
