// SPDX-License-Identifier: Apache-2.0
//! GUID partition tables.

use super::ends::Ends;
use super::table::{Partition, PartitionType, Scheme, Table, TableNote};
use crate::bytes::{Bytes, index, uuid_text, wide};
use crate::error::Result;
use crate::limits;

/// The first eight bytes of a header.
const SIGNATURE: &[u8] = b"EFI PART";
/// Bytes of a header that have a meaning; its own size field says at least this.
const HEADER_BYTES: u32 = 92;
/// Bytes of the smallest entry.
const ENTRY_BYTES: u32 = 128;
/// Bytes of the largest array of entries that is read: 64 times what tools write.
const ARRAY_BYTES: u64 = 1 << 20;

/// What was found.
pub(super) enum Found {
    /// A valid table, maybe the copy.
    Table(Table),
    /// No header.
    Nothing,
    /// Headers or entries, none of them valid. The text says what is wrong with each.
    Damaged(String),
}

/// One header.
///
/// Shape:  92 bytes, little-endian: signature, revision, size at 12, CRC32 at 16, own sector at 24, that of the other
///         copy at 32, first and last usable sector at 40 and 48, disk GUID at 56, first sector of the entries at 72,
///         number at 80 and size at 84 of entries, their CRC32 at 88.
/// Units:  sectors.
/// Source: UEFI specification 2.10, section 5.3.2; block/partitions/efi.c of the kernel.
struct Header {
    other: u64,
    last_usable: u64,
    disk: [u8; 16],
    entries_at: u64,
    count: u32,
    entry_size: u32,
    entries_crc: u32,
}

/// A try at one copy.
enum Copy {
    Good(Table),
    Absent,
    /// What is wrong, and where it says the other copy lies.
    Bad(String, Option<u64>),
}

/// Looks for a table: first the header in sector 1, then the copies at the end of the disk and where the first header
/// says. Sector sizes are tried in the order of [`Ends::sector_sizes`].
///
/// # Errors
/// What the source answers, but for its end.
pub(super) fn find(disk: &Ends<'_>) -> Result<Found> {
    let mut wrong = Vec::new();
    let mut copies = Vec::new();
    for sector in disk.sector_sizes() {
        let last = disk.len().checked_div(u64::from(sector)).unwrap_or(0).saturating_sub(1);
        copies.push((sector, last));
        match read_copy(disk, sector, 1)? {
            Copy::Good(table) => return Ok(Found::Table(table)),
            Copy::Absent => {}
            Copy::Bad(why, other) => {
                wrong.push(format!("first GPT (sectors of {sector}): {why}"));
                copies.extend(other.map(|lba| (sector, lba)));
            }
        }
    }
    copies.dedup();
    for (sector, lba) in copies.into_iter().filter(|(_, lba)| *lba > 1) {
        match read_copy(disk, sector, lba)? {
            Copy::Good(mut table) => {
                if wrong.is_empty() {
                    wrong.push("first GPT: no header".into());
                }
                table.notes.insert(0, TableNote::BackupUsed(wrong.join("; ")));
                return Ok(Found::Table(table));
            }
            Copy::Absent => {}
            Copy::Bad(why, _) => wrong.push(format!("copy in sector {lba} (of {sector} bytes): {why}")),
        }
    }
    Ok(if wrong.is_empty() { Found::Nothing } else { Found::Damaged(wrong.join("; ")) })
}

/// Reads header and entries of the copy in sector `lba`.
fn read_copy(disk: &Ends<'_>, sector: u32, lba: u64) -> Result<Copy> {
    let Some(at) = lba.checked_mul(u64::from(sector)) else {
        return Ok(Copy::Absent);
    };
    // A header fills at most its sector, and every sector has 512 bytes; a larger size is met in the check.
    let Some(bytes) = disk.bytes(at, index(u64::from(sector)))? else {
        return Ok(Copy::Absent);
    };
    if !Bytes(&bytes).has(0, SIGNATURE) {
        return Ok(Copy::Absent);
    }
    let other = Bytes(&bytes).le64(32);
    let header = match Header::parse(&bytes, lba) {
        Ok(header) => header,
        Err(why) => return Ok(Copy::Bad(why, other)),
    };
    let array = u64::from(header.count).saturating_mul(u64::from(header.entry_size));
    let start = header.entries_at.checked_mul(u64::from(sector));
    if array > ARRAY_BYTES {
        return Ok(Copy::Bad(format!("entries take {array} bytes, over the limit of {ARRAY_BYTES}"), other));
    }
    let Some(entries) = start.map(|start| disk.bytes(start, index(array))).transpose()?.flatten() else {
        return Ok(Copy::Bad("entries lie beyond the end of the source".into(), other));
    };
    let crc = crc32fast::hash(&entries);
    if crc != header.entries_crc && !cfg!(fuzzing) {
        let why = format!("checksum of the entries is {crc:08x}, the header says {:08x}", header.entries_crc);
        return Ok(Copy::Bad(why, other));
    }
    Ok(Copy::Good(header.table(&entries, sector, lba, disk.len())))
}

impl Header {
    /// Checks a header that was read from sector `lba`.
    fn parse(sector: &[u8], lba: u64) -> Result<Header, String> {
        let bytes = Bytes(sector);
        let short = || "header is cut off".to_string();
        let size = bytes.le32(12).ok_or_else(short)?;
        if size < HEADER_BYTES || wide(sector.len()) < u64::from(size) {
            return Err(format!("header has {size} bytes, outside of {HEADER_BYTES} to {}", sector.len()));
        }
        let mut header = bytes.slice(0, index(u64::from(size))).ok_or_else(short)?.to_vec();
        let wanted = bytes.le32(16).ok_or_else(short)?;
        header.iter_mut().skip(16).take(4).for_each(|byte| *byte = 0);
        let crc = crc32fast::hash(&header);
        if crc != wanted && !cfg!(fuzzing) {
            return Err(format!("checksum of the header is {crc:08x}, it says {wanted:08x}"));
        }
        let own = bytes.le64(24).ok_or_else(short)?;
        if own != lba {
            return Err(format!("header in sector {lba} says it is in sector {own}"));
        }
        let header = Header {
            other: bytes.le64(32).ok_or_else(short)?,
            last_usable: bytes.le64(48).ok_or_else(short)?,
            disk: guid(bytes, 56).ok_or_else(short)?,
            entries_at: bytes.le64(72).ok_or_else(short)?,
            count: bytes.le32(80).ok_or_else(short)?,
            entry_size: bytes.le32(84).ok_or_else(short)?,
            entries_crc: bytes.le32(88).ok_or_else(short)?,
        };
        let first_usable = bytes.le64(40).ok_or_else(short)?;
        if header.last_usable < first_usable {
            return Err(format!("usable sectors are {first_usable} to {}", header.last_usable));
        }
        if header.entry_size < ENTRY_BYTES || !header.entry_size.is_multiple_of(8) {
            return Err(format!(
                "entries of {} bytes, not {ENTRY_BYTES} or a larger multiple of 8",
                header.entry_size
            ));
        }
        Ok(header)
    }

    /// The table that checked entries make.
    fn table(&self, entries: &[u8], sector: u32, lba: u64, source_len: u64) -> Table {
        let last = self.other.max(lba).max(self.last_usable);
        let promised = last.saturating_add(1).saturating_mul(u64::from(sector));
        let mut table = Table {
            scheme: Scheme::Gpt,
            id: uuid_text(&self.disk),
            sector_size: sector,
            partitions: Vec::new(),
            notes: Vec::new(),
        };
        if promised > source_len {
            table.notes.push(TableNote::LongerThanSource { promised });
        }
        let mut left_out = 0_u32;
        for (number, entry) in (1_u32..).zip(entries.chunks_exact(index(u64::from(self.entry_size)))) {
            let Some(kind) = guid(Bytes(entry), 0).filter(|kind| *kind != [0; 16]) else {
                continue;
            };
            if wide(table.partitions.len()) >= u64::from(limits::PARTITIONS) {
                left_out = left_out.saturating_add(1);
                continue;
            }
            match partition(Bytes(entry), number, kind, sector, last) {
                Some((partition, doubt)) => {
                    table.partitions.push(partition);
                    table.notes.extend(doubt.map(TableNote::BadEntry));
                }
                None => {
                    let text = format!("entry {number} has no valid range of sectors and was left out");
                    table.notes.push(TableNote::BadEntry(text));
                }
            }
        }
        if left_out > 0 {
            let text = format!("{left_out} entries after {} partitions were left out", limits::PARTITIONS);
            table.notes.push(TableNote::BadEntry(text));
        }
        super::table::note_overlaps(&mut table);
        table
    }
}

/// One entry in use, and what is doubtful about it; `None` if its range is not valid.
///
/// Shape:  128 bytes or more, little-endian: type, unique GUID, first and last sector at 32 and 40, attributes, name
///         of 36 UTF-16 units at 56.
/// Source: UEFI specification 2.10, section 5.3.3.
fn partition(
    entry: Bytes<'_>,
    number: u32,
    kind: [u8; 16],
    sector: u32,
    disk_last: u64,
) -> Option<(Partition, Option<String>)> {
    let (first, last) = (entry.le64(32)?, entry.le64(40)?);
    if first > disk_last {
        return None;
    }
    let start = first.checked_mul(u64::from(sector))?;
    let end = last.checked_add(1)?.checked_mul(u64::from(sector))?;
    let len = end.checked_sub(start).filter(|len| *len > 0)?;
    let doubt = (last > disk_last)
        .then(|| format!("entry {number} ends in sector {last}, the disk in {disk_last}; it was kept"));
    let units: Vec<u16> = entry
        .slice(56, 72)?
        .chunks_exact(2)
        .filter_map(|unit| Bytes(unit).le16(0))
        .take_while(|unit| *unit != 0)
        .collect();
    let partition = Partition {
        number,
        start,
        len,
        kind: PartitionType::Guid(kind),
        name: String::from_utf16_lossy(&units),
        partuuid: uuid_text(&guid(entry, 16)?),
    };
    Some((partition, doubt))
}

/// A GUID at `offset` in the order in which people write it: its first three fields are little-endian on disk.
fn guid(bytes: Bytes<'_>, offset: usize) -> Option<[u8; 16]> {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes.array::<16>(offset)?;
    let [i, j, k, l, m, n, o, p] = rest;
    Some([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}
