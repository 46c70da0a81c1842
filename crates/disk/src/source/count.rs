// SPDX-License-Identifier: Apache-2.0
//! Counts what is asked of a source: bytes, and the distinct blocks they lie in.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::BlockSource;
use crate::bytes::wide;
use crate::error::SourceError;

/// Bytes of the small block: a page of memory, the unit of local disks.
const SMALL: u64 = 4096;
/// Small blocks in a large one; 512 KiB is the block of the EBS direct interface.
const SMALL_PER_LARGE: u64 = 128;

/// What was asked of a source so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes, repeats included.
    pub bytes: u64,
    /// Distinct blocks of 4 KiB.
    pub blocks_4k: u64,
    /// Distinct blocks of 512 KiB.
    pub blocks_512k: u64,
}

/// A source that counts.
pub struct Counting {
    inner: Arc<dyn BlockSource>,
    bytes: AtomicU64,
    /// For each large block that was touched, a bit for each small one in it.
    touched: Mutex<HashMap<u64, u128>>,
}

impl Counting {
    /// Counts what is asked of `inner` from now on.
    pub fn new(inner: Arc<dyn BlockSource>) -> Self {
        Counting { inner, bytes: AtomicU64::new(0), touched: Mutex::default() }
    }

    /// What was asked so far.
    pub fn counts(&self) -> Counts {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        Counts {
            bytes: self.bytes.load(Ordering::Relaxed),
            blocks_4k: touched.values().map(|bits| u64::from(bits.count_ones())).sum(),
            blocks_512k: wide(touched.len()),
        }
    }

    fn note(&self, offset: u64, len: usize) {
        let len = wide(len);
        self.bytes.fetch_add(len, Ordering::Relaxed);
        if len == 0 {
            return;
        }
        let first = offset / SMALL;
        let last = offset.saturating_add(len).saturating_sub(1) / SMALL;
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for block in first..=last {
            let bit = 1_u128.checked_shl(u32::try_from(block % SMALL_PER_LARGE).unwrap_or(0)).unwrap_or(0);
            *touched.entry(block / SMALL_PER_LARGE).or_default() |= bit;
        }
    }
}

impl BlockSource for Counting {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn sector_size(&self) -> Option<u32> {
        self.inner.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.note(offset, buf.len());
        self.inner.read_at(offset, buf)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.note(offset, buf.len());
        self.inner.read_once(offset, buf)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        self.inner.is_hole(range)
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        self.inner.advise(ranges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_once_and_bytes_each_time() {
        let source = Counting::new(Arc::new(vec![0; 2 << 20]));
        for offset in [0, 4095, 4000, 600_000] {
            source.read_at(offset, &mut [0; 2]).unwrap();
        }
        assert_eq!(source.counts(), Counts { bytes: 8, blocks_4k: 3, blocks_512k: 2 });
    }
}
