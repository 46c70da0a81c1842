// SPDX-License-Identifier: Apache-2.0
//! What is counted, as Prometheus text.
//!
//! Names are part of the public face. Labels hold words of short lists (actions, classes, steps), never ids or texts of
//! errors. The file is written whole or not at all, for node_exporter's textfile collector.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use snapscan_schema::Disposition;

use super::upload::Round;

type One = [(&'static str, String); 1];
type Two = [(&'static str, String); 2];

/// All that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    jobs: Family<One, Counter>,
    steps: Family<One, Histogram, fn() -> Histogram>,
    bytes: Counter,
    blocks: Counter,
    calls: Family<Two, Counter>,
    dollars: Counter<f64, AtomicU64>,
    held_seconds: Family<One, Counter>,
    held: Family<One, Gauge>,
    oldest: Gauge,
    loud: Gauge,
    spool_bytes: Gauge,
    spool_reports: Gauge,
    deaths: Family<One, Counter>,
    deliveries: Family<Two, Counter>,
    stopped: Family<One, Gauge>,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Arc<Self> {
        let mut metrics = Self {
            registry: Registry::with_prefix("snapscan"),
            jobs: Family::default(),
            steps: Family::new_with_constructor(histogram),
            bytes: Counter::default(),
            blocks: Counter::default(),
            calls: Family::default(),
            dollars: Counter::default(),
            held_seconds: Family::default(),
            held: Family::default(),
            oldest: Gauge::default(),
            loud: Gauge::default(),
            spool_bytes: Gauge::default(),
            spool_reports: Gauge::default(),
            deaths: Family::default(),
            deliveries: Family::default(),
            stopped: Family::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("jobs", "Jobs that ended, by disposition", self.jobs.clone());
        registry.register_with_unit("step", "How long steps of jobs took", Unit::Seconds, self.steps.clone());
        registry.register("read_bytes", "Bytes of snapshots read", self.bytes.clone());
        registry.register("read_blocks", "Blocks of 512 KiB read from snapshots", self.blocks.clone());
        registry.register("calls", "Requests to the cloud, by action and outcome", self.calls.clone());
        registry.register("cost_dollars", "Estimated dollars spent by jobs that ended", self.dollars.clone());
        registry.register_with_unit(
            "resources_existed",
            "How long what jobs made existed, all together, by kind",
            Unit::Seconds,
            self.held_seconds.clone(),
        );
        registry.register(
            "resources_held",
            "Things of ours that are not released yet, by kind",
            self.held.clone(),
        );
        registry.register_with_unit(
            "resources_oldest",
            "Age of the oldest of them",
            Unit::Seconds,
            self.oldest.clone(),
        );
        registry.register("resources_loud", "Calls whose things somebody must look at", self.loud.clone());
        registry.register_with_unit("spool", "Size of the spool", Unit::Bytes, self.spool_bytes.clone());
        registry.register("spool_reports", "Reports in the spool", self.spool_reports.clone());
        registry.register(
            "worker_deaths",
            "Workers that ended before their report, by what was lost",
            self.deaths.clone(),
        );
        registry.register(
            "deliveries",
            "Reports that sinks took, refused or left out",
            self.deliveries.clone(),
        );
        registry.register(
            "upload_stopped",
            "1 if a sink is stopped until a person acts",
            self.stopped.clone(),
        );
    }

    /// A job ended.
    pub(crate) fn job_ended(&self, disposition: &Disposition) {
        let word = match disposition {
            Disposition::Complete => "complete",
            Disposition::Partial => "partial",
            Disposition::Retry { .. } => "retry",
            Disposition::Permanent { .. } => "permanent",
            Disposition::Poison { .. } => "poison",
        };
        self.jobs.get_or_create(&[("disposition", word.to_owned())]).inc();
    }

    /// A step of a job took so long.
    pub(crate) fn step(&self, step: &str, took: Duration) {
        self.steps.get_or_create(&[("step", step.to_owned())]).observe(took.as_secs_f64());
    }

    /// Bytes and blocks were read from a snapshot.
    pub(crate) fn read(&self, bytes: u64, blocks: u64) {
        self.bytes.inc_by(bytes);
        self.blocks.inc_by(blocks);
    }

    /// The cloud was asked; `outcome` is `ok` or the class of the error.
    pub(crate) fn call(&self, action: &str, outcome: &str) {
        let labels = [("action", action.to_owned()), ("outcome", outcome.to_owned())];
        self.calls.get_or_create(&labels).inc();
    }

    /// So many billionths of a dollar were spent.
    pub(crate) fn spent(&self, nanodollars: u128) {
        // Up to 2^53 billionths, nine million dollars, this is exact enough.
        self.dollars.inc_by(nanodollars as f64 / 1e9);
    }

    /// Snapshots, and volumes, existed for so many seconds.
    pub(crate) fn held_seconds(&self, snapshots: u64, volumes: u64) {
        for (kind, seconds) in [("snapshot", snapshots), ("volume", volumes)] {
            self.held_seconds.get_or_create(&[("kind", kind.to_owned())]).inc_by(seconds);
        }
    }

    /// So many things of a kind are held.
    pub(crate) fn held(&self, kind: &str, count: u64) {
        self.held.get_or_create(&[("kind", kind.to_owned())]).set(signed(count));
    }

    /// The oldest thing that is held is so old.
    pub(crate) fn oldest(&self, age: Duration) {
        self.oldest.set(signed(age.as_secs()));
    }

    /// So many calls have made something that stays until somebody looks.
    pub(crate) fn loud(&self, count: u64) {
        self.loud.set(signed(count));
    }

    /// The spool holds so much.
    pub(crate) fn spool(&self, reports: u64, bytes: u64) {
        self.spool_reports.set(signed(reports));
        self.spool_bytes.set(signed(bytes));
    }

    /// A worker ended before its report, which cost a `part` of the target or the `whole`.
    pub(crate) fn worker_died(&self, lost: &str) {
        self.deaths.get_or_create(&[("lost", lost.to_owned())]).inc();
    }

    /// A round of uploading ended.
    pub(crate) fn uploaded(&self, sink: &str, round: &Round) {
        let ends =
            [("delivered", round.delivered), ("refused", round.refused), ("superseded", round.superseded)];
        for (outcome, count) in ends {
            let labels = [("sink", sink.to_owned()), ("outcome", outcome.to_owned())];
            self.deliveries.get_or_create(&labels).inc_by(count);
        }
        if round.ours {
            self.stopped.get_or_create(&[("sink", sink.to_owned())]).set(i64::from(round.stopped.is_some()));
        }
    }

    /// All of it in Prometheus's text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ok = encode(&mut text, &self.registry);
        text
    }

    /// Writes the text to a file, whole or not at all.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The collector reads `*.prom`; this is none.
        let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(self.text().as_bytes())?;
        fs::rename(&temporary, path)
    }
}

/// From 10 ms to some three hours, each four times the one before.
fn histogram() -> Histogram {
    Histogram::new([0.01, 0.04, 0.16, 0.64, 2.56, 10.24, 40.96, 163.84, 655.36, 2621.44, 10_485.76])
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_file_and_no_half_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapscan.prom");
        let metrics = Metrics::new();
        metrics.job_ended(&Disposition::Complete);
        metrics.step("snapshot", Duration::from_millis(1_500));
        metrics.held("snapshot", 2);
        metrics.oldest(Duration::from_secs(90));
        metrics.loud(1);
        metrics.spool(1, 4_096);
        metrics.spent(1_500_000_000);
        metrics.held_seconds(90, 60);
        metrics.worker_died("part");
        metrics.uploaded(
            "csam-acme",
            &Round { ours: true, delivered: 3, stopped: Some("why".to_owned()), ..Round::default() },
        );
        metrics.write(&path).unwrap();
        metrics.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for line in [
            "snapscan_jobs_total{disposition=\"complete\"} 1",
            "snapscan_step_seconds_bucket{le=\"2.56\",step=\"snapshot\"} 1",
            "snapscan_resources_held{kind=\"snapshot\"} 2",
            "snapscan_resources_oldest_seconds 90",
            "snapscan_resources_loud 1",
            "snapscan_spool_bytes 4096",
            "snapscan_cost_dollars_total 1.5",
            "snapscan_resources_existed_seconds_total{kind=\"snapshot\"} 90",
            "snapscan_resources_existed_seconds_total{kind=\"volume\"} 60",
            "snapscan_worker_deaths_total{lost=\"part\"} 1",
            "snapscan_deliveries_total{sink=\"csam-acme\",outcome=\"delivered\"} 3",
            "snapscan_upload_stopped{sink=\"csam-acme\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!text.contains("why"), "texts are no labels");
    }
}
