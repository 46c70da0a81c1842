// SPDX-License-Identifier: Apache-2.0
//! What can be asked on the command line: one table of commands, one file each.

mod agent;
mod cat;
mod demo;
mod doctor;
mod explain;
mod jobs;
mod ledger;
mod ls;
mod reap;
mod scan;

pub(crate) use scan::Format;

use clap::{Parser, Subcommand};

use crate::error::Failure;
use crate::exit::Exit;

/// What is installed on a machine, read from its disks, and what could not be read.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  snapscan scan web-03.img
  snapscan scan --format cyclonedx -o web-03.cdx.json root.img data.img
  snapscan ls -l web-03.img /etc
  snapscan explain IMAGE_TRUNCATED

Exit codes: 0 complete, 3 something that matters was not read, 1 failed, 2 usage";

#[derive(Subcommand)]
enum Command {
    /// List packages and configuration of a machine, and what was not read
    Scan(scan::ScanArgs),
    /// List names in a machine, without a mount and without root
    Ls(ls::LsArgs),
    /// Write the content of a file of a machine to standard output
    Cat(cat::CatArgs),
    /// Pull jobs from the queue and do them
    Agent(agent::AgentArgs),
    /// Put jobs on the queue, and see how far they are
    Jobs(jobs::JobsArgs),
    /// List what the agent made in a cloud, and what of it is left
    Ledger(ledger::LedgerArgs),
    /// Take away what a dead agent left in a cloud
    Reap(reap::ReapArgs),
    /// Say what is in order for an agent to work here, and what is not
    Doctor(doctor::DoctorArgs),
    /// Say what a reason code means and what to do about it
    Explain(explain::ExplainArgs),
    /// Watch an agent work, die and start again in a cloud made of files; nothing leaves this computer
    Demo(demo::DemoArgs),
    /// Serve the cloud of a demo
    #[command(hide = true)]
    DemoCloud(demo::DemoCloudArgs),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            Command::Scan(args) => args.run(),
            Command::Ls(args) => args.run(),
            Command::Cat(args) => args.run(),
            Command::Agent(args) => args.run(),
            Command::Jobs(args) => args.run(),
            Command::Ledger(args) => args.run(),
            Command::Reap(args) => args.run(),
            Command::Doctor(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Demo(args) => args.run(),
            Command::DemoCloud(args) => args.run(),
        }
    }
}

/// Does something that waits, on this thread alone.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(format!("cannot start: {error}"), "check the limits of the process: `ulimit -a`")
    })?;
    Ok(runtime.block_on(work))
}

/// Writes to standard output. Nobody reading on is no error.
fn print(text: &str) {
    use std::io::Write;
    let _closed = std::io::stdout().write_all(text.as_bytes());
}
