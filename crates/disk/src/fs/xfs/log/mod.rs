// SPDX-License-Identifier: Apache-2.0
//! The log of XFS: what a crash left in it, applied in memory.
//!
//! A snapshot of a running machine holds changes that are in the log and not yet in place. XFS's kernel would write
//! them there when it mounts; here an [`Overlay`] gives the bytes as they would be then, and the source stays as it
//! is.
//!
//! ```text
//! ring ─► head (where it begins and ends) ─► walk (records) ─► op ─► transaction ─► changes ─► overlay
//! ```
//!
//! | module | answers |
//! |---|---|
//! | `geometry` | what must be known of the filesystem? |
//! | `ring`, `record`, `head`, `walk` | where are the records that matter, and are they whole? |
//! | `op`, `transaction` | which regions belong to which item of which transaction? |
//! | `item`, `intent` | what is an item about; what was announced and not finished? |
//! | `changes`, `buffer`, `inode`, `icreate` | what is changed where, and is the disk newer? |
//! | `live`, `overlay` | which bytes does a place have after recovery? |
//! | `load` | is the log clean, replayed, or stale? |

mod buffer;
mod changes;
mod geometry;
mod head;
mod icreate;
mod inode;
mod intent;
mod item;
mod live;
mod load;
mod op;
mod overlay;
mod record;
mod ring;
#[cfg(test)]
mod tests;
mod transaction;
mod walk;

pub use geometry::Geometry;
pub use load::{Loaded, Met, Replay, load};
pub use overlay::Overlay;
