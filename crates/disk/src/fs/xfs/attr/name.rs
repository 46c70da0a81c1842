// SPDX-License-Identifier: Apache-2.0
//! From a stored name and its flags to the full name of an attribute.

use super::acl;
use crate::fs::Xattr;

/// The value lies beside the name, not in blocks of its own.
pub(super) const LOCAL: u8 = 1;
/// Name spaces; none of them is `user`.
const ROOT: u8 = 1 << 1;
const SECURE: u8 = 1 << 2;
/// A pointer to the folder that holds a name of this inode, which no caller of the kernel sees.
const PARENT: u8 = 1 << 3;
/// Being written or removed when the machine stopped: it does not count.
const INCOMPLETE: u8 = 1 << 7;

/// A name as it is stored.
///
/// Source: `XFS_ATTR_*_BIT` in xfs_da_format.h; `xfs_xattr_put_listent` in fs/xfs/xfs_xattr.c.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    name: Vec<u8>,
    flags: u8,
}

impl Found {
    /// `None` if this is nothing that a caller of the kernel would see.
    pub(super) fn new(name: &[u8], flags: u8) -> Option<Found> {
        (flags & (PARENT | INCOMPLETE) == 0).then(|| Found { name: name.to_vec(), flags })
    }

    /// Adds the attribute under its full name, and an access control list also in the form that all filesystems share.
    pub(super) fn add(self, value: Vec<u8>, all: &mut Vec<Xattr>) {
        let space: &[u8] = match self.flags & (ROOT | SECURE) {
            0 => b"user.",
            SECURE => b"security.",
            _ => b"trusted.",
        };
        if self.flags & ROOT != 0 {
            all.extend(acl::posix(&self.name, &value));
        }
        all.push(Xattr { name: [space, &self.name].concat(), value });
    }
}
