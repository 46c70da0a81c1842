// SPDX-License-Identifier: Apache-2.0
//! Alpine packages.
//!
//! Source: apk-tools' "installed" database: paragraphs of lines with one letter, a colon and a value; the letter's case
//!         matters (`P` is the name, `p` what is provided). The package's own lines stand before those of its files.

use memchr::memchr_iter;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason};

use crate::{Extractor, Hits, Profile, Sink};

/// Alpine packages.
pub const APK: Extractor = Extractor {
    name: "apk",
    ecosystem: Some("apk"),
    title: "Alpine packages",
    profile: Profile::Os,
    wants: &["lib/apk/db/installed", "usr/lib/apk/db/installed"],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    for hit in hits.distinct() {
        sink.database(&hit.at.path);
        if let Some(content) = sink.read_resolved(&hit.at) {
            packages(&content, sink);
        }
    }
}

/// One paragraph as far as it was read.
#[derive(Default)]
struct Entry<'a> {
    /// The number of its first line, from 1; 0 between paragraphs.
    line: u64,
    name: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    arch: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    licence: Option<&'a [u8]>,
    malformed: Option<u64>,
}

fn packages(content: &Content, sink: &mut Sink<'_>) {
    let bytes = &content.bytes;
    let mut entry = Entry::default();
    let (mut start, mut number, mut any) = (0, 0_u64, false);
    // The end of the last line, if it has none of its own, is the end of the file.
    for end in memchr_iter(b'\n', bytes).chain(std::iter::once(bytes.len())) {
        let line = bytes.get(start..end).unwrap_or_default();
        start = end.saturating_add(1);
        number = number.saturating_add(1);
        let is_cut = end == bytes.len() && !line.is_empty();
        if line.is_empty() || is_cut {
            any |= finish(std::mem::take(&mut entry), content, sink);
        } else {
            entry.take(line, number);
        }
        if is_cut {
            sink.problem_at_line(
                Reason::DatabaseIncomplete,
                &content.at,
                number,
                "the file ends inside a line",
            );
        }
    }
    if bytes.is_empty() {
        sink.empty_database(&content.at.path);
    } else if !any {
        sink.problem(Reason::DatabaseUnreadable, content.at.path.as_bytes(), "no package in it");
    }
}

impl<'a> Entry<'a> {
    fn take(&mut self, line: &'a [u8], number: u64) {
        if self.line == 0 {
            self.line = number;
        }
        let field = match line {
            [b'P', b':', ..] => &mut self.name,
            [b'V', b':', ..] => &mut self.version,
            [b'A', b':', ..] => &mut self.arch,
            [b'o', b':', ..] => &mut self.origin,
            [b'L', b':', ..] => &mut self.licence,
            [letter, b':', ..] if letter.is_ascii_alphabetic() => return,
            _ => {
                self.malformed.get_or_insert(number);
                return;
            }
        };
        // What follows a malformed line may belong to another package.
        if self.malformed.is_none() && field.is_none() {
            *field = line.get(2..);
        } else {
            self.malformed.get_or_insert(number);
        }
    }
}

/// Hands over one paragraph; true if it was a package.
fn finish(entry: Entry<'_>, content: &Content, sink: &mut Sink<'_>) -> bool {
    if entry.line == 0 {
        return false;
    }
    if let Some(line) = entry.malformed {
        sink.problem_at_line(Reason::RecordMalformed, &content.at, line, "not a line of this format");
    }
    let filled = |field: Option<&[u8]>| field.filter(|value| !value.is_empty()).map(Into::into);
    let (Some(name), Some(version)) = (filled(entry.name), filled(entry.version)) else {
        sink.problem_at_line(Reason::RecordMalformed, &content.at, entry.line, "no name or no version");
        return false;
    };
    sink.package(Package {
        ecosystem: "apk".into(),
        name,
        version,
        arch: filled(entry.arch),
        source: filled(entry.origin),
        licence: filled(entry.licence),
        evidence: sink.evidence_at_line(&content.at, entry.line),
        ..Package::default()
    });
    true
}
