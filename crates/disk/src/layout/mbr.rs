// SPDX-License-Identifier: Apache-2.0
//! Master boot records, extended partitions included.

use super::ends::Ends;
use super::table::{Partition, PartitionType, Scheme, Table, TableNote};
use crate::bytes::Bytes;
use crate::error::Result;
use crate::limits;

/// Where the four entries of a boot record begin.
const ENTRIES: usize = 446;
/// The types of an extended partition: DOS, Windows 95 with LBA, Linux.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// The type of the entry that protects a GPT.
const PROTECTIVE: u8 = 0xee;
/// Links of a chain without a partition before it is given up, as the kernel does.
const EMPTY_LINKS: u32 = 100;

/// Sector 0 with a partition table.
///
/// Shape:  446 bytes of code (disk signature at 440, four bytes), four entries of 16 bytes, 0x55 0xAA; little-endian.
/// Source: block/partitions/msdos.c of the kernel; UEFI specification, section 5.2.1.
pub(super) struct Mbr {
    /// The disk's signature.
    pub(super) signature: u32,
    /// The four entries.
    pub(super) entries: Vec<Entry>,
}

/// One entry of a boot record.
///
/// Shape:  boot flag, 3 bytes of CHS, type, 3 bytes of CHS, first sector (32 bits), number of sectors (32 bits).
/// Units:  sectors; the first counts from the disk's start, in an extended partition's chain see [`walk`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its number, from 1.
    pub(super) slot: u32,
    /// Its type.
    pub(super) kind: u8,
    boot: u8,
    first: u32,
    count: u32,
}

impl Entry {
    fn parse(sector: &[u8], slot: u32) -> Option<Entry> {
        let at = usize::try_from(slot).ok()?.checked_sub(1)?.checked_mul(16)?.checked_add(ENTRIES)?;
        let entry = Bytes(sector.get(at..)?.get(..16)?);
        Some(Entry {
            slot,
            boot: entry.u8(0)?,
            kind: entry.u8(4)?,
            first: entry.le32(8)?,
            count: entry.le32(12)?,
        })
    }

    /// True if it has a length, which is the kernel's test.
    pub(super) fn is_used(&self) -> bool {
        self.count != 0
    }

    /// True if it protects a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.kind == PROTECTIVE
    }

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    /// First byte and length in bytes.
    pub(super) fn bytes(&self, sector: u32) -> (u64, u64) {
        // Two numbers of 32 bits have a product of 64.
        let scale = |sectors: u32| u64::from(sectors).saturating_mul(u64::from(sector));
        (scale(self.first), scale(self.count))
    }
}

/// The four entries of a sector that ends in 0x55 0xAA.
fn entries(sector: &[u8]) -> Option<Vec<Entry>> {
    Bytes(sector)
        .has(510, &[0x55, 0xaa])
        .then(|| (1..=4).filter_map(|slot| Entry::parse(sector, slot)).collect())
}

impl Mbr {
    /// Reads sector 0; `None` if it has no signature or a boot flag that no table has.
    pub(super) fn parse(head: &[u8]) -> Option<Mbr> {
        let entries = entries(head)?;
        if entries.iter().any(|entry| !matches!(entry.boot, 0 | 0x80)) {
            return None;
        }
        Some(Mbr { signature: Bytes(head).le32(440)?, entries })
    }

    /// True if an entry protects a GPT: its type, and the sector after this one as its first.
    pub(super) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_protective() && entry.first == 1)
    }

    /// True if no entry is used.
    pub(super) fn is_empty(&self) -> bool {
        !self.entries.iter().any(Entry::is_used)
    }

    /// The table that this record begins, with what its extended partitions hold.
    ///
    /// # Errors
    /// What the source answers, but for its end, which is noted.
    pub(super) fn table(&self, disk: &Ends<'_>) -> Result<Table> {
        let sector_size = disk.mbr_sector_size();
        let mut table = Table {
            scheme: Scheme::Mbr,
            id: format!("{:08x}", self.signature),
            sector_size,
            partitions: Vec::new(),
            notes: Vec::new(),
        };
        let mut promised = 0_u64;
        for entry in self.entries.iter().filter(|entry| entry.is_used()) {
            let (start, len) = entry.bytes(sector_size);
            if start == 0 {
                let text = format!("entry {} begins at the table itself and was left out", entry.slot);
                table.notes.push(TableNote::BadEntry(text));
                continue;
            }
            promised = promised.max(start.saturating_add(len));
            if !entry.is_extended() {
                push(&mut table, entry.slot, start, len, entry.kind);
            }
        }
        for entry in
            self.entries.iter().filter(|entry| entry.is_used() && entry.is_extended() && entry.first != 0)
        {
            walk(disk, entry, &mut table)?;
        }
        table.partitions.sort_by_key(|partition| partition.number);
        if promised > disk.len() {
            table.notes.push(TableNote::LongerThanSource { promised });
        }
        super::table::note_overlaps(&mut table);
        Ok(table)
    }
}

fn push(table: &mut Table, number: u32, start: u64, len: u64, kind: u8) {
    table.partitions.push(Partition {
        number,
        start,
        len,
        kind: PartitionType::Byte(kind),
        name: String::new(),
        partuuid: format!("{}-{number:02x}", table.id),
    });
}

/// Follows the chain of boot records in an extended partition.
///
/// Each record names partitions, from where it stands itself, then the next record, from where the extended partition
/// begins. The third or fourth entry may be garbage and counts only within both.
fn walk(disk: &Ends<'_>, extended: &Entry, table: &mut Table) -> Result<()> {
    let sector = table.sector_size;
    let (first, first_len) = extended.bytes(sector);
    let first_end = first.saturating_add(first_len);
    let (mut at, mut len) = (first, first_len);
    let mut next_number =
        table.partitions.iter().map(|partition| partition.number).max().unwrap_or(0).saturating_add(1).max(5);
    let mut empty_links = 0_u32;
    loop {
        let Some(record) = disk.bytes(at, 512)?.as_deref().map(entries) else {
            let text =
                format!("the chain of logical partitions goes on at {at}, beyond the end of the source");
            table.notes.push(TableNote::BadEntry(text));
            return Ok(());
        };
        let Some(record) = record else {
            let text = format!("the chain of logical partitions ends at {at} in a sector without signature");
            table.notes.push(TableNote::BadEntry(text));
            return Ok(());
        };
        empty_links = empty_links.saturating_add(1);
        for entry in record.iter().filter(|entry| entry.is_used() && !entry.is_extended()) {
            let (offset, size) = entry.bytes(sector);
            let start = at.saturating_add(offset);
            let inside = offset.saturating_add(size) <= len && start.saturating_add(size) <= first_end;
            if entry.slot > 2 && !inside {
                continue;
            }
            push(table, next_number, start, size, entry.kind);
            next_number = next_number.saturating_add(1);
            empty_links = 0;
            if next_number > limits::PARTITIONS {
                table
                    .notes
                    .push(TableNote::BadEntry(format!("partitions from {next_number} on were left out")));
                return Ok(());
            }
        }
        let Some(link) = record.iter().find(|entry| entry.is_used() && entry.is_extended()) else {
            return Ok(());
        };
        if empty_links > EMPTY_LINKS {
            let text =
                format!("the chain of logical partitions was given up after {EMPTY_LINKS} links without any");
            table.notes.push(TableNote::BadEntry(text));
            return Ok(());
        }
        let (offset, size) = link.bytes(sector);
        at = first.saturating_add(offset);
        len = size;
    }
}
