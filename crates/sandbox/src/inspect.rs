// SPDX-License-Identifier: Apache-2.0
//! From a target to a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use snapscan_disk::fs::State;
use snapscan_disk::machine::{Machine, Met, Tree};
use snapscan_inventory::{Outcome, Profile};
use snapscan_schema::{Finding, Header, Read, Report, Run, SCHEMA_VERSION, Text, purl};

use crate::{Error, Target, Watch, cover};

/// How a target is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much is looked at.
    pub profile: Profile,
    /// Threads; 0 means one a core.
    pub threads: usize,
}

/// Reads a target and reports. The header's tool, time and paths are the caller's to fill in; the report is sealed.
///
/// # Errors
/// Only where there is nothing to report on: a volume or folder that cannot be opened, threads that cannot be started.
pub fn inspect(target: Target, options: Options, watch: &Watch) -> Result<Report, Error> {
    let kind = match &target {
        Target::Disks(_) => "image",
        Target::Directory { .. } => "directory",
    };
    let volumes = match &target {
        Target::Disks(volumes) => volumes.iter().map(|volume| Text(volume.name.clone())).collect(),
        Target::Directory { name, .. } => vec![Text(name.clone())],
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|e| Error::Threads { threads: options.threads, why: e.to_string() })?;
    watch.enter("reading the layout");
    let machine = target.open(&snapscan_inventory::wants(options.profile))?;
    watch.enter("inventory");
    let options_in = snapscan_inventory::Options { profile: options.profile };
    let outcome = machine
        .tree
        .as_ref()
        .map(|tree| pool.install(|| snapscan_inventory::run(tree, options_in, &watch.names)));
    let apart = match options.profile {
        Profile::Full => pool.install(|| walk_apart(&machine, watch)),
        Profile::Os => BTreeMap::new(),
    };
    let coverage = cover::cover(&machine, outcome.as_ref(), &apart);
    let mut outcome = outcome.unwrap_or_default();
    outcome.findings.extend(apart.into_values().flat_map(|one| one.findings));
    let run = Run {
        threads: u64::try_from(pool.current_num_threads()).unwrap_or(u64::MAX),
        method: if kind == "image" { "file" } else { "directory" }.to_owned(),
        read: read_of(&machine),
        ..Run::default()
    };
    let header = Header {
        target: snapscan_schema::Target { kind: kind.to_owned(), volumes, escaped: Vec::new() },
        profile: options.profile.name().to_owned(),
        run,
        ..header_of(&outcome)
    };
    let mut findings = outcome.findings;
    for finding in &mut findings {
        if let Finding::Package(package) = finding {
            package.purl = purl::purl(package, header.system.as_ref());
        }
    }
    let mut report = Report { schema_version: SCHEMA_VERSION, header, findings, coverage };
    report.seal();
    Ok(report)
}

/// Walks each filesystem that is no part of the machine's tree as a tree of its own, by its place.
fn walk_apart(machine: &Machine, watch: &Watch) -> BTreeMap<usize, Outcome> {
    let mut apart = BTreeMap::new();
    for (index, place) in
        machine.places.0.iter().enumerate().filter(|(_, place)| place.met == Met::NotMounted)
    {
        if let Some(fs) = &place.fs {
            // Paths begin at that filesystem's own root, so its place and not its volume is the evidence.
            let tree = Tree::new(Arc::clone(fs), machine.places.path(index));
            apart.insert(index, snapscan_inventory::walk_alone(&tree, &watch.names));
        }
    }
    apart
}

fn header_of(outcome: &Outcome) -> Header {
    Header {
        system: outcome.system.clone(),
        architecture: outcome.architecture.clone(),
        hostname: outcome.hostname.clone(),
        machine_id: outcome.machine_id.clone(),
        kernels: outcome.kernels.clone(),
        ..Header::default()
    }
}

fn read_of(machine: &Machine) -> Read {
    let so_far = machine.read_so_far();
    let journals =
        machine.places.0.iter().filter_map(|place| place.fs.as_ref()).map(|fs| match fs.info().state {
            State::Replayed { journal_bytes } => journal_bytes,
            State::Clean | State::Stale { .. } => 0,
        });
    Read {
        bytes: so_far.counts.bytes,
        blocks_4k: so_far.counts.blocks_4k,
        blocks_512k: so_far.counts.blocks_512k,
        rounds: so_far.rounds,
        journal_bytes: journals.sum(),
    }
}
