// SPDX-License-Identifier: Apache-2.0
//! Where blocks and inodes lie: XFS's numbers to bytes of the source.
//!
//! A filesystem is cut into allocation groups (AGs) of equal size, the last one shorter. Block and inode numbers carry
//! the group's number in their high bits, so they are not linear: with groups of 18,001 blocks (15 bits hold 32,768)
//! block 0 of group 1 is number 32,768 and lies at block 18,001 of the source.

/// A block as XFS numbers it: the group's number, then the block within the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FsBlock(pub(super) u64);

/// A block of one file, folder or attribute fork, counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileBlock(pub(super) u64);

impl FileBlock {
    /// The block `blocks` further on.
    pub(super) fn plus(self, blocks: u64) -> FileBlock {
        FileBlock(self.0.saturating_add(blocks))
    }
}

/// The sizes that turn numbers into places; the superblock's reader has checked them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Bytes of a block: a power of two, 512 to 65,536.
    pub(super) block_size: u32,
    /// log2 of `block_size`.
    pub(super) block_log: u32,
    /// Bytes of a sector, the unit of superblock and group headers.
    pub(super) sector_size: u32,
    /// Bytes of an inode: a power of two, 256 to 2,048.
    pub(super) inode_size: u32,
    /// log2 of the inodes in a block.
    pub(super) inodes_per_block_log: u32,
    /// Blocks in the whole filesystem.
    pub(super) blocks: u64,
    /// Blocks in each group but the last.
    pub(super) group_blocks: u32,
    /// log2 of `group_blocks`, rounded up: bits of the block number within a group.
    pub(super) group_log: u32,
    /// Groups.
    pub(super) groups: u32,
    /// log2 of the blocks in a block of a folder.
    pub(super) dir_block_log: u32,
}

impl Geometry {
    /// The byte where a run of `count` blocks begins; `None` if it leaves its group or the filesystem.
    pub(super) fn block_offset(&self, start: FsBlock, count: u64) -> Option<u64> {
        let group = start.0.checked_shr(self.group_log)?;
        let within = start.0 & low_bits(self.group_log);
        let end = within.checked_add(count)?;
        if group >= u64::from(self.groups) || end > u64::from(self.group_blocks) || count == 0 {
            return None;
        }
        let linear = group.checked_mul(u64::from(self.group_blocks))?.checked_add(within)?;
        if linear.checked_add(count)? > self.blocks {
            return None;
        }
        linear.checked_mul(u64::from(self.block_size))
    }

    /// The byte where inode `number` begins; `None` if there can be no such inode.
    pub(super) fn inode_offset(&self, number: u64) -> Option<u64> {
        let block = number.checked_shr(self.inodes_per_block_log)?;
        let within = number & low_bits(self.inodes_per_block_log);
        let start = self.block_offset(FsBlock(block), 1)?;
        start.checked_add(within.checked_mul(u64::from(self.inode_size))?)
    }

    /// Bytes of a folder's block.
    pub(super) fn dir_block_size(&self) -> u64 {
        self.bytes(self.dir_block_blocks())
    }

    /// Filesystem blocks of a folder's block.
    pub(super) fn dir_block_blocks(&self) -> u64 {
        1_u64.checked_shl(self.dir_block_log).unwrap_or(1)
    }

    /// The bytes of so many blocks; what does not fit is the largest number.
    pub(super) fn bytes(&self, blocks: u64) -> u64 {
        blocks.saturating_mul(u64::from(self.block_size))
    }

    /// The block of a file in which byte `offset` lies.
    pub(super) fn block_of(&self, offset: u64) -> FileBlock {
        FileBlock(offset.checked_shr(self.block_log).unwrap_or(0))
    }

    /// The blocks that so many bytes need.
    pub(super) fn blocks_for(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.block_size).max(1))
    }
}

/// A mask of the lowest `bits` bits.
fn low_bits(bits: u32) -> u64 {
    1_u64.checked_shl(bits).map_or(u64::MAX, |above| above.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mkfs.xfs -d size=90001b,agcount=5; the expected places are what xfs_db's command `convert` prints.
    const SMALL: Geometry = Geometry {
        block_size: 4096,
        block_log: 12,
        sector_size: 512,
        inode_size: 512,
        inodes_per_block_log: 3,
        blocks: 90_001,
        group_blocks: 18_001,
        group_log: 15,
        groups: 5,
        dir_block_log: 0,
    };

    #[test]
    fn block_of_later_group_lies_after_the_blocks_of_those_before() {
        assert_eq!(SMALL.block_offset(FsBlock(32_768), 1), Some(144_008 * 512));
        assert_eq!(SMALL.block_offset(FsBlock(131_172), 1), Some(576_832 * 512));
        assert_eq!(SMALL.block_offset(FsBlock(0), 18_001), Some(0));
    }

    #[test]
    fn run_that_leaves_group_or_filesystem_has_no_place() {
        assert_eq!(SMALL.block_offset(FsBlock(0), 18_002), None);
        assert_eq!(SMALL.block_offset(FsBlock(18_001), 1), None);
        assert_eq!(SMALL.block_offset(FsBlock(5 << 15), 1), None);
        assert_eq!(
            SMALL.block_offset(FsBlock((4 << 15) + 17_997), 1),
            None,
            "the last group is four blocks short"
        );
        assert_eq!(SMALL.block_offset(FsBlock(u64::MAX), 1), None);
    }

    #[test]
    fn inode_number_is_block_number_with_index() {
        assert_eq!(SMALL.inode_offset(128), Some(16 * 4096));
        assert_eq!(SMALL.inode_offset(131), Some(16 * 4096 + 3 * 512));
        assert_eq!(SMALL.inode_offset(262_187), Some(144_051 * 512));
        assert_eq!(SMALL.inode_offset(u64::MAX), None);
    }
}
