// SPDX-License-Identifier: Apache-2.0
//! The write-ahead log: which pages its committed transactions hold.
//!
//! Shape:  a header of 32 bytes (magic, version, page size, checkpoint number, two salts, two checksums), then frames of
//!         24 bytes (page number, size of the database in pages after a commit or 0, the salts, checksums that run on
//!         from the frame before) and one page. All numbers are big-endian; the magic's lowest bit says in which order
//!         the checksums take their words. Frames of an older log have other salts. What follows the last commit whose
//!         checksums hold does not count.
//! Source: <https://www.sqlite.org/fileformat2.html#walformat>.

use std::collections::HashMap;

use snapscan_disk::bytes::{Bytes, wide};
use snapscan_disk::{Error, Result};

use super::super::scan::Scan;
use super::super::window::Window;
use super::pages::Overlay;

/// The magic without its lowest bit.
const MAGIC: u32 = 0x377f_0682;
/// The one version there is.
const VERSION: u32 = 3_007_000;
const HEADER: usize = 32;
const FRAME: usize = 24;
/// Bytes of a log that are read; SQLite checkpoints at 1,000 pages, one large transaction makes more.
const MOST_BYTES: u64 = 1 << 30;

/// What a log holds.
pub(super) struct Log {
    /// Offset of each page's newest committed content.
    pub(super) pages: Overlay,
    /// Pages of the database after the last commit.
    pub(super) database_pages: u32,
}

/// Checksums that run over the whole log.
#[derive(Clone, Copy)]
struct Sum {
    big: bool,
    values: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.values;
        for pair in bytes.chunks_exact(8) {
            let Some((a, b)) = pair.split_first_chunk::<4>() else { continue };
            let Some(b) = b.first_chunk::<4>() else { continue };
            let word = |bytes: &[u8; 4]| {
                if self.big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
            };
            first = first.wrapping_add(word(a)).wrapping_add(second);
            second = second.wrapping_add(word(b)).wrapping_add(first);
        }
        self.values = (first, second);
    }

    /// True if the values are those stored at `offset`; when fuzzing always, so that content behind them is reached.
    fn is_at(&self, bytes: Bytes<'_>, offset: usize) -> bool {
        let stored = bytes.be32(offset).zip(bytes.be32(offset.saturating_add(4)));
        stored == Some(self.values) || cfg!(fuzzing)
    }
}

/// Reads a log; `None` if it holds no commit. A damaged log is damage of the scan: its changes are lost.
///
/// # Errors
/// What reading the file met; `Limit` if it is too large.
pub(super) fn read(file: &mut Window<'_>, page_size: usize, scan: &mut Scan) -> Result<Option<Log>> {
    if file.size() > MOST_BYTES {
        return Err(Error::Limit { what: "write-ahead log, bytes", limit: MOST_BYTES });
    }
    if file.size() == 0 {
        return Ok(None);
    }
    if file.size() < wide(HEADER) {
        scan.damaged(format!("the write-ahead log has {} bytes, fewer than its header", file.size()));
        return Ok(None);
    }
    let header: [u8; HEADER] = Bytes(file.get(0, HEADER)?).array(0).unwrap_or([0; HEADER]);
    let (mut sum, salts) = match check_header(&header, page_size) {
        Ok(checked) => checked,
        Err(why) => {
            scan.damaged(format!("the write-ahead log was not applied: {why}"));
            return Ok(None);
        }
    };
    let mut log = Log { pages: HashMap::new(), database_pages: 0 };
    let mut pending: Vec<(u32, u64)> = Vec::new();
    let step = wide(FRAME.saturating_add(page_size));
    let mut offset = wide(HEADER);
    let mut number = 0_u64;
    while offset.saturating_add(step) <= file.size() {
        let frame = Bytes(file.get(offset, FRAME.saturating_add(page_size))?);
        if frame.array::<8>(8) != Some(salts) {
            break;
        }
        sum.add(frame.slice(0, 8).unwrap_or_default());
        sum.add(frame.0.get(FRAME..).unwrap_or_default());
        let page = frame.be32(0).unwrap_or(0);
        if !sum.is_at(frame, 16) || page == 0 {
            break;
        }
        pending.push((page, offset.saturating_add(wide(FRAME))));
        let commit = frame.be32(4).unwrap_or(0);
        if commit > 0 {
            log.pages.extend(pending.drain(..));
            log.database_pages = commit;
        }
        offset = offset.saturating_add(step);
        number = number.saturating_add(1);
    }
    check_rest(file, offset, step, number, salts, scan)?;
    Ok((log.database_pages > 0).then_some(log))
}

/// A commit of this log at or after a frame that does not hold was made by the machine and cannot be applied. Other frames
/// are those of a transaction that did not end: SQLite rewrites them and mends their checksums when it does.
fn check_rest(
    file: &mut Window<'_>,
    end: u64,
    step: u64,
    held: u64,
    salts: [u8; 8],
    scan: &mut Scan,
) -> Result<()> {
    let mut offset = end;
    while offset.saturating_add(step) <= file.size() {
        let frame = Bytes(file.get(offset, FRAME)?);
        if frame.array::<8>(8) == Some(salts) && frame.be32(4) != Some(0) {
            scan.damaged(format!(
                "the write-ahead log is damaged after {held} frames: a commit after byte {end} was not applied"
            ));
            return Ok(());
        }
        offset = offset.saturating_add(step);
    }
    Ok(())
}

/// Checks a log's header: its checksums so far, and its salts.
fn check_header(header: &[u8; HEADER], page_size: usize) -> Result<(Sum, [u8; 8]), String> {
    let bytes = Bytes(header);
    let magic = bytes.be32(0).unwrap_or(0);
    if magic & !1 != MAGIC {
        return Err(format!("magic {magic:#010x}"));
    }
    if bytes.be32(4) != Some(VERSION) {
        return Err(format!("version {}", bytes.be32(4).unwrap_or(0)));
    }
    if bytes.be32(8).map(u64::from) != Some(wide(page_size)) {
        return Err(format!("page size {}, the database has {page_size}", bytes.be32(8).unwrap_or(0)));
    }
    let mut sum = Sum { big: magic & 1 == 1, values: (0, 0) };
    sum.add(bytes.slice(0, 24).unwrap_or_default());
    if !sum.is_at(bytes, 24) {
        return Err("the checksum of its header does not match".into());
    }
    Ok((sum, bytes.array(16).unwrap_or_default()))
}
