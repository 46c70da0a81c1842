// SPDX-License-Identifier: Apache-2.0
//! The worker's half: what runs in the confined process.

pub(crate) mod blocks;
