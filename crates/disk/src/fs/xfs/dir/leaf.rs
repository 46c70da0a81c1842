// SPDX-License-Identifier: Apache-2.0
//! Lookup by hash: through nodes to a leaf, and from there to the block of entries.

use super::block::Block;
use super::{Folder, equal, hash};
use crate::bytes::index;
use crate::error::Result;
use crate::fs::xfs::da::DaBlock;
use crate::fs::xfs::geometry::FileBlock;
use crate::limits::TREE_DEPTH;

/// Magics of the only leaf of a folder, version 4 and 5.
const LEAF_ALONE: [u16; 2] = [0xd2f1, 0x3df1];
/// Magics of a leaf below nodes, version 4 and 5.
const LEAF: [u16; 2] = [0xd2ff, 0x3dff];
/// Bytes of a leaf's entry: hash and address, 32 bits each.
const ENTRY: usize = 8;
/// Leaves that may follow each other with one and the same hash.
const MOST_SIBLINGS: u32 = 4096;

/// What the index says.
pub(super) enum Found {
    /// The inode.
    Node(u64),
    /// There is no such name.
    Nothing,
    /// The folder is a single block: all its entries are read at once anyway.
    NoIndex,
}

/// Looks `name` up by its hash.
///
/// # Errors
/// `Corrupt` if the index is broken or points at something else; what the source answers.
pub(super) fn find(folder: &Folder<'_>, name: &[u8]) -> Result<Found> {
    let ascii_ci = folder.volume.superblock.features.ascii_ci;
    let hash = if ascii_ci { hash::hash_ascii_ci(name) } else { hash::hash(name) };
    let Some(addresses) = addresses(folder, hash)? else {
        return Ok(Found::NoIndex);
    };
    let block_size = folder.volume.superblock.geometry.dir_block_size().max(1);
    for address in addresses {
        let byte = u64::from(address).saturating_mul(8);
        let within = byte.checked_rem(block_size).unwrap_or(0);
        let start = folder.volume.superblock.geometry.block_of(byte.saturating_sub(within));
        let bad = |why: String| folder.corrupt(format!("index entry {hash:#010x}: {why}"));
        let Some((bytes, place)) = folder.read(start)? else {
            return Err(bad(format!("block {} is a hole", start.0)));
        };
        let block = Block::parse(folder.volume, &bytes, place, folder.inode.number).map_err(bad)?;
        let raw = block.at(index(within)).map_err(bad)?;
        if equal(folder.volume, raw.name, name) {
            return Ok(if raw.is_dot() { Found::Nothing } else { Found::Node(raw.node) });
        }
        let hashes_to = if ascii_ci { hash::hash_ascii_ci(raw.name) } else { hash::hash(raw.name) };
        if hashes_to != hash {
            return Err(bad(format!("the name there hashes to {hashes_to:#010x}")));
        }
    }
    Ok(Found::Nothing)
}

/// Where entries with this hash are, in units of 8 bytes of the folder; `None` if there is no index.
fn addresses(folder: &Folder<'_>, hash: u32) -> Result<Option<Vec<u32>>> {
    let bad = |why: String| folder.corrupt(why);
    let Some(mut block) = folder.read(folder.index_start())? else {
        let one_block = folder.volume.superblock.geometry.dir_block_size();
        return if folder.inode.core.size <= one_block {
            Ok(None)
        } else {
            Err(bad("it has no index".into()))
        };
    };
    let mut above: Option<(u16, u32)> = None;
    for _ in 0..TREE_DEPTH {
        let node = DaBlock::parse(folder.volume, &block.0, block.1, folder.inode.number).map_err(bad)?;
        if !node.is_node() {
            return leaves(folder, hash, block, above.map(|(_, largest)| largest)).map(Some);
        }
        let (level, children) = node.children().map_err(bad)?;
        if above.is_some_and(|(above, _)| above.checked_sub(1) != Some(level)) {
            return Err(bad(format!("index node of level {level} at the wrong level")));
        }
        check_largest(above.map(|(_, largest)| largest), children.last().map(|child| child.hash))
            .map_err(bad)?;
        let Some(child) = children.get(children.partition_point(|child| child.hash < hash)) else {
            return Ok(Some(Vec::new()));
        };
        above = Some((level, child.hash));
        block = read_index(folder, child.block)?;
    }
    Err(bad(format!("index with more than {TREE_DEPTH} levels")))
}

/// A node has for each child the largest hash in it: another child would answer that there is no such name.
fn check_largest(told: Option<u32>, found: Option<u32>) -> Result<(), String> {
    match (told, found) {
        (Some(told), found) if found != Some(told) => Err(format!(
            "index node says hash {told:#010x} for a block that ends with {:#010x}",
            found.unwrap_or(0)
        )),
        _ => Ok(()),
    }
}

fn read_index(folder: &Folder<'_>, number: u32) -> Result<(Vec<u8>, u64)> {
    let start = FileBlock(u64::from(number));
    if start < folder.index_start() {
        return Err(folder.corrupt(format!("block {number} is no part of the index")));
    }
    folder.read(start)?.ok_or_else(|| folder.corrupt(format!("index block {number} is a hole")))
}

/// Addresses of `hash` in a leaf, and in the ones that follow as long as the hash does.
fn leaves(folder: &Folder<'_>, hash: u32, first: (Vec<u8>, u64), largest: Option<u32>) -> Result<Vec<u32>> {
    let bad = |why: String| folder.corrupt(why);
    let mut all = Vec::new();
    let mut block = first;
    let mut largest = largest;
    for _ in 0..MOST_SIBLINGS {
        let leaf = DaBlock::parse(folder.volume, &block.0, block.1, folder.inode.number).map_err(bad)?;
        if !leaf.is(LEAF) && !leaf.is(LEAF_ALONE) {
            return Err(bad(format!("index block at byte {} is neither node nor leaf", block.1)));
        }
        let entries = entries(&leaf).map_err(|why| bad(format!("leaf at byte {}: {why}", block.1)))?;
        check_largest(largest.take(), entries.last().map(|last| last.0)).map_err(bad)?;
        let from = entries.partition_point(|entry| entry.0 < hash);
        let same = entries.get(from..).unwrap_or_default().iter().take_while(|entry| entry.0 == hash);
        // Address 0 marks an entry that was removed.
        all.extend(same.map(|entry| entry.1).filter(|&address| address != 0));
        if entries.last().is_none_or(|last| last.0 != hash) || leaf.forward == 0 {
            return Ok(all);
        }
        block = read_index(folder, leaf.forward)?;
    }
    Err(bad(format!("more than {MOST_SIBLINGS} leaves of hash {hash:#010x}")))
}

/// Hash and address of all entries of a leaf, by hash.
fn entries(leaf: &DaBlock<'_>) -> Result<Vec<(u32, u32)>, String> {
    let count = leaf.count();
    let bytes = leaf.bytes.slice(leaf.header(), usize::from(count).saturating_mul(ENTRY));
    let bytes = bytes.ok_or_else(|| format!("{count} entries do not fit"))?;
    let mut all: Vec<(u32, u32)> = Vec::with_capacity(usize::from(count));
    for entry in bytes.chunks_exact(ENTRY) {
        let entry = u64::from_be_bytes(entry.try_into().unwrap_or_default());
        let hash = u32::try_from(entry >> 32).unwrap_or(0);
        if all.last().is_some_and(|last| last.0 > hash) {
            return Err("hashes are not in order".into());
        }
        all.push((hash, u32::try_from(entry & 0xffff_ffff).unwrap_or(0)));
    }
    Ok(all)
}
