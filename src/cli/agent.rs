// SPDX-License-Identifier: Apache-2.0
//! `snapscan agent`: pulls jobs and does them.

use std::fs::DirBuilder;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::agent::context::{Context, open_cloud};
use crate::agent::inspector::Sandbox;
use crate::agent::ledger::Lock;
use crate::agent::poll::{self, Until};
use crate::config::{Config, Flags};
use crate::error::Failure;
use crate::exit::Exit;

/// Options of `agent`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AgentArgs {
    /// Poll once, do the jobs that came, and end
    #[arg(long, conflicts_with = "until_idle")]
    once: bool,

    /// End when the queue is empty and all that was made is released
    #[arg(long)]
    until_idle: bool,

    #[command(flatten)]
    flags: Flags,
}

const EXAMPLES: &str = "\
Examples:
  snapscan agent
  snapscan agent --until-idle --set cloud.folder=/srv/cloud

SNAPSCAN_LOG sets what is logged, such as `debug` or `snapscan::agent=debug,info`.
SIGTERM stops it in order: no new jobs, running ones get `agent.drain`, the rest goes back to the queue.";

impl AgentArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (config, _) = Config::load(&self.flags)?;
        log();
        let until = match (self.once, self.until_idle) {
            (true, _) => Until::Once,
            (_, true) => Until::Idle,
            (false, false) => Until::Stopped,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Failure::new(format!("cannot start: {error}"), "check the limits of the process: `ulimit -a`")
        })?;
        runtime.block_on(work(config, until))?;
        Ok(Exit::Complete)
    }
}

/// Works with the state folder's lock in hand, which the reaper takes too.
async fn work(config: Config, until: Until) -> Result<(), Failure> {
    let folder = config.state.display().to_string();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&config.state);
    let lock = made.and_then(|()| Lock::take(&config.state)).map_err(|error| {
        Failure::new(
            format!("cannot lock the state folder `{folder}`: {error}"),
            "check the folder and who may write there, or set `state`",
        )
    })?;
    let Some(_lock) = lock else {
        let what = format!("another agent, or `snapscan reap`, works with the state folder `{folder}`");
        return Err(Failure::new(what, "stop it first, or give this one a folder of its own with `state`"));
    };
    let cloud = open_cloud(&config).await?;
    let context = Arc::new(Context::open(config, cloud, Arc::new(Sandbox)).await?);
    let signals = context.drain.watch_signals(&context.cloud, context.config.agent.drain);
    signals.map_err(|error| {
        Failure::new(format!("cannot listen for signals: {error}"), "see the system's log")
    })?;
    poll::run(&context, until).await
}

/// Logs to standard error: lines for a person, JSON for a service.
fn log() {
    let filter = EnvFilter::try_from_env("SNAPSCAN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody who has set one already, such as a test, keeps it.
    let _set = if std::io::stderr().is_terminal() {
        layer.with_target(false).compact().try_init()
    } else {
        layer.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
}
