// SPDX-License-Identifier: Apache-2.0
//! Extended attributes: behind the inode, in a block of their own, large values in inodes of their own.

use super::csum::crc32c;
use super::features::incompat;
use super::inode::{Inode, flag};
use super::volume::Volume;
use super::{acl, mapping::Map};
use crate::bytes::{Bytes, wide};
use crate::error::{Error, Result};
use crate::fs::{Node, Xattr};
use crate::limits::XATTR_BYTES;

/// What a set of attributes begins with.
const MAGIC: u32 = 0xea02_0000;
/// Bytes of an entry before its name.
const ENTRY: usize = 16;
/// Bytes before the first entry of a block.
const BLOCK_HEADER: usize = 32;
/// `system`: the index of inline data, whose name is `data`.
const INDEX_SYSTEM: u8 = 7;

/// One attribute as it stands on the disk.
struct Entry<'a> {
    index: u8,
    name: &'a [u8],
    place: usize,
    /// The inode that holds the value; 0 if it is here.
    inode: u32,
    len: usize,
}

/// A set of attributes: its entries, and the bytes that the places of values are counted in.
struct Set<'a> {
    entries: Vec<Entry<'a>>,
    values: &'a [u8],
}

/// All attributes that the machine itself would list, with full names, sorted.
///
/// # Errors
/// `Corrupt`; what the source answers.
pub(super) fn all(volume: &Volume, inode: &Inode<'_>) -> Result<Vec<Xattr>> {
    let mut found = Vec::new();
    let block = read_block(volume, inode)?;
    let sets = [behind_inode(inode)?, block.as_deref().map(|block| in_block(inode, block)).transpose()?];
    for set in sets.into_iter().flatten() {
        advise_values(volume, &set);
        for entry in &set.entries {
            let Some(prefix) = prefix(entry.index, entry.name) else { continue };
            let value = value(volume, inode, &set, entry)?;
            let value = if acl::is_acl(entry.index) {
                acl::convert(&value).map_err(|why| bad(inode, why))?
            } else {
                value
            };
            found.push(Xattr { name: [prefix, entry.name].concat(), value });
        }
    }
    found.sort();
    Ok(found)
}

/// The value of `system.data`: what inline content does not fit the block map. `None` if there is none.
///
/// # Errors
/// `Corrupt`.
pub(super) fn inline_rest<'a>(inode: &'a Inode<'_>) -> Result<Option<&'a [u8]>> {
    let Some(set) = behind_inode(inode)? else { return Ok(None) };
    let data = set.entries.iter().find(|entry| entry.index == INDEX_SYSTEM && entry.name == b"data");
    let Some(entry) = data else { return Ok(None) };
    Bytes(set.values)
        .slice(entry.place, entry.len)
        .map(Some)
        .ok_or_else(|| bad(inode, "inline content lies outside of the inode"))
}

fn bad(inode: &Inode<'_>, why: impl std::fmt::Display) -> Error {
    Error::node("extended attribute", format!("inode {}: {why}", inode.number))
}

/// The text that a name index stands for; `None` for what no program of the machine sees.
///
/// Source: kernel `fs/ext4/xattr.h`, and the handlers in `xattr.c`.
fn prefix(index: u8, name: &[u8]) -> Option<&'static [u8]> {
    Some(match index {
        1 => b"user.",
        2 if name.is_empty() => b"system.posix_acl_access",
        3 if name.is_empty() => b"system.posix_acl_default",
        4 => b"trusted.",
        6 => b"security.",
        10 => b"gnu.",
        // 0 has no prefix, 5 is Lustre's, 7 holds inline content, 8 is richacl, 9 the encryption context.
        _ => return None,
    })
}

/// The set that follows the fixed fields of the inode.
fn behind_inode<'a>(inode: &'a Inode<'_>) -> Result<Option<Set<'a>>> {
    let tail = inode.tail();
    if Bytes(tail).le32(0) != Some(MAGIC) {
        return Ok(None);
    }
    let values = tail.get(4..).unwrap_or_default();
    Ok(Some(Set { entries: entries(inode, values)?, values }))
}

fn in_block<'a>(inode: &Inode<'_>, block: &'a [u8]) -> Result<Set<'a>> {
    let list = block.get(BLOCK_HEADER..).unwrap_or_default();
    Ok(Set { entries: entries(inode, list)?, values: block })
}

/// Reads entries until the one that begins with four zero bytes, or the end.
///
/// Shape:  name length (8 bits), name index (8), place of value (16), its inode (32), its length (32), hash (32),
///         name, filled up to four bytes.
/// Source: Documentation/filesystems/ext4/attributes.rst.
fn entries<'a>(inode: &Inode<'_>, list: &'a [u8]) -> Result<Vec<Entry<'a>>> {
    let bytes = Bytes(list);
    let mut entries = Vec::new();
    let mut at = 0_usize;
    while let Some(begin) = bytes.le32(at).filter(|begin| *begin != 0) {
        let entry = entry(bytes, at, begin).ok_or_else(|| bad(inode, "entry is cut off"))?;
        if entry.len > XATTR_BYTES {
            return Err(bad(inode, format!("value of {} bytes", entry.len)));
        }
        at = at.saturating_add(ENTRY).saturating_add(entry.name.len().next_multiple_of(4));
        entries.push(entry);
    }
    Ok(entries)
}

fn entry<'a>(bytes: Bytes<'a>, at: usize, begin: u32) -> Option<Entry<'a>> {
    let [name_len, index, ..] = begin.to_le_bytes();
    Some(Entry {
        index,
        name: bytes.slice(at.checked_add(ENTRY)?, usize::from(name_len))?,
        place: usize::from(bytes.le16(at.checked_add(2)?)?),
        inode: bytes.le32(at.checked_add(4)?)?,
        len: crate::bytes::index(u64::from(bytes.le32(at.checked_add(8)?)?)),
    })
}

/// Reads the block of attributes and checks its CRC-32C; `None` if the inode has none.
fn read_block(volume: &Volume, inode: &Inode<'_>) -> Result<Option<Vec<u8>>> {
    let number = inode.attributes;
    if number == 0 {
        return Ok(None);
    }
    if !volume.may_hold(number, 1) {
        return Err(bad(inode, format!("block {number} lies outside")));
    }
    let mut block = Vec::new();
    volume.read_block("extended attribute block", number, &mut block)?;
    let bytes = Bytes(&block);
    if bytes.le32(0) != Some(MAGIC) || bytes.le32(8) != Some(1) {
        return Err(bad(inode, format!("block {number} holds no attributes")));
    }
    if volume.verifies_block(number) {
        let parts = [&number.to_le_bytes(), bytes.slice(0, 0x10).unwrap_or_default(), &[0; 4]];
        let crc = parts.into_iter().fold(volume.superblock.checksum_seed, crc32c);
        let crc = crc32c(crc, block.get(0x14..).unwrap_or_default());
        if bytes.le32(0x10) != Some(crc) {
            return Err(bad(inode, format!("checksum of block {number} does not match")));
        }
    }
    Ok(Some(block))
}

/// Says that the inodes that hold values will be read.
fn advise_values(volume: &Volume, set: &Set<'_>) {
    let nodes: Vec<_> =
        set.entries.iter().filter(|e| e.inode != 0).map(|e| Node(u64::from(e.inode))).collect();
    if nodes.len() > 1 {
        volume.advise_nodes(&nodes);
    }
}

fn value(volume: &Volume, inode: &Inode<'_>, set: &Set<'_>, entry: &Entry<'_>) -> Result<Vec<u8>> {
    if entry.inode != 0 {
        if !volume.superblock.features.incompat(incompat::EA_INODE) {
            return Err(bad(inode, "value in an inode, without that feature"));
        }
        return value_of_inode(volume, inode, entry);
    }
    if entry.len == 0 {
        return Ok(Vec::new());
    }
    let value = Bytes(set.values).slice(entry.place, entry.len);
    Ok(value.ok_or_else(|| bad(inode, format!("value at {} is cut off", entry.place)))?.to_vec())
}

/// Reads a value from an inode of its own, which must have that mark and the right size.
fn value_of_inode(volume: &Volume, inode: &Inode<'_>, entry: &Entry<'_>) -> Result<Vec<u8>> {
    let holder = volume.inode(Node(u64::from(entry.inode)))?;
    if !holder.has(flag::EA_INODE) || holder.has(flag::INLINE_DATA) || holder.size != wide(entry.len) {
        return Err(bad(inode, format!("inode {} does not hold its value", entry.inode)));
    }
    let mut value = vec![0; entry.len];
    let map: Map = volume.map(&holder, volume.blocks_of(0..holder.size))?;
    if let Some(problem) = map.problems.first() {
        return Err(problem.clone());
    }
    volume.read_mapped(&map, 0, &mut value)?;
    Ok(value)
}
