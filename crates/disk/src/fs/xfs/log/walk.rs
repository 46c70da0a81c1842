// SPDX-License-Identifier: Apache-2.0
//! The records of the live part, one after the other, read in large pieces.

use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};

use super::record::{Header, LARGEST_BLOCKS};
use super::ring::{BLOCK, Ring};

/// Bytes of a live part that is kept in memory.
const KEPT: u64 = 16 << 20;
/// Bytes that are read at once of one that is not.
const PIECE: u64 = 1 << 20;

/// A whole record.
pub(super) struct Record {
    pub(super) header: Header,
    /// Position of its data in the live part, in bytes.
    pub(super) at: u64,
    /// Its data, with the displaced words in place.
    pub(super) data: Vec<u8>,
    /// The displaced words, one for each block of the data.
    pub(super) words: Vec<[u8; 4]>,
}

/// Goes over the records.
pub(super) struct Walk {
    ring: Ring,
    tail: u64,
    /// Bytes of the live part.
    len: u64,
    /// Position of the next record.
    next: u64,
    /// Position of the buffer's first byte.
    buffered: u64,
    buffer: Vec<u8>,
    uuid: [u8; 16],
}

impl Walk {
    /// Goes from block `tail` to before block `head`.
    pub(super) fn new(ring: Ring, tail: u64, head: u64, uuid: [u8; 16]) -> Walk {
        let blocks = ring.distance(tail, head);
        ring.advise(&[(tail, blocks)]);
        let len = blocks.saturating_mul(BLOCK);
        Walk { ring, tail, len, next: 0, buffered: 0, buffer: Vec::new(), uuid }
    }

    /// Bytes of the live part.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The live part's bytes, if it is small enough to keep. Empty otherwise, or if not all were read.
    pub(super) fn kept(self) -> Vec<u8> {
        if self.buffered == 0 && wide(self.buffer.len()) == self.len { self.buffer } else { Vec::new() }
    }

    /// Leaves out what a torn write that ran into the log's oldest part has overwritten: goes on at the first whole
    /// record, if that lies within `blocks` of the head, counted forward.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn skip_overwritten(&mut self, blocks: u64) -> Result<()> {
        let free = self.ring.blocks().saturating_sub(self.len / BLOCK);
        let reachable = blocks.saturating_sub(free).saturating_mul(BLOCK);
        let mut at = 0;
        let mut start = 0;
        while at < reachable.min(self.len) {
            match self.record_at(at) {
                Ok((_, end)) => at = end,
                Err(Error::Corrupt(_)) => {
                    at = at.saturating_add(BLOCK);
                    start = at;
                }
                Err(error) => return Err(error),
            }
        }
        self.next = start;
        Ok(())
    }

    /// The next record; `None` at the head.
    ///
    /// # Errors
    /// `Corrupt` if there is none where one must be; what the source answers.
    pub(super) fn record(&mut self) -> Result<Option<Record>> {
        if self.next >= self.len {
            return Ok(None);
        }
        let (record, end) = self.record_at(self.next)?;
        self.next = end;
        Ok(Some(record))
    }

    fn record_at(&mut self, at: u64) -> Result<(Record, u64)> {
        let block = self.ring.wrap(self.tail.saturating_add(at / BLOCK));
        let bad = |why: &str| Error::whole("log", format!("record at block {block}: {why}"));
        let header = Header::parse(self.bytes(at, BLOCK)?).ok_or_else(|| bad("no valid header"))?;
        let len = header.blocks().saturating_mul(BLOCK);
        let end = at.saturating_add(len);
        if end > self.len {
            return Err(bad("it ends after the head"));
        }
        if header.format != 1 {
            return Err(bad(&format!("format {}, not that of a little-endian machine", header.format)));
        }
        if header.uuid != self.uuid {
            return Err(bad("it has another filesystem's UUID"));
        }
        if header.lsn.block() != block {
            return Err(bad(&format!("it says that it is block {}", header.lsn.block())));
        }
        let bytes = self.bytes(at, len)?;
        if !header.checksum_matches(bytes) {
            return Err(bad("its checksum does not match"));
        }
        let data = header.data(bytes).ok_or_else(|| bad("it ends early"))?;
        let words = header.displaced(bytes);
        let at = at.saturating_add(header.header_blocks.saturating_mul(BLOCK));
        Ok((Record { header, at, data, words }, end))
    }

    /// `len` bytes from position `at`, all before the head.
    fn bytes(&mut self, at: u64, len: u64) -> Result<&[u8]> {
        let end = at.saturating_add(len);
        let here = self.buffered..self.buffered.saturating_add(wide(self.buffer.len()));
        if at < here.start || end > here.end {
            let ahead = if self.len <= KEPT { self.len } else { PIECE };
            let longest = LARGEST_BLOCKS.saturating_mul(BLOCK);
            let left = self.len.saturating_sub(at);
            self.fill(at, len.min(longest).max(ahead).min(left))?;
        }
        let inside = index(at.saturating_sub(self.buffered));
        Bytes(&self.buffer)
            .slice(inside, index(len))
            .ok_or_else(|| Error::whole("log", format!("position {at} lies after the head")))
    }

    /// Makes the buffer begin at `at`, keeps what of it is here, and reads the rest.
    fn fill(&mut self, at: u64, len: u64) -> Result<()> {
        let from = at.checked_sub(self.buffered).map_or(usize::MAX, index);
        let mut buffer = self.buffer.get(from..).map(<[u8]>::to_vec).unwrap_or_default();
        let have = buffer.len();
        buffer.resize(index(len).max(have), 0);
        if let Some(rest) = buffer.get_mut(have..) {
            let place = self.tail.saturating_mul(BLOCK).saturating_add(at).saturating_add(wide(have));
            self.ring.read(place, rest, true)?;
        }
        self.buffer = buffer;
        self.buffered = at;
        Ok(())
    }
}
