// SPDX-License-Identifier: Apache-2.0
//! Content that lies inside an inode: its block map's 60 bytes, then the attribute `system.data`.

use super::inode::Inode;
use super::xattr::inline_rest;
use crate::bytes::wide;
use crate::error::Result;

/// The two pieces that content is kept in.
///
/// # Errors
/// `Corrupt` if the attribute is damaged.
pub(super) fn pieces<'a>(inode: &'a Inode<'_>) -> Result<[&'a [u8]; 2]> {
    Ok([inode.block_map(), inline_rest(inode)?.unwrap_or_default()])
}

/// The content of a file or link.
///
/// # Errors
/// `Corrupt` if the inode holds less than its size.
pub(super) fn content(inode: &Inode<'_>) -> Result<Vec<u8>> {
    let mut content = pieces(inode)?.concat();
    if wide(content.len()) < inode.size {
        let why = format!("{} bytes of {}", content.len(), inode.size);
        return Err(inode.damage("inline content", why));
    }
    content.truncate(crate::bytes::index(inode.size));
    Ok(content)
}
