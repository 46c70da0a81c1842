// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench --agent`: the agent as its own process over a simulated cloud, beside its bars.
//!
//! What is simulated: time within the cloud (`--speed` times the wall's), snapshots of some seconds, latencies of calls. What is
//! real: the program, its processor time and memory, the bytes of the images, the socket between agent and cloud.

mod cloud;
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use snapscan_cloud::sim::Latency;

use crate::steps;
use cloud::{Done, World};

/// Blocks a second and snapshot that a scanner may read: half of AWS's quota (see `snapscan_cloud::pace`).
const ALLOWED: f64 = 500.0;
/// A call of the first run takes so many times its 40 ms, and its times are divided by as much: what is left is how the
/// reads depend on each other, and hardly how fast this machine is.
const STRETCH: u32 = 50;

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
            PathBuf::from(super::PROGRAM)
        }
    };
    let program = program.canonicalize().context("there is no program")?;
    let world = World::make(&image, told.speed)?;
    let run = |jobs, profile, latency| -> Result<Run> {
        let (done, cost, reports) = world.run(&program, told.inspect, jobs, profile, latency)?;
        ensure!(reports.len() == jobs, "{} of {jobs} jobs have a report", reports.len());
        Ok(Run { done, cost, reports })
    };
    println!(
        "\nThe 10 GiB Debian server by the direct method; {} instances of it, snapshots of {} s, a block in 10 to \
         100 ms,\nthe cloud's clock {} times as fast as the wall's, {} jobs read at once.\n",
        told.jobs,
        cloud::SNAPSHOT,
        told.speed,
        told.inspect
    );
    println!("| what | bar | figure |\n|---|---:|---:|");
    many(&run(told.jobs, "os", Latency::Aws)?);
    full(&run(1, "full", Latency::Aws)?);
    one(&run(1, "os", Latency::Each(STRETCH * Duration::from_millis(40)))?);
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
fn many(run: &Run) {
    let jobs = run.reports.len() as f64;
    // From the first block on, all snapshots are there: they were begun within the pending pool's first moments.
    let seconds = span(&run.done, "");
    row("instances a minute once snapshots are there", "≥ 60", &format!("{:.1}", jobs / seconds * 60.0));
    row("processor seconds a job, real", "≤ 0.3", &format!("{:.2}", run.cost.cpu / jobs));
    row("peak memory of a worker of profile os, MiB", "≤ 64", &format!("{:.1}", run.cost.worker_mib));
    row("peak memory of the agent, MiB", "", &format!("{:.1}", run.cost.agent_mib));
    row("wasted blocks", "≤ 10 %", &wasted(run));
}

/// One job that reads every name.
fn full(run: &Run) {
    let seconds = span(&run.done, "ebs:GetSnapshotBlock").max(0.001);
    let rate = blocks(run) as f64 / seconds;
    row("full: blocks", "", &blocks(run).to_string());
    row("full: blocks a second", "", &format!("{rate:.0}"));
    row("full: share of the allowed rate", "≥ 80 %", &format!("{:.0} %", 100.0 * rate / ALLOWED));
    row("full: wasted blocks", "≤ 10 %", &wasted(run));
}

/// Blocks that were fetched and that no reader has touched.
fn wasted(run: &Run) -> String {
    let touched: u64 = run.reports.iter().map(|report| number(report, "blocks_512k")).sum();
    let fetched = blocks(run);
    // Blocks that were never written are known as zeros and are not fetched.
    let wasted = fetched.saturating_sub(touched) as f64;
    format!("{:.1} % ({fetched} fetched, {touched} touched)", 100.0 * wasted / fetched.max(1) as f64)
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

    #[test]
    fn time_in_which_reads_overlap_counts_once() {
        let read = |begin, end| Done { action: "ebs:GetSnapshotBlock".to_owned(), begin, end };
        assert_eq!(busy(&[read(0, 1000), read(500, 1500), read(4000, 5000)]), 2.5);
    }
}
