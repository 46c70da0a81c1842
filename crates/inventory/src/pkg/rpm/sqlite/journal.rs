// SPDX-License-Identifier: Apache-2.0
//! A hot rollback journal: the pages of a transaction that did not end, as they were before it.
//!
//! Shape:  segments that begin at multiples of the sector size: a header (magic, number of records or -1, nonce, pages of
//!         the database before, sector size, page size) padded to one sector, then records: page number, page, checksum
//!         (the nonce plus every 200th byte counted from the page's end). All numbers are big-endian. A journal whose
//!         first bytes are zero was committed and is not hot.
//! Source: <https://www.sqlite.org/fileformat2.html#the_rollback_journal>, SQLite's pager.c (`pager_playback`).

use std::collections::HashMap;

use snapscan_disk::Result;
use snapscan_disk::bytes::{Bytes, wide};

use super::super::scan::Scan;
use super::super::window::Window;
use super::pages::Overlay;

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const HEADER: usize = 28;
/// The number of records is not stored: as many as there are.
const UNCOUNTED: u32 = u32::MAX;

/// What a hot journal restores.
pub(super) struct Hot {
    /// Offset of each page's content.
    pub(super) pages: Overlay,
    /// Pages of the database before the transaction.
    pub(super) database_pages: u32,
}

/// The header of one segment.
struct Segment {
    records: u32,
    nonce: u32,
    database_pages: u32,
    sector: u64,
    page_size: u32,
}

impl Segment {
    fn read(file: &mut Window<'_>, offset: u64) -> Result<Option<Segment>> {
        if offset.saturating_add(wide(HEADER)) > file.size() {
            return Ok(None);
        }
        let bytes = Bytes(file.get(offset, HEADER)?);
        if bytes.array::<8>(0) != Some(MAGIC) {
            return Ok(None);
        }
        let [records, nonce, database_pages, sector, page_size] =
            [8, 12, 16, 20, 24].map(|at| bytes.be32(at).unwrap_or(0));
        Ok(Some(Segment { records, nonce, database_pages, sector: sector.into(), page_size }))
    }
}

/// Reads a journal; `None` if it is not hot. One that cannot be applied is damage of the scan.
///
/// # Errors
/// What reading the file met.
pub(super) fn read(file: &mut Window<'_>, page_size: usize, scan: &mut Scan) -> Result<Option<Hot>> {
    let Some(first) = Segment::read(file, 0)? else {
        if file.size() > 0 && file.get(0, 1)?.first() != Some(&0) {
            scan.damaged("the rollback journal was not applied: no magic at its start");
        }
        return Ok(None);
    };
    let sector_is_sane = (32..=65_536).contains(&first.sector) && first.sector.is_power_of_two();
    if !sector_is_sane || u64::from(first.page_size) != wide(page_size) {
        scan.damaged(format!(
            "the rollback journal was not applied: sectors of {} bytes, pages of {}, the database has {page_size}",
            first.sector, first.page_size
        ));
        return Ok(None);
    }
    if names_super_journal(file)? {
        scan.damaged(
            "the rollback journal was not applied: it belongs to a transaction over several databases",
        );
        return Ok(None);
    }
    let mut hot = Hot { pages: HashMap::new(), database_pages: first.database_pages };
    let sector = first.sector;
    let mut offset = 0_u64;
    let mut segment = Some(first);
    while let Some(one) = segment {
        let start = offset.saturating_add(sector);
        let Some(end) = records(file, start, &one, page_size, &mut hot.pages, scan)? else { break };
        offset = end.div_ceil(sector).saturating_mul(sector);
        segment = Segment::read(file, offset)?;
    }
    Ok(Some(hot))
}

/// Takes the records of one segment; the offset after them, or `None` if nothing after them counts.
fn records(
    file: &mut Window<'_>,
    start: u64,
    segment: &Segment,
    page_size: usize,
    pages: &mut Overlay,
    scan: &mut Scan,
) -> Result<Option<u64>> {
    let len = page_size.saturating_add(8);
    let mut offset = start;
    let mut taken = 0_u32;
    while taken < segment.records {
        if offset.saturating_add(wide(len)) > file.size() {
            break;
        }
        let record = Bytes(file.get(offset, len)?);
        let page = record.be32(0).unwrap_or(0);
        let content = record.slice(4, page_size).unwrap_or_default();
        let stored = record.be32(page_size.saturating_add(4));
        if page == 0 || (stored != Some(checksum(segment.nonce, content)) && !cfg!(fuzzing)) {
            break;
        }
        // Only pages that were there are saved, each once.
        if page > segment.database_pages || pages.insert(page, offset.saturating_add(4)).is_some() {
            scan.damaged(format!("the rollback journal restores page {page} in an unexpected place"));
        }
        offset = offset.saturating_add(wide(len));
        taken = taken.saturating_add(1);
    }
    if taken < segment.records {
        if segment.records != UNCOUNTED {
            scan.damaged(format!(
                "the rollback journal has {} records, of which {taken} are valid: some pages may be too new",
                segment.records
            ));
        }
        return Ok(None);
    }
    Ok(Some(offset))
}

fn checksum(nonce: u32, page: &[u8]) -> u32 {
    let mut sum = nonce;
    let mut at = page.len().checked_sub(200);
    while let Some(offset) = at.filter(|&offset| offset > 0) {
        sum = sum.wrapping_add(page.get(offset).copied().map_or(0, u32::from));
        at = offset.checked_sub(200);
    }
    sum
}

/// True if the file ends with the name of a super-journal: length, checksum and the magic once more.
fn names_super_journal(file: &mut Window<'_>) -> Result<bool> {
    let Some(at) = file.size().checked_sub(16) else { return Ok(false) };
    let end = Bytes(file.get(at, 16)?);
    Ok(end.array::<8>(8) == Some(MAGIC) && end.be32(0).is_some_and(|len| len > 0))
}
