// SPDX-License-Identifier: Apache-2.0
//! Where an extractor puts what it found, and what it could not read, within its limits.

use std::collections::BTreeMap;

use snapscan_disk::fs::path::MachinePath;
use snapscan_disk::machine::{Content, Resolved, Tree};
use snapscan_disk::{Error, SourceError};
use snapscan_schema::{Evidence, Fact, Finding, Kernel, Note, Package, Reason, System, Text};

use crate::problems::{self, Problems};

/// Findings that one extractor may hand over: the largest real system seen has 7,000 packages.
const MOST_FINDINGS: usize = 1_000_000;

/// What one extractor found, and what it could not.
pub struct Sink<'a> {
    tree: &'a Tree,
    bytes_left: u64,
    problems: Problems,
    found: Found,
}

/// The content of a sink.
#[derive(Debug, Default)]
pub struct Found {
    /// Packages, keys and facts, in the order in which they came.
    pub findings: Vec<Finding>,
    /// What kept something from being read, with particulars, sorted.
    pub problems: Vec<Note>,
    /// Problems that were more than are kept, by code.
    pub more_problems: BTreeMap<Reason, u64>,
    /// What is to be known besides.
    pub notes: Vec<Note>,
    /// Paths of the package databases that were met, readable or not.
    pub databases: Vec<MachinePath>,
    /// Those of them that have no bytes.
    pub empty_databases: Vec<MachinePath>,
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
}

impl<'a> Sink<'a> {
    /// A sink of an extractor that may read `max_bytes` of `tree`.
    pub fn new(tree: &'a Tree, max_bytes: u64) -> Self {
        Sink { tree, bytes_left: max_bytes, problems: Problems::default(), found: Found::default() }
    }

    /// What was put in.
    pub fn into_found(self) -> Found {
        let (problems, more_problems) = self.problems.into_parts();
        Found { problems, more_problems, ..self.found }
    }

    /// Reads a file whole, links followed, and takes it off the extractor's bytes; `None` if it is not there or not
    /// readable at all, which becomes a problem. A file that was read in part is returned and the problem noted.
    pub fn read(&mut self, path: &MachinePath) -> Option<Content> {
        match self.tree.resolve(path, snapscan_disk::machine::Follow::Links) {
            Ok(Some(at)) => self.read_resolved(&at),
            Ok(None) => None,
            Err(error) => {
                self.failed(path.as_bytes(), &error);
                None
            }
        }
    }

    /// The same for what a pattern matched.
    pub fn read_resolved(&mut self, at: &Resolved) -> Option<Content> {
        match self.tree.read_resolved(at.clone(), self.bytes_left) {
            Ok(content) => {
                let read = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
                self.bytes_left = self.bytes_left.saturating_sub(read);
                if let Some(error) = &content.problem {
                    self.failed(at.path.as_bytes(), error);
                }
                Some(content)
            }
            Err(error) => {
                self.failed(at.path.as_bytes(), &error);
                None
            }
        }
    }

    /// Takes bytes that were read by other means off the extractor's limit; false, and a problem, once it is used up.
    pub fn spend(&mut self, path: &MachinePath, bytes: u64) -> bool {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.bytes_left = left;
                true
            }
            None => {
                self.bytes_left = 0;
                self.problem(Reason::LimitReached, path.as_bytes(), "bytes read by this extractor");
                false
            }
        }
    }

    /// The evidence of something read at a resolved path.
    pub fn evidence(&self, at: &Resolved) -> Evidence {
        Evidence {
            volume: self.tree.volume(at.location.fs).into(),
            path: at.path.as_bytes().into(),
            ..Evidence::default()
        }
    }

    /// The same with the line (from 1) where it stands.
    pub fn evidence_at_line(&self, at: &Resolved, line: u64) -> Evidence {
        Evidence { line: Some(line), ..self.evidence(at) }
    }

    /// The same with the number of the record (from 1).
    pub fn evidence_of_record(&self, at: &Resolved, record: u64) -> Evidence {
        Evidence { record: Some(record), ..self.evidence(at) }
    }

    /// An installed package.
    pub fn package(&mut self, package: Package) {
        self.finding(Finding::Package(package));
    }

    /// A key that a package manager keeps among its packages.
    pub fn key(&mut self, key: Package) {
        self.finding(Finding::Key(key));
    }

    /// A fact of the machine's configuration.
    pub fn fact(&mut self, fact: Fact) {
        self.finding(Finding::Fact(fact));
    }

    fn finding(&mut self, finding: Finding) {
        if self.found.findings.len() < MOST_FINDINGS {
            self.found.findings.push(finding);
        } else if self.found.findings.len() == MOST_FINDINGS {
            self.problem(Reason::LimitReached, b"", "findings of one extractor");
        }
    }

    /// The operating system. The first that is given counts.
    pub fn system(&mut self, system: System) {
        self.found.system.get_or_insert(system);
    }

    /// An installed kernel.
    pub fn kernel(&mut self, kernel: Kernel) {
        self.found.kernels.push(kernel);
    }

    /// The machine's name. The first that is given counts.
    pub fn hostname(&mut self, name: Text) {
        self.found.hostname.get_or_insert(name);
    }

    /// The machine's id. The first that is given counts.
    pub fn machine_id(&mut self, id: Text) {
        self.found.machine_id.get_or_insert(id);
    }

    /// The machine's architecture. The first that is given counts.
    pub fn architecture(&mut self, name: &str) {
        self.found.architecture.get_or_insert_with(|| name.to_owned());
    }

    /// A package database is here, whether or not it can be read.
    pub fn database(&mut self, path: &MachinePath) {
        self.found.databases.push(path.clone());
    }

    /// A package database is here and has no bytes: no list of packages, and not an empty one either. Only where another
    /// tool is the distribution's own is that in order.
    pub fn empty_database(&mut self, path: &MachinePath) {
        self.found.empty_databases.push(path.clone());
        self.problem(Reason::DatabaseUnreadable, path.as_bytes(), "the file is empty");
    }

    /// Something was not read: the code decides the status of the extractor's line, `place` says where (a path, with
    /// line or record), `why` what is wrong.
    pub fn problem(&mut self, code: Reason, place: impl AsRef<[u8]>, why: impl AsRef<[u8]>) {
        self.problems.add(Note { code, detail: join(place.as_ref(), why.as_ref()) });
    }

    /// The same with the line (from 1) of a file.
    pub fn problem_at_line(&mut self, code: Reason, at: &Resolved, line: u64, why: impl AsRef<[u8]>) {
        let place = [at.path.as_bytes(), format!(", line {line}").as_bytes()].concat();
        self.problem(code, place, why);
    }

    /// The problem that an error of the tree is.
    pub fn failed(&mut self, place: impl AsRef<[u8]>, error: &Error) {
        self.problem(reason_of(error), place, error.to_string());
    }

    /// Something to be known that leaves the status alone.
    pub fn note(&mut self, code: Reason, detail: impl Into<Text>) {
        if self.found.notes.len() < problems::MOST {
            self.found.notes.push(Note { code, detail: detail.into() });
        }
    }
}

/// The code of an error that kept a file or folder from being read.
pub fn reason_of(error: &Error) -> Reason {
    match error {
        Error::Source(SourceError::PastEnd { .. }) => Reason::ImageTruncated,
        Error::Source(SourceError::Refused(_)) => Reason::BudgetExhausted,
        Error::Source(_) => Reason::SourceUnreadable,
        Error::Corrupt(_) | Error::LinkLoop(_) | Error::NotADirectory | Error::WrongType(_) => {
            Reason::SubtreeDamaged
        }
        Error::Unsupported(_) => Reason::UnsupportedFeature,
        Error::Limit { .. } => Reason::LimitReached,
        Error::PermissionDenied => Reason::PermissionDenied,
    }
}

fn join(place: &[u8], why: &[u8]) -> Text {
    let mut text = place.to_vec();
    if !place.is_empty() && !why.is_empty() {
        text.extend_from_slice(b": ");
    }
    text.extend_from_slice(why);
    text.into()
}
