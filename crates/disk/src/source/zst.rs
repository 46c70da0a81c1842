// SPDX-License-Identifier: Apache-2.0
//! A zstd-compressed raw image, unpacked into memory within a limit; blocks of zeros take no room.

use std::collections::HashMap;
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use super::{BlockSource, check};
use crate::bytes::{index, wide};
use crate::error::{Error, Result, SourceError};
use crate::limits::UNPACKED_BYTES;

/// The first four bytes of a zstd frame (RFC 8878, section 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of a block that is kept, or not kept where it is all zeros.
const BLOCK: u64 = 4096;
/// Bytes that an unpacked image may promise, zeros included: four times the largest EBS volume.
const LONGEST: u64 = 1 << 48;

/// An unpacked image.
pub struct Unpacked {
    len: u64,
    blocks: HashMap<u64, Box<[u8]>>,
}

impl Unpacked {
    /// Unpacks one zstd stream of one or more frames.
    ///
    /// # Errors
    /// `Corrupt` if the stream is no valid zstd; `Limit` if more than [`UNPACKED_BYTES`] would have to be kept.
    pub fn new(mut packed: impl Read) -> Result<Self> {
        let mut image = Unpacked { len: 0, blocks: HashMap::new() };
        let mut decoder = StreamingDecoder::new(&mut packed)
            .map_err(|error| Error::whole("zstd image", error.to_string()))?;
        let mut block = vec![0; index(BLOCK)];
        loop {
            let filled = fill(&mut decoder, &mut block)?;
            let bytes = block.get(..filled).unwrap_or_default();
            if filled == 0 {
                return Ok(image);
            }
            if bytes.iter().any(|&byte| byte != 0) {
                if wide(image.blocks.len()).saturating_mul(BLOCK) >= UNPACKED_BYTES {
                    return Err(Error::Limit { what: "unpacked image, bytes", limit: UNPACKED_BYTES });
                }
                image.blocks.insert(image.len / BLOCK, bytes.into());
            }
            image.len = image.len.saturating_add(wide(filled));
            if image.len > LONGEST {
                return Err(Error::Limit { what: "unpacked image, bytes with zeros", limit: LONGEST });
            }
        }
    }
}

/// Reads until `block` is full or the stream ends.
fn fill(decoder: &mut impl Read, block: &mut [u8]) -> Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match decoder.read(rest) {
            Ok(0) => break,
            Ok(more) => filled = filled.saturating_add(more),
            Err(error) => return Err(Error::whole("zstd image", error.to_string())),
        }
    }
    Ok(filled)
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
