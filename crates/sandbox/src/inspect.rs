// SPDX-License-Identifier: Apache-2.0
//! From a target to a report.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use snapscan_inventory::Profile;
use snapscan_schema::{Coverage, Finding, Header, Level, Report, Run, SCHEMA_VERSION, Text, purl};

use crate::blocks::{Budget, Fetch};
use crate::parent::run::{Answer, Ask, report};
use crate::parent::spawn::{Program, Require};
use crate::wire::check::Told;
use crate::wire::request::Work;
use crate::{Error, Target, Volume, Watch};

/// Called at stable, named places of a conversation: `sandbox.spawn`, `sandbox.frame`.
pub type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// How a target is to be read.
#[derive(Clone)]
pub struct Options {
    /// How much is looked at.
    pub profile: Profile,
    /// Threads; 0 means one a core.
    pub threads: usize,
    /// What a reader may take.
    pub limits: Limits,
    /// What is demanded of its barriers.
    pub require: Require,
    /// The program that a reader is an exec of.
    pub program: Program,
    /// Called at each boundary.
    pub hook: Option<Hook>,
}

impl Options {
    /// The usual ones: this program, a thread a core, the usual limits.
    pub fn new(profile: Profile, require: Require) -> Options {
        let program = Program::this();
        Options { profile, threads: 0, limits: Limits::default(), require, program, hook: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { profile, threads, limits, require, program, hook: _ } = self;
        write!(f, "Options {{ {profile:?}, threads: {threads}, {limits:?}, {require:?}, {program:?} }}")
    }
}

/// What a reader may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Time without a sign of progress, that of waiting for blocks not counted.
    pub quiet: Duration,
    /// Readers that may follow one that died.
    pub restarts: u32,
    /// What it may have of volumes whose blocks are served, over all restarts.
    pub budget: Budget,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 256 << 20,
            cpu: Duration::from_secs(3600),
            quiet: Duration::from_secs(120),
            restarts: 3,
            budget: Budget::of_blocks(4000),
        }
    }
}

/// Reads a target in confined children and reports. `fetch` gives the blocks of served volumes. The header's tool, time
/// and paths are the caller's to fill in; the report is sealed.
///
/// # Errors
/// Only where there is nothing to report on: a volume or folder that cannot be opened, a child that cannot be started or
/// confined; `Cancelled`.
pub fn inspect(
    target: Target,
    options: &Options,
    watch: &Watch,
    fetch: Option<Arc<dyn Fetch>>,
) -> Result<Report, Error> {
    let (kind, method) = match &target {
        Target::Directory { .. } => ("directory", "directory"),
        Target::Disks(volumes) if volumes.iter().any(Volume::is_served) => ("image", "direct"),
        Target::Disks(_) => ("image", "file"),
    };
    let ask = Ask::new(target, options, watch, fetch)?;
    let Answer { told, open } = report(&ask, &Work::Inspect(options.profile.into()))?;
    let Told { header, mut findings, coverage, read, threads, mountable: _, problems: _ } = told;
    for finding in &mut findings {
        if let Finding::Package(package) = finding {
            package.purl = purl::purl(package, header.system.as_ref());
        }
    }
    let run = Run {
        threads,
        method: method.to_owned(),
        read,
        sandbox: open.iter().map(ToString::to_string).collect(),
        ..Run::default()
    };
    let volumes = ask.volumes().into_iter().map(Text).collect();
    let header = Header {
        target: snapscan_schema::Target { kind: kind.to_owned(), volumes, escaped: Vec::new() },
        profile: options.profile.name().to_owned(),
        run,
        ..header
    };
    let coverage = coverage.unwrap_or_else(|| Coverage::complete(Level::Machine, "machine", ""));
    let mut report = Report { schema_version: SCHEMA_VERSION, header, findings, coverage };
    report.seal();
    Ok(report)
}
