// SPDX-License-Identifier: Apache-2.0
//! Names and bytes of a machine to findings: pure functions of one tree.
//!
//! It never opens a file of the scanning host, starts a program, asks the clock, or sees a block of a disk: all it
//! knows comes through [`snapscan_disk::machine::Tree`].
//!
//! ```text
//! Tree ─► engine: prefetch, probe ─► extractors ─► Sink ─► merge ─► Outcome
//!                 walk (profile full) ─┘
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`extractor`] | what is an extractor, and what may it do? |
//! | [`sink`] | how does it hand over findings and problems, within its limits? |
//! | [`problems`] | how are they bounded, whatever the order? |
//! | [`registry`] | which are there? The one list. |
//! | [`engine`] | how are they run, fenced, and their results merged? |
//! | [`os`] | release, kernels, names, architecture |
//! | [`pkg`] | one module for each package database |
//! | [`fact`] | one module for each kind of configuration |
//! | [`version`] | which of two versions is newer, by each ecosystem's rule? |
//!
//! To add one: its file, its line in [`registry`], its folder under `cases/`. See `docs/extractors.md`.
#![forbid(unsafe_code)]
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

pub mod engine;
pub mod extractor;
pub mod fact;
pub mod os;
pub mod pkg;
pub mod problems;
pub mod registry;
pub mod sink;
pub mod version;

pub use engine::{Options, Outcome, run, run_guided, walk_alone, walk_alone_guided, wants};
pub use extractor::{Extractor, Hits, Profile, Walk};
pub use sink::Sink;
