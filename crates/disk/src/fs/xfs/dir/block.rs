// SPDX-License-Identifier: Apache-2.0
//! A block of entries: of a folder that is one block, or of one with an index elsewhere.

use super::entry::Raw;
use crate::bytes::{Bytes, index};
use crate::fs::xfs::crc;
use crate::fs::xfs::volume::Volume;

/// Magics of a folder that is one block, version 4 and 5.
const BLOCK: [&[u8]; 2] = [b"XD2B", b"XDB3"];
/// Magics of a block of entries alone, version 4 and 5.
const DATA: [&[u8]; 2] = [b"XD2D", b"XDD3"];
/// Bytes of the header, version 4 and 5.
const HEADER: [usize; 2] = [16, 64];
/// Bytes of the tail of a folder that is one block, and of each index entry before it.
const TAIL: usize = 8;
/// Marks unused bytes where an entry has the upper half of an inode number.
const FREE: u16 = 0xffff;

/// A block of entries whose header was checked.
///
/// Shape:  header; entries and unused runs, each aligned to 8 bytes and ending with its own offset (16 bits). An
///         entry: inode 64, length of the name 8, name, type 8 (with ftype). In a folder that is one block an index
///         and its size follow.
/// Source: `struct xfs_dir2_data_entry`, `xfs_dir2_data_unused`, `xfs_dir2_block_tail` in xfs_da_format.h.
pub(super) struct Block<'a> {
    bytes: Bytes<'a>,
    start: usize,
    end: usize,
    ftype: bool,
}

/// What lies at a place of a block.
enum Item<'a> {
    Entry(Raw<'a>),
    Unused,
}

impl<'a> Block<'a> {
    /// Checks the header of a block at byte `place` of folder `owner`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(volume: &Volume, block: &'a [u8], place: u64, owner: u64) -> Result<Self, String> {
        let bytes = Bytes(block);
        let pick = |[v4, v5]: [&'static [u8]; 2]| if volume.v5() { v5 } else { v4 };
        let whole = bytes.has(0, pick(BLOCK));
        if !whole && !bytes.has(0, pick(DATA)) {
            return Err(format!("block at byte {place} is no block of entries"));
        }
        volume.check(&crc::DIR_DATA, block, place, owner)?;
        let [v4, v5] = HEADER;
        let start = if volume.v5() { v5 } else { v4 };
        let mut end = block.len();
        if whole {
            let tail = end.saturating_sub(TAIL);
            let indexed = index(u64::from(bytes.be32(tail).unwrap_or(u32::MAX)));
            end =
                tail.checked_sub(indexed.saturating_mul(8)).filter(|&end| end >= start).ok_or_else(|| {
                    format!("block at byte {place} has an index of {indexed} entries, more than it can hold")
                })?;
        }
        Ok(Block { bytes, start, end, ftype: volume.superblock.features.ftype })
    }

    /// The item at byte `at` and the byte after it.
    fn item(&self, at: usize) -> Result<(Item<'a>, usize), String> {
        let cut = || format!("entry at byte {at} of the block is cut off");
        if self.bytes.be16(at).ok_or_else(cut)? == FREE {
            let size = usize::from(self.bytes.be16(at.saturating_add(2)).ok_or_else(cut)?);
            return Ok((Item::Unused, self.close(at, size)?));
        }
        let name_len = usize::from(self.bytes.u8(at.saturating_add(8)).ok_or_else(cut)?);
        let name = self.bytes.slice(at.saturating_add(9), name_len).ok_or_else(cut)?;
        let after_name = at.saturating_add(9).saturating_add(name_len);
        let kind = if self.ftype { self.bytes.u8(after_name).ok_or_else(cut)? } else { 0 };
        let size = name_len.saturating_add(11).saturating_add(usize::from(self.ftype)).next_multiple_of(8);
        let node = self.bytes.be64(at).ok_or_else(cut)?;
        Ok((Item::Entry(Raw { name, node, kind }), self.close(at, size)?))
    }

    /// The byte after an item of `size` bytes at `at`, whose last two bytes must be its own offset.
    fn close(&self, at: usize, size: usize) -> Result<usize, String> {
        let next = at.saturating_add(size);
        if size < 8 || !size.is_multiple_of(8) || next > self.end {
            return Err(format!("entry at byte {at} of the block has {size} bytes"));
        }
        let tag = self.bytes.be16(next.saturating_sub(2)).map(usize::from);
        if tag != Some(at) {
            return Err(format!("entry at byte {at} of the block says that it is at {}", tag.unwrap_or(0)));
        }
        Ok(next)
    }

    /// The entry at byte `at`, which an index named.
    ///
    /// # Errors
    /// If there is none, in words.
    pub(super) fn at(&self, at: usize) -> Result<Raw<'a>, String> {
        if at < self.start || at >= self.end {
            return Err(format!("no entry can be at byte {at} of a block"));
        }
        match self.item(at)?.0 {
            Item::Entry(raw) => Ok(raw),
            Item::Unused => Err(format!("byte {at} of the block is unused and not an entry")),
        }
    }

    /// All entries; an error is the last of them.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Raw<'a>, String>> + '_ {
        let mut at = self.start;
        std::iter::from_fn(move || {
            while at < self.end {
                match self.item(at) {
                    Ok((item, next)) => {
                        at = next;
                        if let Item::Entry(raw) = item {
                            return Some(Ok(raw));
                        }
                    }
                    Err(why) => {
                        at = self.end;
                        return Some(Err(why));
                    }
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of 64 bytes without header: `a` is inode 131, then 16 unused bytes, then `bc` is inode 132.
    fn sample() -> Vec<u8> {
        let mut block = vec![0; 64];
        block[7] = 131;
        block[8..11].copy_from_slice(&[1, b'a', 1]);
        block[16..20].copy_from_slice(&[0xff, 0xff, 0, 16]);
        block[31] = 16;
        block[39] = 132;
        block[40..44].copy_from_slice(&[2, b'b', b'c', 2]);
        block[47] = 32;
        block[48..52].copy_from_slice(&[0xff, 0xff, 0, 16]);
        block[63] = 48;
        block
    }

    fn block(bytes: &[u8]) -> Block<'_> {
        Block { bytes: Bytes(bytes), start: 0, end: bytes.len(), ftype: true }
    }

    #[test]
    fn entries_are_read_and_unused_runs_skipped() {
        let bytes = sample();
        let all: Vec<_> = block(&bytes)
            .entries()
            .map(|raw| raw.unwrap())
            .map(|raw| (raw.name.to_vec(), raw.node))
            .collect();
        assert_eq!(all, [(b"a".to_vec(), 131), (b"bc".to_vec(), 132)]);
    }

    #[test]
    fn each_lie_about_an_item_is_refused() {
        for (at, value, why) in [
            (15, 9, "says that it is at 9"),
            (19, 0, "has 0 bytes"),
            (19, 12, "has 12 bytes"),
            (19, 64, "has 64 bytes"),
            (8, 250, "cut off"),
        ] {
            let mut bytes = sample();
            bytes[at] = value;
            let last = block(&bytes).entries().last().unwrap();
            assert!(last.as_ref().unwrap_err().contains(why), "{why}: {last:?}");
        }
    }

    #[test]
    fn index_that_points_at_no_entry_is_refused() {
        let bytes = sample();
        assert_eq!(block(&bytes).at(32).unwrap().name, b"bc");
        assert!(block(&bytes).at(16).unwrap_err().contains("unused"));
        assert!(block(&bytes).at(8).is_err());
        assert!(block(&bytes).at(64).is_err());
    }
}
