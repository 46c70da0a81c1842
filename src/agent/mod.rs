// SPDX-License-Identifier: Apache-2.0
//! The agent: pulls jobs, and does them.

pub(crate) mod boundary;
pub(crate) mod context;
pub(crate) mod cost;
pub(crate) mod direct;
pub(crate) mod ledger;
pub(crate) mod metrics;
pub(crate) mod resources;
pub(crate) mod stop;
pub(crate) mod upload;
