// SPDX-License-Identifier: Apache-2.0
//! One entry of a folder, whatever form the folder has.

use crate::error::{Error, Result};
use crate::fs::xfs::inode::Inode;
use crate::fs::xfs::volume::Volume;
use crate::fs::{Entry, FileType, Node};

/// An entry as it stands in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) name: &'a [u8],
    pub(super) node: u64,
    /// The type's code; 0 if the folder keeps none.
    pub(super) kind: u8,
}

impl Raw<'_> {
    /// True for `.` and `..`.
    pub(super) fn is_dot(&self) -> bool {
        self.name == b"." || self.name == b".."
    }

    /// Checks the entry and makes it what callers see.
    ///
    /// # Errors
    /// `Corrupt` with scope `Node`.
    pub(super) fn check(&self, volume: &Volume, folder: &Inode) -> Result<Entry> {
        let bad = |why: &str| {
            let name = self.name.escape_ascii();
            Error::node("directory entry", format!("inode {}, name \"{name}\": {why}", folder.number))
        };
        if self.name.is_empty() || self.name.iter().any(|&byte| byte == b'/' || byte == 0) {
            return Err(bad("a name cannot be empty or hold a slash or NUL"));
        }
        if volume.superblock.geometry.inode_offset(self.node).is_none() {
            return Err(bad(&format!("inode {} lies outside of the filesystem", self.node)));
        }
        Ok(Entry { name: self.name.to_vec(), node: Node(self.node), kind: kind(self.kind) })
    }
}

/// The type that a code means (`XFS_DIR3_FT_*`); `None` for unknown and for overlayfs's whiteouts.
fn kind(code: u8) -> Option<FileType> {
    Some(match code {
        1 => FileType::File,
        2 => FileType::Directory,
        3 => FileType::CharDevice,
        4 => FileType::BlockDevice,
        5 => FileType::Fifo,
        6 => FileType::Socket,
        7 => FileType::Symlink,
        _ => return None,
    })
}
