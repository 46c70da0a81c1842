// SPDX-License-Identifier: Apache-2.0
//! All entries of a folder of blocks, in the order of the disk.

use std::ops::ControlFlow;

use super::block::Block;
use super::{EachRaw, Folder};
use crate::bytes::index;
use crate::error::{Error, Result};
use crate::fs::xfs::extent::Mapping;
use crate::fs::xfs::fork::Fork;
use crate::fs::xfs::geometry::FileBlock;

/// Bytes of a folder that are fetched together, before any of their entries is passed on.
const WINDOW: u64 = 4 << 20;
/// Broken blocks after which a folder is given up: one broken block is an accident, so many are no folder.
const MOST_BROKEN: u32 = 256;

impl Folder<'_> {
    /// Calls `each` for all entries. A block that is broken is passed as an error, and the rest follows.
    ///
    /// # Errors
    /// `Corrupt` if the extents or too many blocks are broken; what the source answers.
    pub(super) fn scan(self, each: &mut EachRaw<'_>) -> Result<()> {
        let Folder { volume, inode, fork } = self;
        let geometry = &volume.superblock.geometry;
        let mappings = fork.map(volume, inode, FileBlock(0)..geometry.block_of(super::INDEX_AT))?;
        let per_window = index(WINDOW.checked_div(geometry.dir_block_size()).unwrap_or(1)).max(1);
        let mut starts = block_starts(&mappings, geometry.dir_block_blocks());
        // From here on no tree needs to be searched again.
        let folder = Folder { volume, inode, fork: Fork::Extents(mappings.clone()) };
        let mut broken = 0;
        loop {
            let window: Vec<FileBlock> = starts.by_ref().take(per_window).collect();
            let (Some(&first), Some(&last)) = (window.first(), window.last()) else {
                return Ok(());
            };
            if folder.scan_window(&mappings, &window, first, last, &mut broken, each)?.is_break() {
                return Ok(());
            }
        }
    }

    fn scan_window(
        &self,
        mappings: &[Mapping],
        window: &[FileBlock],
        first: FileBlock,
        last: FileBlock,
        broken: &mut u32,
        each: &mut EachRaw<'_>,
    ) -> Result<ControlFlow<()>> {
        let geometry = &self.volume.superblock.geometry;
        let end = last.plus(geometry.dir_block_blocks());
        let from = mappings.partition_point(|mapping| mapping.end() <= first);
        let here = mappings.get(from..).unwrap_or_default().iter();
        let ranges: Vec<_> =
            here.map_while(|m| m.clip(first, end, geometry)).map(|m| m.bytes(geometry)).collect();
        self.volume.advise(&ranges);
        let mut blocks = Vec::with_capacity(window.len());
        for &start in window {
            blocks.push(match self.read(start) {
                Err(error) if !matches!(error, Error::Corrupt(_)) && !error.is_past_end() => {
                    return Err(error);
                }
                other => other,
            });
        }
        for block in blocks {
            let flow = match block {
                Ok(Some((bytes, place))) => self.scan_block(&bytes, place, broken, each),
                Ok(None) => ControlFlow::Continue(()),
                Err(error) => {
                    *broken = broken.saturating_add(1);
                    each(Err(error))
                }
            };
            if flow.is_break() {
                return Ok(flow);
            }
            if *broken > MOST_BROKEN {
                return Err(self.corrupt(format!("more than {MOST_BROKEN} blocks are broken")));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn scan_block(
        &self,
        bytes: &[u8],
        place: u64,
        broken: &mut u32,
        each: &mut EachRaw<'_>,
    ) -> ControlFlow<()> {
        let block = match Block::parse(self.volume, bytes, place, self.inode.number) {
            Ok(block) => block,
            Err(why) => {
                *broken = broken.saturating_add(1);
                return each(Err(self.corrupt(why)));
            }
        };
        for raw in block.entries() {
            let raw = raw.map_err(|why| {
                *broken = broken.saturating_add(1);
                self.corrupt(format!("block at byte {place}: {why}"))
            });
            each(raw)?;
        }
        ControlFlow::Continue(())
    }
}

/// The first blocks of all blocks of a folder that extents hold a part of, each once, in order.
fn block_starts(mappings: &[Mapping], size: u64) -> impl Iterator<Item = FileBlock> + use<> {
    let mut spans: Vec<(u64, u64)> = Vec::with_capacity(mappings.len());
    for mapping in mappings {
        let size = size.max(1);
        let from = mapping.file.0.checked_div(size).unwrap_or(0);
        let to = mapping.end().0.div_ceil(size);
        let from = spans.last().map_or(from, |&(_, last)| from.max(last));
        spans.push((from, to.max(from)));
    }
    spans.into_iter().flat_map(|(from, to)| from..to).map(move |n| FileBlock(n.saturating_mul(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_in_parts_is_named_once() {
        let part = |file, count| Mapping { file: FileBlock(file), byte: 0, count, unwritten: false };
        let starts =
            |parts: &[Mapping], size| -> Vec<u64> { block_starts(parts, size).map(|b| b.0).collect() };
        assert_eq!(starts(&[part(0, 3), part(3, 5), part(24, 8)], 8), [0, 24]);
        assert_eq!(starts(&[part(0, 2), part(5, 1)], 1), [0, 1, 5]);
        assert_eq!(starts(&[], 4), [] as [u64; 0]);
    }
}
