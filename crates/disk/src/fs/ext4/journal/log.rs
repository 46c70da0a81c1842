// SPDX-License-Identifier: Apache-2.0
//! Blocks of the journal by their number, read in large pieces.

use std::num::NonZeroU64;
use std::ops::Range;

use crate::bytes::{index, wide};
use crate::error::{Error, Result, SourceError};
use crate::limits::JOURNAL_BLOCKS;
use crate::source::BlockSource;

/// Bytes that one read asks for at most.
const PIECE: u64 = 1 << 20;
/// Bytes of the first announcement; each further one is four times as long, since nothing says where the log ends.
const FIRST_WINDOW: u64 = 1 << 20;
/// Bytes of the longest announcement.
const LAST_WINDOW: u64 = 16 << 20;

/// Where a journal lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Bytes of a block, of the journal and of its filesystem.
    pub block_size: u32,
    /// The journal's blocks in order, as runs: first block of the filesystem, count of blocks.
    pub runs: Vec<(u64, u64)>,
}

/// A run of the journal's blocks that lie beside each other.
struct Run {
    log: u64,
    place: u64,
    count: u64,
}

/// The blocks of a journal, for one walk through them.
pub(super) struct Log<'a> {
    source: &'a dyn BlockSource,
    block_size: NonZeroU64,
    runs: Vec<Run>,
    blocks: u64,
    announced: Range<u64>,
    window: u64,
    held: Range<u64>,
    piece: Vec<u8>,
}

impl<'a> Log<'a> {
    /// The journal that lies in `area` of `source`.
    ///
    /// # Errors
    /// `Corrupt` if the area cannot be one; `Limit` if it has more blocks than are indexed.
    pub(super) fn new(source: &'a dyn BlockSource, area: &Area) -> Result<Self> {
        let block_size = NonZeroU64::new(u64::from(area.block_size))
            .filter(|size| size.is_power_of_two() && (1024..=65_536).contains(&size.get()))
            .ok_or_else(|| Error::whole("journal", format!("blocks of {} bytes", area.block_size)))?;
        let mut runs = Vec::with_capacity(area.runs.len());
        let mut blocks = 0_u64;
        for &(place, count) in &area.runs {
            runs.push(Run { log: blocks, place, count });
            blocks = blocks.saturating_add(count);
        }
        if blocks > JOURNAL_BLOCKS {
            return Err(Error::Limit { what: "blocks of a journal", limit: JOURNAL_BLOCKS });
        }
        Ok(Log {
            source,
            block_size,
            runs,
            blocks,
            announced: 0..0,
            window: FIRST_WINDOW,
            held: 0..0,
            piece: Vec::new(),
        })
    }

    /// Blocks of the journal.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The filesystem's block where block `at` of the journal lies.
    pub(super) fn place(&self, at: u64) -> Option<u64> {
        self.run(at).map(|(place, _)| place)
    }

    /// The same, with the count of blocks that lie beside each other from there.
    fn run(&self, at: u64) -> Option<(u64, u64)> {
        let run = self.runs.get(self.runs.partition_point(|run| run.log <= at).checked_sub(1)?)?;
        let inside = at.checked_sub(run.log).filter(|inside| *inside < run.count)?;
        Some((run.place.checked_add(inside)?, run.count.saturating_sub(inside)))
    }

    /// The first block alone, which is not part of the ring.
    ///
    /// # Errors
    /// `Corrupt` if there is none; what the source answers.
    pub(super) fn first(&mut self) -> Result<Vec<u8>> {
        let (place, _) = self.run(0).ok_or_else(|| Error::whole("journal", "it has no blocks"))?;
        let mut buf = vec![0; index(self.block_size.get())];
        self.source.read_once(self.byte(place)?, &mut buf)?;
        Ok(buf)
    }

    /// Block `at`, which lies before `end`: further ones up to there may be read with it.
    ///
    /// # Errors
    /// `Corrupt` if the journal has no such block; what the source answers.
    pub(super) fn block(&mut self, at: u64, end: u64) -> Result<&[u8]> {
        if !self.held.contains(&at) {
            self.fill(at, end)?;
        }
        let from = at.saturating_sub(self.held.start).saturating_mul(self.block_size.get());
        let len = index(self.block_size.get());
        self.piece
            .get(index(from)..)
            .and_then(|rest| rest.get(..len))
            .ok_or_else(|| Error::whole("journal", format!("no block {at}")))
    }

    /// Reads a piece from block `at` on, and announces what follows when that was not done yet.
    fn fill(&mut self, at: u64, end: u64) -> Result<()> {
        self.held = 0..0;
        if !self.announced.contains(&at) {
            let stop = at.saturating_add(self.window / self.block_size).min(end).min(self.blocks);
            self.announced = at..stop;
            self.window = self.window.saturating_mul(4).min(LAST_WINDOW);
            self.source.advise(&self.bytes_of(at..stop));
        }
        let (place, beside) = self
            .run(at)
            .ok_or_else(|| Error::whole("journal", format!("no block {at} of {}", self.blocks)))?;
        let count = beside.min(PIECE / self.block_size).min(self.announced.end.saturating_sub(at));
        let offset = self.byte(place)?;
        // A source that ends within the piece still has the blocks before its end.
        let there = self.source.len().saturating_sub(offset) / self.block_size;
        let count = count.min(there);
        if count == 0 {
            return Err(SourceError::PastEnd { offset, len: self.source.len() }.into());
        }
        self.piece.resize(index(count.saturating_mul(self.block_size.get())), 0);
        self.source.read_once(offset, &mut self.piece)?;
        self.held = at..at.saturating_add(count);
        Ok(())
    }

    /// Where the blocks of `range` lie, in bytes of the source.
    fn bytes_of(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let Some((place, beside)) = self.run(at) else { break };
            let count = beside.min(range.end.saturating_sub(at));
            let start = place.saturating_mul(self.block_size.get());
            ranges.push(start..start.saturating_add(count.saturating_mul(self.block_size.get())));
            at = at.saturating_add(count);
        }
        ranges
    }

    fn byte(&self, place: u64) -> Result<u64> {
        place
            .checked_mul(self.block_size.get())
            .ok_or_else(|| Error::whole("journal", format!("it lies at block {place}")))
    }

    /// Bytes of a block.
    pub(super) fn block_size(&self) -> NonZeroU64 {
        self.block_size
    }
}

/// The place in a ring after `at`, `steps` further on.
pub(super) fn after(at: u64, steps: usize, ring: &Range<u64>) -> u64 {
    let next = at.saturating_add(wide(steps));
    let len = ring.end.saturating_sub(ring.start);
    if next < ring.end { next } else { next.saturating_sub(len) }
}
