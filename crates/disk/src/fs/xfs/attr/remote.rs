// SPDX-License-Identifier: Apache-2.0
//! Values of attributes that lie in blocks of their own.

use super::name::Found;
use super::{MOST_BYTES, corrupt};
use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};
use crate::fs::Xattr;
use crate::fs::xfs::crc;
use crate::fs::xfs::extent::Mapping;
use crate::fs::xfs::fork::Fork;
use crate::fs::xfs::geometry::FileBlock;
use crate::fs::xfs::inode::Inode;
use crate::fs::xfs::volume::Volume;
use crate::limits::XATTR_BYTES;

/// The first four bytes of each block in version 5.
const MAGIC: &[u8] = b"XARM";

/// An attribute whose value is still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) found: Found,
    /// The first block of the value in the attribute fork.
    pub(super) block: u32,
    /// Bytes of the value.
    pub(super) len: usize,
}

/// Reads the values of `wanted`, announced together, and adds the attributes to `all`.
///
/// Shape:  in version 5 each block begins with a header of 56 bytes: magic, offset within the value, bytes here,
///         checksum, UUID, owner, place, LSN. Version 4 has the bare bytes.
/// Source: `struct xfs_attr3_rmt_hdr` in xfs_da_format.h.
///
/// # Errors
/// `Corrupt`; `Limit`; what the source answers.
pub(super) fn read(
    volume: &Volume,
    inode: &Inode,
    fork: &Fork,
    wanted: Vec<Remote>,
    all: &mut Vec<Xattr>,
) -> Result<()> {
    let geometry = &volume.superblock.geometry;
    let header = if volume.v5() { wide(crc::REMOTE_HEADER) } else { 0 };
    let per_block = geometry.bytes(1).saturating_sub(header).max(1);
    let mut total = 0_u64;
    let mut placed = Vec::with_capacity(wanted.len());
    for remote in wanted {
        if remote.len > XATTR_BYTES {
            return Err(corrupt(inode, format!("a value of {} bytes", remote.len)));
        }
        total = total.saturating_add(wide(remote.len));
        if total > MOST_BYTES {
            return Err(Error::Limit { what: "bytes of one inode's extended attributes", limit: MOST_BYTES });
        }
        let blocks = wide(remote.len).div_ceil(per_block);
        let start = FileBlock(u64::from(remote.block));
        let parts = fork.map(volume, inode, start..start.plus(blocks))?;
        if parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.count)) != blocks {
            return Err(corrupt(inode, format!("the value at block {} has a hole", start.0)));
        }
        placed.push((remote, parts));
    }
    let ranges = placed.iter().flat_map(|(_, parts)| parts.iter().map(|part| part.bytes(geometry)));
    volume.advise(&ranges.collect::<Vec<_>>());
    for (remote, parts) in placed {
        let value = value(volume, inode, &parts, remote.len)?;
        remote.found.add(value, all);
    }
    Ok(())
}

/// Puts a value of `len` bytes together from its extents.
fn value(volume: &Volume, inode: &Inode, parts: &[Mapping], len: usize) -> Result<Vec<u8>> {
    let geometry = &volume.superblock.geometry;
    let mut value = Vec::with_capacity(len);
    for part in parts {
        let run = part.bytes(geometry);
        let bytes = volume.read(run.start, run.end.saturating_sub(run.start))?;
        let places = (run.start..run.end).step_by(index(geometry.bytes(1)).max(1));
        for (block, place) in bytes.chunks(index(geometry.bytes(1)).max(1)).zip(places) {
            let missing = len.saturating_sub(value.len());
            let content = if volume.v5() {
                block_v5(volume, inode, block, place, value.len()).map_err(|why| corrupt(inode, why))?
            } else {
                block
            };
            value.extend(content.iter().take(missing));
        }
    }
    if value.len() != len {
        return Err(corrupt(inode, format!("only {} of a value's {len} bytes are there", value.len())));
    }
    Ok(value)
}

/// The part of a value in one block.
fn block_v5<'a>(
    volume: &Volume,
    inode: &Inode,
    block: &'a [u8],
    place: u64,
    offset: usize,
) -> Result<&'a [u8], String> {
    let bytes = Bytes(block);
    if !bytes.has(0, MAGIC) {
        return Err(format!("block at byte {place} is no part of a value"));
    }
    volume.check(&crc::REMOTE, block, place, inode.number)?;
    if bytes.be32(4).map(u64::from) != Some(wide(offset)) {
        return Err(format!("block at byte {place} does not continue byte {offset} of the value"));
    }
    let len = index(u64::from(bytes.be32(8).unwrap_or(0)));
    bytes.slice(crc::REMOTE_HEADER, len).ok_or_else(|| format!("block at byte {place} claims {len} bytes"))
}
