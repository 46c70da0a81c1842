// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench --agent`: the agent as its own process over a simulated cloud, beside its bars.
//!
//! What is simulated: time within the cloud (`--speed` times the wall's), snapshots of some seconds, latencies of calls. What is
//! real: the program, its processor time and memory, the bytes of the images, the socket between agent and cloud.

mod cloud;
mod process;
mod touched;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use snapscan_cloud::sim::Latency;
use snapscan_inventory::Profile;

use super::many;
use crate::steps;
use cloud::{Done, Work, World};
use touched::touched;

/// Blocks a second and snapshot that a scanner may read: half of AWS's quota (see `snapscan_cloud::pace`).
const ALLOWED: f64 = 500.0;
/// A call of the first run takes so many times its 40 ms, and its times are divided by as much: what is left is how the
/// reads depend on each other, and hardly how fast this machine is.
const STRETCH: u32 = 50;
/// The same for jobs that read every name. The agent is told that so many scanners share the quotas, so it asks as much
/// less often, and waits and rates keep their proportion.
const SLOW: u32 = 10;

/// What the bench of the agent is told.
pub(super) struct Told<'a> {
    /// The folder of images.
    pub(super) images: &'a Path,
    /// The program, if not the release build.
    pub(super) program: Option<&'a Path>,
    /// Seconds of the cloud in one of the wall's.
    pub(super) speed: u32,
    /// Jobs that are read at once.
    pub(super) inspect: usize,
    /// Jobs that are measured together.
    pub(super) jobs: usize,
}

/// One run of the agent over some machines.
struct Run {
    done: Vec<Done>,
    cost: process::Cost,
    reports: Vec<Value>,
}

/// Measures, and prints the table.
pub(super) fn bench(told: &Told<'_>) -> Result<()> {
    let image = told.images.join("debian-ext4-gpt.img");
    ensure!(image.exists(), "{} is not there; CONTRIBUTING.md says how it is made", image.display());
    let program = match told.program {
        Some(program) => program.to_owned(),
        None => {
            steps::run(Command::new("cargo").args(["build", "--release", "--quiet"]))?;
            steps::built(super::PROGRAM)
        }
    };
    let program = program.canonicalize().context("there is no program")?;
    let world = World::make(&image, told.speed)?;
    let run = |world: &World, work: Work| -> Result<Run> {
        let (done, cost, reports) = world.run(&program, told.inspect, &work)?;
        ensure!(reports.len() == work.jobs, "{} of {} jobs have a report", reports.len(), work.jobs);
        Ok(Run { done, cost, reports })
    };
    let every = Work { jobs: 1, profile: "full", latency: Latency::Stretched(SLOW), scanners: SLOW };
    println!(
        "\nThe 10 GiB Debian server by the direct method; {} instances of it, snapshots of {} s, a block in 10 to \
         100 ms,\nthe cloud's clock {} times as fast as the wall's, {} jobs read at once; of every name: all times \
         {SLOW} times as long,\nand divided by it.\n",
        told.jobs,
        cloud::SNAPSHOT,
        told.speed,
        told.inspect
    );
    println!("| what | bar | figure |\n|---|---:|---:|");
    let os = Work { jobs: told.jobs, profile: "os", latency: Latency::Aws, scanners: 1 };
    many(&run(&world, os)?, &touched(&image, Profile::Os)?);
    full("10 GiB server", &run(&world, every)?, &touched(&image, Profile::Full)?);
    for kind in ["ext4", "xfs"] {
        let image = many::image(told.images, kind);
        if image.exists() {
            let what = format!("a million names, {kind}");
            full(&what, &run(&World::make(&image, told.speed)?, every)?, &touched(&image, Profile::Full)?);
        } else {
            row(&format!("full, {}", image.display()), "", "is not there; `--make-many` makes it");
        }
    }
    let each = Latency::Each(STRETCH * Duration::from_millis(40));
    one(&run(&world, Work { jobs: 1, profile: "os", latency: each, scanners: 1 })?);
    Ok(())
}

fn row(what: &str, bar: &str, figure: &str) {
    println!("| {what} | {bar} | {figure} |");
}

/// One job with 40 ms a call.
fn one(run: &Run) {
    let gets = blocks(run);
    let rounds: u64 = run.reports.iter().map(|report| number(report, "rounds")).sum();
    row("one job, 40 ms a call: blocks", "≤ 100", &gets.to_string());
    row("one job: rounds of reads", "≤ 15", &rounds.to_string());
    let stretch = f64::from(STRETCH);
    row("one job: seconds of reads", "≤ 2", &format!("{:.2}", busy(&run.done) / stretch));
    let all = span(&run.done, "ebs:") / stretch;
    row("one job: seconds from the first read to the last one's end", "", &format!("{all:.2}"));
}

/// Many jobs at once.
fn many(run: &Run, touched: &BTreeSet<u64>) {
    let jobs = run.reports.len() as f64;
    // From the first block on, all snapshots are there: they were begun within the pending pool's first moments.
    let seconds = span(&run.done, "");
    row("instances a minute once snapshots are there", "≥ 60", &format!("{:.1}", jobs / seconds * 60.0));
    row("processor seconds a job, real", "≤ 0.3", &format!("{:.2}", run.cost.cpu / jobs));
    row("peak memory of a worker of profile os, MiB", "≤ 64", &format!("{:.1}", run.cost.worker_mib));
    row("peak memory of the agent, MiB", "", &format!("{:.1}", run.cost.agent_mib));
    row("wasted blocks", "≤ 10 %", &wasted(run, touched));
}

/// One job that reads every name of what is described so.
fn full(what: &str, run: &Run, touched: &BTreeSet<u64>) {
    let count = blocks(run);
    let slow = f64::from(SLOW);
    let whole = slow * count as f64 / span(&run.done, "ebs:GetSnapshotBlock").max(0.001);
    let (steady, flying) = steady(&run.done);
    let steady = slow * steady;
    let share = |rate: f64| format!("{rate:.0} a second, {:.0} %", 100.0 * rate / ALLOWED);
    row(&format!("full, {what}: blocks"), "", &count.to_string());
    row(&format!("full, {what}: rate of the whole job, of {ALLOWED:.0} a second"), "≥ 80 %", &share(whole));
    row(&format!("full, {what}: rate from a tenth of the blocks to nine tenths"), "≥ 80 %", &share(steady));
    row(&format!("full, {what}: blocks in flight meanwhile, mean"), "≥ 28", &format!("{flying:.0}"));
    row(&format!("full, {what}: wasted blocks"), "≤ 10 %", &wasted(run, touched));
    row(
        &format!("full, {what}: peak memory of the worker, MiB"),
        "≤ 64",
        &format!("{:.1}", run.cost.worker_mib),
    );
}

/// Blocks a second, and blocks in flight, between the moments when a tenth and nine tenths of them have come.
fn steady(done: &[Done]) -> (f64, f64) {
    let mut ends: Vec<u64> = done.iter().filter(|one| one.block.is_some()).map(|one| one.end).collect();
    ends.sort_unstable();
    let (Some(&from), Some(&to)) = (ends.get(ends.len() / 10), ends.get(ends.len() * 9 / 10)) else {
        return (0.0, 0.0);
    };
    let all = done.iter().filter(|one| one.block.is_some());
    let flown: u64 = all.map(|one| one.end.min(to).saturating_sub(one.begin.max(from))).sum();
    let (count, span) = (ends.len() * 9 / 10 - ends.len() / 10, to.saturating_sub(from).max(1));
    (count as f64 / seconds(span), flown as f64 / span as f64)
}

/// Blocks that were fetched, and that nobody reads who reads only what he needs.
fn wasted(run: &Run, touched: &BTreeSet<u64>) -> String {
    let fetched = run.done.iter().filter_map(|one| one.block);
    let (count, wasted) = fetched.fold((0_u64, 0_u64), |(count, wasted), block| {
        (count + 1, wasted + u64::from(!touched.contains(&block)))
    });
    format!("{:.1} % ({wasted} of {count} fetched)", 100.0 * wasted as f64 / count.max(1) as f64)
}

fn blocks(run: &Run) -> u64 {
    run.done.iter().filter(|one| one.action == "ebs:GetSnapshotBlock").map(|_| 1_u64).sum()
}

fn number(report: &Value, name: &str) -> u64 {
    report["header"]["run"]["read"][name].as_u64().unwrap_or(0)
}

/// Seconds from the first block's beginning to the end of the last call that begins so.
fn span(done: &[Done], prefix: &str) -> f64 {
    let begin = done.iter().filter(|one| one.action.starts_with("ebs:")).map(|one| one.begin).min();
    let end = done.iter().filter(|one| counts(&one.action, prefix)).map(|one| one.end).max();
    seconds(end.unwrap_or(0).saturating_sub(begin.unwrap_or(0)))
}

/// What an agent does for jobs, and not while it waits for the next one.
fn counts(action: &str, prefix: &str) -> bool {
    match prefix {
        "" => action.starts_with("ebs:") || action == "sqs:DeleteMessage",
        prefix => action.starts_with(prefix),
    }
}

/// Seconds in which at least one read was under way.
fn busy(done: &[Done]) -> f64 {
    let mut reads: Vec<(u64, u64)> =
        done.iter().filter(|one| one.action.starts_with("ebs:")).map(|one| (one.begin, one.end)).collect();
    reads.sort_unstable();
    let (mut sum, mut until) = (0, 0);
    for (begin, end) in reads {
        sum += end.saturating_sub(begin.max(until));
        until = until.max(end);
    }
    seconds(sum)
}

fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(begin: u64, end: u64) -> Done {
        Done { action: "ebs:GetSnapshotBlock".to_owned(), block: Some(begin), begin, end }
    }

    #[test]
    fn time_in_which_reads_overlap_counts_once() {
        assert_eq!(busy(&[read(0, 1000), read(500, 1500), read(4000, 5000)]), 2.5);
    }

    #[test]
    fn the_steady_rate_leaves_beginning_and_end_out() {
        // One alone for a second at each end, and between them 100 of 50 ms each, one after the other by 5 ms.
        let middle = (0..100).map(|nth| read(1_000 + nth * 5, 1_050 + nth * 5));
        let done: Vec<Done> =
            [read(0, 1_000)].into_iter().chain(middle).chain([read(2_000, 3_000)]).collect();
        let (rate, flying) = steady(&done);
        assert_eq!((rate.round(), flying.round()), (200.0, 10.0));
    }
}
