// SPDX-License-Identifier: Apache-2.0
//! The agent's half: what stays outside of the confined process.

pub(crate) mod cache;
pub(crate) mod flight;
pub(crate) mod serve;
