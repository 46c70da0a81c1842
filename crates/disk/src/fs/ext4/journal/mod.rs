// SPDX-License-Identifier: Apache-2.0
//! The journal of ext3 and ext4 (jbd2), replayed in memory.
//!
//! A disk that was copied while its machine ran holds changes that stand in the journal and not yet in their place.
//! [`load`] walks the journal once, remembers which of its blocks is the newest version of which block of the
//! filesystem, and answers an [`Overlay`]: a source that looks like the filesystem after the kernel's recovery. No
//! block is copied until somebody reads it. The judgement follows `fs/jbd2/recovery.c`: what makes the kernel refuse to
//! mount makes the filesystem [`Loaded::Stale`] here, with the transactions before the fault applied.
//!
//! | module | answers |
//! |---|---|
//! | [`replay`] | what does the journal mean for the filesystem? |
//! | [`overlay`] | which bytes does a reader see? |
//! | `scan` | where does the log end, and what did complete transactions write and revoke? |
//! | `log` | where does block N of the journal lie, read in large pieces |
//! | `superblock`, `record`, `revoke`, `commit`, `fast` | one structure of the disk each |
//! | `checksum` | the two checksums of jbd2 |

mod checksum;
mod commit;
mod fast;
mod log;
pub mod overlay;
mod record;
pub mod replay;
mod revoke;
mod scan;
mod superblock;

#[cfg(test)]
mod tests;

pub use log::Area;
pub use overlay::Overlay;
pub use replay::{Expect, Loaded, load};
pub use scan::Counts;
