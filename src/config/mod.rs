// SPDX-License-Identifier: Apache-2.0
//! Configuration in three stages, three types: written, checked, effective.

pub(crate) mod effective;

pub(crate) use effective::Config;
