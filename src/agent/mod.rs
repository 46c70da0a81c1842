// SPDX-License-Identifier: Apache-2.0
//! The agent: pulls jobs, and does them.
//!
//! Read [`job`] first: it is the whole of a job's life. The rest answers one question each:
//!
//! | module | answers |
//! |---|---|
//! | [`poll`] | when is a message leased, and what happens at start and stop? |
//! | [`job`], [`steps`] | what happens to a job? |
//! | [`work`] | what is known of a job so far, and may it go on? |
//! | [`stop`], [`settle`] | why could it not, and what becomes of its message? |
//! | [`lease`], [`running`] | is a message still ours? |
//! | [`pool`] | how many jobs at once? |
//! | [`spool`] | how does a report survive a crash? |
//! | [`ledger`], [`resources`], [`leftovers`] | what was made, and is it gone? |
//! | [`method`] | which way are volumes read? |
//! | [`inspector`], [`direct`], [`device`] | who reads, and where do blocks and devices come from? |
//! | [`sinks`], [`upload`] | how do reports get from the outbox to where they belong? |
//! | [`drain`], [`health`] | how does the agent stop, and who is told? |
//! | [`cost`], [`metrics`] | what did it cost, and how does it go? |
//! | [`context`] | what do all jobs share? |
//! | [`boundary`] | where may the crash test kill it? |

#[cfg(feature = "aws")]
mod aws;
pub(crate) mod boundary;
pub(crate) mod context;
pub(crate) mod cost;
pub(crate) mod device;
pub(crate) mod direct;
pub(crate) mod drain;
pub(crate) mod health;
pub(crate) mod inspector;
pub(crate) mod job;
pub(crate) mod lease;
pub(crate) mod ledger;
pub(crate) mod leftovers;
pub(crate) mod method;
pub(crate) mod metrics;
pub(crate) mod poll;
pub(crate) mod pool;
pub(crate) mod resources;
pub(crate) mod running;
pub(crate) mod settle;
pub(crate) mod sinks;
pub(crate) mod spool;
pub(crate) mod steps;
pub(crate) mod stop;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod upload;
pub(crate) mod work;
