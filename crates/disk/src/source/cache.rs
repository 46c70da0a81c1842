// SPDX-License-Identifier: Apache-2.0
//! A bounded cache of pages over a source, shared by all that read one volume.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rounds::Rounds;
use super::{BlockSource, check};
use crate::bytes::{index, wide};
use crate::error::SourceError;

/// Bytes of a page: the unit that is fetched and kept.
pub const PAGE: u64 = 4096;
/// Bytes that one read of the source asks for at most.
const LONGEST_READ: u64 = 1 << 20;
/// Announced ranges that are remembered.
const ANNOUNCED: usize = 4096;

/// Pages of a source, at most so many at a time.
pub struct Cache {
    inner: Arc<dyn BlockSource>,
    rounds: Arc<Rounds>,
    id: usize,
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pages: HashMap<u64, Page>,
    /// Page numbers in the order in which they came; one that was used since gets a second chance.
    order: VecDeque<u64>,
    /// Pages that a batched fetch could not read: the read that waits shall meet the error.
    unreadable: HashSet<u64>,
    /// What was said to be needed soon: reads there are no new round.
    announced: Vec<Range<u64>>,
}

struct Page {
    bytes: Box<[u8]>,
    used: bool,
}

impl Cache {
    /// A cache of at most `bytes` bytes over `inner`, whose misses and waits are counted in `rounds`.
    pub fn new(inner: Arc<dyn BlockSource>, rounds: &Arc<Rounds>, bytes: u64) -> Arc<Self> {
        let capacity = index(bytes / PAGE).max(16);
        Arc::new_cyclic(|weak| Cache {
            inner,
            rounds: Arc::clone(rounds),
            id: rounds.register(weak.clone()),
            capacity,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches all pages of these ranges that are not here, in as few reads as they allow.
    pub(super) fn fetch(&self, ranges: &[Range<u64>]) {
        let runs = self.missing_runs(ranges);
        let bytes: Vec<_> = runs.iter().map(|run| self.bytes_of(run)).collect();
        self.inner.advise(&bytes);
        for (pages, run) in runs.iter().zip(bytes) {
            let mut buf = vec![0; index(run.end.saturating_sub(run.start))];
            match self.inner.read_at(run.start, &mut buf) {
                Ok(()) => self.state().insert(pages.start, &buf, self.capacity),
                Err(_) => self.state().unreadable.extend(pages.clone()),
            }
        }
    }

    /// The bytes of a run of pages, cut at the end of the source.
    fn bytes_of(&self, pages: &Range<u64>) -> Range<u64> {
        let end = pages.end.saturating_mul(PAGE).min(self.inner.len());
        pages.start.saturating_mul(PAGE)..end
    }

    /// Runs of pages within the ranges that are not here, each at most [`LONGEST_READ`] long.
    fn missing_runs(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let last_page = self.inner.len().div_ceil(PAGE);
        let mut pages: Vec<u64> = Vec::new();
        let state = self.state();
        for range in ranges.iter().filter(|range| range.start < range.end) {
            let end = range.end.div_ceil(PAGE).min(last_page);
            pages.extend((range.start / PAGE..end).filter(|page| !state.pages.contains_key(page)));
        }
        drop(state);
        pages.sort_unstable();
        pages.dedup();
        let mut runs: Vec<Range<u64>> = Vec::new();
        for page in pages {
            match runs.last_mut() {
                Some(run) if run.end == page && page.saturating_sub(run.start) < LONGEST_READ / PAGE => {
                    run.end = page.saturating_add(1);
                }
                _ => runs.push(page..page.saturating_add(1)),
            }
        }
        runs
    }

    /// Copies what is here into `buf`; answers the pages that are not.
    fn copy(&self, offset: u64, buf: &mut [u8]) -> Vec<Range<u64>> {
        let end = offset.saturating_add(wide(buf.len()));
        let mut missing = Vec::new();
        let mut state = self.state();
        let mut at = offset;
        while at < end {
            let number = at / PAGE;
            let page_start = number.saturating_mul(PAGE);
            let stop = page_start.saturating_add(PAGE).min(end);
            let target = buf.get_mut(index(at.saturating_sub(offset))..index(stop.saturating_sub(offset)));
            let inside = index(at.saturating_sub(page_start))..index(stop.saturating_sub(page_start));
            match (state.pages.get_mut(&number), target) {
                (Some(page), Some(target)) if page.bytes.len() >= inside.end => {
                    page.used = true;
                    if let Some(bytes) = page.bytes.get(inside) {
                        target.copy_from_slice(bytes);
                    }
                }
                _ => missing.push(at..stop),
            }
            at = stop;
        }
        missing
    }

    /// True if a read of these bytes was announced, so that nobody waits for it anew.
    fn is_announced(&self, range: &Range<u64>) -> bool {
        self.state().announced.iter().any(|known| known.start <= range.start && range.end <= known.end)
    }

    fn read(&self, offset: u64, buf: &mut [u8], keep: bool) -> Result<(), SourceError> {
        check(offset, buf.len(), self.inner.len())?;
        let missing = self.copy(offset, buf);
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            return Ok(());
        };
        let span = first.start..last.end;
        if self.rounds.is_resident_only() {
            let state = self.state();
            let bad = missing.iter().any(|range| state.unreadable.contains(&(range.start / PAGE)));
            drop(state);
            if !bad {
                missing.into_iter().for_each(|range| self.rounds.miss(self.id, range));
                return Err(SourceError::NotResident);
            }
        } else if !self.is_announced(&span) {
            self.rounds.wait();
        }
        if !keep || span.end.saturating_sub(span.start) > LONGEST_READ {
            return if keep { self.inner.read_at(offset, buf) } else { self.inner.read_once(offset, buf) };
        }
        // Whole pages of the gap are read and kept, then copied.
        let pages = span.start / PAGE..span.end.div_ceil(PAGE);
        let run = self.bytes_of(&pages);
        let mut bytes = vec![0; index(run.end.saturating_sub(run.start))];
        self.inner.read_at(run.start, &mut bytes)?;
        self.state().insert(pages.start, &bytes, self.capacity);
        let from = index(span.start.saturating_sub(run.start));
        let len = index(span.end.saturating_sub(span.start));
        let target = buf.get_mut(index(span.start.saturating_sub(offset))..);
        let source = bytes.get(from..).and_then(|rest| rest.get(..len));
        if let (Some(target), Some(source)) = (target.and_then(|t| t.get_mut(..len)), source) {
            target.copy_from_slice(source);
        }
        Ok(())
    }
}

impl State {
    /// Keeps `bytes` as pages from number `first`, and lets the oldest unused go until `capacity` holds.
    fn insert(&mut self, first: u64, bytes: &[u8], capacity: usize) {
        for (number, bytes) in (first..).zip(bytes.chunks(index(PAGE))) {
            if self.pages.insert(number, Page { bytes: bytes.into(), used: false }).is_none() {
                self.order.push_back(number);
            }
        }
        while self.pages.len() > capacity {
            let Some(number) = self.order.pop_front() else { return };
            match self.pages.get_mut(&number) {
                Some(page) if page.used => {
                    page.used = false;
                    self.order.push_back(number);
                }
                _ => {
                    self.pages.remove(&number);
                }
            }
        }
    }
}

impl BlockSource for Cache {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn sector_size(&self) -> Option<u32> {
        self.inner.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, true)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read(offset, buf, false)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        self.inner.is_hole(range)
    }

    /// Within an attempt the ranges are fetched with what it misses; else the source is told, and reading them
    /// counts as one wait together.
    fn advise(&self, ranges: &[Range<u64>]) {
        let missing: Vec<_> = self.missing_runs(ranges).iter().map(|run| self.bytes_of(run)).collect();
        if missing.is_empty() {
            return;
        }
        if self.rounds.is_resident_only() {
            missing.into_iter().for_each(|range| self.rounds.miss(self.id, range));
            return;
        }
        self.rounds.wait();
        self.inner.advise(&missing);
        let mut state = self.state();
        let over = state.announced.len().saturating_add(ranges.len()).saturating_sub(ANNOUNCED);
        if over > 0 {
            let drop_until = over.min(state.announced.len());
            state.announced.drain(..drop_until);
        }
        state.announced.extend(ranges.iter().take(ANNOUNCED).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::count::Counting;
    use super::*;

    fn numbered(pages: u64) -> Vec<u8> {
        (0..pages * PAGE).map(|at| u8::try_from(at / PAGE % 251).unwrap()).collect()
    }

    #[test]
    fn an_attempt_misses_once_and_finds_all_after_one_batch() {
        let counting = Arc::new(Counting::new(Arc::new(numbered(64))));
        let rounds = Arc::new(Rounds::default());
        let cache = Cache::new(counting.clone(), &rounds, 1 << 20);
        let mut calls = 0;
        let mut got = Vec::new();
        rounds.run(|| {
            calls += 1;
            got.clear();
            for page in [3_u64, 40, 41, 9] {
                let mut byte = [0];
                if cache.read_at(page * PAGE + 17, &mut byte).is_ok() {
                    got.push(byte[0]);
                }
            }
        });
        assert_eq!((calls, got, rounds.count()), (2, vec![3, 40, 41, 9], 1));
        assert_eq!(counting.counts().bytes, 4 * PAGE);
    }

    #[test]
    fn what_cannot_be_fetched_is_met_as_an_error_and_not_for_ever() {
        struct Bad;
        impl BlockSource for Bad {
            fn len(&self) -> u64 {
                1 << 20
            }
            fn read_at(&self, _: u64, _: &mut [u8]) -> Result<(), SourceError> {
                Err(SourceError::Unavailable("gone".into()))
            }
        }
        let rounds = Arc::new(Rounds::default());
        let cache = Cache::new(Arc::new(Bad), &rounds, 1 << 20);
        let mut seen = None;
        rounds.run(|| seen = cache.read_at(5000, &mut [0; 8]).err());
        assert!(matches!(seen, Some(SourceError::Unavailable(_))), "{seen:?}");
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_still_answers_right() {
        let rounds = Arc::new(Rounds::default());
        let cache = Cache::new(Arc::new(numbered(200)), &rounds, 16 * PAGE);
        for page in (0..200).chain(0..200) {
            let mut two = [0; 2];
            cache.read_at(page * PAGE + 4095 - u64::from(page == 199), &mut two).unwrap();
            assert_eq!(two[0], u8::try_from(page % 251).unwrap());
        }
        assert!(cache.state().pages.len() <= 16);
    }

    #[test]
    fn announced_reads_wait_once_together() {
        let rounds = Arc::new(Rounds::default());
        let cache = Cache::new(Arc::new(numbered(64)), &rounds, 1 << 20);
        cache.advise(&[0..16 * PAGE]);
        for page in 0..16 {
            cache.read_once(page * PAGE, &mut [0; 4096]).unwrap();
        }
        assert_eq!(rounds.count(), 1);
        cache.read_at(20 * PAGE, &mut [0; 1]).unwrap();
        assert_eq!(rounds.count(), 2);
    }
}
