// SPDX-License-Identifier: Apache-2.0
//! Which inode tables are in use, and the folders in them: what a walk will need.

use std::ops::Range;

use super::extent;
use super::inode::{Inode, flag};
use super::volume::Volume;
use crate::bytes::{Bytes, wide};
use crate::fs::FileType;
use crate::fs::ahead::{Part, Run, Steps};

/// Inodes in use of a table, of so many in a row, from which on it is announced: less than one in so many, and blocks of it
/// would come for nothing.
const ONE_OF: u64 = 64;
/// Blocks of a folder that are announced; the rest of a larger one is announced when it is read.
const FOLDER_BLOCKS: u64 = 256;
/// Blocks that an inode without extents names itself.
const DIRECT: u64 = 12;

/// See [`crate::fs::FileSystem::walk_ahead`].
pub(super) fn steps(volume: &Volume) -> Box<dyn Iterator<Item = u64> + Send + '_> {
    // A damaged descriptor ends it: there might be no end to them.
    let parts = (0..volume.superblock.groups).map_while(|group| parts(volume, group)).flatten();
    let folders = |run: &Run, bytes: &[u8], found: &mut Vec<_>| folders(volume, run, bytes, found);
    Box::new(Steps::new(volume.source.as_ref(), parts, folders))
}

/// The used beginning of a group's inode table; `None` if its descriptor cannot be used.
fn parts(volume: &Volume, group: u64) -> Option<Vec<Part>> {
    let table = volume.groups.inode_table(volume, group).ok()?;
    let (reach, used) = (u64::from(table.reach), u64::from(table.used));
    if used.saturating_mul(ONE_OF) < reach {
        return Some(Vec::new());
    }
    let size = volume.superblock.inode_size;
    let start = volume.offset(table.block);
    let first = group.saturating_mul(u64::from(volume.superblock.inodes_per_group)).saturating_add(1);
    let whole = Run { first, bytes: start..start.saturating_add(reach.saturating_mul(wide(size))) };
    Some(whole.pieces(size).map(|run| Part { runs: vec![run] }).collect())
}

/// Where the folders lie whose inodes are among these bytes of a table.
fn folders(volume: &Volume, run: &Run, bytes: &[u8], found: &mut Vec<Range<u64>>) {
    let size = volume.superblock.inode_size;
    for (raw, nth) in bytes.chunks_exact(size).zip(0_u64..) {
        let mode = Bytes(raw).le16(0).unwrap_or(0);
        if FileType::from_mode(u32::from(mode)) == Some(FileType::Directory) {
            let start = run.bytes.start.saturating_add(nth.saturating_mul(wide(size)));
            let number = u32::try_from(run.first.saturating_add(nth)).unwrap_or(u32::MAX);
            let inode = volume.inode_in(number, raw, start..start.saturating_add(wide(size)));
            found.extend(inode.ok().and_then(|inode| folder(volume, &inode)).unwrap_or_default());
        }
    }
}

/// Where a folder lies, as far as its inode says so.
fn folder(volume: &Volume, inode: &Inode<'_>) -> Option<Vec<Range<u64>>> {
    let blocks = volume.blocks_of(0..inode.size).end;
    let is_plain = if inode.has(flag::EXTENTS) { extent::depth(inode) == 0 } else { blocks <= DIRECT };
    if inode.has(flag::INLINE_DATA) || !is_plain {
        return None;
    }
    let map = volume.map(inode, 0..blocks.min(FOLDER_BLOCKS)).ok()?;
    let runs = map.runs.iter().filter(|run| !run.unwritten);
    Some(runs.map(|run| volume.bytes_of(run.disk, run.count)).collect())
}
