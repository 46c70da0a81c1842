// SPDX-License-Identifier: Apache-2.0
//! A filesystem's bytes as they are after recovery, some of them from the journal.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use super::record::MAGIC;
use super::scan::Counts;
use crate::bytes::{index, wide};
use crate::error::SourceError;
use crate::source::{BlockSource, check};

/// A block of the filesystem whose newest version stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    /// The block.
    pub(super) block: u64,
    /// The block of the filesystem, within the journal's area, that holds it.
    pub(super) stands_at: u64,
    /// The magic at its start was replaced by zeros.
    pub(super) escaped: bool,
}

/// A source over another one: some blocks come from elsewhere on it. Nothing is copied.
pub struct Overlay {
    inner: Arc<dyn BlockSource>,
    block_size: NonZeroU64,
    homes: Vec<Home>,
    counts: Counts,
}

/// A part of a read that is one read of the source beneath.
struct Part {
    /// Where the bytes go, from the start of the read.
    to: Range<u64>,
    /// Where they stand on the source.
    from: u64,
}

impl Overlay {
    /// `homes` are sorted by block and distinct.
    pub(super) fn new(
        inner: Arc<dyn BlockSource>,
        block_size: NonZeroU64,
        homes: Vec<Home>,
        counts: Counts,
    ) -> Self {
        Overlay { inner, block_size, homes, counts }
    }

    /// True if any byte of `range` comes from the journal.
    pub fn covers(&self, range: Range<u64>) -> bool {
        range.start < range.end && !self.homes_in(&range).is_empty()
    }

    /// Blocks that come from the journal.
    pub fn blocks(&self) -> u64 {
        wide(self.homes.len())
    }

    /// What the journal held.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The blocks that touch `range` and come from the journal.
    fn homes_in(&self, range: &Range<u64>) -> &[Home] {
        let first = range.start / self.block_size;
        let end = range.end.div_ceil(self.block_size.get());
        let from = self.homes.partition_point(|home| home.block < first);
        let to = self.homes.partition_point(|home| home.block < end);
        self.homes.get(from..to).unwrap_or(&[])
    }

    /// The reads beneath that make up `range`; what lies side by side there is one.
    fn parts(&self, range: &Range<u64>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut push = |start: u64, end: u64, from: u64| {
            let to = start.saturating_sub(range.start)..end.saturating_sub(range.start);
            match parts.last_mut() {
                Some(last)
                    if last.from.checked_add(last.to.end.saturating_sub(last.to.start)) == Some(from) =>
                {
                    last.to.end = to.end;
                }
                _ => parts.push(Part { to, from }),
            }
        };
        let mut at = range.start;
        for home in self.homes_in(range) {
            let start = home.block.saturating_mul(self.block_size.get());
            let (from, end) =
                (start.max(range.start), start.saturating_add(self.block_size.get()).min(range.end));
            if at < from {
                push(at, from, at);
            }
            let inside = from.saturating_sub(start);
            push(from, end, home.stands_at.saturating_mul(self.block_size.get()).saturating_add(inside));
            at = end;
        }
        if at < range.end {
            push(at, range.end, at);
        }
        parts
    }

    /// Puts the magic back at the start of the blocks where the journal must not hold it.
    fn unescape(&self, range: &Range<u64>, buf: &mut [u8]) {
        for home in self.homes_in(range).iter().filter(|home| home.escaped) {
            let start = home.block.saturating_mul(self.block_size.get());
            for (at, byte) in (start..).zip(MAGIC.to_be_bytes()).filter(|(at, _)| range.contains(at)) {
                if let Some(to) = buf.get_mut(index(at.saturating_sub(range.start))) {
                    *to = byte;
                }
            }
        }
    }

    fn read(&self, offset: u64, buf: &mut [u8], once: bool) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len())?;
        let range = offset..offset.saturating_add(wide(buf.len()));
        let mut result = Ok(());
        for part in self.parts(&range) {
            let Some(to) = buf.get_mut(index(part.to.start)..index(part.to.end)) else { continue };
            let read =
                if once { self.inner.read_once(part.from, to) } else { self.inner.read_at(part.from, to) };
            match read {
                Ok(()) => {}
                // All that is missing shall be noted in one attempt.
                Err(SourceError::NotResident) => result = Err(SourceError::NotResident),
                Err(error) => return Err(error),
            }
        }
        self.unescape(&range, buf);
        result
    }
}

impl BlockSource for Overlay {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn sector_size(&self) -> Option<u32> {
        self.inner.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, false)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, true)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        !self.covers(range.clone()) && self.inner.is_hole(range)
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        let beneath: Vec<_> = ranges
            .iter()
            .filter(|range| range.start < range.end)
            .flat_map(|range| self.parts(range))
            .map(|part| part.from..part.from.saturating_add(part.to.end.saturating_sub(part.to.start)))
            .collect();
        self.inner.advise(&beneath);
    }
}
