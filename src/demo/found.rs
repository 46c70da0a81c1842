// SPDX-License-Identifier: Apache-2.0
//! What the agent handed over: what was found, and what was not, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use snapscan_cloud::outbox::{GetObject, ListObjects};
use snapscan_cloud::{Cloud, Scope};
use snapscan_schema::{Coverage, Disposition, Finding, Outcome, Package, Parcel, Report, Weight};

use super::cost::Reported;
use super::verdict::Ended;
use super::world::Machine;
use crate::error::Failure;
use crate::render::table::safe;

/// Packages that are shown as examples.
const KNOWN: [&str; 5] = ["glibc", "libc6", "musl", "openssh-server", "openssl-libs"];

/// What lies in the outbox.
#[derive(Default)]
pub(super) struct Found {
    /// Reports, each with its job.
    pub(super) reports: Vec<(Report, String)>,
    /// Records of jobs without a report.
    pub(super) outcomes: Vec<Outcome>,
}

impl Found {
    /// Reads the outbox.
    ///
    /// # Errors
    /// An outbox that cannot be read, or something in it that is neither report nor record.
    pub(super) async fn read(cloud: &Cloud, scope: &Scope) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                format!("cannot read what the demo's agent handed over: {error}"),
                "look with --keep DIR",
            )
        };
        let mut found = Self::default();
        for bytes in objects(cloud, scope, "reports/").await.map_err(|error| failed(&error))? {
            let parcel: Parcel = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
            found.reports.push((parcel.report, parcel.delivery.job));
        }
        for bytes in objects(cloud, scope, "outcomes/").await.map_err(|error| failed(&error))? {
            found.outcomes.push(serde_json::from_slice(&bytes).map_err(|error| failed(&error))?);
        }
        Ok(found)
    }

    /// What came of each job: of those of these machines, then of any other that something was handed over for.
    pub(super) fn ended(&self, machines: &[Machine]) -> Vec<Ended> {
        let of = |job: &str, expected| Ended {
            job: job.to_owned(),
            expected,
            reports: self.reports.iter().filter(|(_, other)| other == job).count(),
            records: self.outcomes.iter().filter(|outcome| outcome.job == job).count(),
        };
        let mut ended: Vec<Ended> =
            machines.iter().map(|machine| of(machine.name, Some(machine.expected))).collect();
        let jobs = self.reports.iter().map(|(_, job)| job);
        let jobs: BTreeSet<&String> = jobs.chain(self.outcomes.iter().map(|outcome| &outcome.job)).collect();
        let others = jobs.into_iter().filter(|job| machines.iter().all(|machine| machine.name != *job));
        ended.extend(others.map(|job| of(job, None)));
        ended
    }

    /// What the reports say that they cost, all together.
    pub(super) fn reported(&self) -> Reported {
        let mut sum = Reported::default();
        for cost in self.reports.iter().filter_map(|(report, _)| report.header.run.cost.as_ref()) {
            sum.blocks += cost.get_blocks;
            sum.lists += cost.list_pages;
            sum.microdollars += cost.microdollars;
        }
        sum
    }

    /// What became of a machine, for a person.
    pub(super) fn show(&self, machine: &Machine) -> String {
        let report = self.reports.iter().rfind(|(_, job)| job == machine.name);
        let outcome = self.outcomes.iter().rfind(|outcome| outcome.job == machine.name);
        match (report, outcome) {
            (Some((report, _)), _) => shown(machine.name, report),
            (None, Some(outcome)) => recorded(machine.name, outcome),
            (None, None) => format!("  {:<10} nothing was handed over\n", machine.name),
        }
    }
}

async fn objects(cloud: &Cloud, scope: &Scope, prefix: &str) -> Result<Vec<Vec<u8>>, snapscan_cloud::Error> {
    let request = ListObjects { prefix: prefix.to_owned(), after: None, most: 1000 };
    let mut all = Vec::new();
    for object in cloud.ask(scope, request).await?.objects {
        all.extend(cloud.ask(scope, GetObject { key: object.key }).await?);
    }
    Ok(all)
}

fn shown(name: &str, report: &Report) -> String {
    let header = &report.header;
    let system = header.system.as_ref();
    let system =
        system.map(|system| safe(system.pretty_name.as_ref().or(system.name.as_ref()).unwrap_or(&system.id)));
    let system = system.unwrap_or_else(|| "no operating system".to_owned());
    let packages: Vec<_> = report.findings.iter().filter_map(Finding::package).collect();
    let facts = report.findings.iter().filter(|finding| finding.fact().is_some()).count();
    let whole = if report.coverage.is_incomplete() { "not all that matters was read" } else { "complete" };
    let count = packages.len();
    let mut text = format!("  {name:<10} {system}; {count} packages, {facts} facts, {whole}\n");
    let is_known =
        |package: &&&Package| KNOWN.iter().any(|known| package.name.as_bytes() == known.as_bytes());
    let some = packages.iter().filter(is_known);
    let some = some.map(|package| format!("{} {}", safe(&package.name), safe(&package.version)));
    let some: Vec<String> = some.collect::<BTreeSet<_>>().into_iter().collect();
    if !some.is_empty() {
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "  {:<10} such as {}", "", some.join(", "));
    }
    for (code, lines) in unread(report) {
        let Some(first) = lines.first() else { continue };
        let Some(reason) = first.code.map(|code| code.explain()) else { continue };
        let more = if lines.len() > 1 { format!(", and {} more", lines.len() - 1) } else { String::new() };
        let detail =
            if first.detail.is_empty() { String::new() } else { format!(": {}", safe(&first.detail)) };
        let _ok = writeln!(text, "  {:<10} {code}: {}: {}{more}{detail}", "", reason.text, safe(&first.name));
    }
    text
}

/// What was not read although it matters, by reason code.
fn unread(report: &Report) -> BTreeMap<&'static str, Vec<&Coverage>> {
    let mut by_code: BTreeMap<&'static str, Vec<&Coverage>> = BTreeMap::new();
    for line in report.coverage.lines() {
        if let Some(code) = line.code.filter(|_| line.weight == Weight::Matters) {
            by_code.entry(code.code()).or_default().push(line);
        }
    }
    by_code
}

fn recorded(name: &str, outcome: &Outcome) -> String {
    let Disposition::Permanent { code } = &outcome.ended else {
        return format!("  {name:<10} not scanned\n  {:<10} {:?}: {}\n", "", outcome.ended, outcome.detail);
    };
    let (code, text) = (code.code(), code.explain().text);
    let detail = outcome.detail.strip_prefix(&format!("{code}: ")).unwrap_or(&outcome.detail);
    format!("  {name:<10} not scanned\n  {:<10} {code}: {text}: {detail}\n", "")
}
