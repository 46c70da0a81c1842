// SPDX-License-Identifier: Apache-2.0
//! Bytes of disks to one tree of names, read-only, in user space, without root.
//!
//! It never writes, mounts, opens a path of the scanning host, asks the clock or the environment, or knows what a
//! package is. It takes bytes of unknown origin, so it never panics on them, never loops without a bound, and never
//! allocates by a number from the disk without a limit.
//!
//! ```text
//! BlockSource ─ window, cache, counting ─► Layout (GPT, MBR, none) ─► LVM2 ─► FileSystem ─► Machine, Tree
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`source`] | where do bytes come from, how are they cached, counted, fetched in few rounds? |
//! | [`layout`] | what lies on a disk: tables, volume groups, known and unknown signatures? |
//! | [`fs`] | what must a filesystem reader do; ext4, XFS, the kernel's, and one in memory |
//! | [`machine`] | which filesystem is the root, what is mounted where, what does a path lead to? |
//! | [`bytes`], [`limits`], [`error`] | checked reads of numbers; every cap; what can go wrong |
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::expect_used,
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that failed"
    )
)]

pub mod bytes;
pub mod error;
pub mod fs;
pub mod layout;
pub mod limits;
pub mod machine;
pub mod source;

pub use error::{Corrupt, Error, Result, Scope, SourceError};
pub use fs::path::MachinePath;
pub use source::BlockSource;
