// SPDX-License-Identifier: Apache-2.0
//! The project's own tool: one subcommand a module.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics is a test that failed"))]

mod compare;
mod diff_walk;
mod mount;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tool.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// One line a command, in alphabetical order.
#[derive(Subcommand)]
enum Command {
    /// Compare the kernel's reading of an image with ours: every difference is listed
    DiffWalk(diff_walk::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::DiffWalk(arguments) => diff_walk::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
