// SPDX-License-Identifier: Apache-2.0
//! `snapscan reap`: takes away what a dead agent left, with the agent's lock in hand.

use std::sync::Arc;

use clap::Args;

use crate::agent::context::{host, open_cloud};
use crate::agent::ledger::reap::reap;
use crate::agent::ledger::{Intent, Ledger, Lock, Opening};
use crate::agent::resources::{Released, Resources};
use crate::config::key::deployment_key;
use crate::config::{Config, Flags};
use crate::error::Failure;
use crate::exit::Exit;
use crate::secret::Vault;

/// Options of `reap`.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 nothing is left, 3 something is left or an agent is at work, 1 failed")]
pub(crate) struct ReapArgs {
    /// Say what would be taken away and why, ask no cloud, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    flags: Flags,
}

impl ReapArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (config, _) = Config::load(&self.flags)?;
        super::wait(async {
            if self.dry_run {
                return dry_run(&config).await;
            }
            let lock = Lock::take(&config.state).map_err(|error| {
                let what = format!("cannot lock the state folder `{}`: {error}", config.state.display());
                Failure::new(what, "check the folder and who may write there")
            })?;
            let Some(_lock) = lock else {
                super::print("an agent is at work: it takes away what others left when it starts\n");
                return Ok(Exit::Partial);
            };
            with_lock(&config).await
        })?
    }
}

/// All rows are a dead agent's, whoever's epoch they carry: the living one would have the lock.
async fn with_lock(config: &Config) -> Result<Exit, Failure> {
    let ledger = Ledger::open(&config.state, Opening::Beside)?;
    let cloud = open_cloud(config).await?;
    let host = host(&cloud).await?;
    let scope = snapscan_cloud::Scope {
        account: host.account.clone(),
        region: host.region.clone(),
        purpose: snapscan_cloud::Purpose::Scanner,
        job: String::new(),
    };
    let key = deployment_key(config, &Vault::here(Some((cloud.clone(), scope)))).await?;
    let owner = Arc::new(snapscan_cloud::Owner::new(config.deployment.clone(), *key));
    let next = ledger.epoch().saturating_add(1);
    let resources = Resources::new(cloud, owner, ledger.clone(), host);
    let reaped = reap(&resources, next).await?;
    super::print(&text(&reaped));
    super::print(&super::ledger::sums(&ledger.tally().await?));
    Ok(if reaped.left.is_empty() { Exit::Complete } else { Exit::Partial })
}

async fn dry_run(config: &Config) -> Result<Exit, Failure> {
    let ledger = Ledger::open(&config.state, Opening::Beside)?;
    let rows = ledger.open_before(ledger.epoch().saturating_add(1)).await?;
    super::print(&rows.iter().map(would).collect::<String>());
    super::print(&super::ledger::sums(&ledger.tally().await?));
    Ok(if rows.is_empty() { Exit::Complete } else { Exit::Partial })
}

/// What would be done with a row, and why.
fn would(row: &Intent) -> String {
    let ids: Vec<_> = row.held().map(|made| made.id.as_str()).collect();
    let what = if ids.is_empty() {
        format!("would look for what intent {} made", row.id)
    } else {
        format!("would release {}", ids.join(", "))
    };
    format!("{}: {what}: {} for job {} by agent {}\n", row.kind.name(), row.word(), row.job, row.epoch)
}

fn text(reaped: &Released) -> String {
    let mut text: String = reaped.taken.iter().map(|taken| format!("released {taken}\n")).collect();
    for left in &reaped.left {
        let ids = if left.ids.is_empty() { format!("intent {}", left.intent) } else { left.ids.join(", ") };
        text.push_str(&format!("left {} {ids}: {}: {}\n", left.kind, left.state, left.why));
    }
    text
}
