// SPDX-License-Identifier: Apache-2.0
//! Every cap on what an untrusted disk can make us hold or do, with where the number comes from (INV-7).

/// Symbolic links in one path; the kernel's own limit (path_resolution(7)).
pub const LINKS_IN_PATH: u32 = 40;
/// Bytes of one name; every filesystem we read has this limit (NAME_MAX).
pub const NAME_BYTES: usize = 255;
/// Bytes of one path; larger ones cannot be used by the machine's own programs (PATH_MAX).
pub const PATH_BYTES: usize = 4096;
/// Levels of folders in a walk: PATH_MAX divided by the shortest component.
pub const WALK_DEPTH: usize = 2048;
/// Partitions in one table: four times what any tool writes by default.
pub const PARTITIONS: u32 = 512;
/// Levels of any on-disk b-tree: XFS has at most 9 (XFS_BTREE_MAXLEVELS), ext4 5 (EXT4_MAX_EXTENT_DEPTH).
pub const TREE_DEPTH: usize = 12;
/// Bytes of one extended attribute (XATTR_SIZE_MAX).
pub const XATTR_BYTES: usize = 65_536;
/// Bytes of a symbolic link's target (PATH_MAX).
pub const LINK_BYTES: usize = 4096;
/// Bytes of a decompressed `.zst` image that are kept, holes not counted.
pub const UNPACKED_BYTES: u64 = 1 << 30;
/// Bytes that a `.zst` image may unpack to, zeros included: a minute of nothing but zeros; larger disks are given raw.
pub const UNPACKED_LENGTH: u64 = 256 << 30;
/// Bytes of the window of a zstd frame: what zstd(1) itself accepts if not told otherwise (`--long=27`).
pub const ZSTD_WINDOW_BYTES: u64 = 128 << 20;
/// Bytes of one LVM metadata text; LVM's own default area is 1 MiB, large sites use 16.
pub const LVM_TEXT_BYTES: u64 = 32 << 20;
/// Zeros in one piece of a file that is read whole, after which it is read no further: text has none, holes have.
pub const ZEROS_BYTES: u64 = 1 << 20;
/// Bytes of a file that is fetched whole once its extents are known.
pub const WHOLE_FILE_BYTES: u64 = 4 << 20;
/// Blocks of a journal that are indexed; a jbd2 journal has at most 2^32, ours stop at 4 GiB of 1 KiB blocks.
pub const JOURNAL_BLOCKS: u64 = 4 << 20;
/// Names that the kernel reader remembers, about 60 bytes each; four times the two million of our largest test.
pub const KERNEL_NAMES: u32 = 8 << 20;
/// Distinct blocks that a jbd2 journal revokes; as many as 4,100 full revoke blocks name, held in some 64 MiB.
pub const JOURNAL_REVOKES: u64 = 2 << 20;
/// Extents of one file that are looked at together: ten times the largest count that fragmented databases show.
pub const EXTENTS: u64 = 1 << 20;
/// Bytes of an XFS log; mkfs.xfs makes none larger (XFS_MAX_LOG_BYTES).
pub const XFS_LOG_BYTES: u64 = 2 << 30;
