// SPDX-License-Identifier: Apache-2.0
//! What an inode says.

use std::borrow::Cow;

use super::csum::inode_seed;
use super::superblock::Superblock;
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::fs::{FileType, Identity, Metadata, Timestamp};

/// Bits of `i_flags`.
pub(super) mod flag {
    /// Encrypted.
    pub(in super::super) const ENCRYPT: u32 = 0x800;
    /// A folder with an index.
    pub(in super::super) const INDEX: u32 = 0x1000;
    /// Mapped by extents.
    pub(in super::super) const EXTENTS: u32 = 0x8_0000;
    /// Holds an attribute's value.
    pub(in super::super) const EA_INODE: u32 = 0x20_0000;
    /// Content lies in the inode.
    pub(in super::super) const INLINE_DATA: u32 = 0x1000_0000;
    /// A folder that does not tell upper from lower case.
    pub(in super::super) const CASEFOLD: u32 = 0x4000_0000;
}

/// One inode.
///
/// Shape:  128 bytes and more, little-endian.
/// Source: kernel `struct ext4_inode`, Documentation/filesystems/ext4/inodes.rst.
#[derive(Debug, Clone)]
pub(super) struct Inode<'a> {
    pub(super) number: u32,
    pub(super) kind: FileType,
    pub(super) mode: u32,
    pub(super) flags: u32,
    /// Bytes of content.
    pub(super) size: u64,
    pub(super) links: u32,
    /// The number that tells apart what used the same number in turn.
    pub(super) generation: u32,
    /// What it occupies, in units that depend on features: only zero or not is used.
    pub(super) blocks: u64,
    /// The block of extended attributes; 0 if none.
    pub(super) attributes: u64,
    /// Bytes beyond the first 128 that have fixed fields.
    extra: usize,
    raw: Cow<'a, [u8]>,
}

impl<'a> Inode<'a> {
    /// Parses and checks the bytes of one inode.
    ///
    /// # Errors
    /// `Corrupt` with scope `Node` if it is not in use, or not valid.
    pub(super) fn parse(superblock: &Superblock, number: u32, raw: Cow<'a, [u8]>) -> Result<Inode<'a>> {
        let short = || bad(number, "shorter than 128 bytes");
        let mut inode = Self::fields(superblock, number, raw).ok_or_else(short)?;
        if inode.mode == 0 && inode.links == 0 {
            return Err(bad(number, "not in use"));
        }
        inode.kind = FileType::from_mode(inode.mode)
            .ok_or_else(|| bad(number, format!("mode {:#o} names no type", inode.mode)))?;
        if inode.links == 0 && inode.flags & flag::EA_INODE == 0 {
            return Err(bad(number, "deleted: it has no name"));
        }
        let large =
            inode.kind == FileType::File || superblock.features.incompat(super::features::incompat::LARGEDIR);
        if !large {
            inode.size &= 0xffff_ffff;
        }
        if inode.size > i64::MAX.cast_unsigned() {
            return Err(bad(number, format!("size {}", inode.size)));
        }
        if inode.raw.len() > 128
            && (inode.extra > inode.raw.len().saturating_sub(128) || inode.extra % 4 != 0)
        {
            return Err(bad(number, format!("{} bytes of further fields", inode.extra)));
        }
        Ok(inode)
    }

    /// `None` only if `raw` is too short. The type is set later.
    fn fields(superblock: &Superblock, number: u32, raw: Cow<'a, [u8]>) -> Option<Inode<'a>> {
        let bytes = Bytes(&raw);
        let wide_blocks = superblock.features.incompat(super::features::incompat::BITS_64);
        let attributes_high = if wide_blocks { bytes.le16(0x76)? } else { 0 };
        Some(Inode {
            number,
            kind: FileType::File,
            mode: u32::from(bytes.le16(0)?),
            flags: bytes.le32(0x20)?,
            size: (u64::from(bytes.le32(0x6c)?) << 32) | u64::from(bytes.le32(0x4)?),
            links: u32::from(bytes.le16(0x1a)?),
            generation: bytes.le32(0x64)?,
            blocks: (u64::from(bytes.le16(0x74)?) << 32) | u64::from(bytes.le32(0x1c)?),
            attributes: (u64::from(attributes_high) << 32) | u64::from(bytes.le32(0x68)?),
            extra: if raw.len() > 128 { usize::from(bytes.le16(0x80)?) } else { 0 },
            raw,
        })
    }

    /// The journal's inode made of the copy of its block map in the superblock.
    ///
    /// # Errors
    /// `Corrupt` if that is not valid either.
    pub(super) fn of_backup(
        superblock: &Superblock,
        number: u32,
        map: &[u8; 60],
        size: u64,
    ) -> Result<Inode<'static>> {
        let mut raw = vec![0; 128];
        let flags = if Bytes(map).has(0, &super::extent::MAGIC) { flag::EXTENTS } else { 0 };
        let (low, high) = (size & 0xffff_ffff, size >> 32);
        let fields: [(usize, &[u8]); 6] = [
            (0, &0o100_600_u16.to_le_bytes()),
            (0x1a, &1_u16.to_le_bytes()),
            (0x20, &flags.to_le_bytes()),
            (0x28, map),
            (0x4, &u32::try_from(low).unwrap_or(0).to_le_bytes()),
            (0x6c, &u32::try_from(high).unwrap_or(0).to_le_bytes()),
        ];
        for (at, field) in fields {
            let target = raw.get_mut(at..).and_then(|rest| rest.get_mut(..field.len()));
            if let Some(target) = target {
                target.copy_from_slice(field);
            }
        }
        Inode::parse(superblock, number, Cow::Owned(raw))
    }

    /// True if a bit of [`flag`] is set.
    pub(super) fn has(&self, bit: u32) -> bool {
        self.flags & bit != 0
    }

    /// The 60 bytes that hold the block map, an extent tree's root, a short link, or the begin of inline content.
    pub(super) fn block_map(&self) -> &[u8] {
        Bytes(&self.raw).slice(0x28, 60).unwrap_or_default()
    }

    /// What follows the fixed fields: extended attributes.
    pub(super) fn tail(&self) -> &[u8] {
        if self.raw.len() <= 128 {
            return &[];
        }
        self.raw.get(self.extra.saturating_add(128)..).unwrap_or_default()
    }

    /// What the CRC-32C of its own blocks is continued from.
    pub(super) fn checksum_seed(&self, superblock: &Superblock) -> u32 {
        inode_seed(superblock.checksum_seed, self.number, self.generation)
    }

    /// Damage of this inode, as far as it reaches.
    pub(super) fn damage(&self, what: &'static str, why: impl std::fmt::Display) -> Error {
        let why = format!("inode {}: {why}", self.number);
        if self.kind == FileType::Directory { Error::subtree(what, why) } else { Error::node(what, why) }
    }

    /// What the contract calls metadata.
    pub(super) fn metadata(&self, stale: bool) -> Metadata {
        let bytes = Bytes(&self.raw);
        let id = |low: usize, high: usize| {
            (u32::from(bytes.le16(high).unwrap_or(0)) << 16) | u32::from(bytes.le16(low).unwrap_or(0))
        };
        Metadata {
            kind: self.kind,
            mode: self.mode & 0o7777,
            uid: id(0x2, 0x78),
            gid: id(0x18, 0x7a),
            size: self.size,
            rdev: self.device(),
            links: self.links,
            mtime: self.time(0x10, 0x88),
            ctime: self.time(0xc, 0x84),
            atime: self.time(0x8, 0x8c),
            identity: Identity { device: 0, inode: u64::from(self.number), generation: self.generation },
            encrypted: self.has(flag::ENCRYPT),
            stale,
        }
    }

    /// Seconds at `low`; two more bits of them and nanoseconds at `high`, where the inode has that field.
    fn time(&self, low: usize, high: usize) -> Timestamp {
        let bytes = Bytes(&self.raw);
        let seconds = i64::from(bytes.le32(low).unwrap_or(0).cast_signed());
        let has = high.saturating_add(4) <= self.extra.saturating_add(128);
        let more = if has { bytes.le32(high).unwrap_or(0) } else { 0 };
        let epoch = i64::from(more & 3).saturating_mul(1 << 32);
        Timestamp { seconds: seconds.saturating_add(epoch), nanos: (more >> 2).min(999_999_999) }
    }

    /// Major and minor number: the old form in the first word of the block map, or the new one in the second.
    fn device(&self) -> (u32, u32) {
        if !matches!(self.kind, FileType::CharDevice | FileType::BlockDevice) {
            return (0, 0);
        }
        let map = Bytes(self.block_map());
        match (map.le32(0).unwrap_or(0), map.le32(4).unwrap_or(0)) {
            (0, new) => ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xf_ff00)),
            (old, _) => ((old >> 8) & 0xff, old & 0xff),
        }
    }
}

/// Damage of an inode as such.
pub(super) fn bad(number: u32, why: impl std::fmt::Display) -> Error {
    Error::node("inode", format!("inode {number}: {why}"))
}
