// SPDX-License-Identifier: Apache-2.0
//! How it is configured: one module for each kind of configuration.

pub mod accounts;
mod assemble;
pub mod cron;
mod lines;
pub mod modes;
pub mod mounts;
pub mod sshd;
pub mod sudoers;
pub mod sysctl;
pub mod units;
mod wildcard;
