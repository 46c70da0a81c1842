// SPDX-License-Identifier: Apache-2.0
//! The superblock of a journal.

use std::ops::Range;

use super::checksum::{crc32c, crc32c_but};
use super::record::{Header, SUPERBLOCK_V1, SUPERBLOCK_V2, tag_bytes};
use super::scan::Counts;
use crate::bytes::{Bytes, wide};
use crate::error::{Error, Result};

/// Compatible feature: commit blocks have a checksum of their transaction.
const COMPAT_CHECKSUM: u32 = 1;
/// Incompatible features: revoke records, 64-bit block numbers, commit without waiting, checksums in version 2 and 3,
/// fast commits.
const REVOKE: u32 = 1;
const WIDE: u32 = 2;
const ASYNC_COMMIT: u32 = 4;
const CHECKSUM_V2: u32 = 8;
const CHECKSUM_V3: u32 = 16;
const FAST_COMMIT: u32 = 32;

/// Bytes of the structure, checksum included.
const BYTES: usize = 1024;
/// Blocks of fast commits where the superblock gives no number (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`).
const FAST_BLOCKS: u32 = 256;
/// Blocks that remain beside those at least (`JBD2_MIN_JOURNAL_BLOCKS`).
const FEWEST_BLOCKS: u32 = 1024;

/// What checksums the records of a journal have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// None.
    None,
    /// Version 1: one over all blocks of a transaction, in its commit block.
    Transaction,
    /// Version 2: each record, and 16 bits in each tag.
    Short,
    /// Version 3: each record, and 32 bits in each tag.
    Long,
}

/// How the records of a journal are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// What checksums they have.
    pub(super) sums: Sums,
    /// Block numbers have 64 bits.
    pub(super) wide: bool,
    /// What checksums of version 2 and 3 start from.
    pub(super) seed: u32,
    /// A commit block may be written before the blocks of its transaction.
    pub(super) async_commit: bool,
}

impl Format {
    /// The layout, for whoever counts what was met; nothing else is counted yet.
    pub(super) fn counts(&self) -> Counts {
        let checksums = match self.sums {
            Sums::None => 0,
            Sums::Transaction => 1,
            Sums::Short => 2,
            Sums::Long => 3,
        };
        Counts { checksums, tag_bytes: wide(tag_bytes(self)), ..Counts::default() }
    }

    /// True if records end in a checksum.
    pub(super) fn has_tails(&self) -> bool {
        matches!(self.sums, Sums::Short | Sums::Long)
    }
}

/// The superblock of a journal.
///
/// Shape: big-endian; `0x0` header (12 bytes), `0xc` block size, `0x10` blocks, `0x14` first block of the ring,
/// `0x18` sequence number of the oldest transaction, `0x1c` its block or 0, `0x24` `0x28` `0x2c` compatible,
/// incompatible, read-only features (version 2), `0x30` UUID, `0x50` type of checksum, `0x54` blocks of fast commits,
/// `0xfc` CRC-32C of 1024 bytes.
/// Source: `journal_superblock_s` in `include/linux/jbd2.h`; `journal_check_superblock` in `fs/jbd2/journal.c`.
#[derive(Debug)]
pub(super) struct Superblock {
    /// The blocks in which the log goes round.
    pub(super) ring: Range<u64>,
    /// The blocks of fast commits; empty without that feature.
    pub(super) fast: Range<u64>,
    /// The block where the log starts; 0 if nothing is in it.
    pub(super) start: u64,
    /// The sequence number of the transaction that starts there.
    pub(super) sequence: u32,
    /// How records are laid out.
    pub(super) format: Format,
}

impl Superblock {
    /// Reads the first block of a journal that has `blocks` blocks.
    ///
    /// # Errors
    /// `Corrupt` and `Unsupported` where the kernel refuses the journal.
    pub(super) fn parse(block: &[u8], blocks: u64) -> Result<Self> {
        let damaged = |why: String| Error::whole("journal superblock", why);
        let bytes = Bytes(block);
        let number = |at| bytes.be32(at).ok_or_else(|| damaged(format!("it ends before byte {at}")));
        let header = Header::read(block).ok_or_else(|| damaged("its magic is missing".into()))?;
        let (compat, incompat, read_only) = match header.kind {
            SUPERBLOCK_V1 => (0, 0, 0),
            SUPERBLOCK_V2 => (number(0x24)?, number(0x28)?, number(0x2c)?),
            other => return Err(damaged(format!("its type is {other}"))),
        };
        let known = REVOKE | WIDE | ASYNC_COMMIT | CHECKSUM_V2 | CHECKSUM_V3 | FAST_COMMIT;
        if incompat & !known != 0 || read_only != 0 {
            return Err(Error::Unsupported(format!("journal features {incompat:#x}, {read_only:#x}")));
        }
        let (maximum, first) = (number(0x10)?, number(0x14)?);
        if usize::try_from(number(0xc)?) != Ok(block.len()) {
            return Err(damaged(format!(
                "blocks of {} bytes in a filesystem of {}",
                number(0xc)?,
                block.len()
            )));
        }
        if u64::from(maximum) > blocks || first == 0 || first >= maximum {
            return Err(damaged(format!("log from {first} to {maximum} in a journal of {blocks} blocks")));
        }
        let format = Format {
            sums: sums(compat, incompat)?,
            wide: incompat & WIDE != 0,
            seed: crc32c(!0, bytes.slice(0x30, 16).unwrap_or(&[])),
            async_commit: incompat & ASYNC_COMMIT != 0,
        };
        if format.has_tails() {
            check(block)?;
        }
        let last = if incompat & FAST_COMMIT == 0 {
            maximum
        } else {
            let fast = Some(number(0x54)?).filter(|count| *count != 0).unwrap_or(FAST_BLOCKS);
            let last = maximum.checked_sub(fast).filter(|last| *last >= FEWEST_BLOCKS && *last > first);
            last.ok_or_else(|| damaged(format!("{fast} of its {maximum} blocks are for fast commits")))?
        };
        let ring = u64::from(first)..u64::from(last);
        let start = u64::from(number(0x1c)?);
        if start != 0 && !ring.contains(&start) {
            return Err(damaged(format!("log starts at {start}, outside of {first} to {last}")));
        }
        // The kernel leaves one block between the ring and the fast commits.
        let fast = ring.end.saturating_add(1).min(u64::from(maximum))..u64::from(maximum);
        Ok(Superblock { ring, fast, start, sequence: number(0x18)?, format })
    }
}

/// The kind of checksum that the features say.
fn sums(compat: u32, incompat: u32) -> Result<Sums> {
    match (compat & COMPAT_CHECKSUM != 0, incompat & (CHECKSUM_V2 | CHECKSUM_V3)) {
        (false, 0) => Ok(Sums::None),
        (true, 0) => Ok(Sums::Transaction),
        (false, CHECKSUM_V2) => Ok(Sums::Short),
        (false, CHECKSUM_V3) => Ok(Sums::Long),
        _ => Err(Error::whole("journal superblock", "it has checksums of two versions")),
    }
}

/// Verifies the checksum of a superblock that has one.
fn check(block: &[u8]) -> Result<()> {
    let kind = Bytes(block).u8(0x50).unwrap_or(0);
    if kind != 4 {
        return Err(Error::Unsupported(format!("journal checksum type {kind}")));
    }
    let whole = block.get(..BYTES).unwrap_or(block);
    let (is, should) = (Bytes(block).be32(0xfc).unwrap_or(0), crc32c_but(!0, whole, 0xfc));
    if is != should && !cfg!(fuzzing) {
        return Err(Error::whole(
            "journal superblock",
            format!("checksum {is:#010x}, computed {should:#010x}"),
        ));
    }
    Ok(())
}
