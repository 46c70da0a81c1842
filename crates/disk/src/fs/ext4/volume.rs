// SPDX-License-Identifier: Apache-2.0
//! What all parts of the reader share: the source, the superblock, the descriptors, and how a block is read.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::group::Groups;
use super::journal::Overlay;
use super::superblock::Superblock;
use crate::bytes::index;
use crate::error::{Error, Result};
use crate::fs::Note;
use crate::source::BlockSource;

/// Notes that are kept; more say nothing new.
const NOTES: usize = 1000;

/// An open filesystem without its contract.
pub(super) struct Volume {
    pub(super) source: Arc<dyn BlockSource>,
    pub(super) superblock: Superblock,
    /// The journal announces changes that were not applied.
    pub(super) stale: bool,
    /// The source, where the journal was applied: it tells which blocks came out of the log, whose checksums may be old.
    pub(super) overlay: Option<Arc<Overlay>>,
    pub(super) groups: Groups,
    notes: Mutex<BTreeSet<Note>>,
}

impl Volume {
    /// Joins what was read so far; nothing is read here.
    pub(super) fn new(source: Arc<dyn BlockSource>, superblock: Superblock) -> Volume {
        Volume {
            source,
            superblock,
            stale: false,
            overlay: None,
            groups: Groups::default(),
            notes: Mutex::default(),
        }
    }

    /// Remembers something for the report.
    pub(super) fn note(&self, note: Note) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES {
            notes.insert(note);
        }
    }

    /// What was noted, sorted.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The byte that a block of the filesystem begins at. No block number has more than 48 bits.
    pub(super) fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.superblock.block_size))
    }

    /// The bytes of `count` blocks from `block`.
    pub(super) fn bytes_of(&self, block: u64, count: u64) -> Range<u64> {
        self.offset(block)..self.offset(block.saturating_add(count))
    }

    /// True if the filesystem may use these blocks for files: not the first, and none beyond its end.
    ///
    /// Source: kernel `ext4_inode_block_valid`.
    pub(super) fn may_hold(&self, block: u64, count: u64) -> bool {
        let end = block.checked_add(count);
        block > self.superblock.first_data_block && end.is_some_and(|end| end <= self.superblock.blocks)
    }

    /// Reads one block into `buf`, which is made as long as a block.
    ///
    /// # Errors
    /// `Corrupt` of `what` if there is no such block; what the source answers.
    pub(super) fn read_block(&self, what: &'static str, block: u64, buf: &mut Vec<u8>) -> Result<()> {
        if block >= self.superblock.blocks {
            let why = format!("block {block} of a filesystem of {}", self.superblock.blocks);
            return Err(Error::node(what, why));
        }
        buf.resize(self.superblock.block_bytes(), 0);
        Ok(self.source.read_at(self.offset(block), buf)?)
    }

    /// True if the CRC-32C of these bytes must be right.
    pub(super) fn verifies(&self, bytes: Range<u64>) -> bool {
        self.superblock.has_checksums()
            && !cfg!(fuzzing)
            && !self.overlay.as_ref().is_some_and(|overlay| overlay.covers(bytes))
    }

    /// The same for one whole block.
    pub(super) fn verifies_block(&self, block: u64) -> bool {
        self.verifies(self.bytes_of(block, 1))
    }

    /// Says that these blocks will be read soon; one alone is not worth the words.
    pub(super) fn advise_blocks(&self, blocks: impl Iterator<Item = (u64, u64)>) {
        let ranges: Vec<_> = blocks.map(|(block, count)| self.bytes_of(block, count)).collect();
        if ranges.len() > 1 || ranges.first().is_some_and(|r| r.end.saturating_sub(r.start) > 4096) {
            self.source.advise(&ranges);
        }
    }

    /// The blocks that hold `bytes` of something.
    pub(super) fn blocks_of(&self, bytes: Range<u64>) -> Range<u64> {
        let size = u64::from(self.superblock.block_size);
        bytes.start.checked_div(size).unwrap_or(0)..bytes.end.div_ceil(size)
    }

    /// Bytes of a block of a vector, by number.
    pub(super) fn index_in_block(&self, offset: u64) -> usize {
        index(offset.checked_rem(u64::from(self.superblock.block_size)).unwrap_or(0))
    }
}
