// SPDX-License-Identifier: Apache-2.0
//! From a machine's bytes to a report, in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use snapscan_disk::fs::State;
use snapscan_disk::machine::{Machine, Met, Tree};
use snapscan_inventory::{Outcome, Profile};
use snapscan_schema::{Finding, Header, Read, Report, Run, SCHEMA_VERSION, Text, purl};

use super::course::Course;
use super::cover;
use super::mountable::mountable;
use super::open::Source;
use crate::Error;
use crate::wire::fit;
use crate::wire::record::{Mountable, Stage};

/// Reads and reports, with the threads of rayon's current pool. The header's tool, time and paths are the caller's to
/// fill in; the report is sealed, and fits onto the wire.
///
/// # Errors
/// Only where there is nothing to report on: a volume or folder that cannot be opened.
pub(crate) fn inspect(source: Source, profile: Profile, course: &Course) -> Result<Report, Error> {
    read(source, Some(profile), course).map(|(report, _)| report)
}

/// The same with the filesystems that the kernel could mount; without a profile only what lies where.
pub(crate) fn read(
    source: Source,
    profile: Option<Profile>,
    course: &Course,
) -> Result<(Report, Vec<Mountable>), Error> {
    let kind = source.kind();
    let volumes = source.names().into_iter().map(Text).collect();
    course.stage(Stage::Layout);
    let wants = profile.map(snapscan_inventory::wants).unwrap_or_default();
    let machine = source.open(&wants, course)?;
    let mountable = mountable(&machine);
    course.stage(Stage::Inventory);
    let run = |tree, profile| {
        snapscan_inventory::run_guided(tree, snapscan_inventory::Options { profile }, &course.names, course)
    };
    let outcome = machine.tree.as_ref().zip(profile).map(|(tree, profile)| run(tree, profile));
    let apart = match profile {
        Some(Profile::Full) => walk_apart(&machine, course),
        Some(Profile::Os) | None => BTreeMap::new(),
    };
    course.stage(Stage::Sending);
    let coverage = cover::cover(&machine, outcome.as_ref(), &apart);
    let mut outcome = outcome.unwrap_or_default();
    outcome.findings.extend(apart.into_values().flat_map(|one| one.findings));
    let run = Run {
        threads: u64::try_from(rayon::current_num_threads()).unwrap_or(u64::MAX),
        method: if kind == "image" { "file" } else { "directory" }.to_owned(),
        read: read_of(&machine),
        ..Run::default()
    };
    let header = Header {
        target: snapscan_schema::Target { kind: kind.to_owned(), volumes, escaped: Vec::new() },
        profile: profile.map(Profile::name).unwrap_or_default().to_owned(),
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
    fit::fit(&mut report);
    Ok((report, mountable))
}

/// Walks each filesystem that is no part of the machine's tree as a tree of its own, by its place.
fn walk_apart(machine: &Machine, course: &Course) -> BTreeMap<usize, Outcome> {
    let mut apart = BTreeMap::new();
    for (index, place) in
        machine.places.0.iter().enumerate().filter(|(_, place)| place.met == Met::NotMounted)
    {
        if let Some(fs) = &place.fs {
            // Paths begin at that filesystem's own root, so its place and not its volume is the evidence.
            let tree = Tree::new(Arc::clone(fs), machine.places.path(index));
            apart.insert(index, snapscan_inventory::walk_alone_guided(&tree, &course.names, course));
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
