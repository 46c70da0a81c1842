// SPDX-License-Identifier: Apache-2.0
//! Fast commits: changes that were logged as they are, after the last whole transaction.
//!
//! They are found here, not applied: a filesystem that has some is stale.

use std::ops::Range;

use super::log::Log;
use crate::bytes::Bytes;
use crate::error::Result;

/// The tag that a fast commit begins with.
const HEAD: u16 = 9;

/// True if fast commits follow transaction `sequence - 1`. The kernel applies them if they are whole, and refuses to
/// mount if the first of them is not, so that the first tag decides.
///
/// Shape: little-endian; `0x0` type of tag, `0x2` its length, `0x4` features, `0x8` sequence number.
/// Source: `fs/ext4/fast_commit.h`; `ext4_fc_replay_scan` in `fs/ext4/fast_commit.c`.
///
/// # Errors
/// What the source answers.
pub(super) fn is_there(log: &mut Log<'_>, blocks: &Range<u64>, sequence: u32) -> Result<bool> {
    if blocks.is_empty() {
        return Ok(false);
    }
    let block = Bytes(log.block(blocks.start, blocks.start.saturating_add(1))?);
    Ok(block.le16(0) == Some(HEAD) && block.le32(8) == Some(sequence))
}
