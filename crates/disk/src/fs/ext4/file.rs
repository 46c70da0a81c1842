// SPDX-License-Identifier: Apache-2.0
//! An open regular file.

use std::ops::Range;
use std::sync::Arc;

use super::extent;
use super::inline;
use super::inode::{Inode, flag};
use super::mapping::{Map, Run};
use super::volume::Volume;
use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::fs::{Extent, Extents, File};

/// Bytes of a file without extents whose map is read when it is opened.
const SMALL_BLOCK_MAP: u64 = 64 << 20;

/// A file and what is known of where it lies.
pub(super) struct OpenFile {
    volume: Arc<Volume>,
    inode: Inode<'static>,
    content: Content,
}

enum Content {
    Inline(Vec<u8>),
    /// Every extent.
    Mapped(Map),
    /// The map is large or damaged: each read looks for its own part.
    Searched,
}

impl OpenFile {
    /// Opens a file whose inode is known to be one.
    ///
    /// # Errors
    /// `Corrupt` if its map as a whole is not valid; what the source answers.
    pub(super) fn new(volume: Arc<Volume>, inode: Inode<'static>) -> Result<OpenFile> {
        let content = if inode.has(flag::INLINE_DATA) {
            Content::Inline(inline::content(&inode)?)
        } else if is_small(&inode) {
            let map = volume.map(&inode, volume.blocks_of(0..inode.size))?;
            if map.problems.is_empty() { Content::Mapped(map) } else { Content::Searched }
        } else {
            Content::Searched
        };
        Ok(OpenFile { volume, inode, content })
    }

    /// Where these bytes lie. A part that cannot be found is an error.
    fn map(&self, bytes: &Range<u64>) -> Result<Map> {
        let want = self.volume.blocks_of(bytes.clone());
        let map = match &self.content {
            Content::Inline(_) => Map::default(),
            Content::Mapped(map) => {
                let after = map.runs.partition_point(|run| run.blocks().end <= want.start);
                let runs = map.runs.iter().skip(after).map_while(|run| run.cut(&want)).collect();
                Map::of(runs)
            }
            Content::Searched => self.volume.map(&self.inode, want)?,
        };
        match map.problems.first() {
            Some(problem) => Err(problem.clone()),
            None => Ok(map),
        }
    }

    /// Cuts a range at the end of the file.
    fn clip(&self, range: Range<u64>) -> Range<u64> {
        range.start.min(self.inode.size)..range.end.min(self.inode.size)
    }
}

/// True if the whole map takes few reads.
fn is_small(inode: &Inode<'_>) -> bool {
    if inode.has(flag::EXTENTS) { extent::depth(inode) <= 1 } else { inode.size <= SMALL_BLOCK_MAP }
}

impl File for OpenFile {
    fn size(&self) -> u64 {
        self.inode.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        if self.inode.has(flag::ENCRYPT) {
            return Err(Error::Unsupported("ext4 encrypted content, without its key".into()));
        }
        let range = self.clip(offset..offset.saturating_add(wide(buf.len())));
        let len = index(range.end.saturating_sub(range.start));
        let Some(buf) = buf.get_mut(..len).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        if let Content::Inline(content) = &self.content {
            let from = content.get(index(range.start)..).and_then(|rest| rest.get(..len));
            buf.copy_from_slice(
                from.ok_or_else(|| self.inode.damage("inline content", "is shorter than its size"))?,
            );
            return Ok(len);
        }
        self.volume.read_mapped(&self.map(&range)?, range.start, buf)?;
        Ok(len)
    }

    fn extents(&self, range: Range<u64>) -> Result<Vec<Extent>> {
        let range = self.clip(range);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        if let Content::Inline(_) = self.content {
            return Ok(vec![Extent { range, place: Extents::Inline }]);
        }
        let mut extents = Vec::new();
        let mut at = range.start;
        for run in self.map(&range)?.runs {
            let bytes = self.volume.bytes_of(run.file, run.count);
            let (start, end) = (bytes.start.max(range.start), bytes.end.min(range.end));
            if at < start {
                extents.push(Extent { range: at..start, place: Extents::Hole });
            }
            let place = if run.unwritten {
                Extents::Unwritten
            } else {
                Extents::Data(self.volume.offset(run.disk).saturating_add(start.saturating_sub(bytes.start)))
            };
            extents.push(Extent { range: start..end, place });
            at = end;
        }
        if at < range.end {
            extents.push(Extent { range: at..range.end, place: Extents::Hole });
        }
        Ok(extents)
    }

    fn advise(&self, range: Range<u64>) {
        let Ok(map) = self.map(&self.clip(range)) else { return };
        self.volume.source.advise(&self.volume.data_ranges(&map.runs));
    }
}

impl Volume {
    /// The bytes of the filesystem that hold the data of these runs.
    pub(super) fn data_ranges(&self, runs: &[Run]) -> Vec<Range<u64>> {
        runs.iter().filter(|run| !run.unwritten).map(|run| self.bytes_of(run.disk, run.count)).collect()
    }

    /// Fills `buf` with a file's bytes from `offset`, by a map that covers them; what it does not name is zeros.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn read_mapped(&self, map: &Map, offset: u64, buf: &mut [u8]) -> Result<()> {
        let want = offset..offset.saturating_add(wide(buf.len()));
        let blocks = self.blocks_of(want.clone());
        if map.runs.len() > 1 {
            self.source.advise(&self.data_ranges(&map.runs));
        }
        let mut at = want.start;
        let mut rest = buf;
        for run in map.runs.iter().filter_map(|run| run.cut(&blocks)).filter(|run| !run.unwritten) {
            let bytes = self.bytes_of(run.file, run.count);
            let (start, end) = (bytes.start.max(at), bytes.end.min(want.end));
            let (hole, after) = rest.split_at_mut(index(start.saturating_sub(at)).min(rest.len()));
            let (data, after) = after.split_at_mut(index(end.saturating_sub(start)).min(after.len()));
            hole.fill(0);
            let within = start.saturating_sub(bytes.start);
            self.source.read_at(self.offset(run.disk).saturating_add(within), data)?;
            rest = after;
            at = end;
        }
        rest.fill(0);
        Ok(())
    }
}
