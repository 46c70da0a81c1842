// SPDX-License-Identifier: Apache-2.0
//! Which inodes are in use, by the trees of the allocation groups, and the folders among them: what a walk will need.

use std::collections::VecDeque;
use std::ops::Range;

use super::crc;
use super::dir::INDEX_AT;
use super::fork::Fork;
use super::geometry::FsBlock;
use super::inode::{Format, Inode};
use super::volume::Volume;
use crate::bytes::{Bytes, index};
use crate::error::Result;
use crate::fs::FileType;
use crate::fs::ahead::{PART_BYTES, PART_RUNS, Part, Run, Steps};
use crate::limits::TREE_DEPTH;

/// Headers of groups that are announced together.
const HEADERS: u32 = 16;
/// The first four bytes of a group's inode header, and of a block of its tree in version 4 and 5.
const HEADER_MAGIC: &[u8] = b"XAGI";
const TREE_MAGIC_V4: &[u8] = b"IABT";
const TREE_MAGIC_V5: &[u8] = b"IAB3";
/// Where version 5 has the checksum of the header, and of a block of the tree.
const HEADER_CRC_AT: usize = 312;
const TREE_CRC_AT: usize = 52;
/// Bytes before the records of a block of the tree, version 4 and 5.
const TREE_HEADER_V4: usize = 16;
const TREE_HEADER_V5: usize = 56;
/// Bytes of a record of the tree, and inodes that it speaks of.
const RECORD: usize = 16;
const CHUNK: u32 = 64;
/// Bytes of a folder that are announced; the rest of a larger one is announced when it is read.
const FOLDER_BYTES: u64 = 1 << 20;

/// See [`crate::fs::FileSystem::walk_ahead`].
pub(super) fn steps(volume: &Volume) -> Box<dyn Iterator<Item = u64> + Send + '_> {
    let runs = (0..volume.superblock.geometry.groups).flat_map(|group| {
        if group % HEADERS == 0 {
            announce_headers(volume, group);
        }
        Chunks::of_group(volume, group)
    });
    let folders = |run: &Run, bytes: &[u8], found: &mut Vec<_>| folders(volume, run, bytes, found);
    Box::new(Steps::new(volume.source.as_ref(), Parts(runs.peekable()), folders))
}

/// Says that the headers of this group and the next will be read.
fn announce_headers(volume: &Volume, group: u32) {
    let groups = group..group.saturating_add(HEADERS).min(volume.superblock.geometry.groups);
    let ranges: Vec<_> = groups.filter_map(|group| header_place(volume, group)).collect();
    volume.advise(&ranges);
}

/// The sector of a group's inode header: its third.
fn header_place(volume: &Volume, group: u32) -> Option<Range<u64>> {
    let sector = u64::from(volume.superblock.geometry.sector_size);
    let start = block_place(volume, group, 0)?.start.saturating_add(sector.saturating_mul(2));
    Some(start..start.saturating_add(sector))
}

/// The bytes of a block, by its number in a group.
fn block_place(volume: &Volume, group: u32, block: u32) -> Option<Range<u64>> {
    let geometry = &volume.superblock.geometry;
    let first = u64::from(group).checked_shl(geometry.group_log)?;
    let start = geometry.block_offset(FsBlock(first | u64::from(block)), 1)?;
    Some(start..start.saturating_add(geometry.bytes(1)))
}

/// Reads what must begin with `magic` and, in version 5, have a checksum at byte `crc_at`; `None` if it does not.
fn read(volume: &Volume, place: Range<u64>, magic: &[u8], crc_at: usize) -> Option<Vec<u8>> {
    let bytes = volume.read(place.start, place.end.saturating_sub(place.start)).ok()?;
    let is_checked = volume.v5() && !volume.is_from_log(place);
    let is_sound = Bytes(&bytes).has(0, magic) && (!is_checked || crc::check(&bytes, crc_at).is_ok());
    is_sound.then_some(bytes)
}

/// The chunks of inodes of one group, from the tree of them, in the order of the disk. Damage ends it.
///
/// Shape:  header of a group: `agi_root` at 20, `agi_level` at 24. Block of the tree: magic 32, level 16, records 16 bits;
///         above the lowest level keys of 32 bits, then room for as many keys as fit, then pointers of 32 bits.
/// Source: `struct xfs_agi`, `xfs_btree_block`, `xfs_inobt_rec` in xfs_format.h; XFS Algorithms & Data Structures,
///         3rd edition, "AG Inode Management".
struct Chunks<'a> {
    volume: &'a Volume,
    group: u32,
    /// Blocks of the tree that are still to be read, each with its level; the next one first.
    blocks: VecDeque<(u32, u16)>,
    /// The chunks of the block that was read last.
    runs: VecDeque<Run>,
    /// The least number, within the group, that the next chunk may begin with: a tree that leads to the same block
    /// again ends there.
    least: u32,
}

impl<'a> Chunks<'a> {
    fn of_group(volume: &'a Volume, group: u32) -> Self {
        let root = || {
            let header = read(volume, header_place(volume, group)?, HEADER_MAGIC, HEADER_CRC_AT)?;
            let level = Bytes(&header).be32(24)?.checked_sub(1)?;
            let level = u16::try_from(level).ok().filter(|&level| usize::from(level) < TREE_DEPTH)?;
            Some((Bytes(&header).be32(20)?, level))
        };
        Chunks { volume, group, blocks: root().into_iter().collect(), runs: VecDeque::new(), least: 0 }
    }

    /// Reads a block of the tree; `None` if it is damaged, or empty.
    fn read_block(&mut self, block: u32, level: u16) -> Option<()> {
        let (magic, head) = match self.volume.v5() {
            true => (TREE_MAGIC_V5, TREE_HEADER_V5),
            false => (TREE_MAGIC_V4, TREE_HEADER_V4),
        };
        let place = block_place(self.volume, self.group, block)?;
        let bytes = read(self.volume, place, magic, TREE_CRC_AT)?;
        let count = usize::from(Bytes(&bytes).be16(6)?);
        if Bytes(&bytes).be16(4)? != level || count == 0 {
            return None;
        }
        let records = bytes.get(head..)?;
        if level == 0 {
            for raw in records.chunks_exact(RECORD).take(count) {
                let chunk = self.chunk(raw)?;
                self.runs.extend(chunk);
            }
            return Some(());
        }
        // A key and a pointer are 4 bytes each.
        let room = records.len() / 8;
        let pointers = records.get(room.saturating_mul(4)..)?.chunks_exact(4).take(count.min(room));
        let below: Vec<u32> = pointers.filter_map(|raw| Bytes(raw).be32(0)).collect();
        let places: Vec<_> =
            below.iter().filter_map(|&block| block_place(self.volume, self.group, block)).collect();
        self.volume.advise(&places);
        for block in below.into_iter().rev() {
            self.blocks.push_front((block, level.checked_sub(1)?));
        }
        Some(())
    }

    /// From the first to the last inode in use of a chunk. The mask has a bit for each inode that is free, those included that a sparse chunk does not have. `None` for damage, and for a chunk that is all free in it.
    fn chunk(&mut self, raw: &[u8]) -> Option<Option<Run>> {
        let geometry = &self.volume.superblock.geometry;
        let (start, free) = (Bytes(raw).be32(0)?, Bytes(raw).be64(8)?);
        if start < self.least {
            return None;
        }
        self.least = start.checked_add(CHUNK)?;
        if free == u64::MAX {
            return Some(None);
        }
        let first = u64::from(start.checked_add(free.trailing_ones())?);
        let last = u64::from(start.checked_add(CHUNK.checked_sub(free.leading_ones())?)?);
        let group = u64::from(self.group)
            .checked_shl(geometry.group_log.saturating_add(geometry.inodes_per_block_log))?;
        let place = geometry.inode_offset(group | first)?;
        let bytes = last.checked_sub(first)?.saturating_mul(u64::from(geometry.inode_size));
        let run = Run { first: group | first, bytes: place..place.saturating_add(bytes) };
        Some(Some(run))
    }
}

impl Iterator for Chunks<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        while self.runs.is_empty() {
            let (block, level) = self.blocks.pop_front()?;
            self.read_block(block, level)?;
        }
        self.runs.pop_front()
    }
}

/// Gathers chunks into parts; neighbours become one run.
struct Parts<I: Iterator<Item = Run>>(std::iter::Peekable<I>);

impl<I: Iterator<Item = Run>> Iterator for Parts<I> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let mut part = Part::default();
        let mut bytes = 0_u64;
        while let Some(run) = self.0.next_if(|run| {
            let more = bytes.saturating_add(run.bytes.end.saturating_sub(run.bytes.start));
            part.runs.is_empty() || (part.runs.len() < PART_RUNS && more <= PART_BYTES)
        }) {
            bytes = bytes.saturating_add(run.bytes.end.saturating_sub(run.bytes.start));
            match part.runs.last_mut() {
                Some(last) if last.bytes.end == run.bytes.start => last.bytes.end = run.bytes.end,
                _ => part.runs.push(run),
            }
        }
        (!part.runs.is_empty()).then_some(part)
    }
}

/// Where the folders lie whose inodes are among these bytes.
fn folders(volume: &Volume, run: &Run, bytes: &[u8], found: &mut Vec<Range<u64>>) {
    let size = volume.superblock.geometry.inode_size;
    for (raw, nth) in bytes.chunks_exact(index(u64::from(size))).zip(0_u64..) {
        let mode = Bytes(raw).be16(2).unwrap_or(0);
        if FileType::from_mode(u32::from(mode)) == Some(FileType::Directory) {
            let place = run.bytes.start.saturating_add(nth.saturating_mul(u64::from(size)));
            let folder = folder(volume, run.first.saturating_add(nth), place, raw);
            found.extend(folder.unwrap_or_default());
        }
    }
}

/// Where the entries of a folder lie whose extents stand in its inode.
fn folder(volume: &Volume, number: u64, place: u64, raw: &[u8]) -> Result<Vec<Range<u64>>> {
    let inode = Inode::parse(volume, number, place, raw.to_vec())?;
    if inode.core.format != Format::Extents {
        return Ok(Vec::new());
    }
    let geometry = &volume.superblock.geometry;
    let fork = Fork::data(volume, &inode)?;
    let end_of_entries = geometry.block_of(INDEX_AT);
    let entries = fork.known().unwrap_or_default().iter().filter(|mapping| mapping.file < end_of_entries);
    let mut left = FOLDER_BYTES;
    let cut = entries.map(|mapping| mapping.bytes(geometry)).map_while(|range| {
        let end = range.end.min(range.start.saturating_add(left));
        left = left.saturating_sub(end.saturating_sub(range.start));
        (range.start < end).then_some(range.start..end)
    });
    Ok(cut.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_chunks_become_one_run_and_a_part_ends_at_its_bounds() {
        let chunk = |at: u64| Run { first: at / 512, bytes: at..at + 32_768 };
        let near = (0..40).map(|nth| chunk(nth * 32_768));
        let far = (0..20).map(|nth| chunk((100 + nth * 10) * 32_768));
        let parts: Vec<Part> = Parts(near.chain(far).peekable()).collect();
        let shape: Vec<_> = parts.iter().map(|part| part.runs.len()).collect();
        // 32 chunks, the 8 that are left of the first 40 as one and 15 more, the last 5.
        assert_eq!(shape, [1, 16, 5]);
        assert_eq!(parts[0].runs[0], Run { first: 0, bytes: 0..PART_BYTES });
    }
}
