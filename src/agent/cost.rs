// SPDX-License-Identifier: Apache-2.0
//! What jobs cost: every request to the cloud is counted, and what was made is timed until it is gone.
//!
//! Sources of the rules: Amazon EBS pricing (direct interface by request, snapshots and gp3 volumes by GiB and month of
//! 30 days, volumes for at least 60 s). Snapshots count with their whole size although AWS stores only what a volume
//! holds and what changed, and until the answer to their deletion is here: the estimate is an upper bound.
//!
//! A report carries what its job had cost when it was written; what comes after it (the release, the hand-over) is in
//! the metrics and in the log's `job_charged`. What still exists when its job ends is charged for the rest of its time
//! when it goes. An agent that is killed takes its counts with it, and no later agent claims what that one asked for.

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
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

/// What is not charged yet.
#[derive(Default)]
struct Open {
    /// By job.
    tallies: BTreeMap<String, Tally>,
    /// What was still there when its job ended, and for how many seconds it is charged already.
    late: BTreeMap<String, (Thing, u64)>,
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
pub(crate) fn counted(cloud: Cloud, costs: Arc<Costs>) -> Cloud {
    Cloud { clock: cloud.clock, service: Arc::new(Counted { inner: cloud.service, costs }) }
}

struct Counted {
    inner: Arc<dyn Service>,
    costs: Arc<Costs>,
}

/// A request under way: one that is given up was asked all the same.
struct Asked<'a> {
    metrics: &'a Metrics,
    action: &'static str,
    outcome: Option<String>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.metrics.call(self.action, self.outcome.as_deref().unwrap_or("given_up"));
    }
}

#[async_trait::async_trait]
impl Service for Counted {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name();
        let about = About::of(&call);
        self.costs.asked(&scope.job, action);
        let mut asked = Asked { metrics: &self.costs.metrics, action, outcome: None };
        let answer = self.inner.call(scope, call).await;
        asked.outcome = Some(match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?}", error.class).to_lowercase(),
        });
        if let Ok(answer) = &answer {
            self.costs.answered(&scope.job, &about, answer);
        }
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
    pub(crate) fn new(prices: Prices, simulated: bool, clock: Clock, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { prices, simulated, clock, metrics, open: Mutex::default() })
    }

    /// What a job has cost so far.
    pub(crate) fn of(&self, job: &str) -> Cost {
        self.open().tallies.get(job).map_or_else(|| self.price(&Tally::default()), |tally| self.price(tally))
    }

    /// What a job that has ended cost; it is charged, and forgotten but for what is still there.
    pub(crate) fn settle(&self, job: &str) -> Cost {
        let mut open = self.open();
        let tally = open.tallies.remove(job).unwrap_or_default();
        let (cost, now) = (self.price(&tally), self.clock.now());
        self.metrics.held_seconds(cost.snapshot_seconds, cost.volume_seconds);
        self.metrics.spent(self.nanodollars(&tally, now));
        let still = tally.things.into_iter().filter(|(_, thing)| thing.gone.is_none());
        open.late.extend(still.map(|(id, thing)| {
            let charged = thing.seconds(now);
            (id, (thing, charged))
        }));
        cost
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, job: &str, action: &str) {
        let mut open = self.open();
        let tally = open.tallies.entry(job.to_owned()).or_default();
        *tally.calls.entry(action.to_owned()).or_default() += 1;
    }

    fn answered(&self, job: &str, about: &About, answer: &Answer) {
        let now = self.clock.now();
        let mut open = self.open();
        if let About::Gone(id) = about {
            // Whoever releases it: it costs the job that made it.
            let thing = open.tallies.values_mut().find_map(|tally| tally.things.get_mut(id));
            thing.into_iter().for_each(|thing| thing.gone = thing.gone.or(Some(now)));
            if let Some((thing, charged)) = open.late.remove(id) {
                self.charge_rest(&thing, charged, now);
            }
        }
        let tally = open.tallies.entry(job.to_owned()).or_default();
        match (answer, about) {
            (Answer::CreateSnapshots(set), _) => {
                set.iter().for_each(|one| tally.make(one.id.to_string(), false, one.size_gib, one.started));
            }
            (Answer::CreateSnapshot(one), _) => {
                tally.make(one.id.to_string(), false, one.size_gib, one.started)
            }
            (Answer::CopySnapshot(id), About::Of(source)) => {
                let gib = tally.things.get(source).map_or(0, |thing| thing.gib);
                tally.make(id.to_string(), false, gib, now);
            }
            (Answer::CreateVolume(id), About::Of(source)) => {
                let gib = tally.things.get(source).map_or(0, |thing| thing.gib);
                tally.make(id.to_string(), true, gib, now);
            }
            // Snapshots of others tell their size only here.
            (Answer::DescribeVolumes(page), _) => {
                for volume in &page.items {
                    if let Some(thing) = tally.things.get_mut(volume.id.as_str()) {
                        thing.gib = volume.size_gib;
                    }
                }
            }
            (Answer::GetSnapshotBlock(block), _) => {
                tally.get_blocks += 1;
                tally.bytes += block.bytes.len() as u64;
                self.metrics.read(block.bytes.len() as u64, 1);
            }
            (Answer::ListSnapshotBlocks(_), _) => tally.list_pages += 1,
            _ => {}
        }
    }

    /// Charges what went after its job's end for the time since.
    fn charge_rest(&self, thing: &Thing, charged: u64, now: Timestamp) {
        let seconds = thing.seconds(now);
        let rest = seconds.saturating_sub(charged);
        let (snapshot, volume) = if thing.volume { (0, rest) } else { (rest, 0) };
        self.metrics.held_seconds(snapshot, volume);
        let nanos = self.of_thing(thing, seconds).saturating_sub(self.of_thing(thing, charged));
        self.metrics.spent(nanos);
    }

    /// Billionths of a dollar for something that existed so long.
    fn of_thing(&self, thing: &Thing, seconds: u64) -> u128 {
        let (seconds, month) = match thing.volume {
            true => (seconds.max(LEAST_VOLUME), self.prices.volume_gib_month),
            false => (seconds, self.prices.snapshot_gib_month),
        };
        u128::from(thing.gib) * u128::from(seconds) * u128::from(month) * 1000 / MONTH
    }

    /// Billionths of a dollar, so that many small sums do not vanish one by one.
    fn nanodollars(&self, tally: &Tally, now: Timestamp) -> u128 {
        let things = tally.things.values().map(|thing| self.of_thing(thing, thing.seconds(now)));
        // A price for a thousand in millionths is one for each in billionths.
        u128::from(tally.get_blocks) * u128::from(self.prices.get_block_1000)
            + u128::from(tally.list_pages) * u128::from(self.prices.list_blocks_1000)
            + things.sum::<u128>()
    }

    fn price(&self, tally: &Tally) -> Cost {
        let now = self.clock.now();
        let sum = |volume| {
            tally.things.values().filter(|thing| thing.volume == volume).map(|thing| thing.seconds(now)).sum()
        };
        Cost {
            calls: tally.calls.clone(),
            get_blocks: tally.get_blocks,
            list_pages: tally.list_pages,
            bytes: tally.bytes,
            snapshot_seconds: sum(false),
            volume_seconds: sum(true),
            microdollars: u64::try_from(self.nanodollars(tally, now).div_ceil(1000)).unwrap_or(u64::MAX),
            prices_dated: self.prices.dated.clone(),
            simulated: self.simulated,
        }
    }
}

impl Thing {
    /// Seconds for which it has existed, or did.
    fn seconds(&self, now: Timestamp) -> u64 {
        self.gone.unwrap_or(now).since(self.made).as_secs()
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
