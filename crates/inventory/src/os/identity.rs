// SPDX-License-Identifier: Apache-2.0
//! Hostname and machine id.
//!
//! Source: hostname(5), machine-id(5); the older places of Red Hat, SUSE and Gentoo.

use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::{Reason, Text};

use crate::{Extractor, Hits, Profile, Sink};

/// Hostname and machine id.
pub const IDENTITY: Extractor = Extractor {
    name: "identity",
    ecosystem: None,
    title: "hostname and machine id",
    profile: Profile::Os,
    wants: &[
        "etc/hostname",
        "etc/HOSTNAME",
        "etc/sysconfig/network",
        "etc/conf.d/hostname",
        "etc/machine-id",
        "var/lib/dbus/machine-id",
    ],
    max_bytes: 1 << 20,
    run: extract,
    walk: None,
};

/// Files that hold the name alone come first, then those that assign it.
const NAMES: std::ops::Range<usize> = 0..2;
const ASSIGNMENTS: std::ops::Range<usize> = 2..4;
const IDS: std::ops::Range<usize> = 4..6;
/// Bytes of these files that are looked at.
const MOST_BYTES: u64 = 64 << 10;
/// Bytes of a name; Linux takes 64, a name of the domain name system has at most 253.
const LONGEST_NAME: usize = 253;

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let some = |range: std::ops::Range<usize>| range.flat_map(|pattern| hits.of(pattern));
    for hit in some(NAMES) {
        if let Some(bytes) = read(tree, hit, sink) {
            name(first_line(&bytes), hit, sink);
        }
    }
    for hit in some(ASSIGNMENTS) {
        if let Some(bytes) = read(tree, hit, sink) {
            let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            let keys: [&[u8]; 2] = [b"HOSTNAME=", b"hostname="];
            let value = lines.find_map(|line| keys.iter().find_map(|key| line.strip_prefix(*key)));
            name(value.map(unquoted).unwrap_or_default(), hit, sink);
        }
    }
    for hit in some(IDS) {
        if let Some(bytes) = read(tree, hit, sink) {
            machine_id(first_line(&bytes), hit, sink);
        }
    }
}

fn read(tree: &Tree, hit: &Match, sink: &mut Sink<'_>) -> Option<Vec<u8>> {
    match tree.read_resolved(hit.at.clone(), MOST_BYTES) {
        Ok(content) => {
            if let Some(error) = &content.problem {
                sink.failed(hit.at.path.as_bytes(), error);
            }
            Some(content.bytes)
        }
        Err(error) => {
            sink.failed(hit.at.path.as_bytes(), &error);
            None
        }
    }
}

/// The first line that is neither empty nor a comment.
fn first_line(bytes: &[u8]) -> &[u8] {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty() && line.first() != Some(&b'#')).unwrap_or_default()
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text.trim_ascii() {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside,
        text => text,
    }
}

/// A name of letters, digits, dots, dashes and underscores. An empty file means that none is set.
fn name(text: &[u8], hit: &Match, sink: &mut Sink<'_>) {
    if text.is_empty() {
        return;
    }
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if text.len() <= LONGEST_NAME && text.iter().all(valid) {
        sink.hostname(Text::from(text));
    } else {
        sink.problem(Reason::RecordMalformed, hit.at.path.as_bytes(), "not a name of a machine");
    }
}

/// 32 hexadecimal digits. An empty file and the word `uninitialized` mean that the machine has not booted yet.
fn machine_id(text: &[u8], hit: &Match, sink: &mut Sink<'_>) {
    if text.is_empty() || text == b"uninitialized" {
        return;
    }
    if text.len() == 32 && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        sink.machine_id(Text::from(text));
    } else {
        sink.problem(Reason::RecordMalformed, hit.at.path.as_bytes(), "not 32 hexadecimal digits");
    }
}
