// SPDX-License-Identifier: Apache-2.0
//! The log as a ring of blocks of 512 bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::bytes::{index, wide};
use crate::error::SourceError;
use crate::source::BlockSource;

/// Bytes of a log block ("basic block" in XFS's words).
pub(super) const BLOCK: u64 = 512;

/// Where the ring lies; block numbers beyond its end count on from its start.
#[derive(Clone)]
pub(super) struct Ring {
    source: Arc<dyn BlockSource>,
    start: u64,
    blocks: u64,
}

impl Ring {
    /// The ring of `blocks` blocks, more than none, from byte `start` of `source`.
    pub(super) fn new(source: Arc<dyn BlockSource>, start: u64, blocks: u64) -> Ring {
        Ring { source, start, blocks: blocks.max(1) }
    }

    /// Blocks in the ring.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The number of a block, however often it was counted past the end.
    pub(super) fn wrap(&self, block: u64) -> u64 {
        block.checked_rem(self.blocks).unwrap_or(0)
    }

    /// The blocks from `from` forward to `to`.
    pub(super) fn distance(&self, from: u64, to: u64) -> u64 {
        self.wrap(to.saturating_add(self.blocks).saturating_sub(self.wrap(from)))
    }

    /// The places on the source of `len` bytes from byte `at` of the ring: one, or two if they wrap.
    pub(super) fn places(&self, at: u64, len: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        let size = self.blocks.saturating_mul(BLOCK);
        let at = at.checked_rem(size).unwrap_or(0);
        let before_end = len.min(size.saturating_sub(at));
        let wrapped = len.saturating_sub(before_end).min(size);
        let start = self.start;
        let place = move |at: u64, len: u64| {
            let from = start.saturating_add(at);
            from..from.saturating_add(len)
        };
        [place(at, before_end), place(0, wrapped)].into_iter().filter(|range| !range.is_empty())
    }

    /// Says that these runs of (first block, blocks) will be read.
    pub(super) fn advise(&self, runs: &[(u64, u64)]) {
        let ranges: Vec<_> = runs
            .iter()
            .flat_map(|&(first, count)| self.places(first.saturating_mul(BLOCK), count.saturating_mul(BLOCK)))
            .collect();
        self.source.advise(&ranges);
    }

    /// Fills `buf` from byte `at` of the ring; `once` if a cache need not keep it.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn read(&self, at: u64, buf: &mut [u8], once: bool) -> Result<(), SourceError> {
        let mut rest = buf;
        for place in self.places(at, wide(rest.len())) {
            let len = index(place.end.saturating_sub(place.start)).min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(len);
            rest = later;
            match once {
                true => self.source.read_once(place.start, now)?,
                false => self.source.read_at(place.start, now)?,
            }
        }
        Ok(())
    }
}
