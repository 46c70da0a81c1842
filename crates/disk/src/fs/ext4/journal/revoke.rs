// SPDX-License-Identifier: Apache-2.0
//! Revoke blocks: which blocks of the filesystem must not be written from older transactions.

use super::record::HEADER;
use super::superblock::Format;
use crate::bytes::Bytes;

/// The blocks that a revoke block names; `None` if its length cannot be.
///
/// Shape: big-endian; `0x0` header, `0xc` bytes used with these 16, `0x10` block numbers of 4 bytes, or 8 where the
/// journal has 64-bit numbers; a checksum of 4 bytes at the end in versions 2 and 3.
/// Source: `jbd2_journal_revoke_header_s` in `include/linux/jbd2.h`; `scan_revoke_records` in `fs/jbd2/recovery.c`.
pub(super) fn blocks(format: &Format, block: &[u8]) -> Option<Vec<u64>> {
    let used = usize::try_from(Bytes(block).be32(HEADER)?).ok()?;
    let tail = if format.has_tails() { 4 } else { 0 };
    if used > block.len().checked_sub(tail)? {
        return None;
    }
    let records = block.get(..used)?.get(HEADER.saturating_add(4)..).unwrap_or(&[]);
    Some(if format.wide {
        records.as_chunks().0.iter().map(|number| u64::from_be_bytes(*number)).collect()
    } else {
        records.as_chunks().0.iter().map(|number| u64::from(u32::from_be_bytes(*number))).collect()
    })
}
