// SPDX-License-Identifier: Apache-2.0
//! Folders: their blocks, and scans of all entries.

use std::ops::{ControlFlow, Range};

use super::csum::crc32c;
use super::dirent::{Dirent, Format};
use super::features::compat;
use super::hash::Function;
use super::inode::{Inode, flag};
use super::mapping::Map;
use super::volume::Volume;
use super::{encrypted, htree, inline};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::fs::{FileType, Node};

/// Bytes of a folder that are announced before its first block is read.
const ANNOUNCED: u64 = 64 << 20;
/// Bytes of the false entry at a block's end that holds its CRC-32C.
const TAIL: usize = 12;

/// An open folder.
pub(super) struct Directory<'v> {
    pub(super) volume: &'v Volume,
    pub(super) inode: Inode<'static>,
    pub(super) format: Format,
    map: Map,
    /// Blocks by its size.
    pub(super) blocks: u64,
}

impl<'v> Directory<'v> {
    /// Opens the folder that a node is.
    ///
    /// # Errors
    /// `NotADirectory`; `Corrupt` with scope `Subtree`; what the source answers.
    pub(super) fn open(volume: &'v Volume, node: Node) -> Result<Directory<'v>> {
        let inode = volume.inode(node)?;
        if inode.kind != FileType::Directory {
            return Err(Error::NotADirectory);
        }
        let blocks = volume.blocks_of(0..inode.size).end;
        let map =
            if inode.has(flag::INLINE_DATA) { Map::default() } else { volume.map(&inode, 0..blocks)? };
        Ok(Directory { volume, format: Format::new(&volume.superblock, &inode), inode, map, blocks })
    }

    /// True if it has an index.
    pub(super) fn is_indexed(&self) -> bool {
        self.volume.superblock.features.compat(compat::DIR_INDEX)
            && self.inode.has(flag::INDEX)
            && !self.inode.has(flag::INLINE_DATA)
    }

    /// Calls `each` for all entries but `.` and `..` in the order of the disk, until it breaks. What is damaged is
    /// passed as an error, and the rest follows.
    ///
    /// # Errors
    /// `NotResident`.
    pub(super) fn scan(&self, each: &mut dyn FnMut(Result<Dirent<'_>>) -> ControlFlow<()>) -> Result<()> {
        if self.inode.has(flag::INLINE_DATA) {
            return self.scan_inline(each);
        }
        for problem in &self.map.problems {
            if each(Err(problem.clone())).is_break() {
                return Ok(());
            }
        }
        self.announce();
        let mut buf = Vec::new();
        let mut end = 0;
        for run in &self.map.runs {
            if run.file > end && self.hole(end..run.file, each).is_break() {
                return Ok(());
            }
            end = run.blocks().end;
            if run.unwritten {
                if self.hole(run.blocks(), each).is_break() {
                    return Ok(());
                }
                continue;
            }
            for file in run.blocks() {
                let flow = match self.block(file, &mut buf) {
                    Ok(()) => self.scan_area(&buf, each),
                    Err(error) if error.is_not_resident() => return Err(error),
                    Err(error) => each(Err(error)),
                };
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        if end < self.blocks {
            let _stopped = self.hole(end..self.blocks, each);
        }
        Ok(())
    }

    /// A folder has no holes, unless a problem of its map was met before.
    fn hole(
        &self,
        blocks: Range<u64>,
        each: &mut dyn FnMut(Result<Dirent<'_>>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.map.problems.is_empty() {
            return ControlFlow::Continue(());
        }
        each(Err(self.inode.damage("folder", format!("blocks {}..{} are a hole", blocks.start, blocks.end))))
    }

    /// Inline content begins with the parent's number, and goes on in an attribute as if that were another block.
    fn scan_inline(&self, each: &mut dyn FnMut(Result<Dirent<'_>>) -> ControlFlow<()>) -> Result<()> {
        let [first, second] = match inline::pieces(&self.inode) {
            Ok(pieces) => pieces,
            Err(error) => {
                let _stopped = each(Err(error));
                [self.inode.block_map(), &[]]
            }
        };
        for area in [first.get(4..).unwrap_or_default(), second] {
            if self.scan_area(area, each).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_area(
        &self,
        area: &[u8],
        each: &mut dyn FnMut(Result<Dirent<'_>>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for entry in self.format.entries(area) {
            match entry {
                Ok(entry) if entry.is_dot() => {}
                Ok(entry) => each(Ok(entry))?,
                Err(why) => each(Err(self.inode.damage("folder", why)))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn announce(&self) {
        let size = u64::from(self.volume.superblock.block_size);
        let mut left = ANNOUNCED.checked_div(size).unwrap_or(0);
        let blocks = self.map.runs.iter().filter(|run| !run.unwritten).map_while(|run| {
            let count = run.count.min(left);
            left = left.saturating_sub(count);
            (count > 0).then_some((run.disk, count))
        });
        self.volume.advise_blocks(blocks);
    }

    /// Reads a block of the folder and checks its CRC-32C.
    ///
    /// # Errors
    /// `Corrupt` with scope `Subtree`; what the source answers.
    pub(super) fn block(&self, file: u64, buf: &mut Vec<u8>) -> Result<()> {
        let run = self.map.find(file).filter(|run| !run.unwritten);
        let Some(run) = run else {
            return Err(self.inode.damage("folder", format!("block {file} is a hole")));
        };
        let disk = run.disk.saturating_add(file.saturating_sub(run.file));
        self.volume.read_block("folder", disk, buf)?;
        if self.volume.verifies_block(disk) && !self.is_sound(file, buf) {
            return Err(self.inode.damage("folder", format!("checksum of block {file} does not match")));
        }
        Ok(())
    }

    /// True if the CRC-32C at the end of a block of entries, or of the index, matches.
    ///
    /// Source: kernel `ext4_dirblock_csum_verify`, `ext4_dx_csum_verify`.
    fn is_sound(&self, file: u64, block: &[u8]) -> bool {
        let seed = self.inode.checksum_seed(&self.volume.superblock);
        if self.is_indexed()
            && let Some(place) = htree::place_of_index(self.format, file, block)
        {
            return htree::checksum(seed, block, place) == htree::stored_checksum(block, place);
        }
        let Some(end) = block.len().checked_sub(TAIL) else { return false };
        let tail = Bytes(block);
        // Inode 0, length 12, no name, and a type that no file has.
        let is_tail = tail.slice(end, 8).is_some_and(|tail| tail == [0, 0, 0, 0, 12, 0, 0, 0xde]);
        is_tail && block.get(..end).map(|entries| crc32c(seed, entries)) == tail.le32(end.saturating_add(8))
    }

    /// The hash function of an encrypted folder's names; `None` if names need no hash or keep theirs.
    ///
    /// # Errors
    /// What reading the first block meets.
    pub(super) fn name_hash(&self) -> Result<Option<Function>> {
        let settings = self.volume.superblock.hash;
        if !self.inode.has(flag::ENCRYPT) {
            return Ok(None);
        }
        let mut version = settings.default_version;
        if self.is_indexed() {
            let mut root = Vec::new();
            self.block(0, &mut root)?;
            version = htree::version(&root).unwrap_or(version);
        }
        Ok(settings.function(version))
    }

    /// The name of an entry as programs see it.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be a name.
    pub(super) fn shown(&self, entry: &Dirent<'_>, hash: Option<&Function>) -> Result<Vec<u8>> {
        let bad = |why: String| Error::node("folder entry", format!("folder {}: {why}", self.inode.number));
        if self.inode.has(flag::ENCRYPT) {
            let hashes = entry.hashes.or(hash.map(|hash| hash.hash(entry.name))).unwrap_or_default();
            return encrypted::name(entry.name, hashes).map_err(bad);
        }
        if entry.name.iter().any(|&byte| matches!(byte, 0 | b'/')) {
            return Err(bad(format!("name {} cannot be", entry.name.escape_ascii())));
        }
        Ok(entry.name.to_vec())
    }
}
