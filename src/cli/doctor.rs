// SPDX-License-Identifier: Apache-2.0
//! `snapscan doctor`: what is in order for an agent to work here, and what is not.

use clap::Args;

use crate::config::{Config, Flags};
use crate::doctor::{State, examine, show};
use crate::error::Failure;
use crate::exit::Exit;

/// Options of `doctor`.
#[derive(Args)]
#[command(after_help = "Nothing is changed, nobody logs in.\nExit codes: 0 nothing is bad, 1 something is")]
pub(crate) struct DoctorArgs {
    /// Write one JSON document instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

impl DoctorArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (config, origins) = Config::load(&self.flags)?;
        let checks = super::wait(examine(&config, &origins))?;
        let text = if self.json { show::document(&origins, &checks) } else { show::table(&origins, &checks) };
        super::print(&text);
        let bad = checks.iter().any(|check| check.state == State::Bad);
        Ok(if bad { Exit::Failed } else { Exit::Complete })
    }
}
