// SPDX-License-Identifier: Apache-2.0
//! Block maps of ext2 and ext3: twelve direct blocks, then trees of one, two and three levels.

use std::ops::Range;

use super::inode::Inode;
use super::mapping::{Map, Run};
use super::volume::Volume;
use crate::bytes::Bytes;
use crate::error::Result;

/// Blocks that the inode names itself.
const DIRECT: u64 = 12;

/// Lists where the blocks in `want` lie; see [`Volume::map`].
pub(super) fn map(volume: &Volume, inode: &Inode<'_>, want: Range<u64>) -> Result<Map> {
    let mut walk = Walk { volume, inode, want, map: Map::default() };
    let roots = inode.block_map();
    walk.pointers(roots.get(..48).unwrap_or_default(), 0, 0)?;
    let mut first = DIRECT;
    for (root, level) in roots.get(48..).unwrap_or_default().chunks_exact(4).zip(1..) {
        // A root is like one pointer of a block of the next level.
        walk.pointers(root, level, first)?;
        first = first.saturating_add(walk.span(level));
    }
    Ok(walk.map)
}

struct Walk<'a> {
    volume: &'a Volume,
    inode: &'a Inode<'a>,
    want: Range<u64>,
    map: Map,
}

impl Walk<'_> {
    /// Blocks of the file beneath one pointer of a level.
    fn span(&self, level: u32) -> u64 {
        let per_block = u64::from(self.volume.superblock.block_size / 4);
        per_block.checked_pow(level).unwrap_or(u64::MAX)
    }

    /// Goes through pointers of 32 bits, the first of which is for the file's block `first`; those of level 0 point to
    /// the file's blocks, others to blocks of pointers. Zero is a hole.
    ///
    /// Source: Documentation/filesystems/ext4/ifork.rst, "Direct/Indirect Block Addressing".
    fn pointers(&mut self, pointers: &[u8], level: u32, first: u64) -> Result<()> {
        let span = self.span(level);
        let wanted =
            |walk: &Self, start: u64| start < walk.want.end && walk.want.start < start.saturating_add(span);
        let mut blocks = Vec::new();
        for (pointer, n) in pointers.chunks_exact(4).zip(0_u64..) {
            let start = first.saturating_add(n.saturating_mul(span));
            let block = u64::from(Bytes(pointer).le32(0).unwrap_or(0));
            if block == 0 || !wanted(self, start) {
                continue;
            }
            if !self.volume.may_hold(block, 1) {
                let problem = self.inode.damage("block map", format!("block {block} lies outside"));
                self.map.survive(Err(problem))?;
            } else if level == 0 {
                self.map.push(Run { file: start, count: 1, disk: block, unwritten: false })?;
            } else {
                blocks.push((start, block));
            }
        }
        self.volume.advise_blocks(blocks.iter().map(|(_, block)| (*block, 1)));
        let mut buf = Vec::new();
        for (start, block) in blocks {
            self.map.visit()?;
            let read = self.volume.read_block("block map", block, &mut buf);
            let done = read.and_then(|()| self.pointers(&buf, level.saturating_sub(1), start));
            self.map.survive(done)?;
        }
        Ok(())
    }
}
