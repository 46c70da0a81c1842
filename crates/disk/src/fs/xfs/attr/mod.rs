// SPDX-License-Identifier: Apache-2.0
//! Extended attributes: in the inode, or in blocks with an index by hash.
//!
//! A reader that wants all of them needs no index: it follows the inner nodes down to the leaves, level by level.

mod acl;
mod leaf;
mod name;
mod remote;
mod short;

use super::da::DaBlock;
use super::fork::Fork;
use super::geometry::FileBlock;
use super::inode::{Format, Inode};
use super::volume::Volume;
use crate::bytes::wide;
use crate::error::{Error, Result};
use crate::fs::Xattr;
use crate::limits::TREE_DEPTH;

/// Blocks of one attribute tree: at 4 KiB as much as 64 MiB of names and small values.
const MOST_BLOCKS: u64 = 16_384;
/// Bytes of an attribute fork up to which all its blocks are fetched at once.
const SMALL: u64 = 32 << 10;
/// Bytes of all values of one inode; a thousand of the largest.
const MOST_BYTES: u64 = 64 << 20;

/// All attributes of an inode with their full names, sorted by name.
///
/// # Errors
/// `Corrupt` with scope `Node`; `Limit`; what the source answers.
pub(super) fn list(volume: &Volume, inode: &Inode) -> Result<Vec<Xattr>> {
    let mut all = Vec::new();
    // A fork can be reserved when the inode is made and never get an attribute.
    let reserved_only = inode.core.attr_format == Format::Extents && inode.core.attr_extents == 0;
    if inode.core.fork_offset == 0 || reserved_only {
        return Ok(all);
    }
    if inode.core.attr_format == Format::Local {
        let found = short::list(inode.attr_fork()).map_err(|why| corrupt(inode, why))?;
        found.into_iter().for_each(|(found, value)| found.add(value, &mut all));
    } else {
        let fork = Fork::attr(volume, inode)?;
        let mut remote = Vec::new();
        for (block, place) in leaves(volume, inode, &fork)? {
            let bad = |why| corrupt(inode, format!("leaf at byte {place}: {why}"));
            let leaf = DaBlock::parse(volume, &block, place, inode.number).map_err(bad)?;
            leaf::list(&leaf, &mut all, &mut remote).map_err(bad)?;
        }
        remote::read(volume, inode, &fork, remote, &mut all)?;
    }
    all.sort_unstable();
    Ok(all)
}

fn corrupt(inode: &Inode, why: impl Into<String>) -> Error {
    Error::node("extended attributes", format!("inode {}: {}", inode.number, why.into()))
}

/// Reads all leaf blocks, each with its byte.
fn leaves(volume: &Volume, inode: &Inode, fork: &Fork) -> Result<Vec<(Vec<u8>, u64)>> {
    advise_if_small(volume, fork);
    let mut blocks = read_blocks(volume, inode, fork, &[0])?;
    let mut expected = None;
    let mut seen = 1_u64;
    for _ in 0..TREE_DEPTH {
        let mut below = Vec::new();
        let mut leaves = 0_usize;
        for (block, place) in &blocks {
            let bad = |why: String| corrupt(inode, format!("block at byte {place}: {why}"));
            let node = DaBlock::parse(volume, block, *place, inode.number).map_err(bad)?;
            if !node.is_node() {
                leaves = leaves.saturating_add(1);
                continue;
            }
            let (level, children) = node.children().map_err(bad)?;
            if *expected.get_or_insert(level) != level {
                return Err(bad(format!("index node of level {level} at another level")));
            }
            below.extend(children.iter().map(|child| child.block));
        }
        if leaves == blocks.len() {
            return Ok(blocks);
        }
        if leaves > 0 {
            return Err(corrupt(inode, "leaves and index nodes on one level"));
        }
        seen = seen.saturating_add(wide(below.len()));
        if seen > MOST_BLOCKS {
            return Err(Error::Limit {
                what: "blocks of one inode's extended attributes",
                limit: MOST_BLOCKS,
            });
        }
        blocks = read_blocks(volume, inode, fork, &below)?;
        expected = expected.map(|level: u16| level.saturating_sub(1));
    }
    Err(corrupt(inode, format!("index with more than {TREE_DEPTH} levels")))
}

/// Announces all of a small attribute fork, values included, so that it comes together.
fn advise_if_small(volume: &Volume, fork: &Fork) {
    let geometry = &volume.superblock.geometry;
    let ranges: Vec<_> = fork.known().unwrap_or_default().iter().map(|part| part.bytes(geometry)).collect();
    let bytes =
        ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end.saturating_sub(range.start)));
    if bytes <= SMALL {
        volume.source.advise(&ranges);
    }
}

/// Reads blocks of the attribute fork, announced together.
fn read_blocks(volume: &Volume, inode: &Inode, fork: &Fork, blocks: &[u32]) -> Result<Vec<(Vec<u8>, u64)>> {
    let geometry = &volume.superblock.geometry;
    let mut ranges = Vec::with_capacity(blocks.len());
    for &block in blocks {
        let start = FileBlock(u64::from(block));
        let mapped = fork.map(volume, inode, start..start.plus(1))?;
        let part = mapped.first().ok_or_else(|| corrupt(inode, format!("block {block} is a hole")))?;
        ranges.push(part.bytes(geometry));
    }
    volume.advise(&ranges);
    ranges.into_iter().map(|range| Ok((volume.read(range.start, geometry.bytes(1))?, range.start))).collect()
}
