// SPDX-License-Identifier: Apache-2.0
//! The header of a zstd frame, read before a decoder sees it: the decoder keeps whatever window a header asks for.
//!
//! Source: RFC 8878, sections 3.1.1.1 (frame header) and 3.1.2 (skippable frames).

use std::io::{ErrorKind, Read};

use super::MAGIC;
use crate::error::{Error, Result};
use crate::limits::ZSTD_WINDOW_BYTES;

/// A frame's header.
pub(super) struct Header {
    /// Its bytes, for the decoder.
    pub(super) bytes: Vec<u8>,
    /// Bytes that the frame unpacks to, if the header says so.
    pub(super) content: Option<u64>,
}

/// The header of the next frame; `None` at the end of the stream. Skippable frames are skipped.
///
/// # Errors
/// `Corrupt` for what is no frame; `Limit` for a window over [`ZSTD_WINDOW_BYTES`].
pub(super) fn next(packed: &mut impl Read) -> Result<Option<Header>> {
    loop {
        let mut bytes = Vec::new();
        take(packed, 4, &mut bytes)?;
        match bytes.as_slice() {
            [] => return Ok(None),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => skip(packed)?,
            magic if magic == MAGIC => return header(packed, bytes).map(Some),
            _ => return Err(Error::whole("zstd image", "what follows its last frame is no frame")),
        }
    }
}

fn skip(packed: &mut impl Read) -> Result<()> {
    let mut len = Vec::new();
    take(packed, 4, &mut len)?;
    let len = u64::from(u32::try_from(number(&len)).unwrap_or(u32::MAX));
    let skipped = std::io::copy(&mut packed.take(len), &mut std::io::sink()).map_err(unreadable)?;
    if skipped == len { Ok(()) } else { Err(cut()) }
}

/// Shape: descriptor (1 byte), window (0 or 1), dictionary (0, 1, 2, 4), content size (0, 1, 2, 4, 8).
fn header(packed: &mut impl Read, mut bytes: Vec<u8>) -> Result<Header> {
    let descriptor = field(packed, 1, &mut bytes)?;
    let single_segment = descriptor & 0x20 != 0;
    let window = if single_segment { None } else { Some(field(packed, 1, &mut bytes)?) };
    let dictionary = match descriptor & 3 {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 4,
    };
    field(packed, dictionary, &mut bytes)?;
    let content = match (descriptor >> 6, single_segment) {
        (0, false) => None,
        (0, true) => Some(field(packed, 1, &mut bytes)?),
        // Two bytes count from 256.
        (1, _) => Some(field(packed, 2, &mut bytes)?.saturating_add(256)),
        (2, _) => Some(field(packed, 4, &mut bytes)?),
        _ => Some(field(packed, 8, &mut bytes)?),
    };
    let window = match window {
        Some(window) => {
            let base = 1_u64.checked_shl(u32::try_from(window >> 3).unwrap_or(u32::MAX).saturating_add(10));
            let base = base.unwrap_or(u64::MAX);
            base.saturating_add((base / 8).saturating_mul(window & 7))
        }
        // A single segment is kept whole.
        None => content.unwrap_or(0),
    };
    if window > ZSTD_WINDOW_BYTES {
        return Err(Error::Limit { what: "window of a zstd frame, bytes", limit: ZSTD_WINDOW_BYTES });
    }
    Ok(Header { bytes, content })
}

/// Reads one little-endian number of `len` bytes.
fn field(packed: &mut impl Read, len: u64, bytes: &mut Vec<u8>) -> Result<u64> {
    let before = bytes.len();
    take(packed, len, bytes)?;
    let field = bytes.get(before..).unwrap_or_default();
    if crate::bytes::wide(field.len()) < len { Err(cut()) } else { Ok(number(field)) }
}

fn take(packed: &mut impl Read, len: u64, bytes: &mut Vec<u8>) -> Result<()> {
    packed.take(len).read_to_end(bytes).map(drop).map_err(unreadable)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn cut() -> Error {
    Error::whole("zstd image", "it ends within a frame's header")
}

fn unreadable(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => cut(),
        _ => Error::Source(error.into()),
    }
}
