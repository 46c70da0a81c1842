// SPDX-License-Identifier: Apache-2.0
//! Many sinks merged into one result that does not depend on their order.

use snapscan_schema::{Coverage, Finding, Kernel, Level, Note, Reason, Status, System, Text};

use super::probe::Probed;
use super::walk::Walked;
use crate::Extractor;
use crate::problems::Problems;
use crate::sink::Found;

/// What an inventory found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Findings, not yet sorted: the report does that when it is sealed.
    pub findings: Vec<Finding>,
    /// One line for each extractor, in the order of the registry.
    pub lines: Vec<Coverage>,
    /// The operating system.
    pub system: Option<System>,
    /// Kernels.
    pub kernels: Vec<Kernel>,
    /// The machine's name.
    pub hostname: Option<Text>,
    /// The machine's id.
    pub machine_id: Option<Text>,
    /// The machine's architecture.
    pub architecture: Option<String>,
    /// Extractors that met a package database.
    pub databases: Vec<&'static str>,
    /// Those of them that met nothing but databases without bytes.
    pub empty: Vec<&'static str>,
}

impl Outcome {
    /// Merges what extractors found, given in the order of the registry.
    pub fn merge<'a>(probed: impl Iterator<Item = (&'a Extractor, Probed)>) -> Outcome {
        let mut outcome = Outcome::default();
        for (extractor, Probed { found, absent }) in probed {
            outcome.lines.push(line(extractor, &found, absent));
            if !found.databases.is_empty() {
                outcome.databases.push(extractor.name);
                if found.databases.iter().all(|path| found.empty_databases.contains(path)) {
                    outcome.empty.push(extractor.name);
                }
            }
            outcome.findings.extend(found.findings);
            outcome.kernels.extend(found.kernels);
            outcome.system = outcome.system.or(found.system);
            outcome.hostname = outcome.hostname.or(found.hostname);
            outcome.machine_id = outcome.machine_id.or(found.machine_id);
            outcome.architecture = outcome.architecture.or(found.architecture);
        }
        outcome
    }

    /// Adds what a walk found to the lines of the extractors that walked. What could not be walked is a problem of each.
    pub fn add_walk(&mut self, extractors: &[&Extractor], walked: Walked) {
        for (extractor, parts) in extractors.iter().zip(walked.found) {
            let mut whole = Found::default();
            let mut problems = Problems::default();
            for part in parts {
                whole.findings.extend(part.findings);
                whole.notes.extend(part.notes);
                problems.absorb(part.problems, &part.more_problems);
            }
            let (kept, more) = &walked.problems;
            problems.absorb(kept.iter().cloned(), more);
            (whole.problems, whole.more_problems) = problems.into_parts();
            whole.notes.sort();
            let mut line = line(extractor, &whole, false);
            line.detail = match line.code {
                None => format!("{} findings in {} names", whole.findings.len(), walked.names).into(),
                Some(_) => line.detail,
            };
            self.lines.retain(|other| other.name.as_bytes() != extractor.name.as_bytes());
            self.lines.push(line);
            self.findings.extend(whole.findings);
        }
    }

    /// Says of an extractor that the reader died in its work, which was left out then.
    pub fn lose(&mut self, extractor: &Extractor, why: &str) {
        let lost = Coverage::because(Level::Extractor, extractor.name, Reason::WorkerCrashed, why);
        match self.lines.iter_mut().find(|line| line.name.as_bytes() == extractor.name.as_bytes()) {
            Some(line) => *line = lost,
            None => self.lines.push(lost),
        }
    }

    /// Says of extractors outside the profile that they were left out.
    pub fn leave_out<'a>(&mut self, extractors: impl Iterator<Item = &'a Extractor>) {
        for extractor in extractors {
            self.lines.push(Coverage::because(
                Level::Extractor,
                extractor.name,
                Reason::ByChoice,
                "outside the profile",
            ));
        }
    }
}

/// The coverage line of one extractor: its worst problem decides the status, all problems stand in the detail or, from
/// the second on, among the notes.
fn line(extractor: &Extractor, found: &Found, absent: bool) -> Coverage {
    let count = found.findings.len();
    let mut line = Coverage::complete(Level::Extractor, extractor.name, format!("{count} findings"));
    if absent {
        line.detail = Text::default();
        line.notes.push(Note { code: Reason::Absent, detail: Text::default() });
    }
    line.notes.extend(found.notes.iter().cloned());
    let mut problems = found.problems.clone();
    problems.sort_by_key(|problem| (std::cmp::Reverse(severity(problem.code, count)), problem.clone()));
    let mut problems = problems.into_iter();
    if let Some(worst) = problems.next() {
        line.status = severity(worst.code, count);
        line.code = Some(worst.code);
        line.detail = worst.detail;
        line.notes.retain(|note| note.code != Reason::Absent);
    }
    line.notes.extend(problems);
    for (&code, &more) in &found.more_problems {
        if severity(code, count) > line.status {
            line.status = severity(code, count);
            line.code = Some(code);
        }
        line.notes.push(Note { code, detail: format!("and {more} more").into() });
    }
    line
}

/// How bad a problem is for the whole line: what would be a failure is partial where other things were found.
fn severity(code: Reason, findings: usize) -> Status {
    match code.explain().status {
        Some(Status::Failed) if findings > 0 => Status::Partial,
        Some(Status::Failed) => Status::Failed,
        Some(Status::Partial | Status::Skipped) => Status::Partial,
        Some(Status::Complete) | None => Status::Complete,
    }
}
