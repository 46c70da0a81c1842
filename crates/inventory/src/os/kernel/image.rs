// SPDX-License-Identifier: Apache-2.0
//! The release inside an x86 kernel image.
//!
//! Source: Linux, Documentation/arch/x86/boot.rst: at 0x202 the magic `HdrS`, at 0x20e the offset (less 0x200) of a string
//!         that begins with the release.

use snapscan_disk::fs::FileType;
use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;

/// Bytes of the longest release: `uname` has room for 65.
const LONGEST: usize = 65;

/// The release, if this is such an image.
pub(super) fn release(tree: &Tree, hit: &Match) -> Option<Vec<u8>> {
    if hit.at.metadata.kind != FileType::File {
        return None;
    }
    let file = tree.open(hit.at.location).ok()?;
    let mut header = [0; 14];
    if file.read_at(0x202, &mut header).ok()? != header.len() || !header.starts_with(b"HdrS") {
        return None;
    }
    let pointer = u16::from_le_bytes([*header.get(12)?, *header.get(13)?]);
    let mut text = [0; LONGEST];
    let read = file.read_at(u64::from(pointer).saturating_add(0x200), &mut text).ok()?;
    let text = text.get(..read)?;
    let release = text.split(|&byte| byte == b' ' || byte == 0).next()?;
    let is_release = release.first().is_some_and(u8::is_ascii_digit)
        && release.len() < LONGEST
        && release.iter().all(u8::is_ascii_graphic);
    is_release.then(|| release.to_vec())
}
