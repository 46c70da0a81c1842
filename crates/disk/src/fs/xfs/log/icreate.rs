// SPDX-License-Identifier: Apache-2.0
//! Chunks of inodes that the log creates without logging their bytes.

use super::geometry::Geometry;
use super::inode::update_checksum;
use super::item::{CreateFormat, Extent};

/// Bytes of the largest chunk: 64 inodes of 2 KiB.
pub(super) const LARGEST: u64 = 128 << 10;

/// A chunk of new inodes, all free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where it begins, in bytes of the source.
    pub(super) start: u64,
    /// Bytes of all its inodes.
    pub(super) len: u64,
    inode_size: u32,
    first_inode: u64,
    generation: u32,
    uuid: [u8; 16],
}

impl Chunk {
    /// The chunk that an item creates; `None` if it does not fit the filesystem.
    ///
    /// Source: xlog_recover_icreate_commit_pass2 in Linux, fs/xfs/xfs_icreate_item.c.
    pub(super) fn new(format: &CreateFormat, geometry: &Geometry) -> Option<Chunk> {
        let len = u64::from(format.inodes).checked_mul(u64::from(format.inode_size))?;
        let blocks = format.inodes.checked_shr(geometry.inodes_per_block_log)?;
        let fits = format.group < geometry.groups
            && format.block > 0
            && format.block.checked_add(format.blocks)? <= geometry.group_blocks
            && format.inode_size == geometry.inode_size
            && format.blocks > 0
            && blocks == format.blocks
            && len <= LARGEST;
        fits.then_some(Chunk {
            start: geometry.block_offset(format.group, format.block)?,
            len,
            inode_size: format.inode_size,
            first_inode: geometry.first_inode(format.group, format.block)?,
            generation: format.generation,
            uuid: geometry.meta_uuid,
        })
    }

    /// The buffers that it is written as.
    pub(super) fn buffers(&self, geometry: &Geometry) -> impl Iterator<Item = Extent> + use<> {
        let block_sectors = 1_u32.checked_shl(geometry.block_log.saturating_sub(9)).unwrap_or(1);
        let sectors = geometry.cluster_blocks.saturating_mul(block_sectors).max(1);
        let first = self.start / 512;
        let end = first.saturating_add(self.len / 512);
        let starts = (0..).map(move |n: u64| first.saturating_add(n.saturating_mul(u64::from(sectors))));
        starts.take_while(move |&sector| sector < end).map(move |sector| Extent { sector, sectors })
    }

    /// True if an inode that begins at a byte of the source is one of the chunk's.
    pub(super) fn contains(&self, at: u64) -> bool {
        at >= self.start && at < self.start.saturating_add(self.len)
    }

    /// The new inode that begins at a byte of the source.
    ///
    /// Source: xfs_ialloc_inode_init in Linux, fs/xfs/libxfs/xfs_ialloc.c.
    pub(super) fn inode(&self, at: u64) -> Vec<u8> {
        let size = u64::from(self.inode_size);
        let number = at.saturating_sub(self.start).checked_div(size).unwrap_or(0);
        let mut inode = vec![0; crate::bytes::index(size)];
        let fields: [(usize, &[u8]); 6] = [
            (0, b"IN"),
            (4, &[3]),
            (92, &self.generation.to_be_bytes()),
            (96, &[0xff; 4]),
            (152, &self.first_inode.saturating_add(number).to_be_bytes()),
            (160, &self.uuid),
        ];
        for (offset, bytes) in fields {
            for (to, from) in inode.iter_mut().skip(offset).zip(bytes) {
                *to = *from;
            }
        }
        update_checksum(&mut inode);
        inode
    }
}
