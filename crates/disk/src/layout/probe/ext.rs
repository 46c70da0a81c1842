// SPDX-License-Identifier: Apache-2.0
//! The ext family, told apart by features as blkid does.

use super::view::View;
use crate::bytes::Bytes;

/// Where the superblock lies, in bytes.
const PLACE: u64 = 1024;
/// Compatible: has a journal.
const HAS_JOURNAL: u32 = 0x4;
/// Incompatible: is a journal.
const JOURNAL_DEVICE: u32 = 0x8;
/// Incompatible features that ext2 and ext3 know: file types, meta block groups; ext3 also recovery.
const INCOMPATIBLE: [u32; 2] = [0x12, 0x16];
/// Read-only compatible features that both know: sparse superblocks, large files, tree directories.
const READ_ONLY: u32 = 0x7;
/// Flag: made for a kernel in development.
const TEST_FILESYSTEM: u32 = 0x4;

/// The superblock's bytes, of any member of the family.
pub(super) fn superblock(view: &View) -> Option<Bytes<'_>> {
    let block = view.at(PLACE, 1024);
    block.has(56, &[0x53, 0xef]).then_some(block)
}

/// Which of the family; `None` if none of it.
///
/// Shape:  magic at 56, blocks at 4, log2 of the block size less 10 at 24, features at 92, 96 and 100, flags at 352.
/// Source: Documentation/filesystems/ext4/super.rst of the kernel; libblkid's ext probe.
pub(super) fn kind(view: &View) -> Option<&'static str> {
    let block = superblock(view)?;
    let (compatible, incompatible, read_only) = (block.le32(92)?, block.le32(96)?, block.le32(100)?);
    if block.le32(24)? > 6 {
        return None;
    }
    if incompatible & JOURNAL_DEVICE != 0 {
        return Some("jbd");
    }
    if block.le32(4)? == 0 || block.le32(40)? == 0 {
        return None;
    }
    let [ext2, ext3] = INCOMPATIBLE;
    let journal = compatible & HAS_JOURNAL != 0;
    let plain = read_only & !READ_ONLY == 0;
    Some(if !journal && plain && incompatible & !ext2 == 0 {
        "ext2"
    } else if journal && plain && incompatible & !ext3 == 0 {
        "ext3"
    } else if block.le32(352)? & TEST_FILESYSTEM != 0 {
        "ext4dev"
    } else {
        "ext4"
    })
}
