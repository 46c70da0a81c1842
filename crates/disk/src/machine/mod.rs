// SPDX-License-Identifier: Apache-2.0
//! One machine from many disks: which filesystem is the root, what is mounted where, what a path leads to.
//!
//! | module | answers |
//! |---|---|
//! | [`assemble`] | how does a machine come from its disks? |
//! | [`volumes`] | what lies on the disks? |
//! | [`place`] | what was met at each place? |
//! | [`guide`] | who is told what is read next, and says what to leave out? |
//! | [`root`] | which filesystem is the root? |
//! | [`fstab`], [`names`] | what does the machine mount where, and which filesystem is meant? |
//! | [`tree`] | what does the machine's own program see under this path? |
//! | [`resolve`] | how does a path with links lead to a place, inside the root only? |
//! | [`glob`] | which names match a pattern of one level a star? |
//! | [`prefetch`] | how are many paths resolved in few rounds? |

mod ab;
pub mod assemble;
pub mod fstab;
pub mod glob;
pub mod guide;
pub mod names;
pub mod place;
pub mod prefetch;
pub mod resolve;
pub mod root;
pub mod tree;
pub mod volumes;

pub use assemble::{Machine, ReadSoFar};
pub use guide::{Everywhere, Guide, Step};
pub use place::{Extent, Level, Met, Place, PlaceNote, Places};
pub use resolve::{Follow, Resolved};
pub use tree::{Content, FsId, Location, Tree};
pub use volumes::Disk;
