// SPDX-License-Identifier: Apache-2.0
//! Where bytes come from: the contract of every source, and the layers that stack on one.
//!
//! A source need not be a file: blocks may come over a socket from a process that has the network. So a source says
//! how long it is, reads at a position, and takes advice about what will be needed.

pub mod cache;
pub mod count;
pub mod file;
pub mod mem;
pub mod pieces;
pub mod rounds;
pub mod window;
pub mod zst;

use std::ops::Range;

use crate::error::SourceError;

/// Bytes of the largest block that a source fetches as one: that of the EBS direct interface.
pub const LARGE_BLOCK: u64 = 512 << 10;

/// Bytes at positions, shared between threads.
pub trait BlockSource: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// True if there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes from the start that are really there: less than the length where a truncated image promises more.
    fn available(&self) -> u64 {
        self.len()
    }

    /// The size of a logical sector in bytes, where the source is a device that has one.
    fn sector_size(&self) -> Option<u32> {
        None
    }

    /// Fills `buf` from `offset`, or fails; never part of it.
    ///
    /// # Errors
    /// `PastEnd` if any byte lies beyond the end; `NotResident` while a resident-only attempt runs (see
    /// [`rounds::Rounds`]); else what the source met.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError>;

    /// The same for bytes that will not be read again, such as a journal's: caches do not keep them.
    ///
    /// # Errors
    /// As [`BlockSource::read_at`].
    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.read_at(offset, buf)
    }

    /// True if the whole range is known to be zeros that need no reading.
    fn is_hole(&self, _range: Range<u64>) -> bool {
        false
    }

    /// Says what will be read soon, so that a slow source can fetch it all at once. Never fails; may do nothing.
    fn advise(&self, _ranges: &[Range<u64>]) {}
}

/// Reads `len` bytes at `offset` into a new vector.
///
/// # Errors
/// As [`BlockSource::read_at`]. The caller has bounded `len`.
pub fn read_vec(source: &dyn BlockSource, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
    let mut buf = vec![0; len];
    source.read_at(offset, &mut buf)?;
    Ok(buf)
}

/// Checks that `len` bytes at `offset` lie within `end`.
pub(crate) fn check(offset: u64, len: usize, end: u64) -> Result<(), SourceError> {
    match offset.checked_add(crate::bytes::wide(len)) {
        Some(last) if last <= end => Ok(()),
        _ => Err(SourceError::PastEnd { offset, len: end }),
    }
}
