// SPDX-License-Identifier: Apache-2.0
//! The inode: a core of fixed fields, a data fork, and at times an attribute fork.

use super::crc;
use super::volume::Volume;
use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};
use crate::fs::{FileType, Identity, Metadata, Timestamp};

/// The first two bytes.
const MAGIC: &[u8] = b"IN";
/// Bytes of the core of versions 1 and 2, after which the data fork begins.
const CORE_V2: usize = 100;
/// Bytes of the core of version 3.
const CORE_V3: usize = 176;
/// Where version 3 has its checksum.
const CRC_AT: usize = 100;
/// Seconds from the first moment of `bigtime` (December 1901) to 1970.
const BIGTIME_EPOCH: i64 = 1 << 31;

/// Bits of `di_flags`.
const FLAG_REALTIME: u16 = 1;
/// Bits of `di_flags2`.
const FLAG2_BIGTIME: u64 = 1 << 3;
const FLAG2_LARGE_COUNTERS: u64 = 1 << 4;

/// How a fork keeps what is in it (`di_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A device number.
    Device,
    /// In the inode itself.
    Local,
    /// Extents listed in the inode.
    Extents,
    /// Extents in a b+tree whose root is in the inode.
    Tree,
}

/// The core of an inode.
///
/// Shape:  100 bytes in versions 1 and 2, 176 in version 3; big-endian but for the checksum.
/// Errors: `Corrupt` with scope `Node`, or `Subtree` if the mode says that it is a folder.
/// Source: `struct xfs_dinode` in xfs_format.h; XFS Algorithms & Data Structures, 3rd edition, "On-disk Inode".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Core {
    pub(super) kind: FileType,
    pub(super) format: Format,
    pub(super) attr_format: Format,
    /// Bytes of content.
    pub(super) size: u64,
    /// Extents of the data fork.
    pub(super) extents: u64,
    /// Extents of the attribute fork.
    pub(super) attr_extents: u64,
    /// Where the attribute fork begins, in bytes from the data fork; 0 if there is none.
    pub(super) fork_offset: usize,
    /// Bytes of the core.
    pub(super) core_size: usize,
    /// Content lies on the realtime device.
    pub(super) realtime: bool,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    generation: u32,
    rdev: (u32, u32),
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
}

/// An inode with its bytes, of which the forks are made.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) number: u64,
    pub(super) core: Core,
    bytes: Vec<u8>,
}

impl Inode {
    /// Reads and checks inode `number`.
    ///
    /// # Errors
    /// `Corrupt`; what the source answers.
    pub(super) fn read(volume: &Volume, number: u64) -> Result<Inode> {
        let offset = offset(volume, number)?;
        let bytes = volume.read(offset, u64::from(volume.superblock.geometry.inode_size))?;
        Inode::parse(volume, number, offset, bytes)
    }

    /// Checks inode `number`, whose bytes begin at byte `place`.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn parse(volume: &Volume, number: u64, place: u64, bytes: Vec<u8>) -> Result<Inode> {
        let core = Core::parse(volume, number, place, &bytes)?;
        Ok(Inode { number, core, bytes })
    }

    /// The bytes of the data fork.
    pub(super) fn data_fork(&self) -> &[u8] {
        let area = self.bytes.get(self.core.core_size..).unwrap_or_default();
        if self.core.fork_offset == 0 { area } else { area.get(..self.core.fork_offset).unwrap_or_default() }
    }

    /// The bytes of the attribute fork; empty if there is none.
    pub(super) fn attr_fork(&self) -> &[u8] {
        let area = self.bytes.get(self.core.core_size..).unwrap_or_default();
        if self.core.fork_offset == 0 { &[] } else { area.get(self.core.fork_offset..).unwrap_or_default() }
    }

    /// An error about this inode, as wide as its type makes it.
    pub(super) fn corrupt(&self, what: &'static str, why: impl Into<String>) -> Error {
        corrupt(self.core.kind == FileType::Directory, what, format!("inode {}: {}", self.number, why.into()))
    }
}

/// The byte of inode `number`.
///
/// # Errors
/// `Corrupt` if there can be no such inode.
pub(super) fn offset(volume: &Volume, number: u64) -> Result<u64> {
    let place = volume.superblock.geometry.inode_offset(number);
    place.ok_or_else(|| Error::node("inode number", format!("inode {number} lies outside of the filesystem")))
}

fn corrupt(folder: bool, what: &'static str, why: String) -> Error {
    if folder { Error::subtree(what, why) } else { Error::node(what, why) }
}

impl Core {
    /// Reads and checks the core of inode `number`, whose bytes begin at byte `place`.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn parse(volume: &Volume, number: u64, place: u64, raw: &[u8]) -> Result<Core> {
        let bytes = Bytes(raw);
        let mode = bytes.be16(2).unwrap_or(0);
        let folder = FileType::from_mode(u32::from(mode)) == Some(FileType::Directory);
        let bad = |why: String| corrupt(folder, "inode", format!("inode {number}: {why}"));
        if !bytes.has(0, MAGIC) {
            return Err(bad(format!("it begins with {:#06x} and not with IN", bytes.be16(0).unwrap_or(0))));
        }
        let version = bytes.u8(4).unwrap_or(0);
        if volume.v5() != (version == 3) || !(1..=3).contains(&version) {
            return Err(bad(format!("version {version} does not belong here")));
        }
        if version == 3 {
            let end = place.saturating_add(wide(raw.len()));
            if !volume.is_from_log(place..end) {
                crc::check(raw, CRC_AT).map_err(bad)?;
            }
            if bytes.be64(152) != Some(number) {
                return Err(bad(format!("it says that it is inode {}", bytes.be64(152).unwrap_or(0))));
            }
            if bytes.array::<16>(160) != Some(volume.superblock.meta_uuid) {
                return Err(bad("it has another filesystem's UUID".into()));
            }
        }
        if mode == 0 {
            return Err(bad("it is free".into()));
        }
        Core::fields(bytes, version, mode).and_then(|core| core.sane(raw.len())).map_err(bad)
    }

    fn fields(bytes: Bytes<'_>, version: u8, mode: u16) -> Result<Core, String> {
        let u16 = |at| bytes.be16(at).unwrap_or(0);
        let u32 = |at| bytes.be32(at).unwrap_or(0);
        let u64 = |at| bytes.be64(at).unwrap_or(0);
        let flags2 = if version == 3 { u64(120) } else { 0 };
        let large = flags2 & FLAG2_LARGE_COUNTERS != 0;
        let time = |at| timestamp(bytes, at, flags2 & FLAG2_BIGTIME != 0);
        let kind =
            FileType::from_mode(u32::from(mode)).ok_or_else(|| format!("mode {mode:#o} has no type"))?;
        let format = bytes.u8(5).unwrap_or(u8::MAX);
        let core_size = if version == 3 { CORE_V3 } else { CORE_V2 };
        let device = matches!(kind, FileType::CharDevice | FileType::BlockDevice);
        let fork_offset = index(u64::from(bytes.u8(82).unwrap_or(0))).saturating_mul(8);
        Ok(Core {
            kind,
            format: Format::of_data(kind, format).ok_or_else(|| format!("data fork of format {format}"))?,
            attr_format: match (fork_offset, bytes.u8(83).unwrap_or(u8::MAX)) {
                (0, _) | (_, 2) => Format::Extents,
                (_, 1) => Format::Local,
                (_, 3) => Format::Tree,
                (_, other) => return Err(format!("attribute fork of format {other}")),
            },
            size: u64(56),
            extents: if large { u64(24) } else { u64::from(u32(76)) },
            attr_extents: if large { u64::from(u32(76)) } else { u64::from(u16(80)) },
            fork_offset,
            core_size,
            realtime: u16(90) & FLAG_REALTIME != 0 && kind == FileType::File,
            mode: u32::from(mode) & 0o7777,
            uid: u32(8),
            gid: u32(12),
            links: if version == 1 { u32::from(u16(6)) } else { u32(16) },
            generation: u32(92),
            rdev: if device { device_numbers(bytes.be32(core_size).unwrap_or(0)) } else { (0, 0) },
            atime: time(32),
            mtime: time(40),
            ctime: time(48),
        })
    }

    /// Checks sizes against the inode's length in bytes.
    fn sane(self, inode_size: usize) -> Result<Core, String> {
        if self.size > i64::MAX.unsigned_abs() {
            return Err(format!("size {} is negative", self.size));
        }
        let area = inode_size.saturating_sub(self.core_size);
        if self.fork_offset >= area {
            return Err(format!("attribute fork begins at byte {} of {area}", self.fork_offset));
        }
        if self.format == Format::Local && self.size > wide(area) {
            return Err(format!("{} bytes do not fit into an inode of {inode_size}", self.size));
        }
        Ok(self)
    }

    /// What a caller of the filesystem sees.
    pub(super) fn metadata(&self, number: u64, stale: bool) -> Metadata {
        Metadata {
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            rdev: self.rdev,
            links: self.links,
            mtime: self.mtime,
            ctime: self.ctime,
            atime: self.atime,
            identity: Identity { device: 0, inode: number, generation: self.generation },
            encrypted: false,
            stale,
        }
    }
}

impl Format {
    /// The format that `code` means for the data fork of this type; `None` if that type cannot have it.
    fn of_data(kind: FileType, code: u8) -> Option<Format> {
        match (kind, code) {
            (FileType::File, 2) => Some(Format::Extents),
            (FileType::Directory | FileType::Symlink, 1) => Some(Format::Local),
            (FileType::Directory | FileType::Symlink, 2) => Some(Format::Extents),
            (FileType::File | FileType::Directory | FileType::Symlink, 3) => Some(Format::Tree),
            (FileType::Fifo | FileType::CharDevice | FileType::BlockDevice | FileType::Socket, 0) => {
                Some(Format::Device)
            }
            _ => None,
        }
    }
}

/// A time of 8 bytes: seconds and nanoseconds of 32 bits each, or nanoseconds since December 1901.
fn timestamp(bytes: Bytes<'_>, at: usize, bigtime: bool) -> Timestamp {
    let raw = bytes.be64(at).unwrap_or(0);
    if bigtime {
        let seconds = i64::try_from(raw / 1_000_000_000).unwrap_or(0).saturating_sub(BIGTIME_EPOCH);
        return Timestamp { seconds, nanos: u32::try_from(raw % 1_000_000_000).unwrap_or(0) };
    }
    let seconds = bytes.array(at).map_or(0, i32::from_be_bytes);
    let nanos = u32::try_from(raw & 0xffff_ffff).unwrap_or(0).min(999_999_999);
    Timestamp { seconds: i64::from(seconds), nanos }
}

/// Major and minor number as XFS packs them: 14 and 18 bits (`sysv_major`, `sysv_minor`).
fn device_numbers(raw: u32) -> (u32, u32) {
    (raw >> 18 & 0x3fff, raw & 0x3_ffff)
}

#[cfg(test)]
mod tests;
