// SPDX-License-Identifier: Apache-2.0
//! The only way from the program to a customer's bytes.
//!
//! Whoever calls this crate hands over open descriptors and gets back a report, names, or the content of a file. The
//! caller never sees a byte that it could be tempted to parse. The reading runs in the caller's own process so far;
//! the face is made so that it can run in a confined one: nothing but descriptors and plain values go in, nothing but
//! plain values come out.
//!
//! | module | answers |
//! |---|---|
//! | [`target`] | what can be handed over? |
//! | [`inspect`](mod@inspect) | how does a target become a report? |
//! | [`cover`] | what does what was met on the disks mean for coverage? |
//! | [`look`] | how are names and content shown to a person? |
//! | [`policy`] | what is a worker kept from, and why? |
//! | [`parent`] | how is a worker started and looked at from outside? |
//! | [`child`] | how does a worker confine itself? |
//! | [`watch`] | how far is it? |
//! | [`error`] | what can go wrong as a whole? |
#![deny(unsafe_code)]

pub mod blocks;
pub mod child;
pub mod cover;
pub mod error;
pub mod inspect;
pub mod look;
pub mod parent;
pub mod policy;
pub mod target;
pub mod watch;

pub use error::Error;
pub use inspect::{Options, inspect};
pub use snapscan_inventory::Profile;
pub use target::{Target, Volume};
pub use watch::Watch;
