// SPDX-License-Identifier: Apache-2.0
//! snapscan: what is installed on a machine, read from its disks, and what could not be read.
//!
//! `main` only dispatches: [`cli`] says what can be asked, [`scan`] makes a report, [`render`] shows it, [`error`] tells a
//! person what went wrong, [`exit`] names the exit codes.
#![forbid(unsafe_code)]

mod agent;
mod cli;
mod config;
mod demo;
mod doctor;
mod error;
mod exit;
mod render;
mod scan;
mod secret;

use clap::Parser;

fn main() -> std::process::ExitCode {
    // Before any thread, runtime or configuration: a worker has none of them.
    if let Some(code) = snapscan_sandbox::child::entry() {
        return code;
    }
    if let Some(code) = snapscan_sandbox::parent::mount::entry() {
        return code;
    }
    let code = match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    };
    code.into()
}
