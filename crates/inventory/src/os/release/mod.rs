// SPDX-License-Identifier: Apache-2.0
//! Operating system: os-release and the older release files.

use std::collections::BTreeMap;

use snapscan_disk::machine::glob::Match;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Evidence, Reason, System, Text};

use crate::{Extractor, Hits, Profile, Sink};

mod assignments;
mod older;
#[cfg(test)]
mod tests;

use assignments::Assignments;

/// Operating system: os-release and the older release files.
pub const RELEASE: Extractor = Extractor {
    name: "os-release",
    ecosystem: None,
    title: "operating system: os-release and the older release files",
    profile: Profile::Os,
    wants: &[
        "etc/os-release",
        "usr/lib/os-release",
        "etc/lsb-release",
        "etc/openwrt_release",
        "etc/system-release",
        "etc/redhat-release",
        "etc/centos-release",
        "etc/oracle-release",
        "etc/mandriva-release",
        "etc/SuSE-release",
        "etc/alpine-release",
        "etc/slackware-version",
        "etc/gentoo-release",
        "etc/arch-release",
        "etc/photon-release",
        "etc/debian_version",
    ],
    max_bytes: 4 << 20,
    run: extract,
    walk: None,
};

/// Bytes of a release file that are read: the longest of 312 real ones has two thousand.
const MOST_BYTES: u64 = 64 << 10;
/// How many of `wants` are os-release files.
const OS_RELEASES: usize = 2;

/// The first file that says anything counts: os-release in /etc, in /usr/lib, then the older ones in the order of `wants`.
fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    for hit in hits.by_pattern.iter().take(OS_RELEASES).flatten() {
        let Some(content) = read(tree, hit, sink) else { continue };
        let Assignments { fields, malformed } = Assignments::read(&content.bytes);
        for line in malformed {
            let place = format!(", line {line}");
            let place = [content.at.path.as_bytes(), place.as_bytes()].concat();
            sink.problem(Reason::RecordMalformed, place, "not an assignment");
        }
        if !fields.is_empty() {
            let evidence = sink.evidence(&content.at);
            return sink.system(from_fields(fields, evidence));
        }
        if content.problem.is_none() {
            sink.problem(Reason::RecordMalformed, content.at.path.as_bytes(), "nothing is assigned in it");
        }
    }
    for hit in hits.by_pattern.iter().skip(OS_RELEASES).flatten() {
        let Some(content) = read(tree, hit, sink) else { continue };
        let file = hit.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if let Some(mut system) = older::read(file, &content.bytes) {
            system.evidence = Some(sink.evidence(&content.at));
            return sink.system(system);
        }
    }
}

fn read(tree: &Tree, hit: &Match, sink: &mut Sink<'_>) -> Option<Content> {
    match tree.read_resolved(hit.at.clone(), MOST_BYTES) {
        Ok(content) => {
            if let Some(error) = &content.problem {
                sink.failed(hit.at.path.as_bytes(), error);
            }
            Some(content)
        }
        Err(error) => {
            sink.failed(hit.at.path.as_bytes(), &error);
            None
        }
    }
}

/// A system by the fields of os-release. Without `ID` it is `linux`, as os-release(5) has it.
fn from_fields(fields: BTreeMap<String, Text>, evidence: Evidence) -> System {
    let text = |key: &str| fields.get(key).filter(|text| !text.is_empty()).cloned();
    let id_like = text("ID_LIKE").map(|words| {
        let words = words.0.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        words.map(Text::from).collect()
    });
    System {
        id: text("ID").unwrap_or_else(|| "linux".into()),
        id_like: id_like.unwrap_or_default(),
        version_id: text("VERSION_ID"),
        codename: text("VERSION_CODENAME"),
        name: text("NAME"),
        pretty_name: text("PRETTY_NAME"),
        evidence: Some(evidence),
        fields,
        ..System::default()
    }
}
