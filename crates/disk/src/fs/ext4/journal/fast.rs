// SPDX-License-Identifier: Apache-2.0
//! Fast commits: changes that were logged as they are, after the last whole transaction.
//!
//! They are found here, not applied: a filesystem that has some is stale.

use std::ops::Range;

use super::checksum::crc32c;
use super::log::Log;
use crate::bytes::Bytes;
use crate::error::Result;

/// Tags: the last one of a fast commit, the first one.
const TAIL: u16 = 8;
const HEAD: u16 = 9;

/// True if a complete fast commit follows transaction `sequence - 1`.
///
/// Shape: little-endian; in each block tags of `0x0` type, `0x2` length of what follows. The first tag of a fast commit
/// holds features and sequence number, the last one sequence number and CRC-32C of all since the first.
/// Source: `fs/ext4/fast_commit.h`; `ext4_fc_replay_scan` in `fs/ext4/fast_commit.c`.
///
/// # Errors
/// What the source answers.
pub(super) fn is_there(log: &mut Log<'_>, blocks: &Range<u64>, sequence: u32) -> Result<bool> {
    let mut sum = 0;
    for at in blocks.clone() {
        let block = log.block(at, blocks.end)?;
        if at == blocks.start && Bytes(block).le16(0) != Some(HEAD) {
            return Ok(false);
        }
        if let Some(answer) = scan(block, sequence, &mut sum) {
            return Ok(answer);
        }
    }
    Ok(false)
}

/// Goes through one block; `None` if the next one must be seen.
fn scan(block: &[u8], sequence: u32, sum: &mut u32) -> Option<bool> {
    let mut rest = block;
    while rest.len() > 4 {
        let bytes = Bytes(rest);
        let (kind, len) = (bytes.le16(0)?, usize::from(bytes.le16(2)?));
        let Some(tag) = bytes.slice(0, len.saturating_add(4)) else { return Some(false) };
        match kind {
            HEAD if bytes.le32(8) != Some(sequence) => return Some(false),
            TAIL => {
                *sum = crc32c(*sum, bytes.slice(0, 8)?);
                return Some(bytes.le32(4) == Some(sequence) && bytes.le32(8) == Some(*sum));
            }
            1..=7 | HEAD => *sum = crc32c(*sum, tag),
            _ => return Some(false),
        }
        rest = rest.get(tag.len()..)?;
    }
    None
}
