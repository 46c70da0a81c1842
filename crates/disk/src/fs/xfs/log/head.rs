// SPDX-License-Identifier: Apache-2.0
//! Where the log's live part begins, ends, or that there is none.
//!
//! The cycle number is in every block, and falls by one where the last write ended. That step is found by a search
//! that probes several places at once, since each probe of a snapshot waits as long as eight. Then all that writes
//! may have left incomplete before it is read in one piece: the two MiB that can be under way at once.

use std::collections::BTreeMap;

use crate::bytes::{Bytes, index};
use crate::error::{Error, Result};

use super::record::{self, Header, LARGEST_BLOCKS};
use super::ring::{BLOCK, Ring};

/// Records that can be under way at once.
const UNDER_WAY: u64 = 8;
/// Blocks that can be under way at once: eight records of 256 KiB.
const BLOCKS_UNDER_WAY: u64 = 4096;
/// Parts that one step of the search cuts its range into.
const PARTS: u64 = 8;
/// Blocks of a range that is read whole instead of searched on.
const READ_WHOLE: u64 = 2048;

/// What there is to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Nothing.
    Clean,
    /// The records from block `tail` to before block `head`.
    Live {
        /// The block of the oldest record that matters.
        tail: u64,
        /// The block after the newest whole record.
        head: u64,
        /// Blocks that can be under way at once, by that mount's record size.
        under_way: u64,
    },
}

/// Finds the ends of the log.
///
/// # Errors
/// `Corrupt` if no record ends at the head, or too many are damaged; what the source answers.
pub(super) fn find(ring: &Ring) -> Result<Ends> {
    let Some(step) = find_step(ring)? else {
        return Ok(Ends::Clean);
    };
    let window = Window::read(ring, &step)?;
    let candidate = window.step(&step);
    let last_write = window.last_whole_write(candidate);
    window.ends(ring, last_write)
}

/// Where the cycle number falls, as closely as the search went.
///
/// Blocks are counted from the log's length, so that the blocks before block 0, which are those at the log's end,
/// have numbers too.
struct Step {
    /// A block before the step, or the step itself.
    low: u64,
    /// The first block known to be after it.
    high: u64,
    /// The cycle number after the step: 0 where nothing was ever written.
    old: u32,
}

/// Searches the step; `None` if the log was never written.
fn find_step(ring: &Ring) -> Result<Option<Step>> {
    let last = ring.blocks().saturating_sub(1);
    let mut cycles = BTreeMap::new();
    probe(ring, 0, last, &mut cycles)?;
    let first_cycle = cycles.first_key_value().map_or(0, |(_, &cycle)| cycle);
    let old = cycles.last_key_value().map_or(0, |(_, &cycle)| cycle);
    let base = ring.blocks();
    if first_cycle == 0 {
        return Ok(None);
    }
    if first_cycle == old {
        return Ok(Some(Step { low: base, high: base, old }));
    }
    loop {
        let high = cycles.iter().find(|(_, cycle)| **cycle == old).map_or(last, |(block, _)| *block);
        let low = cycles.range(..high).next_back().map_or(0, |(block, _)| *block);
        if high.saturating_sub(low) <= READ_WHOLE {
            return Ok(Some(Step { low: base.saturating_add(low), high: base.saturating_add(high), old }));
        }
        probe(ring, low, high, &mut cycles)?;
    }
}

/// Notes the cycle numbers at both ends of a range and between its parts.
fn probe(ring: &Ring, low: u64, high: u64, cycles: &mut BTreeMap<u64, u32>) -> Result<()> {
    let span = high.saturating_sub(low);
    let between = (0..=PARTS).map(|part| low.saturating_add(span.saturating_mul(part) / PARTS));
    let blocks: Vec<_> = between.filter(|block| !cycles.contains_key(block)).collect();
    let runs: Vec<_> = blocks.iter().map(|&block| (block, 1)).collect();
    ring.advise(&runs);
    for block in blocks {
        let mut bytes = [0; 512];
        ring.read(block.saturating_mul(BLOCK), &mut bytes, false)?;
        cycles.insert(block, record::cycle(&bytes));
    }
    Ok(())
}

/// The blocks around the step, in memory.
struct Window {
    /// The number of the first.
    first: u64,
    /// The number after the last.
    end: u64,
    /// The number of block 0.
    base: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn read(ring: &Ring, step: &Step) -> Result<Window> {
        let base = ring.blocks();
        let back = BLOCKS_UNDER_WAY.saturating_add(LARGEST_BLOCKS);
        // A log that was never written around has nothing before block 0.
        let lowest = if step.old == 0 { base } else { step.high.saturating_sub(base) };
        let first = step.low.saturating_sub(back).max(lowest);
        let blocks = step.high.saturating_sub(first);
        let mut bytes = vec![0; index(blocks.saturating_mul(BLOCK))];
        ring.advise(&[(first, blocks)]);
        ring.read(first.saturating_mul(BLOCK), &mut bytes, true)?;
        Ok(Window { first, end: step.high, base, bytes })
    }

    /// The bytes from block `from` to before block `to`.
    fn blocks(&self, from: u64, to: u64) -> Option<&[u8]> {
        let at = from.checked_sub(self.first)?.checked_mul(BLOCK)?;
        let len = to.checked_sub(from)?.checked_mul(BLOCK)?;
        Bytes(&self.bytes).slice(index(at), index(len))
    }

    fn block(&self, block: u64) -> &[u8] {
        self.blocks(block, block.saturating_add(1)).unwrap_or(&[])
    }

    /// The first block that an incomplete write left old, or the step.
    fn step(&self, step: &Step) -> u64 {
        let at_step = (step.low..step.high)
            .find(|&block| record::cycle(self.block(block)) == step.old)
            .unwrap_or(step.high);
        let is_old = |&block: &u64| {
            let expected = if block < self.base { step.old.wrapping_sub(1) } else { step.old };
            record::cycle(self.block(block)) == expected
        };
        let earliest = at_step.saturating_sub(BLOCKS_UNDER_WAY).max(self.first);
        (earliest..at_step).find(is_old).unwrap_or(at_step)
    }

    /// The last header before a block.
    fn header_before(&self, block: u64) -> Option<(u64, Header)> {
        let at = (self.first..block.min(self.end)).rev().find(|&at| record::is_header(self.block(at)))?;
        Some((at, Header::parse(self.block(at))?))
    }

    /// The block after the newest record of which all blocks are there: `head`, or where the record before it begins.
    fn last_whole_write(&self, head: u64) -> u64 {
        let Some(at) = (self.first..head).rev().find(|&at| record::is_header(self.block(at))) else {
            return head;
        };
        let whole =
            Header::parse(self.block(at)).is_some_and(|header| at.saturating_add(header.blocks()) == head);
        if whole { head } else { at }
    }

    /// The header at a block if the record is whole, ends by `head`, and has the right checksum.
    fn good_record(&self, at: u64, head: u64) -> Option<(Header, &[u8])> {
        let header = Header::parse(self.block(at))?;
        let end = at.checked_add(header.blocks())?;
        let record = self.blocks(at, end).filter(|_| end <= head)?;
        header.checksum_matches(record).then_some((header, record))
    }

    /// Follows the newest records to the first that a torn write damaged, which ends the log there.
    fn ends(&self, ring: &Ring, head: u64) -> Result<Ends> {
        let no_record = || Error::whole("log", format!("no record ends at block {}", ring.wrap(head)));
        let (at, header) = self.header_before(head).ok_or_else(no_record)?;
        if let Some(ends) = self.clean_end(at, head) {
            return Ok(ends);
        }
        let tail = ring.wrap(header.tail.block());
        let live = ring.distance(tail, ring.wrap(head));
        let oldest = head.saturating_sub(live).max(self.first);
        let starts = (oldest..head).rev().filter(|&at| record::is_header(self.block(at)));
        let start = starts.take(index(UNDER_WAY)).last().unwrap_or(at);
        let Some(torn) = self.first_torn(start, head) else {
            return Ok(live_ends(ring, tail, head, &header));
        };
        let none_whole = || Error::whole("log", format!("no whole record before block {}", ring.wrap(torn)));
        let (at, header) = self.header_before(torn).filter(|(at, _)| *at >= oldest).ok_or_else(none_whole)?;
        if self.good_record(at, torn).is_none() {
            return Err(none_whole());
        }
        match self.clean_end(at, torn) {
            Some(ends) => Ok(ends),
            None if ring.wrap(header.tail.block()) == ring.wrap(torn) => Err(none_whole()),
            None => Ok(live_ends(ring, ring.wrap(header.tail.block()), torn, &header)),
        }
    }

    /// The first record from `start` on that is damaged, if one before `head` is.
    fn first_torn(&self, start: u64, head: u64) -> Option<u64> {
        let mut at = start;
        while at < head {
            match self.good_record(at, head) {
                Some((header, _)) => at = at.saturating_add(header.blocks()),
                None => return Some(at),
            }
        }
        None
    }

    /// `Clean` if the record at a block ends at `head` and says that the filesystem was unmounted.
    fn clean_end(&self, at: u64, head: u64) -> Option<Ends> {
        let header = Header::parse(self.block(at))?;
        let end = at.checked_add(header.blocks())?;
        (end == head && record::is_unmount(&header, self.blocks(at, end)?)).then_some(Ends::Clean)
    }
}

fn live_ends(ring: &Ring, tail: u64, head: u64, header: &Header) -> Ends {
    let head = ring.wrap(head);
    let under_way = UNDER_WAY.saturating_mul(u64::from(header.size)) / BLOCK;
    if tail == head { Ends::Clean } else { Ends::Live { tail, head, under_way } }
}
