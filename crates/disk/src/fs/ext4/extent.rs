// SPDX-License-Identifier: Apache-2.0
//! Extent trees.

use std::ops::Range;

use super::csum::crc32c;
use super::inode::Inode;
use super::mapping::{Map, Run};
use super::volume::Volume;
use crate::bytes::Bytes;
use crate::error::{Error, Result};

/// What every node begins with.
pub(super) const MAGIC: [u8; 2] = [0x0a, 0xf3];
/// Levels below the root (EXT4_MAX_EXTENT_DEPTH).
const DEPTH: u16 = 5;
/// Bytes of a node's header, and of each entry.
const ENTRY: usize = 12;
/// Blocks of an extent that was written; larger numbers are reserved extents, longer by as much.
const LONGEST_WRITTEN: u16 = 32_768;
/// The number after the last block of any file.
const END: u64 = 1 << 32;

/// Levels below the root of this inode's tree.
pub(super) fn depth(inode: &Inode<'_>) -> u16 {
    Bytes(inode.block_map()).le16(6).unwrap_or(0)
}

/// Lists where the blocks in `want` lie; see [`Volume::map`].
pub(super) fn map(volume: &Volume, inode: &Inode<'_>, want: Range<u64>) -> Result<Map> {
    let mut walk = Walk { volume, inode, want, map: Map::default() };
    let root = inode.block_map();
    let depth = depth(inode);
    if depth > DEPTH {
        return Err(inode.damage("extent tree", format!("{depth} levels")));
    }
    walk.node(root, depth, 0..END)?;
    Ok(walk.map)
}

struct Walk<'a> {
    volume: &'a Volume,
    inode: &'a Inode<'a>,
    want: Range<u64>,
    map: Map,
}

impl Walk<'_> {
    fn bad(&self, why: impl std::fmt::Display) -> Error {
        self.inode.damage("extent node", why)
    }

    /// Goes through one node, whose entries must lie within `bounds` of the file's blocks.
    ///
    /// Shape:  header of magic, entries, room, depth (16 bits each), generation (32); then entries of 12 bytes.
    /// Source: Documentation/filesystems/ext4/ifork.rst, "Extent Tree"; kernel `__ext4_ext_check`.
    fn node(&mut self, node: &[u8], depth: u16, bounds: Range<u64>) -> Result<()> {
        let header = Bytes(node);
        let number = |at| header.le16(at).unwrap_or(0);
        if !header.has(0, &MAGIC) {
            return Err(self.bad(format!("magic {:#06x}", number(0))));
        }
        let (count, room) = (usize::from(number(2)), usize::from(number(4)));
        if room == 0 || count > room || room.saturating_add(1).saturating_mul(ENTRY) > node.len() {
            return Err(self.bad(format!("{count} entries in room for {room}")));
        }
        if number(6) != depth {
            return Err(self.bad(format!("level {}, expected {depth}", number(6))));
        }
        let entries = node.get(ENTRY..).unwrap_or_default().chunks_exact(ENTRY).take(count);
        if depth == 0 { self.leaf(entries, bounds) } else { self.children(entries, depth, bounds) }
    }

    fn leaf<'n>(&mut self, entries: impl Iterator<Item = &'n [u8]>, bounds: Range<u64>) -> Result<()> {
        let mut least = bounds.start;
        for entry in entries {
            let run = extent(entry).ok_or_else(|| self.bad("entry is too short"))?;
            if run.count == 0 || run.file < least || run.blocks().end > bounds.end {
                return Err(self.bad(format!(
                    "extent of {} blocks from {} is not within {least}..{}",
                    run.count, run.file, bounds.end
                )));
            }
            if !self.volume.may_hold(run.disk, run.count) {
                return Err(self.bad(format!("{} blocks from {} lie outside", run.count, run.disk)));
            }
            least = run.blocks().end;
            if let Some(run) = run.cut(&self.want) {
                self.map.push(run)?;
            }
        }
        Ok(())
    }

    fn children<'n>(
        &mut self,
        entries: impl Iterator<Item = &'n [u8]>,
        depth: u16,
        bounds: Range<u64>,
    ) -> Result<()> {
        let mut children: Vec<(Range<u64>, u64)> = Vec::new();
        for entry in entries {
            let (first, block) = child(entry).ok_or_else(|| self.bad("entry is too short"))?;
            let least = children.last().map_or(bounds.start, |(range, _)| range.start.saturating_add(1));
            if first < least || first >= bounds.end {
                return Err(self.bad(format!("index entry for block {first} out of order")));
            }
            if !self.volume.may_hold(block, 1) {
                return Err(self.bad(format!("child block {block} lies outside")));
            }
            if let Some((range, _)) = children.last_mut() {
                range.end = first;
            }
            children.push((first..bounds.end, block));
        }
        if children.is_empty() {
            return Err(self.bad(format!("no entries on level {depth}")));
        }
        children.retain(|(range, _)| range.start < self.want.end && self.want.start < range.end);
        self.volume.advise_blocks(children.iter().map(|(_, block)| (*block, 1)));
        let mut buf = Vec::new();
        for (range, block) in children {
            self.map.visit()?;
            let read = self.read(block, &mut buf);
            let done = read.and_then(|()| self.node(&buf, depth.saturating_sub(1), range));
            self.map.survive(done)?;
        }
        Ok(())
    }

    /// Reads a node and checks its CRC-32C, which follows the room for entries.
    fn read(&self, block: u64, buf: &mut Vec<u8>) -> Result<()> {
        self.volume.read_block("extent node", block, buf)?;
        if !self.volume.verifies_block(block) {
            return Ok(());
        }
        let bytes = Bytes(buf);
        let end = usize::from(bytes.le16(4).unwrap_or(0)).saturating_add(1).saturating_mul(ENTRY);
        let seed = self.inode.checksum_seed(&self.volume.superblock);
        let found = bytes.slice(0, end).map(|node| crc32c(seed, node));
        if found.is_some() && found == bytes.le32(end) {
            return Ok(());
        }
        Err(self.bad(format!("checksum of block {block} does not match")))
    }
}

/// Shape: first block of the file (32 bits), length (16), block of the filesystem (upper 16, lower 32).
fn extent(entry: &[u8]) -> Option<Run> {
    let bytes = Bytes(entry);
    let len = bytes.le16(4)?;
    let unwritten = len > LONGEST_WRITTEN;
    let count = if unwritten { len.saturating_sub(LONGEST_WRITTEN) } else { len };
    let disk = (u64::from(bytes.le16(6)?) << 32) | u64::from(bytes.le32(8)?);
    Some(Run { file: u64::from(bytes.le32(0)?), count: u64::from(count), disk, unwritten })
}

/// Shape: first block of the file (32 bits), block of the child (lower 32, upper 16), 16 unused.
fn child(entry: &[u8]) -> Option<(u64, u64)> {
    let bytes = Bytes(entry);
    let block = (u64::from(bytes.le16(8)?) << 32) | u64::from(bytes.le32(4)?);
    Some((u64::from(bytes.le32(0)?), block))
}

#[cfg(test)]
mod tests;
