// SPDX-License-Identifier: Apache-2.0
//! A zstd-compressed raw image, unpacked into memory within a limit; blocks of zeros take no room.

mod frame;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{BufReader, Read};

use ruzstd::decoding::StreamingDecoder;

use super::{BlockSource, check};
use crate::bytes::{index, wide};
use crate::error::{Error, Result, SourceError};
use crate::limits::{UNPACKED_BYTES, UNPACKED_LENGTH};

/// The first four bytes of a zstd frame (RFC 8878, section 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of a block that is kept, or not kept where it is all zeros.
const BLOCK: u64 = 4096;

/// An unpacked image.
pub struct Unpacked {
    len: u64,
    blocks: HashMap<u64, Box<[u8]>>,
}

/// What one compressed image may cost.
#[derive(Clone, Copy)]
struct Bounds {
    /// Bytes that are kept.
    kept: u64,
    /// Bytes unpacked, zeros included.
    len: u64,
}

impl Unpacked {
    /// Unpacks a zstd stream of one or more frames.
    ///
    /// # Errors
    /// `Corrupt` if the stream is no valid zstd; `Limit` if a frame asks for a window over [`ZSTD_WINDOW_BYTES`](crate::limits::ZSTD_WINDOW_BYTES), if more
    /// than [`UNPACKED_BYTES`] would have to be kept, or if there are more than [`UNPACKED_LENGTH`] with zeros.
    pub fn new(packed: impl Read) -> Result<Self> {
        Self::within(packed, Bounds { kept: UNPACKED_BYTES, len: UNPACKED_LENGTH })
    }

    fn within(packed: impl Read, bounds: Bounds) -> Result<Self> {
        let mut packed = BufReader::new(packed);
        let mut image = Unpacked { len: 0, blocks: HashMap::new() };
        let mut block = Vec::with_capacity(index(BLOCK));
        while let Some(header) = frame::next(&mut packed)? {
            if header.content.is_some_and(|content| image.len.saturating_add(content) > bounds.len) {
                return Err(too_long(bounds));
            }
            let mut decoder = StreamingDecoder::new(header.bytes.as_slice().chain(&mut packed))
                .map_err(|error| Error::whole("zstd image", error.to_string()))?;
            // A frame may end within a block, which the next one fills.
            while fill(&mut decoder, &mut block)? {
                image.keep(&mut block, bounds)?;
            }
        }
        if !block.is_empty() {
            image.keep(&mut block, bounds)?;
        }
        Ok(image)
    }

    /// Adds the next block, which is emptied.
    fn keep(&mut self, block: &mut Vec<u8>, bounds: Bounds) -> Result<()> {
        if block.iter().any(|&byte| byte != 0) {
            if wide(self.blocks.len()).saturating_mul(BLOCK) >= bounds.kept {
                return Err(Error::Limit { what: "unpacked image, bytes", limit: bounds.kept });
            }
            self.blocks.insert(self.len / BLOCK, block.as_slice().into());
        }
        self.len = self.len.saturating_add(wide(block.len()));
        block.clear();
        if self.len > bounds.len { Err(too_long(bounds)) } else { Ok(()) }
    }
}

fn too_long(bounds: Bounds) -> Error {
    Error::Limit { what: "unpacked image, bytes with zeros", limit: bounds.len }
}

/// Reads until `block` is full; false if the frame ended before.
fn fill(decoder: &mut impl Read, block: &mut Vec<u8>) -> Result<bool> {
    let missing = BLOCK.saturating_sub(wide(block.len()));
    let read = decoder.take(missing).read_to_end(block);
    read.map_err(|error| Error::whole("zstd image", error.to_string()))?;
    Ok(wide(block.len()) >= BLOCK)
}

impl BlockSource for Unpacked {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len)?;
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let within = index(at % BLOCK);
            let (now, later) = rest.split_at_mut(rest.len().min(index(BLOCK).saturating_sub(within)));
            match self.blocks.get(&(at / BLOCK)).and_then(|b| b.get(within..)) {
                Some(bytes) => now.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from),
                None => now.fill(0),
            }
            at = at.saturating_add(wide(now.len()));
            rest = later;
        }
        Ok(())
    }

    fn is_hole(&self, range: std::ops::Range<u64>) -> bool {
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        range.end <= self.len && blocks.end.saturating_sub(blocks.start) < 1 << 16 && {
            let mut blocks = blocks;
            blocks.all(|block| !self.blocks.contains_key(&block))
        }
    }
}
