// SPDX-License-Identifier: Apache-2.0
//! The report: header, findings, coverage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Coverage, Finding, Method, Text, Time};

/// The version of the report's format that this program writes.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one scan has to say of one machine.
///
/// The same disk gives the same bytes, by any method and with any number of threads, but for `header.run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always 1 here; a reader refuses versions it does not know.
    pub schema_version: u32,
    /// Of what, by what.
    pub header: Header,
    /// What was found, sorted.
    pub findings: Vec<Finding>,
    /// What was read, and what was not.
    pub coverage: Coverage,
}

/// Of what machine the report speaks, and who wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The program that wrote it.
    pub tool: Tool,
    /// What it was asked to read.
    pub target: Target,
    /// `os` or `full`.
    pub profile: String,
    /// The operating system; absent if none was found.
    pub system: Option<System>,
    /// The machine's architecture, from the machine's own programs (`x86_64`, `aarch64`).
    pub architecture: Option<String>,
    /// The machine's name, from /etc/hostname.
    pub hostname: Option<Text>,
    /// The machine's id, from /etc/machine-id.
    pub machine_id: Option<Text>,
    /// The installed kernels, sorted by version text.
    pub kernels: Vec<Kernel>,
    /// Names of fields that are percent-escaped (`hostname`, `machine_id`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
    /// What differs from run to run; nothing else in a report does.
    pub run: Run,
}

/// The program that wrote a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a scan was asked to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// `image`, `device` or `directory`.
    pub kind: String,
    /// The volumes, by the names that coverage and evidence give them, in the order given.
    pub volumes: Vec<Text>,
    /// Names of fields that are percent-escaped (`volumes`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// The operating system as its own release file describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// `ID`, such as `debian`; what other release files say where there is no os-release.
    pub id: Text,
    /// `ID_LIKE`, split at blanks.
    pub id_like: Vec<Text>,
    /// `VERSION_ID`.
    pub version_id: Option<Text>,
    /// `VERSION_CODENAME`.
    pub codename: Option<Text>,
    /// `NAME`.
    pub name: Option<Text>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<Text>,
    /// Every key of the file.
    pub fields: BTreeMap<String, Text>,
    /// Where it was read; absent if there was no such file.
    pub evidence: Option<crate::Evidence>,
    /// Names of fields that are percent-escaped (keys of `fields`, or `id`, `id_like` … where no file has them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// One installed kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// Its release, as `uname -r` would print it.
    pub release: Text,
    /// True if the machine would boot it; absent if that cannot be told.
    pub default: Option<bool>,
    /// Where it was seen.
    pub evidence: crate::Evidence,
    /// Names of fields that are percent-escaped (`release`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// What differs from run to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// When the scan began; `--at` or SOURCE_DATE_EPOCH fix it.
    pub started: Option<Time>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Threads of the reader.
    pub threads: u64,
    /// How the bytes were had: `file`, `directory`, `direct`, `attach`.
    pub method: String,
    /// Why by this method, with what each was thought to cost; absent where there was no choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<MethodChoice>,
    /// Paths as the user gave them.
    pub paths: Vec<Text>,
    /// What was read.
    pub read: Read,
    /// What it cost until the report was written; absent where no cloud was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Barriers of the reader's sandbox that could not be raised, and why; absent if all stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sandbox: Vec<String>,
    /// Names of fields that are percent-escaped (`paths`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// How the method was chosen, before anything was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MethodChoice {
    /// `direct` or `attach`.
    pub method: Method,
    /// Why, in words.
    pub why: String,
    /// What the direct method was thought to cost.
    pub direct: MethodEstimate,
    /// What the attach method was thought to cost.
    pub attach: MethodEstimate,
}

/// What a method was thought to cost: for choosing, not for billing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MethodEstimate {
    /// Seconds until all is read.
    pub seconds: u64,
    /// Attachment slots.
    pub slots: u32,
    /// Millionths of a dollar.
    pub microdollars: u64,
}

/// How much was read to write a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Read {
    /// Bytes asked of the volumes.
    pub bytes: u64,
    /// Distinct blocks of 4 KiB touched.
    pub blocks_4k: u64,
    /// Distinct blocks of 512 KiB touched: the unit of the EBS direct interface.
    pub blocks_512k: u64,
    /// Reads that had to wait for an earlier one: the longest chain.
    pub rounds: u64,
    /// Bytes of journal that were live and applied.
    pub journal_bytes: u64,
}

/// What a scan cost by the price table of the configuration: an estimate, and no bill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Requests by action, such as `ec2:CreateSnapshots`, repeats included.
    pub calls: BTreeMap<String, u64>,
    /// Blocks of 512 KiB that were answered by `ebs:GetSnapshotBlock`.
    pub get_blocks: u64,
    /// Pages that were answered by `ebs:ListSnapshotBlocks`.
    pub list_pages: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Seconds that snapshots and copies of ours existed, all together.
    pub snapshot_seconds: u64,
    /// Seconds that volumes of ours existed, all together.
    pub volume_seconds: u64,
    /// Millionths of a dollar; snapshots count with their whole size, which AWS stores in part only.
    pub microdollars: u64,
    /// The day of which the prices are, `2026-11-21`.
    pub prices_dated: String,
    /// True if no AWS was asked, so that nothing was spent.
    pub simulated: bool,
}

impl Report {
    /// Sorts, removes duplicates, settles coverage, and names what is escaped: the last step before writing (INV-10).
    pub fn seal(&mut self) {
        for finding in &mut self.findings {
            finding.seal();
        }
        self.findings.sort();
        self.findings.dedup();
        self.header.kernels.sort();
        self.header.seal();
        self.coverage.settle();
        seal_coverage(&mut self.coverage);
    }

    /// The canonical bytes: keys in the order of declaration, arrays sorted, indented by two, a newline at the end.
    ///
    /// # Errors
    /// None that this type can cause; what serde_json answers is passed on.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Header {
    fn seal(&mut self) {
        self.escaped = named([("hostname", &self.hostname), ("machine_id", &self.machine_id)]);
        self.target.escaped = listed("volumes", &self.target.volumes);
        self.run.escaped = listed("paths", &self.run.paths);
        for kernel in &mut self.kernels {
            kernel.escaped = listed("release", std::slice::from_ref(&kernel.release));
            kernel.evidence.seal();
        }
        if let Some(system) = &mut self.system {
            let fields = [
                ("version_id", &system.version_id),
                ("codename", &system.codename),
                ("name", &system.name),
                ("pretty_name", &system.pretty_name),
            ];
            let mut escaped = listed("id", std::slice::from_ref(&system.id));
            escaped.extend(listed("id_like", &system.id_like));
            escaped.extend(named(fields));
            escaped.extend(system.fields.iter().filter(|(_, t)| t.needs_escape()).map(|(k, _)| k.clone()));
            system.escaped = escaped;
            if let Some(evidence) = &mut system.evidence {
                evidence.seal();
            }
        }
    }
}

fn named<const N: usize>(fields: [(&str, &Option<Text>); N]) -> Vec<String> {
    let bad = fields.iter().filter(|(_, text)| text.as_ref().is_some_and(Text::needs_escape));
    bad.map(|(name, _)| (*name).to_owned()).collect()
}

fn listed(name: &str, texts: &[Text]) -> Vec<String> {
    if texts.iter().any(Text::needs_escape) { vec![name.to_owned()] } else { Vec::new() }
}

fn seal_coverage(line: &mut Coverage) {
    line.escaped = listed("name", std::slice::from_ref(&line.name));
    line.escaped.extend(listed("detail", std::slice::from_ref(&line.detail)));
    if line.notes.iter().any(|note| note.detail.needs_escape()) {
        line.escaped.push("notes".to_owned());
    }
    line.notes.sort();
    line.notes.dedup();
    line.children.iter_mut().for_each(seal_coverage);
}
