// SPDX-License-Identifier: Apache-2.0
//! The bill as a person reads it, with what the agent says of itself.

use std::fmt::Write as _;

use super::bill::{Bill, Line};
use super::own::Own;
use crate::config::effective::Prices;

/// Shows the bill; `own` is absent if no agent has finished, and `reports` are the sums of what reports say.
pub(super) fn show(bill: &Bill, own: Option<&Own>, reports: Reported, prices: &Prices) -> String {
    let mut text = format!(
        "  {:<14} {:>8} {:>6} {:>5} {:>11} {:>11}\n",
        "", "requests", "blocks", "lists", "snapshot s", "dollars"
    );
    for (job, line) in &bill.jobs {
        row(&mut text, if job.is_empty() { "polls, uploads" } else { job }, line);
    }
    row(&mut text, "all", &bill.sum());
    // Writing to a string cannot fail.
    let _ok = writeln!(
        text,
        "  Made from the cloud's log with the list prices of {}; snapshots with their whole size.",
        prices.dated
    );
    let Line { blocks, lists, nanodollars, .. } = &bill.killed;
    let _ok = writeln!(
        text,
        "  Of that the killed attempt: {} requests, {blocks} blocks, {lists} lists, ${}.",
        bill.killed.requests(),
        dollars(*nanodollars)
    );
    let Some(own) = own else { return text };
    let (requests, lists) = (own.calls.values().sum::<u64>(), own.lists());
    let wrong = own.against(&bill.finished);
    let verdict = if wrong.is_empty() { "equal" } else { "not equal" };
    let _ok = writeln!(
        text,
        "  The agent that finished counts the rest itself: {requests} requests, {} blocks, {lists} lists: {verdict}.\n  \
         It says ${:.9}, the log ${}: by its clock a snapshot is there until it hears that it is gone.",
        own.blocks,
        own.dollars,
        dollars(bill.finished.nanodollars)
    );
    for difference in wrong {
        let _ok = writeln!(text, "    {difference}");
    }
    let Reported { blocks, lists, microdollars } = reports;
    let _ok = writeln!(
        text,
        "  Its reports, before their snapshots go: {blocks} blocks, {lists} lists, ${}, each rounded up.",
        format_args!("{}.{:06}", microdollars / 1_000_000, microdollars % 1_000_000)
    );
    text
}

/// What the reports say, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reported {
    /// Blocks.
    pub(super) blocks: u64,
    /// Pages of lists.
    pub(super) lists: u64,
    /// Millionths of a dollar, each report's rounded up.
    pub(super) microdollars: u64,
}

fn row(text: &mut String, name: &str, line: &Line) {
    let _ok = writeln!(
        text,
        "  {name:<14} {:>8} {:>6} {:>5} {:>11} {:>11}",
        line.requests(),
        line.blocks,
        line.lists,
        line.snapshot_seconds,
        dollars(line.nanodollars)
    );
}

fn dollars(nanos: u128) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}
