// SPDX-License-Identifier: Apache-2.0
//! Group descriptors: where the inode tables lie, and how far they are used.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use super::csum::{crc16, crc32c};
use super::features::{incompat, ro_compat};
use super::volume::Volume;
use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};
use crate::fs::Note;
use crate::source::read_vec;

/// Bytes of a descriptor table that is read whole; larger ones are read by the block.
const SMALL_TABLE: u64 = 64 << 10;
/// `EXT4_BG_INODE_UNINIT`: no inode of the group was ever used.
const INODE_UNINIT: u16 = 1;

/// The descriptors read so far: for each block of them, the inode table of each group, or what is wrong with it.
#[derive(Default)]
pub(super) struct Groups {
    known: RwLock<HashMap<u64, Arc<[Described]>>>,
}

type Described = Result<Table, String>;

/// A group's inode table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// Its first block.
    pub(super) block: u64,
    /// Inodes in use.
    pub(super) used: u32,
    /// Inodes at its beginning that are or were in use; where that is not kept, as many as are.
    pub(super) reach: u32,
}

impl Groups {
    /// The inode table of `group`. Reads the descriptors at most once.
    ///
    /// # Errors
    /// `Corrupt` if the descriptor and its copy are damaged; what the source answers.
    pub(super) fn inode_table(&self, volume: &Volume, group: u64) -> Result<Table> {
        let per_block = descriptors_per_block(volume);
        let piece = group.checked_div(per_block).unwrap_or(0);
        let within = index(group.checked_rem(per_block).unwrap_or(0));
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&piece).cloned();
        let tables = match known {
            Some(tables) => tables,
            None => self.load(volume, piece)?,
        };
        match tables.get(within) {
            Some(Ok(table)) => Ok(*table),
            Some(Err(why)) => Err(Error::whole("group descriptor", format!("group {group}: {why}"))),
            None => Err(Error::whole("group descriptor", format!("no group {group}"))),
        }
    }

    /// Reads the block of descriptors with number `piece`, or all of them where they are few.
    fn load(&self, volume: &Volume, piece: u64) -> Result<Arc<[Described]>> {
        let per_block = descriptors_per_block(volume);
        let blocks = volume.superblock.groups.div_ceil(per_block);
        let size = u64::from(volume.superblock.block_size);
        let scattered = volume.superblock.features.incompat(incompat::META_BG);
        let pieces = if !scattered && blocks.saturating_mul(size) <= SMALL_TABLE {
            0..blocks
        } else {
            piece..piece.saturating_add(1)
        };
        let raw = read_vec(
            volume.source.as_ref(),
            volume.offset(place(volume, pieces.start, 0)),
            index(pieces.end.saturating_sub(pieces.start).saturating_mul(size)),
        )?;
        let mut loaded = HashMap::new();
        for (number, raw) in pieces.zip(raw.chunks_exact(volume.superblock.block_bytes())) {
            loaded.insert(number, parse_block(volume, number, raw)?);
        }
        let found = loaded.get(&piece).cloned();
        self.known.write().unwrap_or_else(PoisonError::into_inner).extend(loaded);
        found.ok_or_else(|| Error::whole("group descriptor", format!("no descriptor block {piece}")))
    }
}

fn descriptors_per_block(volume: &Volume) -> u64 {
    let size = wide(volume.superblock.descriptor_size);
    u64::from(volume.superblock.block_size).checked_div(size).unwrap_or(1).max(1)
}

/// The block that holds the descriptor block `piece`; its copy number `copy` if that is not 0.
///
/// Source: kernel `descriptor_loc`; e2fsprogs `ext2fs_descriptor_block_loc2` for copies.
fn place(volume: &Volume, piece: u64, copy: u64) -> u64 {
    let superblock = &volume.superblock;
    let meta = superblock.features.incompat(incompat::META_BG);
    if !meta || piece < superblock.first_meta_bg {
        // Group 0 begins with the block that holds the superblock, but for blocks of 1 KiB in clusters.
        let shift = u64::from(copy == 0 && superblock.block_size == 1024 && superblock.first_data_block == 0);
        let start = superblock.group_start(copy);
        return start.saturating_add(1).saturating_add(shift).saturating_add(piece);
    }
    let first = piece.saturating_mul(descriptors_per_block(volume));
    let group = first.saturating_add(copy);
    let shift = u64::from(piece == 0 && superblock.block_size == 1024 && superblock.first_data_block == 0);
    let has = u64::from(superblock.group_has_superblock(group));
    superblock.group_start(group).saturating_add(has).saturating_add(shift)
}

fn parse_block(volume: &Volume, piece: u64, raw: &[u8]) -> Result<Arc<[Described]>> {
    let first = piece.saturating_mul(descriptors_per_block(volume));
    let mut tables = Vec::with_capacity(raw.len() / 32);
    let mut copy = None;
    let groups = first..volume.superblock.groups;
    for (group, raw) in groups.zip(raw.chunks_exact(volume.superblock.descriptor_size)) {
        let table = match parse(volume, group, raw) {
            Ok(table) => Ok(table),
            Err(why) => {
                if copy.is_none() {
                    copy = Some(read_copy(volume, piece)?);
                }
                let copy = copy.as_deref().unwrap_or_default();
                let at = index(group.saturating_sub(first)).saturating_mul(volume.superblock.descriptor_size);
                let other = Bytes(copy).slice(at, volume.superblock.descriptor_size);
                let other = other.and_then(|other| parse(volume, group, other).ok());
                choose(volume, group, table_of(volume, raw), why, other)
            }
        };
        tables.push(table);
    }
    Ok(tables.into())
}

/// What to take when a descriptor is damaged: its copy; or itself, if only the checksum is wrong.
fn choose(volume: &Volume, group: u64, own: Option<Table>, why: String, copy: Option<Table>) -> Described {
    if let Some(copy) = copy {
        volume.note(Note::BackupUsed(format!("descriptor of group {group}: {why}")));
        return Ok(copy);
    }
    let Some(own) = own else { return Err(why) };
    volume.note(Note::ChecksumMismatch(format!("descriptor of group {group}: {why}")));
    Ok(own)
}

/// The first copy of a descriptor block that can be read; empty if there is none.
fn read_copy(volume: &Volume, piece: u64) -> Result<Vec<u8>> {
    let groups: Range<u64> = 1..volume.superblock.groups.min(50);
    let scattered =
        volume.superblock.features.incompat(incompat::META_BG) && piece >= volume.superblock.first_meta_bg;
    let holder = groups.into_iter().find(|&group| scattered || volume.superblock.group_has_superblock(group));
    let Some(holder) = holder else { return Ok(Vec::new()) };
    let offset = volume.offset(place(volume, piece, holder));
    match read_vec(volume.source.as_ref(), offset, volume.superblock.block_bytes()) {
        Ok(copy) => Ok(copy),
        Err(crate::error::SourceError::PastEnd { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The inode table by this descriptor, if it lies in the filesystem.
///
/// Shape:  `bg_inode_table_lo` at 0x8, `bg_free_inodes_count_lo` at 0xe, `bg_flags` at 0x12, `bg_itable_unused_lo` at 0x1c;
///         the `_hi` of 64 bytes at 0x28, 0x2e and 0x32; little-endian.
/// Source: Documentation/filesystems/ext4/group_descr.rst.
fn table_of(volume: &Volume, raw: &[u8]) -> Option<Table> {
    let bytes = Bytes(raw);
    let high = if raw.len() >= 64 { bytes.le32(0x28)? } else { 0 };
    let block = (u64::from(high) << 32) | u64::from(bytes.le32(0x8)?);
    let table = u64::from(volume.superblock.inodes_per_group)
        .saturating_mul(wide(volume.superblock.inode_size))
        .div_ceil(u64::from(volume.superblock.block_size));
    if !volume.may_hold(block, table) {
        return None;
    }
    let count = |low: usize, high: usize| -> Option<u32> {
        let high = if raw.len() >= 64 { bytes.le16(high)? } else { 0 };
        Some((u32::from(high) << 16) | u32::from(bytes.le16(low)?))
    };
    let inodes = volume.superblock.inodes_per_group;
    let used = inodes.saturating_sub(count(0xe, 0x2e)?);
    let features = volume.superblock.features;
    let reach = if !volume.superblock.has_checksums() && !features.ro_compat(ro_compat::GDT_CSUM) {
        used
    } else if bytes.le16(0x12)? & INODE_UNINIT != 0 {
        0
    } else {
        inodes.saturating_sub(count(0x1c, 0x32)?)
    };
    Some(Table { block, used, reach })
}

fn parse(volume: &Volume, group: u64, raw: &[u8]) -> Described {
    let table = table_of(volume, raw).ok_or("inode table outside of the filesystem")?;
    let stored = Bytes(raw).le16(0x1e).unwrap_or(0);
    let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
    let before = raw.get(..0x1e).unwrap_or_default();
    let after = raw.get(0x20..).unwrap_or_default();
    let features = volume.superblock.features;
    let found = if cfg!(fuzzing) {
        stored
    } else if volume.superblock.has_checksums() {
        let crc = [&number, before, &[0, 0], after].into_iter().fold(volume.superblock.checksum_seed, crc32c);
        u16::try_from(crc & 0xffff).unwrap_or(0)
    } else if features.ro_compat(ro_compat::GDT_CSUM) {
        [volume.superblock.uuid.as_slice(), &number, before, after].into_iter().fold(u16::MAX, crc16)
    } else {
        stored
    };
    if found == stored {
        return Ok(table);
    }
    Err(format!("checksum {found:#06x}, expected {stored:#06x}"))
}
