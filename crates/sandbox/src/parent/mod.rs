// SPDX-License-Identifier: Apache-2.0
//! The parent's half: starts workers, looks at them from outside, and believes nothing they say.

pub(crate) mod cache;
pub mod device;
pub(crate) mod flight;
mod ioctl;
pub mod mount;
pub mod process;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod served;
pub mod spawn;
mod spawner;
mod talk;
mod verify;
