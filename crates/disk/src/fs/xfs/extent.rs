// SPDX-License-Identifier: Apache-2.0
//! One extent record: a run of a file's blocks and where it lies.

use super::geometry::{FileBlock, FsBlock, Geometry};
use crate::bytes::Bytes;

/// Bytes of a record.
pub(super) const RECORD: usize = 16;

/// One extent record of a data or attribute fork.
///
/// Shape:  16 bytes, big-endian, packed: unwritten 1, file offset 54, start 52, count 21 bits.
/// Units:  all three in filesystem blocks; `start` is AG-coded, not linear.
/// Errors: why, if the count is 0 or the run leaves its group or the filesystem.
/// Source: XFS Algorithms & Data Structures, 3rd edition, "Extent List"; `xfs_bmbt_disk_get_all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The first block of the file.
    pub(super) file: FileBlock,
    /// The byte of the source where it lies.
    pub(super) byte: u64,
    /// Blocks.
    pub(super) count: u64,
    /// Reserved but never written: zeros.
    pub(super) unwritten: bool,
}

impl Mapping {
    /// Reads the record at byte `at`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(bytes: Bytes<'_>, at: usize, geometry: &Geometry) -> Result<Mapping, String> {
        let (Some(high), Some(low)) = (bytes.be64(at), bytes.be64(at.saturating_add(8))) else {
            return Err(format!("extent record at byte {at} is cut off"));
        };
        let file = FileBlock(high >> 9 & 0x3f_ffff_ffff_ffff);
        let start = FsBlock((high & 0x1ff) << 43 | low >> 21);
        let count = low & 0x1f_ffff;
        let Some(byte) = geometry.block_offset(start, count) else {
            return Err(format!("extent of {count} blocks from block {} leaves the filesystem", start.0));
        };
        Ok(Mapping { file, byte, count, unwritten: high >> 63 != 0 })
    }

    /// The first block of the file that it does not hold.
    pub(super) fn end(&self) -> FileBlock {
        self.file.plus(self.count)
    }

    /// The part that lies within `from..to`; `None` if nothing does.
    pub(super) fn clip(&self, from: FileBlock, to: FileBlock, geometry: &Geometry) -> Option<Mapping> {
        let start = self.file.max(from);
        let end = self.end().min(to);
        let count = end.0.checked_sub(start.0).filter(|&count| count > 0)?;
        let skipped = start.0.saturating_sub(self.file.0);
        Some(Mapping { file: start, byte: self.byte.saturating_add(geometry.bytes(skipped)), count, ..*self })
    }

    /// The bytes of the source.
    pub(super) fn bytes(&self, geometry: &Geometry) -> std::ops::Range<u64> {
        self.byte..self.byte.saturating_add(geometry.bytes(self.count))
    }
}

/// Adds `more` to `all`, which are in order.
///
/// # Errors
/// If `more` does not come after the last one.
pub(super) fn push_in_order(all: &mut Vec<Mapping>, more: Mapping) -> Result<(), String> {
    match all.last() {
        Some(last) if last.end() > more.file => {
            Err(format!("extent at file block {} overlaps the one before", more.file.0))
        }
        _ => {
            all.push(more);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry {
        block_size: 4096,
        block_log: 12,
        sector_size: 512,
        inode_size: 512,
        inodes_per_block_log: 3,
        blocks: 4 << 14,
        group_blocks: 1 << 14,
        group_log: 14,
        groups: 4,
        dir_block_log: 0,
    };

    fn record(unwritten: u64, file: u64, start: u64, count: u64) -> Vec<u8> {
        let high = unwritten << 63 | file << 9 | start >> 43;
        let low = (start & ((1 << 43) - 1)) << 21 | count;
        [high.to_be_bytes(), low.to_be_bytes()].concat()
    }

    #[test]
    fn fields_are_unpacked_as_documented() {
        // The worked example of the XFS documentation's layout: bit 127 is the flag, bits 0 to 20 the count.
        let bytes = record(1, 77, (2 << 14) + 5, 9);
        let found = Mapping::parse(Bytes(&bytes), 0, &GEOMETRY).unwrap();
        let byte = ((2 << 14) + 5) * 4096;
        assert_eq!(found, Mapping { file: FileBlock(77), byte, count: 9, unwritten: true });
    }

    #[test]
    fn run_of_no_blocks_or_outside_is_refused() {
        for bytes in
            [record(0, 0, 5, 0), record(0, 0, 4 << 14, 1), record(0, 0, (1 << 14) - 1, 2), vec![0; 15]]
        {
            assert!(Mapping::parse(Bytes(&bytes), 0, &GEOMETRY).is_err());
        }
    }

    #[test]
    fn overlapping_runs_are_refused() {
        let at = |file| Mapping { file: FileBlock(file), byte: 0, count: 4, unwritten: false };
        let mut all = vec![at(0)];
        assert!(push_in_order(&mut all, at(3)).is_err());
        assert_eq!(push_in_order(&mut all, at(4)), Ok(()));
    }

    #[test]
    fn part_of_a_run_begins_further_on() {
        let whole = Mapping { file: FileBlock(10), byte: 8192, count: 4, unwritten: false };
        let part = whole.clip(FileBlock(12), FileBlock(99), &GEOMETRY).unwrap();
        assert_eq!((part.file.0, part.byte, part.count), (12, 8192 + 2 * 4096, 2));
        assert_eq!(whole.clip(FileBlock(14), FileBlock(99), &GEOMETRY), None);
    }
}
