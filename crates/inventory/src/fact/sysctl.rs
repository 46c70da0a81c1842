// SPDX-License-Identifier: Apache-2.0
//! Kernel parameters that are set at boot.
//!
//! Shape:  a fact for each parameter, dots between its parts; the last value counts. Patterns stay patterns.
//! Source: sysctl.d(5), sysctl(8). A file hides those of the same name in later folders, also as a link to /dev/null; then
//!         all are read by name. `/etc/sysctl.conf` comes last, as with `sysctl --system`; systemd itself reads it only
//!         where a link in sysctl.d leads to it, which is then its place.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use snapscan_disk::fs::FileType;
use snapscan_disk::fs::path::MachinePath;
use snapscan_disk::machine::{Content, Follow, Resolved, Tree};
use snapscan_schema::{Evidence, Reason, Value};

use super::assemble::fact;
use super::lines::lines;
use crate::{Extractor, Hits, Profile, Sink};

/// Kernel parameters.
pub const SYSCTL: Extractor = Extractor {
    name: "sysctl",
    ecosystem: None,
    title: "kernel parameters that are set at boot",
    profile: Profile::Os,
    wants: &[
        "etc/sysctl.conf",
        "etc/sysctl.d/*.conf",
        "run/sysctl.d/*.conf",
        "usr/local/lib/sysctl.d/*.conf",
        "usr/lib/sysctl.d/*.conf",
        "lib/sysctl.d/*.conf",
    ],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// Folders, the first wins.
const FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// Parameters by name: values, and where the last was set.
type Set = BTreeMap<Vec<u8>, (Vec<(&'static str, Value)>, Evidence)>;

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut files: BTreeMap<Vec<u8>, MachinePath> = BTreeMap::new();
    for folder in FOLDERS {
        let folder = MachinePath::from(folder);
        for name in names(tree, &folder, sink) {
            let path = folder.join(&name);
            files.entry(name).or_insert(path);
        }
    }
    let mut set = Set::new();
    let mut read = HashSet::new();
    for path in files.values() {
        if let Some(at) = target(tree, path, sink) {
            read.insert(at.location);
            file(&at, &mut set, sink);
        }
    }
    for hit in hits.of(0).iter().filter(|hit| !read.contains(&hit.at.location)) {
        file(&hit.at, &mut set, sink);
    }
    for (name, (values, evidence)) in set {
        sink.fact(fact("sysctl", name, evidence, values));
    }
}

/// Names in a folder that end in `.conf`, links that lead nowhere included.
fn names(tree: &Tree, folder: &MachinePath, sink: &mut Sink<'_>) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let at = match tree.resolve(folder, Follow::Links) {
        Ok(at) => at.filter(|at| at.metadata.kind == FileType::Directory),
        Err(error) => {
            sink.failed(folder.as_bytes(), &error);
            None
        }
    };
    let Some(at) = at else { return names };
    let listed = tree.entries(at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) if entry.name.ends_with(b".conf") && !entry.name.starts_with(b".") => {
                names.push(entry.name);
            }
            Ok(_) => {}
            Err(error) => sink.failed(folder.as_bytes(), &error),
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = listed {
        sink.failed(folder.as_bytes(), &error);
    }
    names
}

/// The regular file that a name leads to; `None` for /dev/null and for nothing.
fn target(tree: &Tree, path: &MachinePath, sink: &mut Sink<'_>) -> Option<Resolved> {
    match tree.resolve(path, Follow::Links) {
        Ok(at) => at.filter(|at| at.metadata.kind == FileType::File),
        Err(error) => {
            sink.failed(path.as_bytes(), &error);
            None
        }
    }
}

fn file(at: &Resolved, set: &mut Set, sink: &mut Sink<'_>) {
    let Some(content) = sink.read_resolved(at) else { return };
    for (number, line) in lines(&content.bytes) {
        let line = line.trim_ascii();
        if !line.is_empty() && !matches!(line.first(), Some(b'#' | b';')) {
            parameter(&content, number, line, set, sink);
        }
    }
}

fn parameter(content: &Content, number: u64, line: &[u8], set: &mut Set, sink: &mut Sink<'_>) {
    let (optional, line) = line.strip_prefix(b"-").map_or((false, line), |line| (true, line));
    let equals = line.iter().position(|&byte| byte == b'=');
    let (name, values) = match equals.and_then(|at| line.split_at_checked(at)) {
        Some((name, value)) => {
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            (name, vec![("value", value.into()), ("may_fail", optional.into())])
        }
        // A name with a minus and no value is left out of what patterns match.
        None if optional => (line, vec![("left_out", true.into())]),
        None => (&b""[..], Vec::new()),
    };
    let name = dotted(name.trim_ascii());
    if name.is_empty() || name.contains(&b' ') {
        return sink.problem_at_line(
            Reason::RecordMalformed,
            &content.at,
            number,
            "not a parameter with its value",
        );
    }
    set.insert(name, (values, sink.evidence_at_line(&content.at, number)));
}

/// If the first separator is a slash, slashes separate and dots are part of names; here the other way round.
fn dotted(name: &[u8]) -> Vec<u8> {
    let first = name.iter().find(|byte| matches!(byte, b'/' | b'.'));
    if first != Some(&b'/') {
        return name.to_vec();
    }
    let swapped = name.iter().map(|&byte| match byte {
        b'/' => b'.',
        b'.' => b'/',
        other => other,
    });
    swapped.collect()
}

#[cfg(test)]
mod tests;
