// SPDX-License-Identifier: Apache-2.0
//! What can be handed over to be read.

use std::fs::File;
use std::os::fd::OwnedFd;

/// Where the bytes of a volume come from.
#[derive(Debug)]
pub enum Bytes {
    /// An image or block device, open for reading.
    File(File),
    /// Blocks that are fetched when they are needed.
    Served {
        /// Bytes of the volume.
        len: u64,
        /// Bytes of a logical sector, if that is known.
        sector: Option<u32>,
    },
}

/// One image, block device or snapshot.
#[derive(Debug)]
pub struct Volume {
    /// The name that coverage and evidence give it.
    pub name: Vec<u8>,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Volume {
    /// True if its blocks are fetched when they are needed.
    pub fn is_served(&self) -> bool {
        matches!(self.bytes, Bytes::Served { .. })
    }
}

/// The disks of one machine, or a folder that shows its files.
#[derive(Debug)]
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
