// SPDX-License-Identifier: Apache-2.0
//! What jobs cost: every request to the cloud is counted, and what was made is timed until it is gone.
//!
//! Sources of the rules: Amazon EBS pricing (direct interface by request, snapshots and gp3 volumes by GiB and month of
//! 30 days, volumes for at least 60 s). Snapshots count with their whole size although AWS stores only what a volume
//! holds and what changed: the estimate is an upper bound.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use snapscan_cloud::{Answer, Call, Clock, Cloud, Error, Scope, Service, Timestamp};
use snapscan_schema::Cost;

use super::metrics::Metrics;
use crate::config::effective::Prices;

/// Seconds of a month as AWS's examples count it.
const MONTH: u128 = 30 * 86_400;
/// Seconds that a volume is paid for at least.
const LEAST_VOLUME: u64 = 60;

/// What each job has cost so far.
pub(crate) struct Costs {
    prices: Prices,
    simulated: bool,
    clock: Clock,
    tallies: Mutex<BTreeMap<String, Tally>>,
}

#[derive(Default)]
struct Tally {
    calls: BTreeMap<String, u64>,
    get_blocks: u64,
    list_pages: u64,
    bytes: u64,
    things: BTreeMap<String, Thing>,
}

/// Something of ours that costs while it exists.
struct Thing {
    volume: bool,
    gib: u64,
    made: Timestamp,
    gone: Option<Timestamp>,
}

/// The same cloud; each request that passes is counted for its job and in the metrics.
pub(crate) fn counted(cloud: Cloud, costs: Arc<Costs>, metrics: Arc<Metrics>) -> Cloud {
    Cloud { clock: cloud.clock, service: Arc::new(Counted { inner: cloud.service, costs, metrics }) }
}

struct Counted {
    inner: Arc<dyn Service>,
    costs: Arc<Costs>,
    metrics: Arc<Metrics>,
}

#[async_trait::async_trait]
impl Service for Counted {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        let about = About::of(&call);
        let answer = self.inner.call(scope, call).await;
        let outcome = match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?}", error.class).to_lowercase(),
        };
        self.metrics.call(action, &outcome);
        if let Ok(Answer::GetSnapshotBlock(block)) = &answer {
            self.metrics.read(block.bytes.len() as u64, 1);
        }
        self.costs.count(&scope.job, action, about, answer.as_ref().ok());
        answer
    }
}

/// What a request names that its answer does not.
enum About {
    Gone(String),
    Of(String),
    Nothing,
}

impl About {
    fn of(call: &Call) -> Self {
        match call {
            Call::DeleteSnapshot(delete) => About::Gone(delete.snapshot.id().to_string()),
            Call::DeleteVolume(delete) => About::Gone(delete.volume.id().to_string()),
            Call::CopySnapshot(copy) => About::Of(copy.source.to_string()),
            Call::CreateVolume(volume) => About::Of(volume.snapshot.to_string()),
            _ => About::Nothing,
        }
    }
}

impl Costs {
    /// An account without entries. `simulated` says that no AWS is asked.
    pub(crate) fn new(prices: Prices, simulated: bool, clock: Clock) -> Arc<Self> {
        Arc::new(Self { prices, simulated, clock, tallies: Mutex::default() })
    }

    /// What a job has cost so far.
    pub(crate) fn of(&self, job: &str) -> Cost {
        self.tallies().get(job).map_or_else(|| self.price(&Tally::default()), |tally| self.price(tally))
    }

    /// What a job that has ended cost in all; it is forgotten.
    pub(crate) fn settle(&self, job: &str) -> Cost {
        let tally = self.tallies().remove(job);
        self.price(&tally.unwrap_or_default())
    }

    fn tallies(&self) -> MutexGuard<'_, BTreeMap<String, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, job: &str, action: &str, about: About, answer: Option<&Answer>) {
        let now = self.clock.now();
        let mut tallies = self.tallies();
        if let (About::Gone(id), Some(_)) = (&about, answer) {
            // Whoever releases it: it costs the job that made it.
            let thing = tallies.values_mut().find_map(|tally| tally.things.get_mut(id));
            thing.into_iter().for_each(|thing| thing.gone = thing.gone.or(Some(now)));
        }
        let tally = tallies.entry(job.to_owned()).or_default();
        *tally.calls.entry(action.to_owned()).or_default() += 1;
        match (answer, about) {
            (Some(Answer::CreateSnapshots(set)), _) => {
                set.iter().for_each(|one| tally.make(one.id.to_string(), false, one.size_gib, now));
            }
            (Some(Answer::CreateSnapshot(one)), _) => {
                tally.make(one.id.to_string(), false, one.size_gib, now)
            }
            (Some(Answer::CopySnapshot(id)), About::Of(source)) => {
                let gib = tally.things.get(&source).map_or(0, |thing| thing.gib);
                tally.make(id.to_string(), false, gib, now);
            }
            (Some(Answer::CreateVolume(id)), About::Of(source)) => {
                let gib = tally.things.get(&source).map_or(0, |thing| thing.gib);
                tally.make(id.to_string(), true, gib, now);
            }
            // Snapshots of others tell their size only here.
            (Some(Answer::DescribeVolumes(page)), _) => {
                for volume in &page.items {
                    if let Some(thing) = tally.things.get_mut(volume.id.as_str()) {
                        thing.gib = volume.size_gib;
                    }
                }
            }
            (Some(Answer::GetSnapshotBlock(block)), _) => {
                tally.get_blocks += 1;
                tally.bytes += block.bytes.len() as u64;
            }
            (Some(Answer::ListSnapshotBlocks(_)), _) => tally.list_pages += 1,
            _ => {}
        }
    }

    fn price(&self, tally: &Tally) -> Cost {
        let now = self.clock.now();
        let seconds = |thing: &Thing| thing.gone.unwrap_or(now).since(thing.made).as_secs();
        let sum = |volume| tally.things.values().filter(|thing| thing.volume == volume).map(seconds).sum();
        // Billionths of a dollar, so that many small sums do not vanish one by one.
        let mut nanos = u128::from(tally.get_blocks) * u128::from(self.prices.get_block_1000);
        nanos += u128::from(tally.list_pages) * u128::from(self.prices.list_blocks_1000);
        for thing in tally.things.values() {
            let (seconds, month) = match thing.volume {
                true => (seconds(thing).max(LEAST_VOLUME), self.prices.volume_gib_month),
                false => (seconds(thing), self.prices.snapshot_gib_month),
            };
            nanos += u128::from(thing.gib) * u128::from(seconds) * u128::from(month) * 1000 / MONTH;
        }
        Cost {
            calls: tally.calls.clone(),
            get_blocks: tally.get_blocks,
            list_pages: tally.list_pages,
            bytes: tally.bytes,
            snapshot_seconds: sum(false),
            volume_seconds: sum(true),
            microdollars: u64::try_from(nanos.div_ceil(1000)).unwrap_or(u64::MAX),
            prices_dated: self.prices.dated.clone(),
            simulated: self.simulated,
        }
    }
}

impl Tally {
    fn make(&mut self, id: String, volume: bool, gib: u64, made: Timestamp) {
        // A repeat with the same token answers the same volume: it exists once.
        self.things.entry(id).or_insert(Thing { volume, gib, made, gone: None });
    }
}

#[cfg(test)]
mod tests;
