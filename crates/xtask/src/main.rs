// SPDX-License-Identifier: Apache-2.0
//! The project's own tool: one subcommand a module.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics is a test that failed"))]

mod bench;
mod ci;
mod compare;
mod crash;
mod cuts;
mod diff_walk;
mod fixtures;
mod fuzz;
mod mount;
mod readme;
mod schema;
mod steps;
mod tidy;
mod wire;

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
    /// Measure the whole program on large images
    Bench(bench::Arguments),
    /// The gate: everything that a change must pass
    Ci(ci::Arguments),
    /// Kill the agent at every boundary, and judge what was left, lost or touched
    Crash(crash::Arguments),
    /// Compare copies taken at random instants under load with the kernel's recovery of them
    Cuts(cuts::Arguments),
    /// Compare the kernel's reading of an image with ours: every difference is listed
    DiffWalk(diff_walk::Arguments),
    /// Make the disk images that tests read, from recipes
    Fixtures(fixtures::Arguments),
    /// Measure one command (used by bench)
    #[command(hide = true)]
    Measure(bench::MeasureArguments),
    /// Fuzz the parsers for some seconds each
    Fuzz(fuzz::Arguments),
    /// Write the generated parts of documents, or compare them and run the README's commands
    Readme(readme::Arguments),
    /// Write the JSON Schemas and the page of reason codes, or compare them
    Schema(schema::Arguments),
    /// Check the rules of the house
    Tidy(tidy::Arguments),
    /// Run the real agent through the AWS SDK against moto
    Wire(wire::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Measure(arguments) => bench::run_measure(&arguments),
        Command::Ci(arguments) => ci::run_all(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::Cuts(arguments) => cuts::run(&arguments),
        Command::DiffWalk(arguments) => diff_walk::run(&arguments),
        Command::Fixtures(arguments) => fixtures::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run_named(&arguments),
        Command::Readme(arguments) => readme::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Tidy(arguments) => tidy::run(&arguments),
        Command::Wire(arguments) => wire::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
