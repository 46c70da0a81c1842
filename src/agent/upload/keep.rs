// SPDX-License-Identifier: Apache-2.0
//! What of the outbox goes, and when: reports that every sink has taken, after a while; then the marks about them.
//!
//! | goes | if |
//! |---|---|
//! | `reports/DAY/…` | older than `outbox.keep`, and `delivered/SINK/…` says of each configured sink that it was taken |
//! | `delivered/SINK/…`, `done/SINK/…` | their report was of such a day, and is not there any more |
//!
//! A report that a sink refused, or has not seen, stays whatever its age. The report goes first: whoever dies between the
//! two leaves marks without a report, and the next sweep takes them. Whoever has lost his lease meanwhile does no harm,
//! since another one would delete the same.

use std::collections::BTreeSet;
use std::time::Duration;

use snapscan_schema::Time;

use super::Error;
use super::mark;
use super::store::Store;

/// Between two sweeps of one process.
const PAUSE: Duration = Duration::from_secs(86_400);

/// What is kept, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    /// All sinks that are configured, as outbox and table name them.
    pub(crate) sinks: Vec<String>,
    /// How long.
    pub(crate) time: Duration,
}

impl Keep {
    /// When the next sweep is due, after one at that time.
    pub(super) fn is_due(last: Option<i64>, now: i64) -> bool {
        last.is_none_or(|last| now.saturating_sub(last) >= i64::try_from(PAUSE.as_secs()).unwrap_or(i64::MAX))
    }

    /// Takes away what is to go; the marks only of this sink. Answers how many reports went.
    ///
    /// # Errors
    /// What outbox and table answer; what was not reached goes with the next sweep.
    pub(super) async fn sweep(&self, store: &Store, sink: &str) -> Result<u64, Error> {
        let day = self.first_kept_day(store.now().0);
        let mut reports: BTreeSet<String> = store.list("reports/").await?.into_iter().collect();
        let old: Vec<String> = reports.iter().filter(|report| is_before(report, &day)).cloned().collect();
        let mut gone = 0;
        for report in old {
            if self.is_taken(store, &report).await? {
                store.delete(&report).await?;
                tracing::info!(report, "report_expired");
                reports.remove(&report);
                gone += 1;
            }
        }
        for done in store.list(&format!("done/{sink}/")).await? {
            let report = done.replacen(&format!("done/{sink}/"), "reports/", 1);
            if is_before(&report, &day) && !reports.contains(&report) {
                if let Some(delivery) = store.read::<String>(&done).await? {
                    store.delete(&format!("delivered/{sink}/{delivery}")).await?;
                }
                store.delete(&done).await?;
            }
        }
        Ok(gone)
    }

    /// True if every sink has taken it, or something newer of its target.
    async fn is_taken(&self, store: &Store, report: &str) -> Result<bool, Error> {
        for sink in &self.sinks {
            let Some(delivery) = store.read::<String>(&mark::done(sink, report)).await? else {
                return Ok(false);
            };
            if store.get(&format!("delivered/{sink}/{delivery}")).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(!self.sinks.is_empty())
    }

    /// The first day of which everything is kept, such as `2026-11-21`.
    fn first_kept_day(&self, now: i64) -> String {
        let time = i64::try_from(self.time.as_secs()).unwrap_or(i64::MAX);
        let first = Time(now.saturating_sub(time)).rfc3339();
        first.split_once('T').map_or(first.clone(), |(day, _)| day.to_owned())
    }
}

/// Is this report of a day before that one? Days in names compare as texts do; what has no day stays.
fn is_before(report: &str, day: &str) -> bool {
    let own = report.strip_prefix("reports/").and_then(|rest| rest.split_once('/'));
    own.is_some_and(|(own, _)| {
        own.len() == day.len() && Time::parse(&format!("{own}T00:00:00Z")).is_some() && own < day
    })
}
