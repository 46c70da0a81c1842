// SPDX-License-Identifier: Apache-2.0
//! XFS, versions 4 and 5, read-only, in user space.
//!
//! A node is an inode number. Nothing but the superblock (and the log, if it is dirty) is read to open: inode numbers
//! say where inodes lie, so headers and trees of the allocation groups only matter ahead of a walk, for which inodes
//! there are.
//!
//! | module | answers |
//! |---|---|
//! | `reader` | how is it opened, and which part answers what? |
//! | `superblock`, `features`, `geometry` | what filesystem is it, can it be read, where do its numbers lead? |
//! | `inode`, `cluster` | what is one node, what are many? |
//! | `fork`, `extent`, `btree` | where do the blocks of a file lie? |
//! | `dir`, `attr`, `da` | names: of entries and of attributes, and the hash tree of both |
//! | `symlink`, `file` | content |
//! | `log`, `recovery` | what did the machine not write in place before the snapshot? |
//! | `ahead` | what will a walk over all names need? |
//! | `crc`, `volume` | proofs on metadata blocks; what all share |

mod ahead;
mod attr;
mod btree;
mod cluster;
mod crc;
mod da;
mod dir;
mod extent;
mod features;
mod file;
mod fork;
mod geometry;
mod inode;
pub mod log;
mod reader;
mod recovery;
#[cfg(test)]
mod samples;
mod superblock;
mod symlink;
mod volume;

pub use reader::Xfs;

use crate::error::Result;
use crate::source::BlockSource;

/// True if `source` begins with this filesystem's magic.
///
/// # Errors
/// What the source answers, but for its end.
pub fn probe(source: &dyn BlockSource) -> Result<bool> {
    superblock::probe(source)
}
