// SPDX-License-Identifier: Apache-2.0
//! `snapscan reap`: takes away what a dead agent left, with the agent's lock in hand.

use std::sync::Arc;

use clap::Args;
use snapscan_cloud::{Cloud, Owner};

use crate::agent::context::{host, open_cloud, own, paced};
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

async fn with_lock(config: &Config) -> Result<Exit, Failure> {
    let reaped = take_away(config, &open_cloud(config).await?).await?;
    super::print(&text(&reaped));
    let ledger = Ledger::open(&config.state, Opening::Beside)?;
    super::print(&super::ledger::sums(&ledger.tally().await?));
    Ok(if reaped.left.is_empty() { Exit::Complete } else { Exit::Partial })
}

/// All rows are a dead agent's, whoever's epoch they carry: the living one would have the lock.
async fn take_away(config: &Config, cloud: &Cloud) -> Result<Released, Failure> {
    let ledger = Ledger::open(&config.state, Opening::Beside)?;
    // The rates of an agent: other scanners may be at work in the same accounts, and half is their owner's.
    let cloud = paced(cloud, config);
    let host = host(&cloud).await?;
    let key = deployment_key(config, &Vault::here(Some((cloud.clone(), own(&host, ""))))).await?;
    let owner = Arc::new(Owner::new(config.deployment.clone(), *key));
    let next = ledger.epoch().saturating_add(1);
    let resources = Resources::new(cloud, owner, ledger, host);
    Ok(reap(&resources, next).await?)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use snapscan_cloud::local::{EventKind, events};
    use snapscan_cloud::{AccountId, Region, VolumeId};

    use super::*;
    use crate::agent::resources::Place;
    use crate::agent::tests::{TARGET, World};

    #[tokio::test(start_paused = true)]
    async fn what_many_left_is_taken_away_at_the_rate_that_leaves_the_owner_most_of_his() {
        let world = World::new();
        let agent = world.agent().await;
        let (account, region) = (AccountId::parse(TARGET).unwrap(), Region::parse("eu-west-1").unwrap());
        let place = Place { account, region, job: "job-1".to_owned() };
        for _ in 0..12 {
            agent.resources.snapshot_volume(&place, &VolumeId::parse("vol-0a").unwrap()).await.unwrap();
            // Of one volume there is one snapshot each 15 seconds.
            world.cloud().clock.sleep(Duration::from_secs(16)).await;
        }
        drop(agent);
        let mut config = world.config();
        config.agent.scanners = 10;
        let reaped = take_away(&config, world.cloud()).await.map_err(|failure| failure.what).unwrap();
        assert_eq!((reaped.taken.len(), reaped.left.len()), (12, 0));
        let all = events(&world.path()).unwrap();
        let times: Vec<u64> =
            all.iter().filter(|event| event.kind == EventKind::Gone).map(|event| event.at).collect();
        assert_eq!(times.len(), 12);
        // AWS has 100 at once and 5 a second; a half of that for ten scanners is 5 at once and one each 4 s.
        let took = times.last().unwrap() - times.first().unwrap();
        assert!(took >= 27_000, "12 deletions in {took} ms: {times:?}");
    }
}
