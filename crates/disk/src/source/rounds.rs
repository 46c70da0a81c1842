// SPDX-License-Identifier: Apache-2.0
//! Few and short chains of reads: attempts that only use what is here, and one batched fetch between them.
//!
//! A reader that needs ten reads, each of which depends on the one before, waits ten times. Many readers that run side
//! by side wait ten times too, not ten times each, if each runs until it misses something, and all misses are then
//! fetched at once. [`Rounds::run`] does that with plain code: while an attempt runs, a cache answers `NotResident` to
//! what it does not hold, notes it, and the reader gives up and is called again after the fetch.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

use super::cache::Cache;

/// Attempts before what is still missing is left to reads that wait: far above the longest chain seen.
const MOST_ATTEMPTS: u32 = 64;

/// What the caches of one machine share: whether an attempt runs, what it missed, and how often was waited.
#[derive(Default)]
pub struct Rounds {
    resident_only: AtomicBool,
    count: AtomicU64,
    caches: Mutex<Vec<Weak<Cache>>>,
    missed: Mutex<Vec<(usize, Range<u64>)>>,
}

impl Rounds {
    /// How often something was waited for: a batch counts once, and so does a read that nobody announced.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Calls `attempt` until it misses nothing more, with one batched fetch after each call. While it runs, reads of
    /// bytes that are not here fail with `NotResident`; it keeps what it has and gives up the rest. No other thread
    /// may read the same machine meanwhile.
    ///
    /// What cannot be fetched is left to a read that waits, which then meets the error.
    pub fn run(&self, attempt: impl FnMut()) {
        self.run_at_most(MOST_ATTEMPTS, attempt);
    }

    /// The same with at most `fetches` batches; the last call of `attempt` is followed by none, and what it misses is
    /// forgotten.
    pub fn run_at_most(&self, fetches: u32, mut attempt: impl FnMut()) {
        let mut last = Vec::new();
        for fetched in 0..=fetches {
            self.resident_only.store(true, Ordering::Release);
            attempt();
            self.resident_only.store(false, Ordering::Release);
            let mut missed = std::mem::take(&mut *self.missed.lock().unwrap_or_else(PoisonError::into_inner));
            if fetched == fetches {
                return;
            }
            missed.sort_by_key(|(cache, range)| (*cache, range.start, range.end));
            missed.dedup();
            if missed.is_empty() || missed == last {
                return;
            }
            self.fetch(&missed);
            last = missed;
        }
    }

    fn fetch(&self, missed: &[(usize, Range<u64>)]) {
        self.wait();
        let caches: Vec<_> = self.caches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, cache) in caches.iter().enumerate() {
            let ranges: Vec<_> =
                missed.iter().filter(|(of, _)| *of == id).map(|(_, range)| range.clone()).collect();
            if let Some(cache) = cache.upgrade().filter(|_| !ranges.is_empty()) {
                cache.fetch(&ranges);
            }
        }
    }

    pub(super) fn register(&self, cache: Weak<Cache>) -> usize {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.push(cache);
        caches.len().saturating_sub(1)
    }

    pub(super) fn is_resident_only(&self) -> bool {
        self.resident_only.load(Ordering::Acquire)
    }

    pub(super) fn miss(&self, cache: usize, range: Range<u64>) {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).push((cache, range));
    }

    pub(super) fn wait(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}
