// SPDX-License-Identifier: Apache-2.0
//! Which databases a machine has, and which of them is the live one.
//!
//! Source: rpm's macros.in (`%_dbpath`), lib/backend/dbi.c (order in which backends are looked for).

use snapscan_disk::fs::{File, FileType, Identity};
use snapscan_disk::machine::{Follow, Resolved, Tree};
use snapscan_disk::{Error, MachinePath, Result};
use snapscan_schema::Reason;

use super::header::{self, Described};
use super::scan::{Each, Scan};
use super::{bdb, ndb, sqlite};
use crate::{Hits, Sink};

/// Folders of a database, those of newer distributions first: where a move left the old one behind, the new is live.
const FOLDERS: &[&str] = &["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];

/// Backends with the file that holds the packages, newest first: within one folder the first is the live one.
const BACKENDS: &[(&str, Backend)] =
    &[("rpmdb.sqlite", Backend::Sqlite), ("Packages.db", Backend::Ndb), ("Packages", Backend::Bdb)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Ndb,
    Bdb,
}

/// One database file.
struct Database {
    at: Resolved,
    backend: Backend,
}

/// What one database held.
#[derive(Default)]
struct Held {
    described: Vec<Described>,
    malformed: Vec<(u64, header::Malformed)>,
    more_malformed: u64,
}

/// Malformed records that are named; the rest is counted.
const NAMED: usize = 50;

/// Reads the live database of every folder, each folder once.
pub(super) fn run(tree: &Tree, _hits: &Hits, sink: &mut Sink<'_>) {
    let mut met: Vec<Identity> = Vec::new();
    let mut with_packages: Option<MachinePath> = None;
    for folder in FOLDERS {
        let found = databases(tree, &MachinePath::from(*folder), sink);
        let mut found = found.into_iter().filter(|one| !met.contains(&one.at.metadata.identity));
        let Some(live) = found.next() else { continue };
        let others: Vec<Database> = found.collect();
        met.push(live.at.metadata.identity);
        for other in others {
            met.push(other.at.metadata.identity);
            sink.database(&other.at.path);
            sink.note(Reason::SecondDatabase, other.at.path.as_bytes());
        }
        sink.database(&live.at.path);
        let held = read(tree, &live, sink);
        if held.described.is_empty() {
            continue;
        }
        match &with_packages {
            // Two folders that are no links of each other: adding the lists up would invent a machine.
            Some(first) => {
                let why = format!("{} packages, left out: {first:?} has packages too", held.described.len());
                sink.note(Reason::SecondDatabase, live.at.path.as_bytes());
                sink.problem(Reason::Ambiguous, live.at.path.as_bytes(), why);
            }
            None => {
                with_packages = Some(live.at.path.clone());
                hand_over(held.described, sink);
            }
        }
    }
}

fn hand_over(described: Vec<Described>, sink: &mut Sink<'_>) {
    for one in described {
        match one {
            Described::Package(package) => sink.package(package),
            Described::Key(key) => sink.key(key),
        }
    }
}

/// The database files of a folder, the live one first.
fn databases(tree: &Tree, folder: &MachinePath, sink: &mut Sink<'_>) -> Vec<Database> {
    let mut found = Vec::new();
    for (name, backend) in BACKENDS {
        let path = folder.join(name.as_bytes());
        match tree.resolve(&path, Follow::Links) {
            Ok(Some(at)) if at.metadata.kind == FileType::File => {
                found.push(Database { at, backend: *backend })
            }
            Ok(Some(_)) => sink.problem(Reason::DatabaseUnreadable, path.as_bytes(), "not a regular file"),
            Ok(None) => {}
            Err(error) => {
                sink.database(&path);
                sink.failed(path.as_bytes(), &error);
            }
        }
    }
    found
}

/// Reads one database and reports what was not reached in it.
fn read(tree: &Tree, database: &Database, sink: &mut Sink<'_>) -> Held {
    let path = &database.at.path;
    let mut held = Held::default();
    if database.at.metadata.size == 0 {
        sink.empty_database(path);
        return held;
    }
    let evidence = sink.evidence(&database.at);
    let mut each = |number: u64, blob: &[u8]| match header::read(blob) {
        Ok(mut described) => {
            let (Described::Package(package) | Described::Key(package)) = &mut described;
            package.evidence = evidence.clone();
            package.evidence.record = Some(number);
            held.described.push(described);
        }
        Err(why) if held.malformed.len() < NAMED => held.malformed.push((number, why)),
        Err(_) => held.more_malformed = held.more_malformed.saturating_add(1),
    };
    let scanned = scan(tree, database, sink, &mut each);
    for (number, why) in &held.malformed {
        sink.problem(Reason::RecordMalformed, path.as_bytes(), format!("record {number}: {why}"));
    }
    if held.more_malformed > 0 {
        let why = format!("{} more malformed records", held.more_malformed);
        sink.problem(Reason::RecordMalformed, path.as_bytes(), why);
    }
    match scanned {
        Ok(scan) => report(&scan, path, sink),
        Err(error @ (Error::Corrupt(_) | Error::Unsupported(_))) => {
            sink.problem(Reason::DatabaseUnreadable, path.as_bytes(), error.to_string());
        }
        Err(error) => sink.failed(path.as_bytes(), &error),
    }
    held
}

fn report(scan: &Scan, path: &MachinePath, sink: &mut Sink<'_>) {
    for (code, why) in &scan.damage {
        sink.problem(*code, path.as_bytes(), why);
    }
    if scan.more_damage > 0 {
        let why = format!("{} more places are damaged", scan.more_damage);
        sink.problem(Reason::DatabaseIncomplete, path.as_bytes(), why);
    }
    for why in &scan.stale {
        let mut detail = path.as_bytes().to_vec();
        detail.extend_from_slice(b": ");
        detail.extend_from_slice(why.as_bytes());
        sink.note(Reason::TotalsStale, detail);
    }
}

/// Opens a database with what belongs to it, and reads it.
fn scan(tree: &Tree, database: &Database, sink: &mut Sink<'_>, each: &mut Each<'_>) -> Result<Scan> {
    let file = tree.open(database.at.location)?;
    if !sink.spend(&database.at.path, file.size()) {
        return Err(Error::Limit { what: "rpm database, bytes", limit: super::RPM.max_bytes });
    }
    match database.backend {
        Backend::Sqlite => {
            let wal = beside(tree, &database.at, b"-wal", sink)?;
            let journal = beside(tree, &database.at, b"-journal", sink)?;
            sqlite::read(file.as_ref(), wal.as_deref(), journal.as_deref(), each)
        }
        Backend::Ndb => ndb::read(file.as_ref(), each),
        Backend::Bdb => bdb::read(file.as_ref(), each),
    }
}

/// A file beside a database, if it is there: SQLite looks for it where the database really is, not where a link is.
fn beside(tree: &Tree, at: &Resolved, suffix: &[u8], sink: &mut Sink<'_>) -> Result<Option<Box<dyn File>>> {
    let mut name = at.path.name().to_vec();
    name.extend_from_slice(suffix);
    let path = at.path.parent().join(&name);
    let Some(found) = tree.resolve(&path, Follow::Links)? else { return Ok(None) };
    let file = tree.open(found.location)?;
    if file.size() == 0 {
        return Ok(None);
    }
    if !sink.spend(&path, file.size()) {
        return Err(Error::Limit { what: "log of an rpm database, bytes", limit: super::RPM.max_bytes });
    }
    Ok(Some(file))
}
