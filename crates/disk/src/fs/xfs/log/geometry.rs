// SPDX-License-Identifier: Apache-2.0
//! What log recovery must know of a filesystem, from its superblock.

use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::limits;

/// The sizes and names that log recovery needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// log2 of a block's bytes.
    pub block_log: u32,
    /// Blocks of an allocation group.
    pub group_blocks: u32,
    /// Allocation groups.
    pub groups: u32,
    /// log2 of `group_blocks`, rounded up.
    pub group_log: u32,
    /// Bytes of an inode.
    pub inode_size: u32,
    /// log2 of the inodes in a block.
    pub inodes_per_block_log: u32,
    /// Blocks of one buffer of inodes.
    pub cluster_blocks: u32,
    /// Where the log begins, in bytes of the source; `None` if it lies on another device.
    pub log_start: Option<u64>,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// The filesystem's UUID, which the log's records carry.
    pub uuid: [u8; 16],
    /// The UUID that metadata blocks carry.
    pub meta_uuid: [u8; 16],
    /// True if metadata has checksums and log sequence numbers (version 5).
    pub v5: bool,
}

impl Geometry {
    /// Reads a superblock.
    ///
    /// Shape: `struct xfs_dsb`, big-endian, at the first byte of `superblock`, of which 264 bytes are used.
    /// Source: Linux, fs/xfs/libxfs/xfs_format.h; the inode cluster's size from xfs_ialloc_setup_geometry.
    ///
    /// # Errors
    /// `Corrupt` if sizes contradict each other.
    pub fn parse(superblock: &[u8]) -> Result<Geometry> {
        let bytes = Bytes(superblock);
        Self::from_fields(bytes)
            .ok_or_else(|| Error::whole("superblock", "sizes that the log needs are not valid"))
    }

    fn from_fields(bytes: Bytes<'_>) -> Option<Geometry> {
        let block_log = u32::from(bytes.u8(120)?);
        let inode_size = u32::from(bytes.be16(104)?);
        let inodes_per_block_log = u32::from(bytes.u8(123)?);
        let group_log = u32::from(bytes.u8(124)?);
        let group_blocks = bytes.be32(84)?;
        let sizes_are_sane = (9..=16).contains(&block_log)
            && (256..=2048).contains(&inode_size)
            && inode_size.is_power_of_two()
            && inodes_per_block_log <= 8
            && group_log <= 31
            && group_blocks > 0;
        if !sizes_are_sane {
            return None;
        }
        let log_first = bytes.be64(48)?;
        let within = log_first & low_bits(group_log);
        let linear =
            log_first.checked_shr(group_log)?.checked_mul(u64::from(group_blocks))?.checked_add(within)?;
        let log_start = match log_first {
            0 => None,
            _ => Some(shift(linear, block_log)?),
        };
        let v5 = bytes.be16(100)? & 0xf == 5;
        let uuid = bytes.array(32)?;
        let has_meta_uuid = v5 && bytes.be32(216)? & 4 != 0;
        Some(Geometry {
            block_log,
            group_blocks,
            groups: bytes.be32(88)?,
            group_log,
            inode_size,
            inodes_per_block_log,
            cluster_blocks: cluster_blocks(v5, inode_size, block_log, bytes.be32(180)?)?,
            log_start,
            log_bytes: shift(u64::from(bytes.be32(96)?), block_log)?,
            uuid,
            meta_uuid: if has_meta_uuid { bytes.array(248)? } else { uuid },
            v5,
        })
    }

    /// The byte of the source where a group's block begins.
    pub(super) fn block_offset(&self, group: u32, block: u32) -> Option<u64> {
        let linear =
            u64::from(group).checked_mul(u64::from(self.group_blocks))?.checked_add(u64::from(block))?;
        shift(linear, self.block_log)
    }

    /// The number of the first inode in a group's block.
    pub(super) fn first_inode(&self, group: u32, block: u32) -> Option<u64> {
        let in_group = shift(u64::from(block), self.inodes_per_block_log)?;
        let group = shift(u64::from(group), self.group_log.saturating_add(self.inodes_per_block_log))?;
        group.checked_add(in_group)
    }

    /// Blocks of 512 bytes in the log.
    pub(super) fn log_blocks(&self) -> Result<u64> {
        match self.log_bytes / 512 {
            0 => Err(Error::whole("log", "it has no blocks")),
            _ if self.log_bytes > limits::XFS_LOG_BYTES => {
                Err(Error::Limit { what: "bytes of log", limit: limits::XFS_LOG_BYTES })
            }
            blocks => Ok(blocks),
        }
    }
}

/// Blocks of one buffer of inodes: 8 KiB, more for large inodes if chunks are aligned to it.
fn cluster_blocks(v5: bool, inode_size: u32, block_log: u32, alignment: u32) -> Option<u32> {
    const CLUSTER_BYTES: u32 = 8192;
    let grown = CLUSTER_BYTES.checked_mul(inode_size / 256)?;
    let use_grown = v5 && alignment >= grown.checked_shr(block_log)?;
    let bytes = if use_grown { grown } else { CLUSTER_BYTES };
    Some(bytes.checked_shr(block_log)?.max(1))
}

fn low_bits(bits: u32) -> u64 {
    1_u64.checked_shl(bits).map_or(u64::MAX, |above| above.saturating_sub(1))
}

/// `number` times 2^`bits`, unless that does not fit.
fn shift(number: u64, bits: u32) -> Option<u64> {
    1_u64.checked_shl(bits)?.checked_mul(number)
}
