// SPDX-License-Identifier: Apache-2.0
//! The steps of a job, one file each; [`STEPS`](crate::agent::job::STEPS) is their table.

pub(crate) mod ack;
pub(crate) mod inspect;
pub(crate) mod lease;
pub(crate) mod open;
pub(crate) mod outbox;
pub(crate) mod release;
pub(crate) mod resolve;
pub(crate) mod snapshot;
pub(crate) mod spool;
pub(crate) mod transfer;
