// SPDX-License-Identifier: Apache-2.0
//! Configuration in three stages, three types: written, checked, effective.
//!
//! ```text
//!  /usr/lib, /run, /etc/snapscan/config.d/*.toml ─┐
//!  environment SNAPSCAN_… ────────────────────────┼─► Written ─► Checked ─► Config
//!  flags --set KEY=VALUE ─────────────────────────┘   origins    the table   typed, whole
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`keys`] | which settings are there, of which kind, with which default? The one table |
//! | [`layers`] | which files, variables and flags are read, and which of them wins? |
//! | [`written`] | what does a document say, and where does it say so? |
//! | [`value`] | how are durations, bytes, dollars and secrets written? |
//! | [`checked`] | is it known, of the right kind, in range? |
//! | [`contradictions`] | does it make sense as a whole? |
//! | [`suggest`] | which key was meant? |
//! | [`effective`], [`resolve`] | what does the program work with? |
//! | [`key`] | which key tells our things from others'? |

mod checked;
mod contradictions;
pub(crate) mod effective;
pub(crate) mod key;
mod keys;
mod layers;
mod resolve;
mod suggest;
mod value;
mod written;

pub(crate) use checked::{Origins, Row};
pub(crate) use effective::Config;
pub(crate) use layers::Flags;
#[cfg(test)]
pub(crate) use layers::Surroundings;

#[cfg(test)]
mod tests;
