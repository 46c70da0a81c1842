// SPDX-License-Identifier: Apache-2.0
//! Descriptor blocks: which blocks of the filesystem the blocks that follow are.

use super::checksum::{crc32c, crc32c_but};
use super::superblock::{Format, Sums};
use crate::bytes::Bytes;

/// What every block of a journal's own starts with.
pub(super) const MAGIC: u32 = 0xc03b_3998;
/// Types of block, as the header has them.
pub(super) const DESCRIPTOR: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const SUPERBLOCK_V1: u32 = 3;
pub(super) const SUPERBLOCK_V2: u32 = 4;
pub(super) const REVOKE: u32 = 5;

/// Bytes of a header.
pub(super) const HEADER: usize = 12;
/// Bytes of the checksum at the end of a record in versions 2 and 3.
const TAIL: usize = 4;

/// Flags of a tag: the block's first four bytes were the magic; no UUID follows; no tag follows.
const ESCAPED: u16 = 1;
const SAME_UUID: u16 = 2;
const LAST: u16 = 8;

/// The start of every block of a journal's own.
///
/// Shape: big-endian; `0x0` magic, `0x4` type, `0x8` sequence number of the transaction.
/// Source: `journal_header_s` in `include/linux/jbd2.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The type: [`DESCRIPTOR`] and its neighbours.
    pub(super) kind: u32,
    /// The transaction that the block belongs to.
    pub(super) sequence: u32,
}

impl Header {
    /// The header of `block`, if it has the magic.
    pub(super) fn read(block: &[u8]) -> Option<Header> {
        let bytes = Bytes(block);
        (bytes.be32(0)? == MAGIC).then_some(Header { kind: bytes.be32(4)?, sequence: bytes.be32(8)? })
    }
}

/// One block that a descriptor names.
///
/// Shape: big-endian. Without checksums and in version 2: `0x0` block, `0x4` lower 16 bits of the checksum, `0x6`
/// flags, `0x8` upper half of the block (64-bit only); version 2 is two bytes longer than it needs to be. Version 3:
/// `0x0` block, `0x4` flags, `0x8` upper half, `0xc` checksum. 16 bytes of UUID follow unless the flags say no.
/// Source: `journal_block_tag_s`, `journal_block_tag3_s`, `journal_tag_bytes` in the kernel's jbd2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the filesystem.
    pub(super) home: u64,
    /// The checksum; 0 in journals whose tags have none.
    pub(super) sum: u32,
    /// The magic at the start of the block was replaced by zeros.
    pub(super) escaped: bool,
    /// A UUID follows; only the first tag of a block has one today.
    pub(super) has_uuid: bool,
}

/// The tags of a descriptor block, in order.
pub(super) fn tags(format: &Format, block: &[u8]) -> Vec<Tag> {
    let bytes = tag_bytes(format);
    let end = block.len().saturating_sub(if format.has_tails() { TAIL } else { 0 });
    let mut tags = Vec::new();
    let mut at = HEADER;
    while let Some(tag) = block.get(at..at.saturating_add(bytes).min(end)).filter(|tag| tag.len() == bytes) {
        let Some((tag, flags)) = read(format, Bytes(tag)) else { break };
        tags.push(tag);
        at = at.saturating_add(bytes).saturating_add(if tag.has_uuid { 16 } else { 0 });
        if flags & LAST != 0 {
            break;
        }
    }
    tags
}

/// Bytes of one tag.
pub(super) fn tag_bytes(format: &Format) -> usize {
    match (format.sums, format.wide) {
        (Sums::Long, _) => 16,
        (Sums::Short, true) => 14,
        (Sums::Short, false) => 10,
        (_, true) => 12,
        (_, false) => 8,
    }
}

fn read(format: &Format, bytes: Bytes<'_>) -> Option<(Tag, u16)> {
    let flags = bytes.be16(6)?;
    let high = if format.wide { u64::from(bytes.be32(8)?) } else { 0 };
    let sum = match format.sums {
        Sums::Long => bytes.be32(12)?,
        Sums::Short => u32::from(bytes.be16(4)?),
        Sums::None | Sums::Transaction => 0,
    };
    let home = (high << 32) | u64::from(bytes.be32(0)?);
    let tag = Tag { home, sum, escaped: flags & ESCAPED != 0, has_uuid: flags & SAME_UUID == 0 };
    Some((tag, flags))
}

/// True if `block`, as it stands in the journal, has the checksum that its tag says, or tags have none.
pub(super) fn data_matches(format: &Format, tag: &Tag, sequence: u32, block: &[u8]) -> bool {
    if cfg!(fuzzing) {
        return true;
    }
    let sum = || crc32c(crc32c(format.seed, &sequence.to_be_bytes()), block);
    match format.sums {
        Sums::None | Sums::Transaction => true,
        Sums::Short => sum() & 0xffff == tag.sum,
        Sums::Long => sum() == tag.sum,
    }
}

/// True if a descriptor or revoke block has the checksum at its end, or such blocks have none.
pub(super) fn tail_matches(format: &Format, block: &[u8]) -> bool {
    if !format.has_tails() || cfg!(fuzzing) {
        return true;
    }
    let at = block.len().saturating_sub(TAIL);
    Bytes(block).be32(at) == Some(crc32c_but(format.seed, block, at))
}
