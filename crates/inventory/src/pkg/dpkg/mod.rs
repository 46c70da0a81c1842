// SPDX-License-Identifier: Apache-2.0
//! Debian packages: status, status.d, updates.
//!
//! Source: deb-status in dpkg's manual, dpkg(1) "Package states"; the journal in `updates` as dpkg's `lib/dpkg/dbmodify.c`
//!         describes it: whole paragraphs in files named by number, which replace those of `status` in that order.

use std::collections::HashMap;

use snapscan_disk::machine::glob::Match;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::Reason;

use super::lost;
use crate::{Extractor, Hits, Profile, Sink};

mod record;
#[cfg(test)]
mod tests;

use record::Record;

/// Debian packages: status, status.d, updates.
pub const DPKG: Extractor = Extractor {
    name: "dpkg",
    ecosystem: Some("deb"),
    title: "Debian packages: status, status.d, updates",
    profile: Profile::Os,
    wants: &[
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d/*",
        "var/lib/dpkg/updates/*",
        "var/lib/dpkg/info/",
    ],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// Places of the patterns in `wants`.
const STATUS: usize = 0;
const STATUS_D: usize = 1;
const UPDATES: usize = 2;
const INFO: usize = 3;

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let status = read(hits.of(STATUS), sink);
    let single: Vec<Match> =
        hits.of(STATUS_D).iter().filter(|hit| !hit.name.ends_with(b".md5sums")).cloned().collect();
    let single = read(&single, sink);
    let updates: Vec<Match> = hits.of(UPDATES).iter().filter(|hit| is_update(hit)).cloned().collect();
    let updates = read(&updates, sink);

    let mut records = Vec::new();
    for content in &status {
        records.extend(record::of_status(content, sink));
    }
    apply(&mut records, updates.iter().flat_map(|content| record::of_update(content, sink)));
    records.extend(single.iter().flat_map(|content| record::of_status_d(content, sink)));

    if !status.is_empty() || !single.is_empty() {
        sink.database(&database(&status, &single));
    }
    let known = records.iter().map(|record| record.name).collect();
    for folder in hits.of(INFO) {
        lost::check(tree, folder, b".list", &known, !status.is_empty(), sink);
    }
    report(records, sink);
}

/// Reads files whole; what cannot be read is a problem already.
fn read(hits: &[Match], sink: &mut Sink<'_>) -> Vec<Content> {
    hits.iter().filter_map(|hit| sink.read_resolved(&hit.at)).collect()
}

/// The path that stands for the database: the status file, or the folder of single ones.
fn database(status: &[Content], single: &[Content]) -> snapscan_disk::fs::path::MachinePath {
    let file = |content: &Content| content.at.path.clone();
    let folder = |content: &Content| content.at.path.parent();
    let path = status.first().map(file).or_else(|| single.first().map(folder));
    path.unwrap_or_else(snapscan_disk::fs::path::MachinePath::root)
}

/// dpkg looks only at files whose names are digits; `tmp.i` is one that it is still writing.
fn is_update(hit: &Match) -> bool {
    let name = hit.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// Puts the records of the journal in the place of those they replace.
fn apply<'a>(records: &mut Vec<Record<'a>>, updates: impl Iterator<Item = Record<'a>>) {
    let mut updates = updates.peekable();
    if updates.peek().is_none() {
        return;
    }
    let mut by_name: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, record) in records.iter().enumerate() {
        by_name.entry(record.name).or_default().push(at);
    }
    for update in updates {
        let places = by_name.entry(update.name).or_default();
        let same = |&&at: &&usize| records.get(at).is_some_and(|old| old.arch == update.arch);
        // Only packages that can be installed for several architectures at once have a slot for each.
        let only = match places.as_slice() {
            [one]
                if !(update.multi_arch_same && records.get(*one).is_some_and(|old| old.multi_arch_same)) =>
            {
                Some(one)
            }
            _ => None,
        };
        match places.iter().find(same).or(only).and_then(|&at| records.get_mut(at)) {
            Some(slot) => *slot = update,
            None => {
                places.push(records.len());
                records.push(update);
            }
        }
    }
}

/// Hands over what is on the disk and counts what is not.
fn report(records: Vec<Record<'_>>, sink: &mut Sink<'_>) {
    let mut left_out = 0_u64;
    for record in records {
        match record.on_disk() {
            true => {
                let evidence = sink.evidence_at_line(record.at, record.line);
                sink.package(record.package(evidence));
            }
            false => left_out = left_out.saturating_add(1),
        }
    }
    if left_out > 0 {
        sink.note(Reason::NotInstalled, format!("{left_out} removed but not purged, or never installed"));
    }
}
