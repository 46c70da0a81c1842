// SPDX-License-Identifier: Apache-2.0
//! The target of a symbolic link: in the inode or in blocks.

use super::crc;
use super::fork::Fork;
use super::geometry::FileBlock;
use super::inode::{Format, Inode};
use super::volume::Volume;
use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};
use crate::fs::FileType;

/// Bytes of the longest target (`XFS_SYMLINK_MAXLEN`).
const LONGEST: u64 = 1024;
/// The first four bytes of each extent of a target in version 5.
const MAGIC: &[u8] = b"XSLM";

/// Reads the target.
///
/// Shape:  in version 5 each extent (not each block) begins with a header of 56 bytes: magic, offset within the
///         target, bytes here, checksum, UUID, owner, place, LSN. Version 4 has the bare bytes.
/// Source: `struct xfs_dsymlink_hdr` in xfs_format.h; `xfs_symlink_remote_read`.
///
/// # Errors
/// `WrongType`; `Corrupt`; what the source answers.
pub(super) fn target(volume: &Volume, inode: &Inode) -> Result<Vec<u8>> {
    if inode.core.kind != FileType::Symlink {
        return Err(Error::WrongType("symbolic link"));
    }
    let bad = |why: String| inode.corrupt("symbolic link", why);
    let size = inode.core.size;
    if size == 0 || size > LONGEST {
        return Err(bad(format!("its target has {size} bytes")));
    }
    if inode.core.format == Format::Local {
        let target = inode.data_fork().get(..index(size));
        return target
            .map(<[u8]>::to_vec)
            .ok_or_else(|| bad(format!("{size} bytes do not fit into the inode")));
    }
    let geometry = &volume.superblock.geometry;
    let fork = Fork::data(volume, inode)?;
    // Three times the blocks of the bare target: headers may need more of them, but never so many.
    let most = geometry.blocks_for(LONGEST.saturating_mul(3));
    let parts = fork.map(volume, inode, FileBlock(0)..FileBlock(most))?;
    let ranges: Vec<_> = parts.iter().map(|part| part.bytes(geometry)).collect();
    volume.advise(&ranges);
    let mut target = Vec::with_capacity(index(size));
    for range in ranges {
        let missing = size.saturating_sub(wide(target.len()));
        if missing == 0 {
            break;
        }
        let block = volume.read(range.start, range.end.saturating_sub(range.start))?;
        let content = if volume.v5() {
            part_v5(volume, inode, &block, range.start, wide(target.len())).map_err(bad)?
        } else {
            &block
        };
        target.extend(content.iter().take(index(missing)));
    }
    if wide(target.len()) != size {
        return Err(bad(format!("only {} of {size} bytes of its target are there", target.len())));
    }
    Ok(target)
}

/// The part of a target that one extent holds.
fn part_v5<'a>(
    volume: &Volume,
    inode: &Inode,
    block: &'a [u8],
    place: u64,
    offset: u64,
) -> Result<&'a [u8], String> {
    let bytes = Bytes(block);
    if !bytes.has(0, MAGIC) {
        return Err(format!("block at byte {place} is no part of a target"));
    }
    volume.check(&crc::REMOTE, block, place, inode.number)?;
    if bytes.be32(4).map(u64::from) != Some(offset) {
        return Err(format!("part at byte {place} does not continue byte {offset} of the target"));
    }
    let len = index(u64::from(bytes.be32(8).unwrap_or(0)));
    bytes.slice(crc::REMOTE_HEADER, len).ok_or_else(|| format!("part at byte {place} claims {len} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::xfs::samples::{UUID, sample_inode, seal_inode, volume};

    /// A link of 400 bytes in block 5, with its part changed by `change` before its checksum is made.
    fn read(size: u64, change: impl Fn(&mut [u8])) -> Result<Vec<u8>> {
        let mut raw = sample_inode(true);
        raw[2..4].copy_from_slice(&0o120_777_u16.to_be_bytes());
        raw[184..192].copy_from_slice(&(5_u64 << 21 | 1).to_be_bytes());
        raw[56..64].copy_from_slice(&size.to_be_bytes());
        seal_inode(&mut raw);
        let mut image = vec![0; 131 * 512];
        let part = &mut image[5 * 4096..6 * 4096];
        part[..4].copy_from_slice(MAGIC);
        part[8..12].copy_from_slice(&400_u32.to_be_bytes());
        part[16..32].copy_from_slice(&UUID);
        part[32..40].copy_from_slice(&131_u64.to_be_bytes());
        part[40..48].copy_from_slice(&40_u64.to_be_bytes());
        part[56..456].fill(b't');
        change(part);
        let crc = crc32c::crc32c(part);
        part[12..16].copy_from_slice(&crc.to_le_bytes());
        image.extend(raw);
        let volume = volume(true, image);
        target(&volume, &Inode::read(&volume, 131)?)
    }

    #[test]
    fn target_in_a_block_is_read() {
        assert_eq!(read(400, |_| {}).unwrap(), [b't'; 400]);
    }

    #[test]
    fn each_lie_of_a_target_is_refused() {
        let why = |size, at: usize, byte: u8| read(size, |part| part[at] = byte).unwrap_err().to_string();
        assert!(why(0, 0, b'X').contains("0 bytes"));
        assert!(why(1025, 0, b'X').contains("1025 bytes"));
        assert!(why(401, 0, b'X').contains("only 400 of 401"));
        assert!(why(400, 0, b'Y').contains("no part of a target"));
        assert!(why(400, 7, 1).contains("does not continue byte 0"));
        assert!(why(400, 9, 1).contains("claims 65936 bytes"));
        assert!(why(400, 39, 1).contains("belongs to inode 1"));
    }
}
