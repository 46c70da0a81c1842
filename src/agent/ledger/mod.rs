// SPDX-License-Identifier: Apache-2.0
//! The agent's memory across crashes: what it does, and what it made, written down before it is asked for.
//!
//! ```text
//!  planned ─► called ─► bound ─────────► releasing ─► closed
//!     │         │ └───► unknown ─(found)─► bound …       ▲
//!     │         │          └─ two lookups, nothing ──────┤
//!     └─────────┴─ never called, or refused ─────────────┘
//! ```
//!
//! | file | answers |
//! |---|---|
//! | [`event`] | which changes of a row are legal? |
//! | [`store`] | how is a change made durable? |
//! | [`intents`], [`rows`] | what was asked for, what came of it, what of it is still there? |
//! | [`jobs`] | was this message seen before, and how far did it come? |
//! | [`budget`] | what was spent today, and what may still be? |
//! | [`lock`] | is an agent at work? |
//! | [`reap`] | rings 2 and 3: what a process that is gone left behind |

mod budget;
mod event;
mod intents;
mod jobs;
mod lock;
pub(crate) mod reap;
mod rows;
mod store;

pub(crate) use budget::{Allowance, Reserved};
pub(crate) use event::{Event, Kind, State, Trouble};
pub(crate) use intents::{APART, Intent, Made, NewIntent, Tally, written};
pub(crate) use jobs::{JobRow, JobState, Seen};
pub(crate) use lock::Lock;
pub(crate) use store::{Error, Ledger, Opening};

#[cfg(test)]
mod tests;
