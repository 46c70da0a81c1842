// SPDX-License-Identifier: Apache-2.0
//! What the run would have cost, made by hand from the cloud's log, and whether the reports say the same.
//!
//! Sources of the rules: Amazon EBS pricing: the direct interface by request, snapshots by GiB and month of 30 days.
//! A snapshot counts with its whole size, although AWS stores only what the volume holds: it is an upper bound. Time and
//! requests are those of the simulation.

use std::fmt::Write as _;

use serde_json::Value;
use snapscan_cloud::local::{Count, Event, spans};

use crate::config::effective::Prices;

/// Seconds of a month.
const MONTH: u128 = 30 * 86_400;

/// What one job would have cost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The job.
    pub(super) job: String,
    /// Requests of all kinds.
    pub(super) calls: u64,
    /// Blocks that were asked for.
    pub(super) get_blocks: u64,
    /// Pages of lists of blocks that were asked for.
    pub(super) list_pages: u64,
    /// Seconds for which its snapshots were there.
    pub(super) seconds: u64,
    /// Billionths of a dollar.
    pub(super) nanodollars: u128,
}

/// The bill: one line a job.
pub(super) fn bill(
    jobs: impl Iterator<Item = &'static str>,
    events: &[Event],
    counts: &[Count],
    prices: &Prices,
    now: u64,
) -> Vec<Line> {
    let spans = spans(events);
    let line = |job: &str| {
        let calls = |action: &str| -> u64 {
            let is = |count: &&Count| count.job == job && (action.is_empty() || count.action == action);
            counts.iter().filter(is).map(|count| count.calls).sum()
        };
        let mut line = Line {
            job: job.to_owned(),
            calls: calls(""),
            get_blocks: calls("ebs:GetSnapshotBlock"),
            list_pages: calls("ebs:ListSnapshotBlocks"),
            ..Line::default()
        };
        // A price for a thousand in millionths is one for each in billionths.
        line.nanodollars = u128::from(line.get_blocks) * u128::from(prices.get_block_1000)
            + u128::from(line.list_pages) * u128::from(prices.list_blocks_1000);
        for span in spans.iter().filter(|span| span.job == job) {
            let seconds = span.seconds(now);
            line.seconds += seconds;
            let month = u128::from(prices.snapshot_gib_month) * 1000;
            line.nanodollars += u128::from(span.size_gib) * u128::from(seconds) * month / MONTH;
        }
        line
    };
    jobs.map(line).collect()
}

/// The bill as a person reads it, with what the reports say.
pub(super) fn show(bill: &[Line], reports: &[(String, Value)], prices: &Prices) -> String {
    let mut text =
        format!("  {:<10} {:>8} {:>8} {:>6} {:>12}\n", "", "requests", "blocks", "lists", "dollars");
    let mut sum = Line::default();
    for line in bill {
        row(&mut text, &line.job, line);
        sum.calls += line.calls;
        sum.get_blocks += line.get_blocks;
        sum.list_pages += line.list_pages;
        sum.nanodollars += line.nanodollars;
    }
    row(&mut text, "all", &sum);
    // Writing to a string cannot fail.
    let _ok = writeln!(
        text,
        "  Made from the cloud's log with the list prices of {}; snapshots with their whole size.",
        prices.dated
    );
    let costs: Vec<(&String, &Value)> =
        reports.iter().filter_map(|(job, report)| Some((job, report.pointer("/header/run/cost")?))).collect();
    if costs.is_empty() {
        return text;
    }
    let of = |name: &str| -> u64 { costs.iter().filter_map(|(_, cost)| cost.get(name)?.as_u64()).sum() };
    let (blocks, pages) = (of("get_blocks"), of("list_pages"));
    let is_equal = blocks == sum.get_blocks && pages == sum.list_pages;
    let verdict = if is_equal { "equal" } else { "not equal" };
    let _ok = writeln!(text, "  The reports count {blocks} blocks and {pages} lists themselves: {verdict}.");
    text
}

fn row(text: &mut String, name: &str, line: &Line) {
    let dollars = format!("{}.{:09}", line.nanodollars / 1_000_000_000, line.nanodollars % 1_000_000_000);
    let (calls, blocks, pages) = (line.calls, line.get_blocks, line.list_pages);
    let _ok = writeln!(text, "  {name:<10} {calls:>8} {blocks:>8} {pages:>6} {dollars:>12}");
}
