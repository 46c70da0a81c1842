// SPDX-License-Identifier: Apache-2.0
//! Extended attributes.

use super::inode::Inode;
use super::volume::Volume;
use crate::error::Result;
use crate::fs::Xattr;

/// All attributes of an inode, sorted by name.
pub(super) fn list(_volume: &Volume, _inode: &Inode) -> Result<Vec<Xattr>> {
    Ok(Vec::new())
}
