// SPDX-License-Identifier: Apache-2.0
//! The agent: pulls jobs, and does them.

pub(crate) mod ledger;
