// SPDX-License-Identifier: Apache-2.0
//! OpenWrt and embedded packages.
//!
//! Source: opkg's `libopkg/pkg.c`: paragraphs as dpkg's, whose last fields are Installed-Time and Auto-Installed.

use std::collections::HashSet;

use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason};

use super::lost;
use super::paragraphs::{End, Paragraph, Paragraphs};
use crate::{Extractor, Hits, Profile, Sink};

/// OpenWrt and embedded packages.
pub const OPKG: Extractor = Extractor {
    name: "opkg",
    ecosystem: Some("opkg"),
    title: "OpenWrt and embedded packages",
    profile: Profile::Os,
    wants: &[
        "usr/lib/opkg/status",
        "var/lib/opkg/status",
        "opt/lib/opkg/status",
        "usr/lib/opkg/info/",
        "var/lib/opkg/info/",
        "opt/lib/opkg/info/",
    ],
    max_bytes: 32 << 20,
    run: extract,
    walk: None,
};

/// Places that may hold a database; as many patterns for its status come before those for its `info`.
const PLACES: usize = 3;
/// The fields that are read.
const FIELDS: &[&[u8]; 4] = &[b"package", b"version", b"architecture", b"status"];

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut seen = HashSet::new();
    for place in 0..PLACES {
        let status = hits.of(place).first().filter(|hit| seen.insert(hit.at.location));
        let info = hits.of(place.saturating_add(PLACES)).first();
        let info = info.filter(|hit| seen.insert(hit.at.location));
        let content = status.and_then(|hit| {
            sink.database(&hit.at.path);
            sink.read_resolved(&hit.at)
        });
        let known = content.as_ref().map(|content| packages(content, sink)).unwrap_or_default();
        if let Some(folder) = info {
            lost::check(tree, folder, b".control", &known, content.is_some(), sink);
        }
    }
}

/// Hands over the packages of a status file; answers all names in it.
fn packages<'a>(content: &'a Content, sink: &mut Sink<'_>) -> HashSet<&'a [u8]> {
    let mut known = HashSet::new();
    let mut left_out = 0_u64;
    let mut paragraphs = Paragraphs::new(&content.bytes);
    while let Some(paragraph) = paragraphs.next(FIELDS) {
        let line = paragraph.line;
        if paragraph.end != End::EmptyLine && !ends_as_written(&paragraph) {
            let why = "the file ends in this paragraph";
            sink.problem_at_line(Reason::DatabaseIncomplete, &content.at, line, why);
        }
        if let Some(bad) = paragraph.malformed {
            let why = "neither a field nor the continuation of one";
            sink.problem_at_line(Reason::RecordMalformed, &content.at, bad, why);
        }
        // A value that the end of the file cut through may have lost its own end.
        let torn = if paragraph.end == End::InsideLine { paragraph.last_field } else { b"" };
        let cut = |name: &[u8]| torn.eq_ignore_ascii_case(name);
        let [name, version, arch, status] = paragraph.values;
        let (Some(name), Some(version), Some(status), false) =
            (name, version, status, cut(b"version") || cut(b"status") || cut(b"package"))
        else {
            known.extend(name);
            let why = "no whole Package, Version and Status";
            sink.problem_at_line(Reason::RecordMalformed, &content.at, line, why);
            continue;
        };
        known.insert(name);
        if status.ends_with(b" not-installed") || status.ends_with(b" config-files") {
            left_out = left_out.saturating_add(1);
            continue;
        }
        sink.package(Package {
            ecosystem: "opkg".into(),
            name: name.into(),
            version: version.into(),
            arch: arch.map(Into::into),
            status: Some(status.into()),
            evidence: sink.evidence_at_line(&content.at, line),
            ..Package::default()
        });
    }
    if content.bytes.is_empty() {
        sink.empty_database(&content.at.path);
    } else if known.is_empty() {
        sink.problem(Reason::DatabaseUnreadable, content.at.path.as_bytes(), "no package in it");
    }
    if left_out > 0 {
        sink.note(Reason::NotInstalled, format!("{left_out} removed or never installed"));
    }
    known
}

/// True if the paragraph's last field is one that opkg writes last.
fn ends_as_written(paragraph: &Paragraph<'_, 4>) -> bool {
    let last = paragraph.last_field;
    last.eq_ignore_ascii_case(b"Installed-Time") || last.eq_ignore_ascii_case(b"Auto-Installed")
}
