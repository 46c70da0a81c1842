// SPDX-License-Identifier: Apache-2.0
//! From descriptors to a machine.

use std::fs::File;
use std::io::Seek;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use snapscan_disk::fs::FileSystem;
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::machine::{Disk, Guide, Machine, Step};
use snapscan_disk::source::file::FileSource;
use snapscan_disk::source::zst;
use snapscan_disk::{BlockSource, SourceError};

use super::course::Course;
use crate::Error;

/// One volume's name and where its bytes come from.
pub(crate) struct Volume {
    /// The name that coverage and evidence give it.
    pub(crate) name: Vec<u8>,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// Where a volume's bytes come from.
pub(crate) enum Bytes {
    /// An image or device.
    File(File),
    /// Something that is a source already: blocks that the parent serves.
    Source(Arc<dyn BlockSource>),
}

/// What is to be read.
pub(crate) enum Source {
    /// Volumes, all of one machine.
    Disks(Vec<Volume>),
    /// A folder as the host's kernel shows it.
    Directory {
        /// The name that coverage and evidence give it.
        name: Vec<u8>,
        /// The folder.
        folder: OwnedFd,
    },
}

impl Source {
    /// `image` or `directory`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Source::Disks(_) => "image",
            Source::Directory { .. } => "directory",
        }
    }

    /// The names of the volumes.
    pub(crate) fn names(&self) -> Vec<Vec<u8>> {
        match self {
            Source::Disks(volumes) => volumes.iter().map(|volume| volume.name.clone()).collect(),
            Source::Directory { name, .. } => vec![name.clone()],
        }
    }

    /// Opens the machine; `hints` are patterns of what will be asked of its tree.
    ///
    /// # Errors
    /// `Volume` or `Directory` if one cannot be read at all.
    pub(crate) fn open(self, hints: &[&[u8]], course: &Course) -> Result<Machine, Error> {
        match self {
            Source::Directory { name, folder } => {
                course.enter(Step { place: &name, part: "" });
                let fs =
                    KernelFs::new(folder).map_err(|error| Error::Directory { why: error.to_string() })?;
                let fs: Arc<dyn FileSystem> = Arc::new(fs);
                Ok(Machine::of_filesystem(fs, name))
            }
            Source::Disks(volumes) => {
                let disks: Result<Vec<Disk>, Error> =
                    volumes.into_iter().map(|volume| open_volume(volume, course)).collect();
                Ok(Machine::open_guided(&disks?, hints, course))
            }
        }
    }
}

fn open_volume(volume: Volume, course: &Course) -> Result<Disk, Error> {
    let Volume { name, bytes } = volume;
    let step = Step { place: &name, part: "" };
    if course.leaves_out(step).is_some() {
        // Nobody asks it for a byte; its line says why.
        return Ok(Disk { name, source: Arc::new(Vec::new()) });
    }
    course.enter(step);
    let failed = |error: snapscan_disk::Error| Error::Volume {
        name: name.escape_ascii().to_string(),
        why: error.to_string(),
    };
    let file = match bytes {
        Bytes::Source(source) => return Ok(Disk { name, source }),
        Bytes::File(file) => file,
    };
    let mut magic = [0; 4];
    let packed = match file.read_at(&mut magic, 0) {
        Ok(read) => read == magic.len() && magic == zst::MAGIC,
        Err(error) => return Err(failed(SourceError::from(error).into())),
    };
    let source: Arc<dyn BlockSource> = if packed {
        // The position is shared with whoever read it before: a child that died.
        (&file).rewind().map_err(|error| failed(SourceError::from(error).into()))?;
        Arc::new(zst::Unpacked::new(file).map_err(failed)?)
    } else {
        Arc::new(FileSource::new(file).map_err(|error| failed(error.into()))?)
    };
    Ok(Disk { name, source })
}
