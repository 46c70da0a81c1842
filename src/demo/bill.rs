// SPDX-License-Identifier: Apache-2.0
//! What the run would have cost, made by hand from the cloud's log.
//!
//! It shares nothing with the agent's own estimate (`agent/cost.rs`), so that the two can be held against each other.
//!
//! Sources of the rules: Amazon EBS pricing: the direct interface by request, snapshots and gp3 volumes by GiB and month
//! of 30 days, a volume for at least 60 s and until its deletion was accepted, "until you release it"; EBS User Guide, "EBS direct APIs": a block has 512 KiB. A snapshot counts with
//! its whole size, although AWS stores only what the volume holds: it is an upper bound. A request that was refused is
//! counted too. Requests to EC2 are free; those to queue, outbox and table are counted, and not in the price list. What a
//! host asks of its own metadata is no request to AWS.

use std::collections::{BTreeMap, BTreeSet};

use snapscan_cloud::local::{Count, Event, EventKind, Span, spans};

use crate::config::effective::Prices;

/// Seconds of a month.
const MONTH: u128 = 30 * 86_400;
/// Bytes of a block.
const BLOCK: u64 = 512 << 10;
/// Seconds that a volume costs at least.
const LEAST: u64 = 60;

/// What the cloud had noted at some moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// What was made, changed and removed.
    pub(super) events: Vec<Event>,
    /// What was asked, and how often.
    pub(super) counts: Vec<Count>,
}

/// What a job, or an agent, would have cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Requests by action.
    pub(super) calls: BTreeMap<String, u64>,
    /// Blocks that were asked for.
    pub(super) blocks: u64,
    /// Pages of lists of blocks that were asked for.
    pub(super) lists: u64,
    /// Bytes of the blocks.
    pub(super) bytes: u64,
    /// Seconds for which snapshots were there, all together.
    pub(super) snapshot_seconds: u64,
    /// Seconds for which volumes were there, all together.
    pub(super) volume_seconds: u64,
    /// Billionths of a dollar.
    pub(super) nanodollars: u128,
}

/// The bill of a run in which one agent was killed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bill {
    /// What each job cost, by its name; what was asked in no job's name has none.
    pub(super) jobs: Vec<(String, Line)>,
    /// What the killed agent had asked for and made, until that was gone.
    pub(super) killed: Line,
    /// The rest: what the agent that finished asked for and made.
    pub(super) finished: Line,
}

impl Bill {
    /// The bill of these jobs: of all of `log`, of which `killed` is what stood there when the first agent was dead.
    pub(super) fn of(jobs: &[&str], killed: &Log, log: &Log, prices: &Prices, now: u64) -> Self {
        let mut bill = Self::default();
        let early: BTreeSet<String> = spans(&killed.events).into_iter().map(|span| span.id).collect();
        let released = released(&log.events);
        let mut all = spans(&log.events);
        for span in &mut all {
            span.gone = released.get(span.id.as_str()).copied().or(span.gone);
        }
        let (theirs, rest): (Vec<Span>, Vec<Span>) =
            all.into_iter().partition(|span| early.contains(&span.id));
        for job in jobs.iter().copied().chain([""]) {
            let whole = calls(&log.counts, job);
            let before = calls(&killed.counts, job);
            let after = whole
                .iter()
                .map(|(action, calls)| (action.clone(), calls - before.get(action).copied().unwrap_or(0)));
            let after = after.filter(|(_, calls)| *calls > 0).collect();
            let killed = Line::of(before, theirs.iter().filter(|span| span.job == job), prices, now);
            let finished = Line::of(after, rest.iter().filter(|span| span.job == job), prices, now);
            let mut line = killed.clone();
            line.add(&finished);
            bill.jobs.push((job.to_owned(), line));
            bill.killed.add(&killed);
            bill.finished.add(&finished);
        }
        bill
    }

    /// All of it.
    pub(super) fn sum(&self) -> Line {
        let mut sum = self.killed.clone();
        sum.add(&self.finished);
        sum
    }
}

impl Line {
    fn of<'a>(
        calls: BTreeMap<String, u64>,
        spans: impl Iterator<Item = &'a Span>,
        prices: &Prices,
        now: u64,
    ) -> Self {
        let asked = |action: &str| calls.get(action).copied().unwrap_or(0);
        let (blocks, lists) = (asked("ebs:GetSnapshotBlock"), asked("ebs:ListSnapshotBlocks"));
        // A price for a thousand in millionths is one for each in billionths.
        let requests = u128::from(blocks) * u128::from(prices.get_block_1000)
            + u128::from(lists) * u128::from(prices.list_blocks_1000);
        let mut line =
            Self { calls, blocks, lists, bytes: blocks * BLOCK, nanodollars: requests, ..Self::default() };
        for span in spans {
            // AWS tells times in whole seconds.
            let seconds = (span.gone.unwrap_or(now) / 1000).saturating_sub(span.made / 1000);
            let (paid, month) = if span.id.starts_with("vol-") {
                line.volume_seconds += seconds;
                (seconds.max(LEAST), prices.volume_gib_month)
            } else {
                line.snapshot_seconds += seconds;
                (seconds, prices.snapshot_gib_month)
            };
            let month = u128::from(month) * 1000;
            line.nanodollars += u128::from(span.size_gib) * u128::from(paid) * month / MONTH;
        }
        line
    }

    fn add(&mut self, other: &Self) {
        for (action, calls) in &other.calls {
            *self.calls.entry(action.clone()).or_default() += calls;
        }
        self.blocks += other.blocks;
        self.lists += other.lists;
        self.bytes += other.bytes;
        self.snapshot_seconds += other.snapshot_seconds;
        self.volume_seconds += other.volume_seconds;
        self.nanodollars += other.nanodollars;
    }

    /// Requests of all kinds.
    pub(super) fn requests(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// When the deletion of each volume was accepted.
fn released(events: &[Event]) -> BTreeMap<&str, u64> {
    let mut released = BTreeMap::new();
    let accepted = |event: &&Event| event.action == "ec2:DeleteVolume" && event.kind != EventKind::Refused;
    for event in events.iter().filter(accepted) {
        for id in &event.ids {
            released.entry(id.as_str()).or_insert(event.at);
        }
    }
    released
}

/// What was asked in a job's name, by action.
fn calls(counts: &[Count], job: &str) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    let is_aws = |count: &&Count| !count.action.starts_with("imds:");
    for count in counts.iter().filter(|count| count.job == job).filter(is_aws) {
        *calls.entry(count.action.clone()).or_default() += count.calls;
    }
    calls
}

#[cfg(test)]
mod tests;
