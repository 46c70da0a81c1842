// SPDX-License-Identifier: Apache-2.0
//! The demo: the real agent at work in a cloud made of files, killed once, and held to account.
//!
//! ```text
//!  this process ─┬─ starts ─► snapscan demo-cloud   a folder behind a Unix socket, time 60 times as fast
//!                └─ starts ─► snapscan agent        killed with SIGKILL in the middle, started again
//!  what is shown at the end is computed from the cloud's log, and from nothing that the agent says
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`story`] | what happens, in which order? |
//! | [`stage`] | in which folder, and who clears it away? |
//! | [`world`] | which machines are there? |
//! | [`decoy`] | what of others looks like ours, and is it unharmed? |
//! | [`cloud`] | how does the cloud run as a process of its own? |
//! | [`agent`] | how is the agent started and killed? |
//! | [`view`] | how far is each job? |
//! | [`found`] | what was found, and what was not, and why? |
//! | [`bill`] | what would it have cost, by the cloud's log? |
//! | [`own`] | what does the agent say it cost, and is it the same? |
//! | [`cost`] | how is that shown? |
//! | [`ink`] | where is colour? |
//! | [`barriers`] | what holds the worker here? |
//! | [`account`] | what was made, and what of it is left? |
//! | [`verdict`] | was the promise kept, and if not, in which words does it fail? |

mod account;
mod agent;
mod barriers;
mod bill;
mod cloud;
mod cost;
mod decoy;
mod found;
mod ink;
mod own;
mod stage;
mod story;
mod verdict;
mod view;
mod world;

pub(crate) use cloud::serve;
pub(crate) use story::play;
