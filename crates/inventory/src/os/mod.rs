// SPDX-License-Identifier: Apache-2.0
//! What system this is: release, kernels, names, architecture.

pub mod elf;
pub mod identity;
pub mod kernel;
pub mod release;
