// SPDX-License-Identifier: Apache-2.0
//! Folders: entries in the inode, in one block, or in many blocks with an index.
//!
//! A folder of blocks is a sparse file. Blocks of entries begin at byte 0, the index by hash at 32 GiB, and an index of
//! free space, which a reader needs not, at 64 GiB.

mod block;
mod entry;
pub(super) mod hash;
mod leaf;
mod scan;
mod short;

use std::ops::ControlFlow;

use self::entry::Raw;
use super::fork::Fork;
use super::geometry::FileBlock;
use super::inode::{Format, Inode};
use super::volume::Volume;
use crate::bytes::index;
use crate::error::{Error, Result};
use crate::fs::{EachEntry, FileType, Note};

/// Byte of a folder where its index begins (`XFS_DIR2_LEAF_OFFSET`).
pub(super) const INDEX_AT: u64 = 32 << 30;
/// Byte of a folder where the index of free space begins (`XFS_DIR2_FREE_OFFSET`).
const FREE_AT: u64 = 64 << 30;
/// Bytes of a folder up to which all its blocks are fetched at once: a page or two more cost less than one more wait.
const SMALL: u64 = 32 << 10;

/// What a scan calls for each entry, `.` and `..` included, or for what is broken.
type EachRaw<'a> = dyn FnMut(Result<Raw<'_>>) -> ControlFlow<()> + 'a;

/// A folder of blocks.
struct Folder<'a> {
    volume: &'a Volume,
    inode: &'a Inode,
    fork: Fork,
}

/// Calls `each` for all entries of a folder.
///
/// # Errors
/// As [`crate::fs::FileSystem::entries`].
pub(super) fn entries(volume: &Volume, inode: &Inode, each: &mut EachEntry<'_>) -> Result<()> {
    scan_all(volume, inode, &mut |raw| match raw {
        Ok(raw) if raw.is_dot() => ControlFlow::Continue(()),
        Ok(raw) => each(raw.check(volume, inode)),
        Err(error) => each(Err(error)),
    })
}

/// The inode that `name` names in a folder.
///
/// # Errors
/// As [`crate::fs::FileSystem::lookup`].
pub(super) fn lookup(volume: &Volume, inode: &Inode, name: &[u8]) -> Result<Option<u64>> {
    check_type(inode)?;
    if inode.core.format == Format::Local {
        return lookup_by_scan(volume, inode, name);
    }
    let folder = Folder::new(volume, inode)?;
    folder.advise_if_small();
    match leaf::find(&folder, name) {
        Ok(leaf::Found::Node(node)) => checked(volume, inode, name, node).map(Some),
        Ok(leaf::Found::Nothing) => Ok(None),
        Ok(leaf::Found::NoIndex) => lookup_by_scan(volume, inode, name),
        Err(why) if matches!(why, Error::Corrupt(_)) || why.is_past_end() => {
            volume.note(Note::IndexIgnored(format!("folder of inode {}: {why}", inode.number)));
            lookup_by_scan(volume, inode, name)
        }
        Err(error) => Err(error),
    }
}

/// Looks at every entry. Damage matters only if the name is not among what can be read.
fn lookup_by_scan(volume: &Volume, inode: &Inode, name: &[u8]) -> Result<Option<u64>> {
    let (mut found, mut damage) = (None, None);
    scan_all(volume, inode, &mut |raw| {
        match raw {
            Ok(raw) if equal(volume, raw.name, name) && !raw.is_dot() => found = Some(raw.node),
            Ok(_) => {}
            Err(error) => damage = damage.take().or(Some(error)),
        }
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match (found, damage) {
        (Some(node), _) => checked(volume, inode, name, node).map(Some),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

fn checked(volume: &Volume, inode: &Inode, name: &[u8], node: u64) -> Result<u64> {
    Raw { name, node, kind: 0 }.check(volume, inode).map(|_| node)
}

/// True if two names are the same here.
fn equal(volume: &Volume, one: &[u8], other: &[u8]) -> bool {
    one == other || volume.superblock.features.ascii_ci && hash::equal_ascii_ci(one, other)
}

fn check_type(inode: &Inode) -> Result<()> {
    if inode.core.kind == FileType::Directory { Ok(()) } else { Err(Error::NotADirectory) }
}

fn scan_all(volume: &Volume, inode: &Inode, each: &mut EachRaw<'_>) -> Result<()> {
    check_type(inode)?;
    if inode.core.format != Format::Local {
        return Folder::new(volume, inode)?.scan(each);
    }
    let fork = inode.data_fork();
    let content = fork.get(..index(inode.core.size)).unwrap_or(fork);
    let mut go_on = true;
    let end = short::scan(content, volume.superblock.features.ftype, &mut |raw| {
        let flow = each(Ok(raw));
        go_on = flow.is_continue();
        flow
    });
    if let (Err(why), true) = (end, go_on) {
        // Nothing follows an entry that is cut off.
        let _nothing_follows = each(Err(inode.corrupt("directory", why)));
    }
    Ok(())
}

impl<'a> Folder<'a> {
    fn new(volume: &'a Volume, inode: &'a Inode) -> Result<Self> {
        Ok(Folder { volume, inode, fork: Fork::data(volume, inode)? })
    }

    fn corrupt(&self, why: impl Into<String>) -> Error {
        self.inode.corrupt("directory", why)
    }

    /// The first block of the index.
    fn index_start(&self) -> FileBlock {
        self.volume.superblock.geometry.block_of(INDEX_AT)
    }

    /// Announces entries and index of a folder that has few blocks, so that they come together.
    fn advise_if_small(&self) {
        let geometry = &self.volume.superblock.geometry;
        let free = geometry.block_of(FREE_AT);
        let all = self.fork.known().unwrap_or_default().iter().filter(|mapping| mapping.file < free);
        let ranges: Vec<_> = all.map(|mapping| mapping.bytes(geometry)).collect();
        let bytes =
            ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.end.saturating_sub(range.start)));
        let one_block = bytes <= self.volume.superblock.geometry.dir_block_size();
        if bytes <= SMALL && !one_block {
            self.volume.source.advise(&ranges);
        }
    }

    /// Reads the folder's block that begins at `first`, with the byte where its first part lies; `None` in a hole.
    fn read(&self, first: FileBlock) -> Result<Option<(Vec<u8>, u64)>> {
        let geometry = &self.volume.superblock.geometry;
        let blocks = geometry.dir_block_blocks();
        let parts = self.fork.map(self.volume, self.inode, first..first.plus(blocks))?;
        let Some(place) = parts.first().map(|part| part.byte) else {
            return Ok(None);
        };
        if parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.count)) != blocks {
            return Err(self.corrupt(format!("block {} has a hole", first.0)));
        }
        let mut ranges = parts.iter().map(|part| part.bytes(geometry));
        if let (1, Some(range)) = (parts.len(), ranges.next()) {
            return Ok(Some((self.volume.read(range.start, geometry.dir_block_size())?, place)));
        }
        let ranges: Vec<_> = parts.iter().map(|part| part.bytes(geometry)).collect();
        self.volume.advise(&ranges);
        let mut whole = Vec::with_capacity(index(geometry.dir_block_size()));
        for range in ranges {
            whole.extend(self.volume.read(range.start, range.end.saturating_sub(range.start))?);
        }
        Ok(Some((whole, place)))
    }
}
