// SPDX-License-Identifier: Apache-2.0
//! A metadata area: a header, then a ring in which texts follow each other.

use std::ops::Range;

use super::label::checksum;
use crate::bytes::{Bytes, index};
use crate::limits;

/// Bytes of the header; the ring begins after it.
pub(super) const HEADER_BYTES: u64 = 512;
/// What the header has at 4.
const MAGIC: &[u8] = b"\x20LVM2\x20x[5A%r0N*>";
/// The only version.
const VERSION: u32 = 1;
/// The area is not in use (`vgchange --vgmetadatacopies`).
const IGNORED: u32 = 1;

/// Where the committed text lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// One run, or two where the ring's end cuts it; in bytes of the device.
    pub(super) runs: Vec<Range<u64>>,
    checksum: u32,
}

/// Reads the header of the area; `None` if it holds no text that counts.
///
/// Shape:  checksum of the bytes from 4 to 512, magic, version (32 bits), start and size of the area, then locations,
///         ended by one with offset 0: offset in the area, size, checksum (32 bits), flags; little-endian. The first
///         is the committed text.
/// Errors: what is not valid, with the reason.
/// Source: lvm2, lib/format_text/layout.h, `mda_header`.
pub(super) fn locate(header: &[u8], area: &Range<u64>) -> Result<Option<Location>, String> {
    let cut = || "header is cut off".to_string();
    let bytes = Bytes(header);
    let wanted = bytes.le32(0).ok_or_else(cut)?;
    let found = checksum(bytes.slice(4, index(HEADER_BYTES).saturating_sub(4)).ok_or_else(cut)?);
    if !bytes.has(4, MAGIC) {
        return Err("no magic".into());
    }
    if found != wanted && !cfg!(fuzzing) {
        return Err(format!("checksum of the header is {found:08x}, it says {wanted:08x}"));
    }
    let version = bytes.le32(20).ok_or_else(cut)?;
    let start = bytes.le64(24).ok_or_else(cut)?;
    let size = bytes.le64(32).ok_or_else(cut)?;
    if version != VERSION || start != area.start {
        return Err(format!("version {version} of an area at {start}"));
    }
    let (offset, len) = (bytes.le64(40).ok_or_else(cut)?, bytes.le64(48).ok_or_else(cut)?);
    let (checksum, flags) = (bytes.le32(56).ok_or_else(cut)?, bytes.le32(60).ok_or_else(cut)?);
    if offset == 0 || flags & IGNORED != 0 {
        return Ok(None);
    }
    if len > limits::LVM_TEXT_BYTES {
        return Err(format!("text of {len} bytes, over the limit of {}", limits::LVM_TEXT_BYTES));
    }
    let ring = size.saturating_sub(HEADER_BYTES);
    let end = start.checked_add(size).ok_or_else(cut)?;
    if offset < HEADER_BYTES || offset >= size || len == 0 || len > ring {
        return Err(format!("text of {len} bytes at {offset} does not lie in an area of {size}"));
    }
    let first = start.saturating_add(offset);
    let last = first.saturating_add(len);
    let runs = if last <= end {
        vec![first..last]
    } else {
        let ring_start = start.saturating_add(HEADER_BYTES);
        vec![first..end, ring_start..ring_start.saturating_add(last.saturating_sub(end))]
    };
    Ok(Some(Location { runs, checksum }))
}

impl Location {
    /// Checks a text that was read from here; what is wrong with it otherwise.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), String> {
        let found = checksum(text);
        if found == self.checksum || cfg!(fuzzing) {
            return Ok(());
        }
        Err(format!("checksum of the text is {found:08x}, the header says {:08x}", self.checksum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(offset: u64, len: u64, flags: u32) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[4..20].copy_from_slice(MAGIC);
        header[20] = 1;
        header[24..32].copy_from_slice(&4096_u64.to_le_bytes());
        header[32..40].copy_from_slice(&8192_u64.to_le_bytes());
        header[40..48].copy_from_slice(&offset.to_le_bytes());
        header[48..56].copy_from_slice(&len.to_le_bytes());
        header[60..64].copy_from_slice(&flags.to_le_bytes());
        seal(header)
    }

    fn seal(mut header: Vec<u8>) -> Vec<u8> {
        let crc = checksum(&header[4..]);
        header[..4].copy_from_slice(&crc.to_le_bytes());
        header
    }

    const AREA: Range<u64> = 4096..12_288;

    #[test]
    fn a_text_that_the_ring_cuts_lies_in_two_runs() {
        let runs = |offset, len| locate(&header(offset, len, 0), &AREA).unwrap().unwrap().runs;
        assert_eq!(runs(512, 100), [4608..4708]);
        assert_eq!(runs(8000, 192), [12_096..12_288]);
        assert_eq!(runs(8000, 300), [12_096..12_288, 4608..4716]);
    }

    #[test]
    fn no_text_and_an_unused_area_are_none() {
        assert_eq!(locate(&header(0, 0, 0), &AREA).unwrap(), None);
        assert_eq!(locate(&header(512, 100, 1), &AREA).unwrap(), None);
    }

    #[test]
    fn each_reason_to_refuse_an_area_is_named() {
        let refused = |header: &[u8], why: &str| {
            let text = locate(header, &AREA).unwrap_err();
            assert!(text.contains(why), "{text}");
        };
        refused(&[0; 100], "cut off");
        refused(&[0; 512], "no magic");
        let mut bad = header(512, 100, 0);
        bad[100] ^= 1;
        refused(&bad, "checksum of the header");
        bad[20] = 2;
        refused(&seal(bad.clone()), "version 2");
        refused(&header(512, u64::MAX, 0), "over the limit");
        refused(&header(100, 100, 0), "does not lie in");
        refused(&header(9000, 100, 0), "does not lie in");
        refused(&header(512, 7681, 0), "does not lie in");
        let location = locate(&header(512, 4, 0), &AREA).unwrap().unwrap();
        assert!(location.check(b"text").unwrap_err().contains("checksum of the text"));
    }
}
