// SPDX-License-Identifier: Apache-2.0
//! From a file's blocks to the blocks of the filesystem.

use std::ops::Range;

use super::inode::{Inode, flag};
use super::volume::Volume;
use super::{extent, indirect};
use crate::error::{Error, Result};

/// Runs of one map: 4 GiB in pieces of 4 KiB, far above what any folder or package database has.
const RUNS: usize = 1 << 20;

/// Blocks of pointers that are read for one map: those of a file of 256 GiB on ext3.
const VISITS: u32 = 1 << 16;
/// Problems of one map that are kept.
const PROBLEMS: usize = 64;

/// Blocks of a file that lie one after the other on the filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first, counted in the file.
    pub(super) file: u64,
    /// How many.
    pub(super) count: u64,
    /// The first, counted in the filesystem.
    pub(super) disk: u64,
    /// Reserved, never written: reads as zeros.
    pub(super) unwritten: bool,
}

impl Run {
    /// The file's blocks.
    pub(super) fn blocks(&self) -> Range<u64> {
        self.file..self.file.saturating_add(self.count)
    }

    /// The part of it within these blocks of the file; `None` if there is none.
    pub(super) fn cut(&self, want: &Range<u64>) -> Option<Run> {
        let start = self.file.max(want.start);
        let end = self.blocks().end.min(want.end);
        let disk = self.disk.saturating_add(start.saturating_sub(self.file));
        (start < end).then_some(Run { file: start, count: end.saturating_sub(start), disk, ..*self })
    }
}

/// A map as far as it could be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    /// In ascending order, without overlap; what is between them is a hole.
    pub(super) runs: Vec<Run>,
    /// What was met on the way; the blocks it speaks of are missing from the runs.
    pub(super) problems: Vec<Error>,
    visits: u32,
}

impl Map {
    /// The map of runs that are known to be right.
    pub(super) fn of(runs: Vec<Run>) -> Map {
        Map { runs, ..Map::default() }
    }

    /// Adds a run, or lengthens the last.
    pub(super) fn push(&mut self, run: Run) -> Result<()> {
        let full = self.runs.len() >= RUNS;
        match self.runs.last_mut() {
            Some(last)
                if last.blocks().end == run.file
                    && last.disk.saturating_add(last.count) == run.disk
                    && last.unwritten == run.unwritten =>
            {
                last.count = last.count.saturating_add(run.count);
            }
            _ if full => {
                return Err(Error::Limit { what: "extents of a file", limit: crate::bytes::wide(RUNS) });
            }
            _ => self.runs.push(run),
        }
        Ok(())
    }

    /// Counts a block of pointers that is about to be read.
    pub(super) fn visit(&mut self) -> Result<()> {
        self.visits = self.visits.saturating_add(1);
        if self.visits > VISITS {
            return Err(Error::Limit { what: "blocks of pointers of a file", limit: u64::from(VISITS) });
        }
        Ok(())
    }

    /// Keeps a problem that leaves the rest of the map usable; passes on the others.
    pub(super) fn survive(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(error @ Error::Limit { .. }) => Err(error),
            Err(error) if error.is_not_resident() => Err(error),
            Err(error) if self.problems.len() < PROBLEMS => {
                self.problems.push(error);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The run that holds this block of the file.
    pub(super) fn find(&self, file: u64) -> Option<Run> {
        let after = self.runs.partition_point(|run| run.file <= file);
        let run = self.runs.get(after.checked_sub(1)?)?;
        run.blocks().contains(&file).then_some(*run)
    }
}

impl Volume {
    /// Where the file's blocks in `want` lie. Damage below the root of the map is a problem in it, not an error.
    ///
    /// # Errors
    /// `Corrupt` if the map as a whole is not valid; `Limit`; `NotResident`.
    pub(super) fn map(&self, inode: &Inode<'_>, want: Range<u64>) -> Result<Map> {
        if inode.has(flag::EXTENTS) {
            extent::map(self, inode, want)
        } else {
            indirect::map(self, inode, want)
        }
    }
}
