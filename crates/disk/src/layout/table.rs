// SPDX-License-Identifier: Apache-2.0
//! The partition table of a disk, whichever kind it has.

use super::ends::Ends;
use super::gpt::{self, Found};
use super::mbr::Mbr;
use super::probe;
use crate::bytes::uuid_text;
use crate::error::{Error, Result};
use crate::source::BlockSource;

/// A partition table as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Which kind.
    pub scheme: Scheme,
    /// The table's own id: the disk GUID, or the MBR's 32-bit signature as eight hexadecimal digits.
    pub id: String,
    /// Bytes of a logical sector, by which the table counts.
    pub sector_size: u32,
    /// The partitions in the order of their numbers. Extended partitions are not in it, what they hold is.
    pub partitions: Vec<Partition>,
    /// What was noticed.
    pub notes: Vec<TableNote>,
}

/// Which kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// GUID partition table (UEFI specification, chapter 5).
    Gpt,
    /// Master boot record.
    Mbr,
}

/// Something to say of a partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableNote {
    /// The first GPT is damaged, its copy was used. The text says what was wrong.
    BackupUsed(String),
    /// The MBR beside the GPT names some of its partitions.
    Hybrid,
    /// The MBR beside the GPT is a live table that contradicts it. The text says how.
    Ambiguous(String),
    /// The table says the disk is longer than the source is, in bytes.
    LongerThanSource {
        /// Where the table says the disk ends.
        promised: u64,
    },
    /// An entry is not valid or doubtful. The text says which, why, and whether it was left out.
    BadEntry(String),
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number as the kernel counts (logical ones from 5).
    pub number: u32,
    /// Its first byte on the disk.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What the table says it is for.
    pub kind: PartitionType,
    /// Its name in a GPT, as UTF-8; code units that are no text become U+FFFD.
    pub name: String,
    /// What `PARTUUID=` in fstab compares with, in lower case: the unique GUID, or `SIGNATURE-NN` for an MBR.
    pub partuuid: String,
}

/// What a table says a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionType {
    /// A GPT type, in the order in which people write it.
    Guid([u8; 16]),
    /// An MBR type.
    Byte(u8),
}

impl PartitionType {
    /// As people write it: a GUID, or `0x83`.
    pub fn text(&self) -> String {
        match self {
            PartitionType::Guid(guid) => uuid_text(guid),
            PartitionType::Byte(byte) => format!("{byte:#04x}"),
        }
    }
}

/// Reads the partition table of a disk; `None` if there is none.
///
/// The kernel's rules decide. A GPT counts where the MBR has a protective entry (type 0xEE, first sector 1); else the
/// MBR's own entries count, and a GPT beside them is noted. FAT, exFAT and NTFS boot sectors are no tables. Where the
/// kernel would see nothing at all (no MBR, no known content at the start, but a valid GPT), the GPT is read, with a
/// note. Other signatures beside a live MBR are noted too: old tools write tables over old filesystems.
///
/// Cost: the first 72 KiB, and the last 20 KiB where the first GPT is not valid; both are announced at once. Each
/// sector of an extended partition's chain is one more step.
///
/// # Errors
/// What the source answers. A damaged table is no error where a copy can stand in; where none can, `Corrupt`.
pub fn read(source: &dyn BlockSource) -> Result<Option<Table>> {
    let disk = Ends::read(source)?;
    let mbr = Mbr::parse(&disk.head);
    match mbr {
        Some(mbr) if mbr.is_protective() => match gpt::find(&disk)? {
            Found::Table(table) => Ok(Some(beside_mbr(table, &mbr))),
            Found::Nothing => {
                Err(Error::whole("partition table", "the MBR promises a GPT, and none is there"))
            }
            Found::Damaged(why) => Err(Error::whole("partition table", why)),
        },
        Some(mbr) if !mbr.is_empty() && !starts_with_boot_sector(&disk.head) => {
            live_mbr(&disk, &mbr).map(Some)
        }
        other => without_entries(&disk, other.as_ref()),
    }
}

/// A GPT whose MBR has a protective entry: notes what the MBR's other entries say.
fn beside_mbr(mut table: Table, mbr: &Mbr) -> Table {
    let mut strangers = Vec::new();
    let mut others = 0_u32;
    for entry in mbr.entries.iter().filter(|entry| entry.is_used() && !entry.is_protective()) {
        others = others.saturating_add(1);
        let (start, len) = entry.bytes(table.sector_size);
        if !table.partitions.iter().any(|partition| partition.start == start && partition.len == len) {
            strangers.push(format!(
                "MBR entry {} (type {:#04x}, {len} bytes at {start}) is no partition of the GPT",
                entry.slot, entry.kind
            ));
        }
    }
    if !strangers.is_empty() {
        table.notes.push(TableNote::Ambiguous(strangers.join("; ")));
    } else if others > 0 {
        table.notes.push(TableNote::Hybrid);
    }
    table
}

/// An MBR with entries and without a protective one: it counts, as for the kernel.
fn live_mbr(disk: &Ends<'_>, mbr: &Mbr) -> Result<Table> {
    let mut table = mbr.table(disk)?;
    if let Found::Table(gpt) = gpt::find(disk)? {
        let same = |a: &Partition, b: &Partition| a.start == b.start && a.len == b.len;
        let all = gpt.partitions.iter().all(|one| table.partitions.iter().any(|other| same(one, other)));
        if !all {
            table.notes.push(TableNote::Ambiguous(format!(
                "a valid GPT ({}, {} partitions) has no protective entry in the MBR, whose own entries were taken",
                gpt.id,
                gpt.partitions.len()
            )));
        }
    }
    if let Some(name) = known_start(&disk.head) {
        table.notes.push(TableNote::Ambiguous(format!("{name} lies at the start of a disk with a live MBR")));
    }
    Ok(table)
}

/// No MBR entry to go by.
fn without_entries(disk: &Ends<'_>, mbr: Option<&Mbr>) -> Result<Option<Table>> {
    if known_start(&disk.head).is_some() {
        return Ok(None);
    }
    if let Found::Table(mut gpt) = gpt::find(disk)? {
        gpt.notes.push(TableNote::Ambiguous("no MBR protects this GPT: Linux would not use it".into()));
        return Ok(Some(gpt));
    }
    match mbr {
        Some(mbr) if mbr.signature != 0 && mbr.is_empty() => mbr.table(disk).map(Some),
        _ => Ok(None),
    }
}

/// Notes partitions that overlap; they are kept, since content decides.
pub(super) fn note_overlaps(table: &mut Table) {
    let mut order: Vec<&Partition> = table.partitions.iter().collect();
    order.sort_by_key(|partition| (partition.start, partition.number));
    let mut notes = Vec::new();
    let mut widest: Option<&Partition> = None;
    for partition in order {
        if let Some(before) =
            widest.filter(|before| partition.start < before.start.saturating_add(before.len))
        {
            let text =
                format!("partitions {} and {} overlap; both were kept", before.number, partition.number);
            notes.push(TableNote::BadEntry(text));
        }
        let end = |one: &Partition| one.start.saturating_add(one.len);
        if widest.is_none_or(|before| end(before) < end(partition)) {
            widest = Some(partition);
        }
    }
    table.notes.extend(notes);
}

/// True if sector 0 is the boot sector of a filesystem that ends in 0x55AA as an MBR does.
fn starts_with_boot_sector(head: &[u8]) -> bool {
    matches!(known_start(head), Some("vfat" | "exfat" | "ntfs" | "BitLocker"))
}

/// The name of a known signature in the first bytes of a disk.
fn known_start(head: &[u8]) -> Option<&'static str> {
    probe::name_of_start(head)
}

#[cfg(test)]
mod tests;
