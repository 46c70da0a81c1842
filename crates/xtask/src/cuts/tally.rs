// SPDX-License-Identifier: Apache-2.0
//! What all cuts gave: differences, stale inodes, and the kinds of log records that were met.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use snapscan_disk::fs::{FileSystem, Note, State, Timestamp};

use super::stamp;
use super::variant::Variant;
use crate::compare::{Tree, differences};
use crate::mount::Kind;

/// Differences of one cut that are printed.
const SHOWN: usize = 20;

/// One cut, read twice.
pub(super) struct Readings {
    pub(super) kernel: Tree,
    pub(super) ours: Tree,
    /// The clock before the kernel mounted its copy.
    pub(super) mounting: Timestamp,
}

/// Sums over all cuts.
#[derive(Default)]
pub(super) struct Tally {
    cuts: usize,
    entries: usize,
    differences: usize,
    stale_inodes: usize,
    /// Times that the kernel's recovery wrote itself.
    stamped: usize,
    stale_filesystems: usize,
    replayed: usize,
    journal_bytes: u64,
    /// Log records by kind; those with a count of 0 were never exercised.
    records: BTreeMap<String, u64>,
}

impl Tally {
    /// True if nothing differs, and something was compared.
    pub(super) fn is_good(&self) -> bool {
        self.differences == 0 && self.cuts > 0
    }

    /// A cut that the kernel refuses and our reader calls stale.
    pub(super) fn refused(&mut self, name: &str) {
        println!("{name}: the kernel refuses it, ours is stale");
        self.cuts += 1;
        self.stale_filesystems += 1;
    }

    /// A cut that could not be compared.
    pub(super) fn differs(&mut self, name: &str, why: &str) {
        println!("{name}: {why}");
        self.cuts += 1;
        self.differences += 1;
    }

    /// Compares two readings of one cut, and prints what differs; true if nothing does.
    pub(super) fn judge(
        &mut self,
        name: &str,
        variant: &Variant,
        fs: &dyn FileSystem,
        readings: &Readings,
    ) -> bool {
        let Readings { kernel, ours, mounting } = readings;
        self.cuts += 1;
        self.entries += kernel.len();
        let (stamped, differing): (Vec<_>, Vec<_>) = differences(kernel, ours)
            .into_iter()
            .filter(|difference| !difference.stale)
            .partition(|difference| stamp::is_by_recovery(difference, kernel, *mounting));
        self.stamped += stamped.len();
        let mut all: Vec<String> = differing.iter().map(ToString::to_string).collect();
        self.stale_inodes += ours.values().filter(|record| record.stale).count();
        match &fs.info().state {
            State::Clean => {}
            State::Replayed { journal_bytes } => {
                self.replayed += 1;
                self.journal_bytes += journal_bytes;
            }
            // A stale filesystem promises nothing. Only a variant made for it may be stale.
            State::Stale { why } => {
                self.stale_filesystems += 1;
                all = if variant.may_be_stale { Vec::new() } else { vec![format!("stale: {why}")] };
            }
        }
        for note in fs.notes().iter().filter(|note| !matches!(note, Note::InodeStale(_))) {
            all.push(format!("note: {note:?}"));
        }
        for difference in all.iter().take(SHOWN) {
            println!("{name}: {difference}");
        }
        if all.len() > SHOWN {
            println!("{name}: and {} more", all.len() - SHOWN);
        }
        self.differences += all.len();
        all.is_empty()
    }

    /// Counts the kinds of records in the log of a cut.
    pub(super) fn records(&mut self, cut: &Path, kind: Kind) {
        let all = super::variant::records(cut, kind).into_iter().chain(super::journal::records(cut, kind));
        for (record, count) in all {
            *self.records.entry(record).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (record, count) in &self.records {
            writeln!(f, "{count:>9} {record}")?;
        }
        writeln!(
            f,
            "entries {}, replayed {}, stale filesystems {}, log {} KiB",
            self.entries,
            self.replayed,
            self.stale_filesystems,
            self.journal_bytes / 1024
        )?;
        let Tally { cuts, differences, stale_inodes, stamped, .. } = self;
        write!(
            f,
            "cuts {cuts}, differences {differences}, stale inodes {stale_inodes}, times by recovery {stamped}"
        )
    }
}
