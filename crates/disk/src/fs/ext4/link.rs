// SPDX-License-Identifier: Apache-2.0
//! Targets of symbolic links: in the inode, inline, or in a block.

use super::encrypted;
use super::features::incompat;
use super::inline;
use super::inode::{Inode, flag};
use super::volume::Volume;
use crate::bytes::{index, until_nul};
use crate::error::Result;
use crate::limits::LINK_BYTES;

/// The target of a link as it stands on the disk; without its key, the form that the kernel shows.
///
/// # Errors
/// `Corrupt`; `Limit`; what the source answers.
pub(super) fn target(volume: &Volume, inode: &Inode<'_>) -> Result<Vec<u8>> {
    let raw = stored(volume, inode)?;
    let target = if inode.has(flag::ENCRYPT) {
        encrypted::link_target(&raw).map_err(|why| inode.damage("symbolic link", why))?
    } else {
        until_nul(&raw).to_vec()
    };
    if target.is_empty() {
        return Err(inode.damage("symbolic link", "no target"));
    }
    Ok(target)
}

/// The bytes of the link's content.
fn stored(volume: &Volume, inode: &Inode<'_>) -> Result<Vec<u8>> {
    if inode.size > crate::bytes::wide(LINK_BYTES) {
        return Err(inode.damage("symbolic link", format!("target of {} bytes", inode.size)));
    }
    if inode.has(flag::INLINE_DATA) {
        return inline::content(inode);
    }
    let len = index(inode.size);
    if is_fast(volume, inode) {
        let target = inode.block_map().get(..len);
        return target
            .map(<[u8]>::to_vec)
            .ok_or_else(|| inode.damage("symbolic link", format!("target of {len} bytes without a block")));
    }
    let map = volume.map(inode, volume.blocks_of(0..inode.size))?;
    if let Some(problem) = map.problems.first() {
        return Err(problem.clone());
    }
    let mut target = vec![0; len];
    volume.read_mapped(&map, 0, &mut target)?;
    Ok(target)
}

/// True if the target takes the place of the block map: the link occupies no block but that of its attributes.
///
/// Source: kernel `ext4_inode_is_fast_symlink`.
fn is_fast(volume: &Volume, inode: &Inode<'_>) -> bool {
    if volume.superblock.features.incompat(incompat::EA_INODE) {
        return inode.size < 60;
    }
    let of_attributes = if inode.attributes == 0 { 0 } else { volume.superblock.cluster_size / 512 };
    inode.blocks == of_attributes
}
