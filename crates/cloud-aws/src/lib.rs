// SPDX-License-Identifier: Apache-2.0
//! The AWS SDK behind the calls of `snapscan-cloud`; empty without its feature `sdk`.
//!
//! | module | answers |
//! |---|---|
//! | `client` | with whose credentials, where, with what time limits? |
//! | `policy` | what may a session of a purpose do at most? |
//! | `classify` | what does an error of the SDK mean? |
//! | `service` | which function makes which call? |
//! | `metadata` | how is the metadata service asked (IMDSv2)? |
//! | `ec2`, `ebs`, `keys`, `queue`, `outbox`, `table`, `secrets`, `host` | one service each |
//!
//! One retry layer: the SDK's is off, whoever asks decides. Every attempt has a time limit, since the SDK has none of its
//! own.
#![forbid(unsafe_code)]

#[cfg(feature = "sdk")]
mod classify;
#[cfg(feature = "sdk")]
mod client;
#[cfg(feature = "sdk")]
mod ebs;
#[cfg(feature = "sdk")]
mod ec2;
#[cfg(feature = "sdk")]
mod host;
#[cfg(feature = "sdk")]
mod keys;
#[cfg(feature = "sdk")]
mod metadata;
#[cfg(feature = "sdk")]
mod outbox;
#[cfg(feature = "sdk")]
mod policy;
#[cfg(feature = "sdk")]
mod queue;
#[cfg(feature = "sdk")]
mod secrets;
#[cfg(feature = "sdk")]
mod service;
#[cfg(feature = "sdk")]
mod table;

#[cfg(feature = "sdk")]
pub use client::{Aws, Role, Settings};
