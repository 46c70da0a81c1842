// SPDX-License-Identifier: Apache-2.0
//! The distribution's own package database: it must be there.

use snapscan_schema::{Reason, Status, System, Text};

use super::outcome::Outcome;

/// For words of `ID` and `ID_LIKE`: the extractors of which one must have met a database.
const FAMILIES: &[(&[&str], &[&str])] = &[
    (&["debian", "ubuntu", "raspbian", "devuan", "kali", "linuxmint", "pop"], &["dpkg"]),
    (
        &[
            "rhel",
            "fedora",
            "centos",
            "rocky",
            "almalinux",
            "ol",
            "amzn",
            "suse",
            "sles",
            "opensuse",
            "opensuse-leap",
            "opensuse-tumbleweed",
            "mariner",
            "azurelinux",
            "photon",
            "openeuler",
            "mageia",
        ],
        &["rpm"],
    ),
    (&["alpine", "wolfi", "chainguard"], &["apk"]),
    (&["arch", "archarm", "manjaro", "endeavouros"], &["pacman"]),
    (&["gentoo"], &["portage"]),
    (&["openwrt"], &["opkg", "apk"]),
    (&["bottlerocket"], &["bottlerocket"]),
    (&["cos"], &["cos"]),
];

/// The extractors of which a system of this kind must have met a database; empty if we do not know the kind.
/// `ID` decides; only if it is unknown the words of `ID_LIKE` do, in their order.
fn expected(system: &System) -> &'static [&'static str] {
    let words = std::iter::once(&system.id).chain(&system.id_like);
    for word in words {
        let family = FAMILIES.iter().find(|(ids, _)| ids.iter().any(|id| id.as_bytes() == word.as_bytes()));
        if let Some((_, extractors)) = family {
            return extractors;
        }
    }
    &[]
}

/// Marks the line of the distribution's own package extractor as failed if it met no database.
pub fn check(outcome: &mut Outcome) {
    let Some(system) = &outcome.system else { return };
    let expected = expected(system);
    if expected.iter().any(|name| outcome.databases.contains(name)) {
        return;
    }
    let Some(first) = expected.first() else { return };
    let line = outcome.lines.iter_mut().find(|line| line.name.as_bytes() == first.as_bytes());
    if let Some(line) = line.filter(|line| line.status == Status::Complete) {
        line.status = Status::Failed;
        line.code = Some(Reason::DatabaseMissing);
        line.notes.retain(|note| note.code != Reason::Absent);
        let mut detail = b"a system of kind ".to_vec();
        detail.extend_from_slice(system.id.as_bytes());
        detail.extend_from_slice(b" keeps its packages in a database of ");
        detail.extend_from_slice(first.as_bytes());
        line.detail = Text(detail);
    }
}
