// SPDX-License-Identifier: Apache-2.0
//! The bytes of a source that were loaded to look for signatures.

use std::ops::Range;

use crate::bytes::{Bytes, index, wide};
use crate::error::{Result, SourceError};
use crate::source::{BlockSource, read_vec};

/// Some runs of bytes of a source.
pub(super) struct View {
    /// Bytes of the whole source.
    pub(super) len: u64,
    runs: Vec<(u64, Vec<u8>)>,
}

impl View {
    /// A view of a source of `len` bytes that holds nothing yet.
    pub(super) fn new(len: u64) -> Self {
        View { len, runs: Vec::new() }
    }

    /// A view of a source of which only the first bytes are known.
    pub(super) fn of_start(head: &[u8]) -> Self {
        View { len: u64::MAX, runs: vec![(0, head.to_vec())] }
    }

    /// Loads ranges, all of which lie within a megabyte or two. What a truncated image lacks is left out.
    ///
    /// # Errors
    /// What the source answers, but for its end.
    pub(super) fn load(&mut self, source: &dyn BlockSource, ranges: &[Range<u64>]) -> Result<()> {
        let mut ranges = ranges.to_vec();
        ranges.retain(|range| range.start < range.end);
        ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        source.advise(&merged);
        let mut runs = Vec::new();
        for range in merged {
            if source.is_hole(range.clone()) {
                runs.push((range.start, vec![0; index(range.end.saturating_sub(range.start))]));
                continue;
            }
            runs.extend(read_up_to_end(source, range)?);
        }
        self.runs = runs;
        Ok(())
    }

    /// True if everything that was loaded is zero.
    pub(super) fn is_zero(&self) -> bool {
        self.runs.iter().all(|(_, bytes)| bytes.iter().all(|byte| *byte == 0))
    }

    /// `len` bytes at `offset`, if loaded.
    pub(super) fn slice(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.runs.iter().find_map(|(start, bytes)| {
            let from = index(offset.checked_sub(*start)?);
            bytes.get(from..)?.get(..len)
        })
    }

    /// `len` bytes at `offset` to read numbers from; none if they are not loaded.
    pub(super) fn at(&self, offset: u64, len: usize) -> Bytes<'_> {
        Bytes(self.slice(offset, len).unwrap_or_default())
    }

    /// True if these bytes stand at `offset`.
    pub(super) fn has(&self, offset: u64, magic: &[u8]) -> bool {
        self.slice(offset, magic.len()) == Some(magic)
    }
}

/// Reads a range, or as much of its first bytes as a truncated source has, in steps of 4 KiB.
fn read_up_to_end(
    source: &dyn BlockSource,
    range: Range<u64>,
) -> Result<Option<(u64, Vec<u8>)>, SourceError> {
    match read_vec(source, range.start, index(range.end.saturating_sub(range.start))) {
        Ok(bytes) => return Ok(Some((range.start, bytes))),
        Err(SourceError::PastEnd { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    loop {
        let at = range.start.saturating_add(wide(bytes.len()));
        let step = range.end.saturating_sub(at).min(4096);
        if step == 0 {
            break;
        }
        match read_vec(source, at, index(step)) {
            Ok(more) => bytes.extend(more),
            Err(SourceError::PastEnd { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok((!bytes.is_empty()).then_some((range.start, bytes)))
}
