// SPDX-License-Identifier: Apache-2.0
//! Commit blocks: a transaction is complete.

use super::checksum::crc32c_but;
use super::superblock::{Format, Sums};
use crate::bytes::Bytes;

/// Where the checksum stands.
const SUM: usize = 16;
/// Bytes of the structure; the rest of the block is zeros.
const BYTES: usize = 64;

/// The end of a transaction.
///
/// Shape: big-endian; `0x0` header, `0xc` type of checksum, `0xd` its bytes, `0x10` checksum, `0x30` seconds since
/// 1970, `0x38` nanoseconds.
/// Source: `struct commit_header` in `include/linux/jbd2.h`.
pub(super) struct Commit {
    /// When it was written, in seconds since 1970; later transactions are never older.
    pub(super) seconds: u64,
    /// Its checksum is right, or it has none.
    pub(super) matches: bool,
}

impl Commit {
    /// Reads a commit block. `sum` is the checksum over its transaction, which version 1 needs.
    pub(super) fn read(format: &Format, block: &[u8], sum: u32) -> Commit {
        let matches = match format.sums {
            Sums::None => true,
            Sums::Transaction => matches_transaction(block, sum),
            Sums::Short | Sums::Long => matches_itself(format.seed, block),
        };
        Commit { seconds: Bytes(block).be64(0x30).unwrap_or(0), matches: matches || cfg!(fuzzing) }
    }
}

/// Version 1: CRC-32 (type 1, 4 bytes), or type, length and checksum are zeros.
fn matches_transaction(block: &[u8], sum: u32) -> bool {
    let bytes = Bytes(block);
    match (bytes.u8(12), bytes.u8(13), bytes.be32(SUM)) {
        (Some(1), Some(4), Some(found)) => found == sum,
        (Some(0), Some(0), Some(0)) => true,
        _ => false,
    }
}

/// Versions 2 and 3: CRC-32C of the block itself. A block of which only the first sector reached the disk counts, since
/// all that matters is in there (`jbd2_commit_block_csum_verify_partial`).
fn matches_itself(seed: u32, block: &[u8]) -> bool {
    let found = Bytes(block).be32(SUM);
    if found == Some(crc32c_but(seed, block, SUM)) {
        return true;
    }
    let mut alone = vec![0; block.len()];
    if let (Some(to), Some(from)) = (alone.get_mut(..BYTES), block.get(..BYTES)) {
        to.copy_from_slice(from);
    }
    found == Some(crc32c_but(seed, &alone, SUM))
}
