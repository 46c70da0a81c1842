// SPDX-License-Identifier: Apache-2.0
//! What the agent hands over: a report with what belongs to its delivery, or the record of a job without one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Disposition, JobTarget, Report, Time};

/// The version of both formats that this program writes.
pub const OUTCOME_VERSION: u32 = 1;

/// A report in the outbox, under `reports/<yyyy-mm-dd>/<job>-<attempt>-<first 16 digits of the report's SHA-256>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parcel {
    /// Always 1 here.
    pub schema_version: u32,
    /// Whose report it is.
    pub delivery: Delivery,
    /// The report.
    pub report: Report,
}

/// Whose report a parcel holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The job's id.
    pub job: String,
    /// The job's attempt.
    pub attempt: u32,
    /// The account that holds the target; absent for local ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region that holds the target; absent for local ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What the job named.
    pub target: JobTarget,
    /// The instance, where the target is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceFacts>,
    /// When the oldest of the snapshots that were read was begun; absent for local targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_started: Option<Time>,
    /// SHA-256 of the report's canonical bytes ([`Report::to_json`]), 64 hexadecimal digits.
    pub report_sha256: String,
}

/// What the cloud says of an instance, as sinks need it to name the asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceFacts {
    /// `arn:aws:ec2:REGION:ACCOUNT:instance/ID`
    pub arn: String,
    /// Its id.
    pub id: String,
    /// Its names in DNS.
    pub hostnames: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Its hardware addresses.
    pub macs: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The record of a job that ended without a report, under `outcomes/<yyyy-mm-dd>/<job>-<attempt>-<16 digits>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Always 1 here.
    pub schema_version: u32,
    /// The job's id.
    pub job: String,
    /// The job's attempt.
    pub attempt: u32,
    /// The account that holds the target; absent for local ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region that holds the target; absent for local ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What the job named.
    pub target: JobTarget,
    /// How it ended.
    pub ended: Disposition,
    /// The particulars, for a person.
    pub detail: String,
    /// When.
    pub at: Time,
}

impl Parcel {
    /// A parcel's bytes around a report's own canonical bytes, so that the report's digest holds for what is inside.
    ///
    /// # Errors
    /// None that these types can cause; what serde_json answers is passed on.
    pub fn wrap(delivery: &Delivery, report: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        let delivery = serde_json::to_vec(delivery)?;
        let head = format!("{{\"schema_version\":{OUTCOME_VERSION},\"delivery\":");
        Ok([head.as_bytes(), &delivery, b",\"report\":", report, b"}\n"].concat())
    }
}

impl Delivery {
    /// The name under which the outbox holds the parcel; `at` gives the day.
    pub fn key(&self, at: Time) -> String {
        key("reports", at, &self.job, self.attempt, &self.report_sha256)
    }
}

impl Outcome {
    /// The name under which the outbox holds the record; `sha256` is that of its bytes.
    pub fn key(&self, sha256: &str) -> String {
        key("outcomes", self.at, &self.job, self.attempt, sha256)
    }
}

fn key(folder: &str, at: Time, job: &str, attempt: u32, sha256: &str) -> String {
    let at = at.rfc3339();
    let (day, _) = at.split_once('T').unwrap_or((&at, ""));
    let digest: String = sha256.chars().take(16).collect();
    format!("{folder}/{day}/{job}-{attempt}-{digest}.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coverage, Header, Level};

    #[test]
    fn a_parcel_holds_the_reports_own_bytes_and_reads_back() {
        let mut report = Report {
            schema_version: crate::SCHEMA_VERSION,
            header: Header::default(),
            findings: Vec::new(),
            coverage: Coverage::complete(Level::Machine, "machine", ""),
        };
        report.seal();
        let delivery = Delivery {
            job: "job-1".to_owned(),
            attempt: 2,
            account: Some("111122223333".to_owned()),
            region: Some("eu-west-1".to_owned()),
            target: JobTarget::Instance { id: "i-0abc".to_owned() },
            instance: None,
            snapshot_started: Some(Time(0)),
            report_sha256: "0123456789abcdef".repeat(4),
        };
        let bytes = Parcel::wrap(&delivery, &report.to_json().unwrap()).unwrap();
        let parcel: Parcel = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(parcel, Parcel { schema_version: 1, delivery: delivery.clone(), report });
        assert_eq!(delivery.key(Time(951_782_400)), "reports/2000-02-29/job-1-2-0123456789abcdef.json");
    }
}
