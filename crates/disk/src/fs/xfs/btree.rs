// SPDX-License-Identifier: Apache-2.0
//! The b+tree of extents: a root in the inode, blocks below it, records in the lowest.

use std::ops::Range;

use super::crc;
use super::extent::{self, Mapping, RECORD};
use super::geometry::{FileBlock, FsBlock};
use super::inode::Inode;
use super::volume::Volume;
use crate::bytes::{Bytes, wide};
use crate::error::{Error, Result};
use crate::limits::{EXTENTS, TREE_DEPTH};

/// The first four bytes of a block, version 4 and 5.
const MAGIC_V4: &[u8] = b"BMAP";
const MAGIC_V5: &[u8] = b"BMA3";
/// Bytes of a block's header, version 4 and 5.
const HEADER_V4: usize = 24;
const HEADER_V5: usize = 72;
/// Bytes of the root's header.
const ROOT_HEADER: usize = 4;
/// Bytes of a key, and of a pointer.
const KEY: usize = 8;

/// The root of a tree.
///
/// Shape:  level 16, records 16 bits; then room for as many keys as fit, then pointers, each 64 bits, big-endian.
/// Source: `struct xfs_bmdr_block` in xfs_format.h; XFS Algorithms & Data Structures, "B+tree Extent List".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// Levels below the root.
    level: u16,
    children: Vec<Child>,
}

/// A pointer with the first file block beneath it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Child {
    first: FileBlock,
    block: FsBlock,
}

impl Root {
    /// Reads the root from a fork's bytes.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(fork: &[u8]) -> Result<Root, String> {
        let bytes = Bytes(fork);
        let (Some(level), Some(count)) = (bytes.be16(0), bytes.be16(2)) else {
            return Err("extent tree root is cut off".into());
        };
        if level == 0 || usize::from(level) > TREE_DEPTH {
            return Err(format!("extent tree with {level} levels"));
        }
        let room = fork.len().saturating_sub(ROOT_HEADER) / RECORD;
        Ok(Root { level, children: children(bytes, ROOT_HEADER, room, usize::from(count))? })
    }
}

/// Reads `count` children from a node whose keys begin at byte `keys` and which has room for `room`.
fn children(bytes: Bytes<'_>, keys: usize, room: usize, count: usize) -> Result<Vec<Child>, String> {
    if count == 0 || count > room {
        return Err(format!("extent tree node with {count} of at most {room} children"));
    }
    let pointers = keys.saturating_add(room.saturating_mul(KEY));
    let mut all: Vec<Child> = Vec::with_capacity(count);
    for at in (0..count).map(|n| n.saturating_mul(KEY)) {
        let (first, block) = (bytes.be64(keys.saturating_add(at)), bytes.be64(pointers.saturating_add(at)));
        let (Some(first), Some(block)) = (first, block) else {
            return Err("extent tree node is cut off".into());
        };
        if all.last().is_some_and(|last| last.first.0 >= first) {
            return Err(format!("extent tree key {first} is not in order"));
        }
        all.push(Child { first: FileBlock(first), block: FsBlock(block) });
    }
    Ok(all)
}

/// All extents in blocks of the tree that may hold blocks of `range`, in order.
///
/// Each level is read whole before the next, and announced before it is read. A key that does not grow from left to
/// right ends it, so no block is read twice on one level.
///
/// # Errors
/// `Corrupt`; `Limit` if there are too many; what the source answers.
pub(super) fn find(
    volume: &Volume,
    inode: &Inode,
    root: &Root,
    range: &Range<FileBlock>,
) -> Result<Vec<Mapping>> {
    let bad = |why: String| inode.corrupt("extent tree", why);
    let mut wanted = within(&root.children, range).to_vec();
    for level in (0..root.level).rev() {
        let blocks = read_level(volume, inode, &wanted)?;
        let mut next: Vec<Child> = Vec::new();
        let mut found: Vec<Mapping> = Vec::new();
        for (block, place) in &blocks {
            let node = Node::parse(volume, inode, block, *place, level).map_err(bad)?;
            if level == 0 {
                node.records(volume, &mut found).map_err(bad)?;
            } else {
                let below = node.children().map_err(bad)?;
                if next.last().zip(below.first()).is_some_and(|(last, first)| last.first >= first.first) {
                    return Err(bad(format!("node at byte {place} is not in order")));
                }
                next.extend(within(&below, range));
            }
            if wide(next.len().max(found.len())) > EXTENTS {
                return Err(Error::Limit { what: "extents of one file", limit: EXTENTS });
            }
        }
        if level == 0 {
            return Ok(found);
        }
        wanted = next;
    }
    Ok(Vec::new())
}

/// Those of `children`, which are in order, that may hold blocks of `range`.
fn within<'a>(children: &'a [Child], range: &Range<FileBlock>) -> &'a [Child] {
    let after = children.partition_point(|child| child.first <= range.start);
    let end = children.partition_point(|child| child.first < range.end);
    children.get(after.saturating_sub(1)..end).unwrap_or_default()
}

/// The blocks of one level, each with its byte.
fn read_level(volume: &Volume, inode: &Inode, wanted: &[Child]) -> Result<Vec<(Vec<u8>, u64)>> {
    let geometry = &volume.superblock.geometry;
    let mut places = Vec::with_capacity(wanted.len());
    for child in wanted {
        let place = geometry.block_offset(child.block, 1).ok_or_else(|| {
            inode.corrupt("extent tree", format!("block {} lies outside of the filesystem", child.block.0))
        })?;
        places.push(place);
    }
    let size = geometry.bytes(1);
    let ranges: Vec<_> = places.iter().map(|&place| place..place.saturating_add(size)).collect();
    volume.advise(&ranges);
    places.into_iter().map(|place| Ok((volume.read(place, size)?, place))).collect()
}

/// A block of the tree whose header was checked.
struct Node<'a> {
    bytes: Bytes<'a>,
    count: usize,
    header: usize,
    room: usize,
}

impl<'a> Node<'a> {
    fn parse(
        volume: &Volume,
        inode: &Inode,
        block: &'a [u8],
        place: u64,
        level: u16,
    ) -> Result<Self, String> {
        let bytes = Bytes(block);
        let (magic, header) = if volume.v5() { (MAGIC_V5, HEADER_V5) } else { (MAGIC_V4, HEADER_V4) };
        if !bytes.has(0, magic) {
            return Err(format!("block at byte {place} is no block of an extent tree"));
        }
        volume.check(&crc::BMAP_BLOCK, block, place, inode.number)?;
        let found = bytes.be16(4);
        if found != Some(level) {
            return Err(format!("block at byte {place} is of level {} and not {level}", found.unwrap_or(0)));
        }
        let count = usize::from(bytes.be16(6).unwrap_or(0));
        let room = block.len().saturating_sub(header) / RECORD;
        if count == 0 || count > room {
            return Err(format!("block at byte {place} has {count} of at most {room} records"));
        }
        Ok(Node { bytes, count, header, room })
    }

    fn children(&self) -> Result<Vec<Child>, String> {
        children(self.bytes, self.header, self.room, self.count)
    }

    fn records(&self, volume: &Volume, all: &mut Vec<Mapping>) -> Result<(), String> {
        for at in (0..self.count).map(|n| n.saturating_mul(RECORD).saturating_add(self.header)) {
            extent::push_in_order(all, Mapping::parse(self.bytes, at, &volume.superblock.geometry)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(level: u16, keys: &[u64]) -> Vec<u8> {
        let mut fork = vec![0; 4 + 4 * RECORD];
        fork[..2].copy_from_slice(&level.to_be_bytes());
        fork[2..4].copy_from_slice(&(keys.len() as u16).to_be_bytes());
        for (n, key) in keys.iter().enumerate().take(4) {
            fork[4 + n * 8..][..8].copy_from_slice(&key.to_be_bytes());
            fork[4 + 32 + n * 8..][..8].copy_from_slice(&(100 + n as u64).to_be_bytes());
        }
        fork
    }

    #[test]
    fn root_without_levels_too_many_or_cut_off_is_refused() {
        assert!(Root::parse(&root(0, &[0])).unwrap_err().contains("0 levels"));
        assert!(Root::parse(&root(99, &[0])).unwrap_err().contains("99 levels"));
        assert!(Root::parse(&[0; 3]).unwrap_err().contains("cut off"));
        assert!(Root::parse(&root(1, &[])).unwrap_err().contains("0 of at most 4"));
        assert!(Root::parse(&root(1, &[0, 1, 2, 3, 4])).unwrap_err().contains("5 of at most 4"));
        assert!(Root::parse(&root(1, &[0, 7, 7])).unwrap_err().contains("not in order"));
    }

    #[test]
    fn only_children_that_may_hold_the_range_are_read() {
        let root = Root::parse(&root(1, &[10, 20, 30])).unwrap();
        let blocks = |from, to| -> Vec<u64> {
            within(&root.children, &(FileBlock(from)..FileBlock(to)))
                .iter()
                .map(|child| child.block.0)
                .collect()
        };
        assert_eq!(blocks(0, 10), [] as [u64; 0]);
        assert_eq!(blocks(0, 11), [100]);
        assert_eq!(blocks(19, 21), [100, 101]);
        assert_eq!(blocks(20, 21), [101]);
        assert_eq!(blocks(35, 99), [102]);
    }
}
