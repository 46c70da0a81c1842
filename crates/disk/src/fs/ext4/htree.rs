// SPDX-License-Identifier: Apache-2.0
//! The hash index of large folders.

use super::csum::crc32c;
use super::dir::Directory;
use super::dirent::Format;
use super::features::incompat;
use super::hash::Function;
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::fs::Node;

/// Where the root's own fields begin: after the entries `.` and `..`.
const ROOT_FIELDS: usize = 24;
/// Where the entries of a node begin: after one false entry.
const NODE_ENTRIES: usize = 8;
/// Leaves that may hold names of one hash: more say that the index is not one.
const LEAVES: usize = 64;

/// What an index says of a name.
pub(super) enum Answer {
    /// It names this inode.
    Found(Node),
    /// There is no such name, and nothing says that the index lies.
    Absent,
    /// The index cannot be used, for this reason.
    Unusable(String),
}

/// The version of the hash function, from the first block of an indexed folder.
pub(super) fn version(root: &[u8]) -> Option<u8> {
    Bytes(root).u8(ROOT_FIELDS.checked_add(4)?)
}

/// Where the entries of the index begin in a block of a folder; `None` if it is a block of names.
///
/// Shape:  the first block has `.` (12 bytes), `..` to the block's end, and in it four zero bytes, version, length of
///         these fields (8), levels, flags. Nodes have one false entry of inode 0 to the block's end.
/// Source: kernel `struct dx_root`, `struct dx_node`, `get_dx_countlimit`.
pub(super) fn place_of_index(format: Format, file: u64, block: &[u8]) -> Option<usize> {
    let bytes = Bytes(block);
    let length = |at: usize| Some(format.length(bytes.le16(at)?, block.len()));
    if length(4)? == block.len() && bytes.le32(0)? == 0 && file > 0 {
        return Some(NODE_ENTRIES);
    }
    let is_root = file == 0
        && length(4)? == 12
        && length(16)? == block.len().checked_sub(12)?
        && bytes.le32(ROOT_FIELDS)? == 0
        && bytes.u8(29)? == 8;
    is_root.then_some(ROOT_FIELDS.saturating_add(8))
}

/// The CRC-32C of a block of the index, over all in use, and a false tail.
pub(super) fn checksum(seed: u32, block: &[u8], place: usize) -> Option<u32> {
    let bytes = Bytes(block);
    let (limit, count) = (bytes.le16(place)?, bytes.le16(place.checked_add(2)?)?);
    let used = place.checked_add(usize::from(count).checked_mul(8)?)?;
    let tail = place.checked_add(usize::from(limit).checked_mul(8)?)?;
    let crc = crc32c(seed, bytes.slice(0, used)?);
    Some(crc32c(crc32c(crc, bytes.slice(tail, 4)?), &[0; 4]))
}

/// The CRC-32C that a block of the index says.
pub(super) fn stored_checksum(block: &[u8], place: usize) -> Option<u32> {
    let bytes = Bytes(block);
    let limit = usize::from(bytes.le16(place)?);
    bytes.le32(place.checked_add(limit.checked_mul(8)?)?.checked_add(4)?)
}

/// Looks a name up by the index.
///
/// # Errors
/// What the source answers. Damage is an answer: [`Answer::Unusable`].
pub(super) fn lookup(folder: &Directory<'_>, name: &[u8]) -> Result<Answer> {
    match Search::new(folder, name).and_then(|search| search.run(name)) {
        Ok(answer) => Ok(answer),
        Err(Fault::Damage(why) | Fault::Error(Error::Corrupt(crate::error::Corrupt { why, .. }))) => {
            Ok(Answer::Unusable(why))
        }
        Err(Fault::Error(error)) => Err(error),
    }
}

enum Fault {
    Damage(String),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

/// One level of the way from the root: its entries, and which was taken.
struct Level {
    entries: Vec<(u32, u64)>,
    taken: usize,
}

struct Search<'a> {
    folder: &'a Directory<'a>,
    function: Function,
    target: u32,
    levels: Vec<Level>,
}

impl<'a> Search<'a> {
    /// Walks from the root down to the last level of the index.
    fn new(folder: &'a Directory<'a>, name: &[u8]) -> Result<Search<'a>, Fault> {
        let mut block = Vec::new();
        folder.block(0, &mut block)?;
        let place = place_of_index(folder.format, 0, &block);
        let place = place.ok_or_else(|| Fault::Damage("its first block is no root of an index".into()))?;
        let version = version(&block).unwrap_or(u8::MAX);
        let function = folder.volume.superblock.hash.function(version);
        let function = function.ok_or_else(|| Fault::Damage(format!("hash version {version}")))?;
        let depth = Bytes(&block).u8(ROOT_FIELDS.saturating_add(6)).unwrap_or(u8::MAX);
        let deepest = if folder.volume.superblock.features.incompat(incompat::LARGEDIR) { 2 } else { 1 };
        if depth > deepest {
            return Err(Fault::Damage(format!("{depth} levels below the root")));
        }
        let mut search = Search { folder, function, target: function.hash(name).0, levels: Vec::new() };
        search.push(&block, place)?;
        for _ in 0..depth {
            search.descend(&mut block)?;
        }
        Ok(search)
    }

    /// Adds a level for a block of the index, and takes the entry that the target's hash leads to.
    ///
    /// Shape:  the first entry has room and number of entries (16 bits each) in place of its hash, which counts as 0.
    ///         Entries are a hash and a block of the folder, 32 bits each.
    fn push(&mut self, block: &[u8], place: usize) -> Result<(), Fault> {
        let bytes = Bytes(block);
        let number = |at: usize| bytes.le16(place.saturating_add(at)).map_or(0, usize::from);
        let (limit, count) = (number(0), number(2));
        let room = block.len().saturating_sub(place) / 8;
        if count == 0 || count > limit || limit > room {
            return Err(Fault::Damage(format!("{count} entries in room for {limit}")));
        }
        let raw = bytes.slice(place, count.saturating_mul(8)).unwrap_or_default();
        let mut entries = Vec::with_capacity(count);
        for (n, entry) in raw.chunks_exact(8).enumerate() {
            let entry = Bytes(entry);
            let hash = if n == 0 { 0 } else { entry.le32(0).unwrap_or(0) };
            let file = u64::from(entry.le32(4).unwrap_or(0) & 0x0fff_ffff);
            let ascends = entries.last().is_none_or(|(last, _)| *last <= hash);
            if file == 0 || file >= self.folder.blocks || !ascends {
                return Err(Fault::Damage(format!("entry {n} of hash {hash:#x} leads to block {file}")));
            }
            entries.push((hash, file));
        }
        let after = entries.partition_point(|(hash, _)| *hash <= self.target);
        self.levels.push(Level { entries, taken: after.saturating_sub(1) });
        Ok(())
    }

    /// Reads the node that the last level's entry leads to, and adds it as a level.
    fn descend(&mut self, block: &mut Vec<u8>) -> Result<(), Fault> {
        let file = self.taken().ok_or_else(|| Fault::Damage("an empty level".into()))?;
        self.folder.block(file, block)?;
        match place_of_index(self.folder.format, file, block) {
            Some(place) => self.push(block, place),
            None => Err(Fault::Damage(format!("block {file} is no node of the index"))),
        }
    }

    fn taken(&self) -> Option<u64> {
        let level = self.levels.last()?;
        level.entries.get(level.taken).map(|(_, file)| *file)
    }

    /// Reads leaves that may hold the name.
    fn run(mut self, name: &[u8]) -> Result<Answer, Fault> {
        let mut block = Vec::new();
        for _ in 0..LEAVES {
            let Some(file) = self.taken() else { break };
            self.folder.block(file, &mut block)?;
            let mut stray = None;
            for entry in self.folder.format.entries(&block) {
                let entry = entry.map_err(Fault::Damage)?;
                if entry.name == name {
                    return Ok(Answer::Found(Node(u64::from(entry.inode))));
                }
                if !self.is_in_place(entry.name) {
                    stray = Some(file);
                }
            }
            if let Some(file) = stray {
                return Err(Fault::Damage(format!("block {file} holds names of other hashes")));
            }
            if !self.advance(&mut block)? {
                return Ok(Answer::Absent);
            }
        }
        Err(Fault::Damage(format!("over {LEAVES} blocks for one hash")))
    }

    /// True if a name's hash belongs in the leaf that was taken.
    fn is_in_place(&self, name: &[u8]) -> bool {
        let hash = self.function.hash(name).0;
        let Some(level) = self.levels.last() else { return false };
        let first = level.entries.get(level.taken).map_or(0, |(hash, _)| hash & !1);
        let next = self.next_hash();
        hash >= first && next.is_none_or(|next| hash < next || (next & 1 == 1 && hash == next & !1))
    }

    /// The hash that the next leaf begins with; `None` after the last.
    fn next_hash(&self) -> Option<u32> {
        let next = |level: &Level| level.entries.get(level.taken.saturating_add(1)).map(|(hash, _)| *hash);
        self.levels.iter().rev().find_map(next)
    }

    /// Goes to the next leaf if names of the target's hash may go on there.
    ///
    /// Source: kernel `ext4_htree_next_block`.
    fn advance(&mut self, block: &mut Vec<u8>) -> Result<bool, Fault> {
        if self.next_hash().is_none_or(|next| next & !1 != self.target) {
            return Ok(false);
        }
        let depth = self.levels.len();
        while let Some(level) = self.levels.last_mut() {
            if level.taken.saturating_add(1) < level.entries.len() {
                level.taken = level.taken.saturating_add(1);
                break;
            }
            self.levels.pop();
        }
        while !self.levels.is_empty() && self.levels.len() < depth {
            self.descend(block)?;
            if let Some(level) = self.levels.last_mut() {
                level.taken = 0;
            }
        }
        Ok(!self.levels.is_empty())
    }
}
