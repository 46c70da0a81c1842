// SPDX-License-Identifier: Apache-2.0
//! The only way from the program to a customer's bytes.
//!
//! Whoever calls this crate hands over open descriptors and gets back a report, names, or the content of a file. The
//! caller never sees a byte that it could be tempted to parse: the reading runs in a confined child process, descriptors
//! and plain values go in, bounded records come out, and the parent believes none of them unchecked.
//!
//! | module | answers |
//! |---|---|
//! | [`target`] | what can be handed over? |
//! | [`inspect`](mod@inspect) | how does a target become a report? |
//! | [`kernel`] | and by the kernel's readers in place of ours? |
//! | [`look`] | how are names and content shown to a person? |
//! | [`wire`] | what may parent and child say to each other? |
//! | [`policy`] | what is a worker kept from, and why? |
//! | [`parent`] | how is a worker started, looked at from outside, asked, and judged? |
//! | [`child`] | how does a worker confine itself, and do its work? |
//! | [`blocks`] | where do blocks come from that a child asks for? |
//! | [`watch`] | how far is it? |
//! | [`error`] | what can go wrong as a whole? |
#![deny(unsafe_code)]

pub mod blocks;
pub mod child;
pub mod error;
pub mod inspect;
pub mod kernel;
pub mod look;
pub mod parent;
pub mod policy;
pub mod target;
pub mod watch;
pub mod wire;

pub use error::Error;
pub use inspect::{Hook, Limits, Options, inspect};
pub use kernel::inspect_mounted;
pub use parent::spawn::{Program, Require};
pub use snapscan_inventory::Profile;
pub use target::{Bytes, Target, Volume};
pub use watch::Watch;
