// SPDX-License-Identifier: Apache-2.0
//! One machine from many disks: which filesystem is the root, what is mounted where, what a path leads to.
//!
//! | module | answers |
//! |---|---|
//! | [`tree`] | what does the machine's own program see under this path? |
//! | [`resolve`] | how does a path with links lead to a place, inside the root only? |
//! | [`glob`] | which names match a pattern of one level a star? |
//! | [`prefetch`] | how are many paths resolved in few rounds? |

pub mod glob;
pub mod prefetch;
pub mod resolve;
pub mod tree;

pub use resolve::{Follow, Resolved};
pub use tree::{Content, FsId, Location, Tree};
