// SPDX-License-Identifier: Apache-2.0
//! The bytes of the log's live part by position, as they were before they were cut into records.
//!
//! Positions count bytes from the tail's block. What the overlay holds are positions; the bytes are read when they are
//! asked for, from memory if the live part is small, else from the log again. Two things are mended on the way: the
//! words that the cycle number displaced, and regions that were continued in a later operation.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bytes::{index, wide};
use crate::error::SourceError;

use super::ring::{BLOCK, Ring};

/// Bytes of the log from a position, followed through continuations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Region {
    /// Position of the first byte.
    pub(super) at: u32,
    /// Bytes, those of continuations included.
    pub(super) len: u32,
}

/// The live part.
pub(super) struct Live {
    pub(super) ring: Ring,
    /// The byte of the ring at position 0.
    pub(super) start: u64,
    /// For each block the word that belongs at its start.
    pub(super) words: Vec<[u8; 4]>,
    /// Where an operation that is continued ends, and where the continuation begins.
    pub(super) continued: BTreeMap<u32, u32>,
    /// The raw bytes, if they are kept.
    pub(super) kept: Vec<u8>,
}

impl Live {
    /// Fills `buf` from `skip` bytes after the start of a region.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn read(&self, region: Region, skip: u32, buf: &mut [u8]) -> Result<(), SourceError> {
        let mut rest = buf;
        let mut skip = u64::from(skip);
        for piece in pieces(&self.continued, region) {
            let len = piece.end.saturating_sub(piece.start);
            if skip >= len {
                skip = skip.saturating_sub(len);
                continue;
            }
            let take = index(len.saturating_sub(skip)).min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(take);
            self.read_piece(piece.start.saturating_add(skip), now)?;
            rest = later;
            skip = 0;
        }
        Ok(())
    }

    fn read_piece(&self, at: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        match self.kept.get(index(at)..).and_then(|kept| kept.get(..buf.len())) {
            Some(kept) => buf.copy_from_slice(kept),
            None => self.ring.read(self.start.saturating_add(at), buf, false)?,
        }
        let end = at.saturating_add(wide(buf.len()));
        for block in at / BLOCK..end.div_ceil(BLOCK) {
            let Some(word) = self.words.get(index(block)) else { continue };
            for (position, byte) in (block.saturating_mul(BLOCK)..).zip(word) {
                if let Some(to) = position.checked_sub(at).and_then(|inside| buf.get_mut(index(inside))) {
                    *to = *byte;
                }
            }
        }
        Ok(())
    }

    /// The places on the source that hold a region, if they must be read.
    pub(super) fn places(&self, region: Region) -> Vec<Range<u64>> {
        if !self.kept.is_empty() {
            return Vec::new();
        }
        let pieces = pieces(&self.continued, region).into_iter();
        pieces
            .flat_map(|piece| {
                let len = piece.end.saturating_sub(piece.start);
                self.ring.places(self.start.saturating_add(piece.start), len)
            })
            .collect()
    }
}

/// The runs of positions that hold a region, which may be continued.
fn pieces(continued: &BTreeMap<u32, u32>, region: Region) -> Vec<Range<u64>> {
    let mut pieces = Vec::new();
    let mut at = region.at;
    let mut left = region.len;
    while left > 0 {
        let end = at.saturating_add(left);
        let cut = continued.range(at..end).next();
        let (stop, next) = cut.map_or((end, end), |(&stop, &next)| (stop, next));
        pieces.push(u64::from(at)..u64::from(stop));
        left = left.saturating_sub(stop.saturating_sub(at));
        // Continuations lead forward, so this ends.
        if cut.is_none() || next <= stop {
            break;
        }
        at = next;
    }
    pieces
}

/// The positions of the first `count` chunks of `chunk` bytes in a region, which may be continued.
pub(super) fn chunk_starts(
    continued: &BTreeMap<u32, u32>,
    region: Region,
    count: u32,
    chunk: u32,
) -> Vec<u32> {
    let used = Region { at: region.at, len: region.len.min(count.saturating_mul(chunk)) };
    let mut starts = Vec::new();
    // Bytes of the region before the piece.
    let mut before = 0_u64;
    for piece in pieces(continued, used) {
        let after = before.saturating_add(piece.end.saturating_sub(piece.start));
        loop {
            let wanted = wide(starts.len()).saturating_mul(u64::from(chunk));
            if wanted >= after || starts.len() >= index(u64::from(count)) {
                break;
            }
            let at = piece.start.saturating_add(wanted.saturating_sub(before));
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        before = after;
    }
    starts
}
