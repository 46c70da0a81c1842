// SPDX-License-Identifier: Apache-2.0
//! `Packages.db`, rpm's own database format NDB.
//!
//! Shape:  all numbers little-endian. A header of 32 bytes (magic `RpmP`, version 0, generation, pages of slots, next
//!         package number), then slots of 16 bytes up to the end of the last of these pages of 4,096 bytes: magic `Slot`,
//!         package number, first block, number of blocks; of a free slot all three are 0. Blocks have 16 bytes and are
//!         counted from the start of the file. A blob: magic `BlbS`, package number, generation, length; the header blob;
//!         zeros up to a block's end less 12; then Adler-32 of all before, length, magic `BlbE`.
//! Source: rpm's lib/backend/ndb/rpmpkg.c.

use snapscan_disk::bytes::{Bytes, index, wide};
use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

use super::scan::{Each, RECORD_BYTES, Scan};
use super::window::Window;

const MAGIC: &[u8; 4] = b"RpmP";
const SLOT_MAGIC: &[u8; 4] = b"Slot";
const HEAD_MAGIC: &[u8; 4] = b"BlbS";
const TAIL_MAGIC: &[u8; 4] = b"BlbE";
const HEADER: usize = 32;
const SLOT: usize = 16;
const BLOCK: u64 = 16;
const HEAD: usize = 16;
const TAIL: usize = 12;
const SLOT_PAGE: u64 = 4096;
/// Bytes of slots that are held: 256 thousand packages.
const MOST_SLOT_BYTES: u64 = 4 << 20;

/// One package's place.
struct Slot {
    number: u32,
    block: u64,
    blocks: u64,
}

/// Reads all records in the order in which they lie in the file.
///
/// # Errors
/// `Corrupt` if this is no NDB database; `Unsupported` for another version; what reading the header met.
pub fn read(file: &dyn File, each: &mut Each<'_>) -> Result<Scan> {
    let mut window = Window::new(file);
    let len = window.size().min(wide(HEADER));
    let header = Bytes(window.get(0, index(len))?);
    if !header.has(0, MAGIC) {
        return Err(Error::whole("NDB header", "no magic at its start"));
    }
    match header.le32(4) {
        Some(0) => {}
        version => return Err(Error::Unsupported(format!("NDB version {}", version.unwrap_or(0)))),
    }
    let Some((pages, next)) = header.le32(12).zip(header.le32(16)) else {
        return Err(Error::whole("NDB header", format!("only {len} bytes")));
    };
    let mut scan = Scan::default();
    let slots = slots(&mut window, pages.into(), next, &mut scan)?;
    let mut free_from = u64::from(pages).saturating_mul(SLOT_PAGE);
    let mut content = Vec::new();
    for slot in slots {
        let start = slot.block.saturating_mul(BLOCK);
        if start < free_from {
            scan.damaged(format!(
                "package {} at block {} overlaps what is before it",
                slot.number, slot.block
            ));
            continue;
        }
        match blob(&mut window, &slot, &mut content) {
            Ok(()) => {
                free_from = start.saturating_add(slot.blocks.saturating_mul(BLOCK));
                scan.record(each, slot.number.into(), &content);
            }
            Err(error) => scan.failed(&format!("package {}", slot.number), &error),
        }
    }
    Ok(scan)
}

/// The slots in use, sorted by place.
fn slots(window: &mut Window<'_>, pages: u64, next: u32, scan: &mut Scan) -> Result<Vec<Slot>> {
    let announced = pages.saturating_mul(SLOT_PAGE);
    if pages == 0 {
        return Err(Error::whole("NDB header", "no pages of slots"));
    }
    let bytes = announced.min(window.size()).min(MOST_SLOT_BYTES);
    if bytes < announced {
        scan.damaged(format!("{announced} bytes of slots are announced, {bytes} were read"));
    }
    let area = window.get(0, index(bytes))?;
    let mut slots = Vec::new();
    for (place, slot) in area.chunks_exact(SLOT).enumerate().skip(HEADER / SLOT) {
        let slot = Bytes(slot);
        let [number, block, blocks] = [4, 8, 12].map(|at| slot.le32(at).unwrap_or(0));
        if !slot.has(0, SLOT_MAGIC) {
            scan.damaged(format!("slot {place} has no magic"));
        } else if number == 0 || block == 0 || blocks == 0 {
            if (number, block, blocks) != (0, 0, 0) {
                scan.damaged(format!("slot {place}: package {number} with {blocks} blocks at {block}"));
            }
        } else {
            if number >= next {
                scan.damaged(format!("slot {place}: package {number} of fewer than {next}"));
            }
            slots.push(Slot { number, block: block.into(), blocks: blocks.into() });
        }
    }
    slots.sort_by_key(|slot| slot.number);
    for twin in slots.windows(2) {
        if let [first, second] = twin
            && first.number == second.number
        {
            scan.damaged(format!("package {} has two slots", first.number));
        }
    }
    slots.sort_by_key(|slot| slot.block);
    Ok(slots)
}

/// Reads one blob, checked by its head, tail and checksum.
fn blob(window: &mut Window<'_>, slot: &Slot, content: &mut Vec<u8>) -> Result<()> {
    let len = slot.blocks.saturating_mul(BLOCK);
    if len > wide(RECORD_BYTES) {
        return Err(Error::Limit { what: "blob, bytes", limit: wide(RECORD_BYTES) });
    }
    let whole = window.get(slot.block.saturating_mul(BLOCK), index(len))?;
    let head = Bytes(whole);
    let stored = head.le32(12).unwrap_or(0);
    if !head.has(0, HEAD_MAGIC) || head.le32(4) != Some(slot.number) {
        return Err(Error::whole("blob", format!("no head at block {}", slot.block)));
    }
    let needed = u64::from(stored).saturating_add(wide(HEAD.saturating_add(TAIL)));
    if needed.div_ceil(BLOCK) != slot.blocks {
        return Err(Error::whole("blob", format!("{stored} bytes in {} blocks", slot.blocks)));
    }
    let tail_at = whole.len().saturating_sub(TAIL);
    let tail = Bytes(whole.get(tail_at..).unwrap_or_default());
    if !tail.has(8, TAIL_MAGIC) || tail.le32(4) != Some(stored) {
        return Err(Error::whole("blob", format!("no tail at the end of {} blocks", slot.blocks)));
    }
    let sum = adler32(whole.get(..tail_at).unwrap_or_default());
    if tail.le32(0) != Some(sum) && !cfg!(fuzzing) {
        return Err(Error::whole("blob", format!("checksum {sum:#010x} does not match")));
    }
    content.clear();
    content.extend_from_slice(head.slice(HEAD, index(stored.into())).unwrap_or_default());
    Ok(())
}

/// Adler-32 (RFC 1950). 5,552 is the most bytes after which the sums still fit into 32 bits.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1_u32, 0_u32);
    for run in bytes.chunks(5552) {
        for &byte in run {
            low = low.wrapping_add(byte.into());
            high = high.wrapping_add(low);
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    (high << 16) | low
}
