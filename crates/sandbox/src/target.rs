// SPDX-License-Identifier: Apache-2.0
//! What can be handed over to be read.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use snapscan_disk::fs::FileSystem;
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::machine::{Disk, Machine};
use snapscan_disk::source::file::FileSource;
use snapscan_disk::source::zst;
use snapscan_disk::{BlockSource, SourceError};

use crate::Error;

/// One image or block device.
pub struct Volume {
    /// The name that coverage and evidence give it.
    pub name: Vec<u8>,
    /// Open for reading.
    pub file: File,
}

/// The disks of one machine, or a folder that shows its files.
pub enum Target {
    /// Images or devices, all of one machine.
    Disks(Vec<Volume>),
    /// A folder as the host's kernel shows it.
    Directory {
        /// The name that coverage and evidence give it.
        name: Vec<u8>,
        /// The folder, open for reading.
        folder: OwnedFd,
    },
}

impl Target {
    /// Opens the machine; `hints` are patterns of what will be asked of its tree.
    ///
    /// # Errors
    /// `Volume` or `Directory` if one cannot be read at all.
    pub(crate) fn open(self, hints: &[&[u8]]) -> Result<Machine, Error> {
        match self {
            Target::Directory { name, folder } => {
                let fs: Arc<dyn FileSystem> = Arc::new(KernelFs::new(folder).map_err(Error::Directory)?);
                Ok(Machine::of_filesystem(fs, name))
            }
            Target::Disks(volumes) => {
                let disks: Result<Vec<Disk>, Error> = volumes.into_iter().map(open_volume).collect();
                Ok(Machine::open(&disks?, hints))
            }
        }
    }
}

fn open_volume(volume: Volume) -> Result<Disk, Error> {
    let Volume { name, file } = volume;
    let failed = |error: snapscan_disk::Error| Error::Volume { name: name.escape_ascii().to_string(), error };
    let mut magic = [0; 4];
    let packed = match file.read_at(&mut magic, 0) {
        Ok(read) => read == magic.len() && magic == zst::MAGIC,
        Err(error) => return Err(failed(SourceError::from(error).into())),
    };
    let source: Arc<dyn BlockSource> = if packed {
        Arc::new(zst::Unpacked::new(file).map_err(failed)?)
    } else {
        Arc::new(FileSource::new(file).map_err(|error| failed(error.into()))?)
    };
    Ok(Disk { name, source })
}
