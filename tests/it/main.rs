// SPDX-License-Identifier: Apache-2.0
//! Whole-program tests: the binary as a person runs it, on images, from its arguments to its exit code.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod agent;
mod between;
mod cloud;
mod coverage;
mod crowd;
mod demo;
mod disk;
mod errors;
mod formats;
mod hostile;
mod hostile_agent;
mod kernel;
mod looking;
mod lvm;
mod machine;
mod methods;
mod realdata;
mod run;
mod scan;
