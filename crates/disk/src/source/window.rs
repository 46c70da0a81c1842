// SPDX-License-Identifier: Apache-2.0
//! A part of another source: a partition.

use std::ops::Range;
use std::sync::Arc;

use super::{BlockSource, check};
use crate::error::SourceError;

/// `len` bytes of another source from `start`, which may promise more than that source has.
pub struct Window {
    inner: Arc<dyn BlockSource>,
    start: u64,
    len: u64,
}

impl Window {
    /// The window of `len` bytes from byte `start` of `inner`. A window beyond the end is allowed (a truncated image):
    /// reads there answer `PastEnd`.
    pub fn new(inner: Arc<dyn BlockSource>, start: u64, len: u64) -> Self {
        Window { inner, start, len: len.min(u64::MAX.saturating_sub(start)) }
    }

    fn shift(&self, range: &Range<u64>) -> Range<u64> {
        let end = range.end.min(self.len);
        self.start.saturating_add(range.start.min(end))..self.start.saturating_add(end)
    }
}

impl BlockSource for Window {
    fn len(&self) -> u64 {
        self.len
    }

    fn available(&self) -> u64 {
        self.inner.available().saturating_sub(self.start).min(self.len)
    }

    fn sector_size(&self) -> Option<u32> {
        self.inner.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len)?;
        self.inner.read_at(self.start.saturating_add(offset), buf)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len)?;
        self.inner.read_once(self.start.saturating_add(offset), buf)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        self.inner.is_hole(self.shift(&range))
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        let shifted: Vec<_> = ranges.iter().map(|range| self.shift(range)).collect();
        self.inner.advise(&shifted);
    }
}
