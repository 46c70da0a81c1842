// SPDX-License-Identifier: Apache-2.0
//! ext2, ext3 and ext4, read-only, in user space.
//!
//! | module | answers |
//! |---|---|
//! | `open`, `superblock`, `features` | can it be read, what are its sizes, which copy is used? |
//! | [`journal`] | what does the journal hold that is not in its place yet? |
//! | `volume`, `group`, `table` | how is a block read, where is an inode? |
//! | `inode`, `inline`, `link`, `xattr`, `acl` | what does an inode say? |
//! | `mapping`, `extent`, `indirect`, `file` | where are a file's bytes? |
//! | `dir`, `dirent`, `htree`, `hash`, `encrypted` | what is in a folder, where is a name? |
//! | `csum` | the checksums of metadata |
//! | `filesystem` | the contract |

mod acl;
mod ahead;
mod csum;
mod dir;
mod dirent;
mod encrypted;
mod extent;
mod features;
mod file;
mod filesystem;
mod group;
mod hash;
mod htree;
mod indirect;
mod inline;
mod inode;
pub mod journal;
mod link;
mod mapping;
mod open;
mod superblock;
mod table;
mod volume;
mod xattr;

pub use open::{Ext4, probe, probe_copies};
