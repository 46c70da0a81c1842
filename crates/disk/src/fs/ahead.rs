// SPDX-License-Identifier: Apache-2.0
//! Running ahead of a walk in the order of the disk.
//!
//! A walk learns of a folder from the one above it, so its reads wait for each other, level by level. What it will need
//! can be known without the tree: all inodes in use, by the filesystem's own lists of them, and all folders, by their
//! inodes. So inodes are announced part by part, some parts ahead, and once a part has come, so are the folders in it.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;

use crate::bytes::{index, wide};
use crate::source::{BlockSource, LARGE_BLOCK};

/// Bytes of inodes that one part holds at most.
pub(super) const PART_BYTES: u64 = 1 << 20;
/// Runs of inodes that one part holds at most: where inodes are scattered, each is a block of its own.
pub(super) const PART_RUNS: usize = 16;
/// Large blocks that are announced ahead of the part that is waited for: as many as are fetched at once.
const DEEP: u64 = 64;

/// Inodes of which each has the next number and the next place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The number of the first.
    pub(super) first: u64,
    /// Where they lie, in bytes of the source, [`PART_BYTES`] at most.
    pub(super) bytes: Range<u64>,
}

/// Inodes that lie near each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Where they lie, in the order of the disk.
    pub(super) runs: Vec<Run>,
}

/// Goes over parts: announces them, and then the folders in them.
pub(super) struct Steps<'a, Parts, Folders> {
    source: &'a dyn BlockSource,
    /// All parts in the order of the disk.
    parts: Parts,
    /// Adds where the folders lie whose inodes are among these bytes of a run.
    folders: Folders,
    /// Parts that wait, each with the blocks that it has announced.
    waiting: VecDeque<(Part, u64)>,
    /// Blocks of `waiting`.
    blocks: u64,
    /// All large blocks that were announced.
    known: HashSet<u64>,
}

impl<'a, Parts, Folders> Steps<'a, Parts, Folders>
where
    Parts: Iterator<Item = Part>,
    Folders: FnMut(&Run, &[u8], &mut Vec<Range<u64>>),
{
    pub(super) fn new(source: &'a dyn BlockSource, parts: Parts, folders: Folders) -> Self {
        let (waiting, known) = (VecDeque::new(), HashSet::new());
        Steps { source, parts, folders, waiting, blocks: 0, known }
    }

    fn announce_parts(&mut self) {
        while self.blocks < DEEP {
            let Some(part) = self.parts.next() else { return };
            let ranges: Vec<_> = part.runs.iter().map(|run| run.bytes.clone()).collect();
            let blocks = self.announce(&ranges);
            self.blocks = self.blocks.saturating_add(blocks);
            self.waiting.push_back((part, blocks));
        }
    }

    /// Announces these ranges; answers in how many blocks they lie that were not announced before.
    fn announce(&mut self, ranges: &[Range<u64>]) -> u64 {
        if !ranges.is_empty() {
            self.source.advise(ranges);
        }
        let before = self.known.len();
        let full = ranges.iter().filter(|range| range.start < range.end);
        self.known.extend(full.flat_map(|range| range.start / LARGE_BLOCK..range.end.div_ceil(LARGE_BLOCK)));
        wide(self.known.len().saturating_sub(before))
    }

    /// Reads a part's inodes and announces their folders; answers as [`Steps::announce`] does.
    fn announce_folders(&mut self, part: &Part) -> u64 {
        let mut folders = Vec::new();
        let mut bytes = Vec::new();
        for run in &part.runs {
            bytes.resize(index(run.bytes.end.saturating_sub(run.bytes.start).min(PART_BYTES)), 0);
            // What cannot be read is met, and said, where it is walked.
            if self.source.read_once(run.bytes.start, &mut bytes).is_ok() {
                (self.folders)(run, &bytes, &mut folders);
            }
        }
        folders.sort_unstable_by_key(|range| (range.start, range.end));
        self.announce(&folders)
    }
}

impl<Parts, Folders> Iterator for Steps<'_, Parts, Folders>
where
    Parts: Iterator<Item = Part>,
    Folders: FnMut(&Run, &[u8], &mut Vec<Range<u64>>),
{
    type Item = u64;

    /// The large blocks of the part and its folders that none before had.
    fn next(&mut self) -> Option<u64> {
        self.announce_parts();
        let (part, blocks) = self.waiting.pop_front()?;
        self.blocks = self.blocks.saturating_sub(blocks);
        let folders = self.announce_folders(&part);
        Some(blocks.saturating_add(folders))
    }
}

impl Run {
    /// Cuts it into runs of [`PART_BYTES`], at whole inodes of `size` bytes.
    pub(super) fn pieces(self, size: usize) -> impl Iterator<Item = Run> {
        let most = PART_BYTES.checked_div(wide(size)).unwrap_or(0).max(1);
        let Run { mut first, mut bytes } = self;
        std::iter::from_fn(move || {
            let end = bytes.start.saturating_add(most.saturating_mul(wide(size))).min(bytes.end);
            let piece = Run { first, bytes: bytes.start..end };
            (first, bytes.start) = (first.saturating_add(most), end);
            (!piece.bytes.is_empty()).then_some(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::SourceError;

    /// Remembers what was announced and read.
    #[derive(Default)]
    struct Log(Mutex<Vec<(&'static str, u64)>>);

    impl BlockSource for Log {
        fn len(&self) -> u64 {
            1 << 30
        }
        fn read_at(&self, offset: u64, _: &mut [u8]) -> Result<(), SourceError> {
            self.0.lock().unwrap().push(("read", offset / LARGE_BLOCK));
            Ok(())
        }
        fn advise(&self, ranges: &[Range<u64>]) {
            self.0.lock().unwrap().extend(ranges.iter().map(|range| ("advise", range.start / LARGE_BLOCK)));
        }
    }

    fn block(nth: u64) -> Range<u64> {
        nth * LARGE_BLOCK..(nth + 1) * LARGE_BLOCK
    }

    #[test]
    fn parts_are_announced_before_the_first_is_read_and_their_folders_after() {
        let log = Log::default();
        let part = |first| Part { runs: vec![Run { first, bytes: block(first) }] };
        let folders = |run: &Run, _: &[u8], found: &mut Vec<_>| found.push(block(1000 + run.first));
        let mut steps = Steps::new(&log, (0..100).map(part), folders);
        assert_eq!(steps.next(), Some(2));
        let first = std::mem::take(&mut *log.0.lock().unwrap());
        let deep: Vec<_> = (0..DEEP).map(|nth| ("advise", nth)).collect();
        assert_eq!(first, [deep, vec![("read", 0), ("advise", 1000)]].concat());
        assert_eq!(steps.next(), Some(2));
        assert_eq!(*log.0.lock().unwrap(), [("advise", DEEP), ("read", 1), ("advise", 1001)]);
        assert_eq!(steps.count(), 98);
    }

    #[test]
    fn blocks_that_parts_and_folders_share_count_once() {
        let k = 1024;
        let runs = [0..k, 2 * k..3 * k, 511 * k..513 * k].map(|bytes| Run { first: 0, bytes });
        let parts =
            [Part { runs: runs.to_vec() }, Part { runs: vec![Run { first: 0, bytes: 600 * k..700 * k }] }];
        let folders = |_: &Run, _: &[u8], found: &mut Vec<_>| found.extend([0..k, 1025 * k..2049 * k]);
        let steps = Steps::new(&Log::default(), parts.into_iter(), folders).collect::<Vec<_>>();
        assert_eq!(steps, [2 + 3, 0]);
    }

    #[test]
    fn long_tables_are_cut_at_whole_inodes() {
        let run = Run { first: 7, bytes: 100..100 + PART_BYTES + 480 };
        let cut: Vec<_> = run.pieces(480).collect();
        // 1 MiB holds 2184 inodes of 480 bytes and 256 bytes more.
        let middle = 100 + 2184 * 480;
        let [first, second] = cut.as_slice() else { panic!("{cut:?}") };
        assert_eq!(*first, Run { first: 7, bytes: 100..middle });
        assert_eq!(*second, Run { first: 7 + 2184, bytes: middle..100 + PART_BYTES + 480 });
    }
}
