// SPDX-License-Identifier: Apache-2.0
//! Runs the extractors over a tree, each within its fence, and merges what they found.
//!
//! | module | answers |
//! |---|---|
//! | [`probe`] | how does one extractor get what it wants, and what becomes of its problems? |
//! | [`walk`] | how is every name seen once, in parallel, within a bound? |
//! | [`family`] | has the distribution its own package database? |
//! | [`outcome`] | how do many sinks become one result, whatever the order? |

mod ahead;
pub mod family;
pub mod outcome;
pub mod probe;
mod run;
#[cfg(test)]
mod tests;
pub mod walk;

pub use outcome::Outcome;
pub use run::{Options, run, run_guided, walk_alone, walk_alone_guided, wants};
