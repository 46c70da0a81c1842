// SPDX-License-Identifier: Apache-2.0
//! The hash tree that folders and attribute forks share: header and inner nodes.

use super::crc;
use super::volume::Volume;
use crate::bytes::Bytes;

/// The magic of an inner node, version 4 and 5.
const NODE: [u16; 2] = [0xfebe, 0x3ebe];
/// Bytes of a header, version 4 and 5.
const HEADER: [usize; 2] = [16, 64];
/// Bytes of an entry of a node: hash and block, 32 bits each.
const ENTRY: usize = 8;

/// A block of the tree: an inner node, or a leaf of either kind.
///
/// Shape:  forward and backward sibling 32 bits each, magic 16, padding 16; version 5 adds checksum, place, LSN, UUID
///         and owner; then the count 16, and in nodes the level 16.
/// Source: `struct xfs_da_blkinfo`, `xfs_da3_blkinfo`, `xfs_da_intnode` in xfs_da_format.h.
#[derive(Debug, Clone, Copy)]
pub(super) struct DaBlock<'a> {
    pub(super) bytes: Bytes<'a>,
    /// The block of the fork that follows on the same level; 0 if this is the last.
    pub(super) forward: u32,
    magic: u16,
    v5: bool,
}

/// An entry of an inner node: the largest hash beneath it, and the block of the fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) hash: u32,
    pub(super) block: u32,
}

impl<'a> DaBlock<'a> {
    /// Checks the header of a block at byte `place` that belongs to inode `owner`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(volume: &Volume, block: &'a [u8], place: u64, owner: u64) -> Result<Self, String> {
        let bytes = Bytes(block);
        let (Some(forward), Some(magic)) = (bytes.be32(0), bytes.be16(8)) else {
            return Err(format!("index block at byte {place} is cut off"));
        };
        volume.check(&crc::DA_BLOCK, block, place, owner)?;
        Ok(DaBlock { bytes, forward, magic, v5: volume.v5() })
    }

    /// True if the magic is that of version 4 or 5, whichever this filesystem has.
    pub(super) fn is(&self, magics: [u16; 2]) -> bool {
        let [v4, v5] = magics;
        self.magic == if self.v5 { v5 } else { v4 }
    }

    /// True if this filesystem is version 5.
    pub(super) fn is_v5(&self) -> bool {
        self.v5
    }

    /// True if this is an inner node.
    pub(super) fn is_node(&self) -> bool {
        self.is(NODE)
    }

    /// Bytes of the header.
    pub(super) fn header(&self) -> usize {
        let [v4, v5] = HEADER;
        if self.v5 { v5 } else { v4 }
    }

    /// The number that stands first after the common header: of entries, in nodes and leaves alike.
    pub(super) fn count(&self) -> u16 {
        self.bytes.be16(if self.v5 { 56 } else { 12 }).unwrap_or(0)
    }

    /// The level of a node and its entries, whose hashes do not fall.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn children(&self) -> Result<(u16, Vec<Child>), String> {
        let level = self.bytes.be16(if self.v5 { 58 } else { 14 }).unwrap_or(0);
        let count = self.count();
        if level == 0 || count == 0 {
            return Err(format!("index node of level {level} with {count} entries"));
        }
        let mut all: Vec<Child> = Vec::with_capacity(usize::from(count));
        for at in (0..usize::from(count)).map(|n| n.saturating_mul(ENTRY).saturating_add(self.header())) {
            let (Some(hash), Some(block)) = (self.bytes.be32(at), self.bytes.be32(at.saturating_add(4)))
            else {
                return Err(format!("index node with {count} entries is too short for them"));
            };
            if all.last().is_some_and(|last| last.hash > hash) {
                return Err("hashes of an index node are not in order".into());
            }
            all.push(Child { hash, block });
        }
        Ok((level, all))
    }
}
