// SPDX-License-Identifier: Apache-2.0
//! A small volume and inode, as bytes, for the tests of several parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::features::Features;
use super::geometry::Geometry;
use super::log;
use super::superblock::Superblock;
use super::volume::Volume;

/// The UUID of the volume.
pub(super) const UUID: [u8; 16] = [0xab; 16];

/// A volume of four groups of 64 MiB whose bytes are `source`.
pub(super) fn volume(v5: bool, source: Vec<u8>) -> Volume {
    let geometry = Geometry {
        block_size: 4096,
        block_log: 12,
        sector_size: 512,
        inode_size: 512,
        inodes_per_block_log: 3,
        blocks: 4 << 14,
        group_blocks: 1 << 14,
        group_log: 14,
        groups: 4,
        dir_block_log: 0,
    };
    let log = log::Geometry {
        block_log: 12,
        group_blocks: 1 << 14,
        groups: 4,
        group_log: 14,
        inode_size: 512,
        inodes_per_block_log: 3,
        cluster_blocks: 4,
        log_start: None,
        log_bytes: 0,
        uuid: UUID,
        meta_uuid: UUID,
        v5,
    };
    let features = Features::new(if v5 { 0xb4a5 } else { 0xb4a4 }, 0, 0).unwrap();
    let superblock =
        Superblock { geometry, features, uuid: UUID, meta_uuid: UUID, label: Vec::new(), root: 128, log };
    Volume::new(Arc::new(source), None, superblock, BTreeSet::new(), BTreeSet::new())
}

/// A regular file of 1,000 bytes in one extent, inode 131.
pub(super) fn sample_inode(v5: bool) -> Vec<u8> {
    let mut raw = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| raw[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"IN");
    put(2, &0o104_755_u16.to_be_bytes());
    put(4, &[if v5 { 3 } else { 2 }, 2]);
    put(8, &1000_u32.to_be_bytes());
    put(12, &100_u32.to_be_bytes());
    put(16, &7_u32.to_be_bytes());
    put(40, &(-5_i32).to_be_bytes());
    put(44, &999_u32.to_be_bytes());
    put(56, &1000_u64.to_be_bytes());
    put(76, &1_u32.to_be_bytes());
    put(92, &77_u32.to_be_bytes());
    put(83, &[2]);
    if v5 {
        put(152, &131_u64.to_be_bytes());
        put(160, &UUID);
        seal_inode(&mut raw);
    }
    raw
}

/// Makes the checksum anew.
pub(super) fn seal_inode(raw: &mut [u8]) {
    raw[100..104].fill(0);
    let crc = crc32c::crc32c(raw);
    raw[100..104].copy_from_slice(&crc.to_le_bytes());
}
