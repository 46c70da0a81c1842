// SPDX-License-Identifier: Apache-2.0
//! What all parts of the reader share: the source, the superblock, and what was noticed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::crc::Proof;
use super::log::Overlay;
use super::superblock::Superblock;
use crate::bytes::{index, wide};
use crate::error::Result;
use crate::fs::Note;
use crate::source::{BlockSource, read_vec};

/// Notes that are kept; a disk that is all damage says the same thing over and over.
const MOST_NOTES: usize = 1000;

/// An open filesystem's shared parts.
pub(super) struct Volume {
    /// Where the bytes come from, as they are after log recovery.
    pub(super) source: Arc<dyn BlockSource>,
    /// The log's changes, if it has any.
    overlay: Option<Arc<Overlay>>,
    /// The superblock.
    pub(super) superblock: Superblock,
    /// Inodes with announced changes that were not applied.
    pub(super) stale: BTreeSet<u64>,
    notes: Mutex<BTreeSet<Note>>,
}

impl Volume {
    pub(super) fn new(
        source: Arc<dyn BlockSource>,
        overlay: Option<Arc<Overlay>>,
        superblock: Superblock,
        stale: BTreeSet<u64>,
        notes: BTreeSet<Note>,
    ) -> Volume {
        let source = match overlay.clone() {
            Some(overlay) => overlay,
            None => source,
        };
        Volume { source, overlay, superblock, stale, notes: Mutex::new(notes) }
    }

    /// True if metadata has checksums and owners.
    pub(super) fn v5(&self) -> bool {
        self.superblock.features.v5
    }

    /// Reads `len` bytes at byte `offset`. The caller has bounded `len`.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn read(&self, offset: u64, len: u64) -> Result<Vec<u8>> {
        Ok(read_vec(self.source.as_ref(), offset, index(len))?)
    }

    /// Says that these bytes are needed now, if that is more than one read would say by itself.
    pub(super) fn advise(&self, ranges: &[Range<u64>]) {
        if ranges.len() > 1 {
            self.source.advise(ranges);
        }
    }

    /// Checks the proofs of a version 5 block that begins at byte `place`.
    ///
    /// # Errors
    /// What does not match, in words.
    pub(super) fn check(&self, proof: &Proof, block: &[u8], place: u64, owner: u64) -> Result<(), String> {
        if !self.v5() {
            return Ok(());
        }
        let with_crc = !self.is_from_log(place..place.saturating_add(wide(block.len())));
        proof.check(block, with_crc, place, &self.superblock.meta_uuid, owner)
    }

    /// True if any of these bytes were changed by the log: a checksum over them is old.
    pub(super) fn is_from_log(&self, range: Range<u64>) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| overlay.covers(range))
    }

    /// True if an announced change of this inode was not applied; that is noted.
    pub(super) fn is_stale(&self, inode: u64) -> bool {
        let stale = self.stale.contains(&inode);
        if stale {
            self.note(Note::InodeStale(format!("inode {inode}")));
        }
        stale
    }

    /// Keeps a note for whoever reads the report.
    pub(super) fn note(&self, note: Note) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MOST_NOTES {
            notes.insert(note);
        }
    }

    /// All notes so far, sorted.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
