// SPDX-License-Identifier: Apache-2.0
//! Where an attached volume appears on this host.
//!
//! Never by the name that it was attached by: the kernel gives names in the order in which devices come. An NVMe
//! controller of EBS says its volume's id as its serial number (Amazon EBS User Guide, "Identify NVMe devices"); some
//! tools have seen it with the dash, so both are taken.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use snapscan_cloud::host::HostFacts;
use snapscan_cloud::{Clock, VolumeId};
use snapscan_sandbox::parent::device::{self, Device};

/// The model that EBS volumes have.
const MODEL: &str = "Amazon Elastic Block Store";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where attached volumes appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Devices {
    /// As NVMe devices.
    Nvme {
        /// The folder of block devices in sysfs.
        sysfs: PathBuf,
        /// The folder of device nodes.
        nodes: PathBuf,
    },
    /// As entries of a folder, each named by its serial.
    Folder(PathBuf),
}

/// Why a volume cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It has not appeared in time.
    #[error("volume {volume} is attached, but no device with its serial number came within {} s", waited.as_secs())]
    Absent {
        /// The volume.
        volume: VolumeId,
        /// How long was waited.
        waited: Duration,
    },
    /// Two devices say that they are this volume.
    #[error("two devices have the serial number of volume {volume}: {} and {}", one.display(), other.display())]
    Twice {
        /// The volume.
        volume: VolumeId,
        /// One of them.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// It cannot be opened, or not made read-only.
    #[error("cannot open {} of volume {volume}: {error}", path.display())]
    Open {
        /// The volume.
        volume: VolumeId,
        /// Its device.
        path: PathBuf,
        /// What was met.
        error: io::Error,
    },
}

impl Devices {
    /// Where they appear on this host.
    pub(crate) fn of(host: &HostFacts) -> Self {
        match &host.devices {
            Some(folder) => Devices::Folder(PathBuf::from(folder)),
            None => Devices::Nvme { sysfs: PathBuf::from("/sys/block"), nodes: PathBuf::from("/dev") },
        }
    }

    /// The volume's device, opened for reading only, once it is there.
    ///
    /// # Errors
    /// `Absent` if it does not come within `patience`; `Twice`; `Open`.
    pub(crate) async fn open(
        &self,
        volume: &VolumeId,
        clock: &Clock,
        patience: Duration,
    ) -> Result<Device, Error> {
        let begun = clock.milliseconds();
        loop {
            if let Some((path, number)) = self.find(volume)? {
                return open(volume, &path, number.as_deref());
            }
            let waited = since(clock, begun);
            if waited >= patience {
                return Err(Error::Absent { volume: volume.clone(), waited });
            }
            clock.sleep(PAUSE).await;
        }
    }

    /// The volume's device, and its number where sysfs says it.
    fn find(&self, volume: &VolumeId) -> Result<Option<(PathBuf, Option<String>)>, Error> {
        let (sysfs, nodes) = match self {
            Devices::Folder(folder) => {
                let names = [volume.serial(), volume.to_string()].map(|name| folder.join(name));
                return Ok(names.into_iter().find(|path| path.exists()).map(|path| (path, None)));
            }
            Devices::Nvme { sysfs, nodes } => (sysfs, nodes),
        };
        let mut found: Option<(PathBuf, Option<String>)> = None;
        // A folder that cannot be read has no devices: the wait ends it.
        for entry in fs::read_dir(sysfs).into_iter().flatten().flatten() {
            let name = entry.file_name();
            // `nvme0c1n1` is a path of a device, not the device.
            let is_namespace = name.to_str().is_some_and(|name| {
                name.strip_prefix("nvme").is_some_and(|rest| rest.contains('n') && !rest.contains('c'))
            });
            let at = entry.path();
            if !is_namespace || !is_volume(&at, volume) {
                continue;
            }
            let path = nodes.join(&name);
            if let Some((one, _)) = found {
                return Err(Error::Twice { volume: volume.clone(), one, other: path });
            }
            found = Some((path, attribute(&at.join("dev"))));
        }
        // udev makes the node a moment after sysfs shows the device.
        Ok(found.filter(|(path, _)| path.exists()))
    }
}

fn since(clock: &Clock, begun: u64) -> Duration {
    Duration::from_millis(clock.milliseconds().saturating_sub(begun))
}

/// Is the block device at this place of sysfs the volume?
fn is_volume(at: &Path, volume: &VolumeId) -> bool {
    let of = |name: &str| attribute(&at.join("device").join(name));
    let serial = of("serial");
    of("model").is_some_and(|model| model == MODEL)
        && serial.is_some_and(|serial| serial == volume.serial() || serial == volume.to_string())
}

/// An attribute's text without the padding around it.
fn attribute(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
}

/// Opens a device and checks that it is still the one that sysfs spoke of.
fn open(volume: &VolumeId, path: &Path, number: Option<&str>) -> Result<Device, Error> {
    let failed = |error| Error::Open { volume: volume.clone(), path: path.to_owned(), error };
    let device = device::open(path).map_err(failed)?;
    if number.is_some_and(|number| device.number.as_deref() != Some(number)) {
        let has = device.number.unwrap_or_else(|| "none".to_owned());
        let wanted = number.unwrap_or_default();
        return Err(failed(io::Error::other(format!("its number is {has}, and not {wanted}"))));
    }
    Ok(device)
}

#[cfg(test)]
mod tests {
    use snapscan_cloud::Timestamp;

    use super::*;

    fn volume() -> VolumeId {
        VolumeId::parse("vol-0123456789abcdef0").unwrap()
    }

    fn device(sysfs: &Path, name: &str, serial: &str, model: &str) {
        let at = sysfs.join(name).join("device");
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("serial"), serial).unwrap();
        fs::write(at.join("model"), model).unwrap();
    }

    fn nvme(folder: &Path) -> (Devices, PathBuf) {
        let (sysfs, nodes) = (folder.join("block"), folder.join("dev"));
        fs::create_dir_all(&sysfs).unwrap();
        fs::create_dir_all(&nodes).unwrap();
        for name in ["nvme0n1", "nvme1n1", "nvme2n1", "nvme3n1", "sda"] {
            fs::write(nodes.join(name), name).unwrap();
        }
        device(&sysfs, "sda", "vol0123456789abcdef0", MODEL);
        device(&sysfs, "nvme0n1", "vol0ffffffffffffffff", MODEL);
        device(&sysfs, "nvme3n1", "vol0123456789abcdef0", "Amazon EC2 NVMe Instance Storage");
        device(&sysfs, "nvme0c1n1", "vol0123456789abcdef0", MODEL);
        (Devices::Nvme { sysfs: sysfs.clone(), nodes }, sysfs)
    }

    #[test]
    fn a_volume_is_found_by_its_serial_with_and_without_the_dash_and_padded() {
        for serial in ["vol0123456789abcdef0", "vol-0123456789abcdef0\n", "  vol0123456789abcdef0   \n"] {
            let folder = tempfile::tempdir().unwrap();
            let (devices, sysfs) = nvme(folder.path());
            assert_eq!(devices.find(&volume()).unwrap(), None);
            device(&sysfs, "nvme2n1", serial, "Amazon Elastic Block Store              \n");
            let (path, number) = devices.find(&volume()).unwrap().unwrap();
            assert_eq!((path.file_name().unwrap().to_str(), number), (Some("nvme2n1"), None), "{serial:?}");
        }
    }

    #[test]
    fn two_devices_with_one_serial_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let (devices, sysfs) = nvme(folder.path());
        device(&sysfs, "nvme1n1", "vol0123456789abcdef0", MODEL);
        device(&sysfs, "nvme2n1", "vol-0123456789abcdef0", MODEL);
        assert!(matches!(devices.find(&volume()), Err(Error::Twice { .. })));
    }

    #[test]
    fn a_node_whose_number_is_not_that_of_sysfs_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nvme1n1");
        fs::write(&path, "image").unwrap();
        assert!(matches!(open(&volume(), &path, Some("259:3")), Err(Error::Open { .. })));
        assert!(open(&volume(), &path, None).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_is_waited_for_by_the_clock_until_it_comes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let devices = Devices::Folder(folder.path().to_owned());
        let clock = Clock::from(Timestamp(1_800_000_000));
        let patience = Duration::from_secs(60);
        let absent = devices.open(&volume(), &clock, patience).await;
        assert!(matches!(absent, Err(Error::Absent { waited, .. }) if waited == patience));
        let path = folder.path().join("vol0123456789abcdef0");
        let comes = async {
            clock.sleep(Duration::from_secs(20)).await;
            fs::write(&path, [0; 4096]).unwrap();
        };
        let volume = volume();
        let (device, ()) = tokio::join!(devices.open(&volume, &clock, patience), comes);
        assert_eq!(device.unwrap().len, 4096);
    }
}
