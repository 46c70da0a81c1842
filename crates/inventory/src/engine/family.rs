// SPDX-License-Identifier: Apache-2.0
//! The distribution's own package database: it must be there, and others need not.

use snapscan_schema::{Coverage, Note, Reason, Status, System, Text};

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

/// Judges the lines of the package extractors by the distribution: its own must have met a database, and one of another
/// tool that has no bytes is only a trace of it.
pub fn check(outcome: &mut Outcome) {
    let Some(system) = &outcome.system else { return };
    let expected = expected(system);
    let Some(first) = expected.first() else { return };
    if expected.iter().any(|name| outcome.databases.contains(name)) {
        let foreign: Vec<&str> =
            outcome.empty.iter().copied().filter(|name| !expected.contains(name)).collect();
        foreign.into_iter().for_each(|name| excuse(outcome, name));
        return;
    }
    let mut detail = b"a system of kind ".to_vec();
    detail.extend_from_slice(system.id.as_bytes());
    detail.extend_from_slice(b" keeps its packages in a database of ");
    detail.extend_from_slice(first.as_bytes());
    if let Some(line) = line(outcome, first).filter(|line| line.status == Status::Complete) {
        line.status = Status::Failed;
        line.code = Some(Reason::DatabaseMissing);
        line.notes.retain(|note| note.code != Reason::Absent);
        line.detail = Text(detail);
    }
}

/// Turns the failure of a foreign tool's line, whose database has no bytes, into a note.
fn excuse(outcome: &mut Outcome, name: &str) {
    if let Some(line) = line(outcome, name).filter(|line| line.code == Some(Reason::DatabaseUnreadable)) {
        line.status = Status::Complete;
        line.code = None;
        line.notes.push(Note { code: Reason::ForeignTool, detail: std::mem::take(&mut line.detail) });
    }
}

fn line<'a>(outcome: &'a mut Outcome, name: &str) -> Option<&'a mut Coverage> {
    outcome.lines.iter_mut().find(|line| line.name.as_bytes() == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use snapscan_disk::fs::mem::{MemBuilder, MemTree};
    use snapscan_disk::machine::Tree;

    use super::*;
    use crate::Profile;
    use crate::engine::{Options, run};

    fn outcome(tree: MemBuilder) -> Outcome {
        let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
        run(&tree, Options { profile: Profile::Os }, &AtomicU64::new(0))
    }

    fn system(id: &str) -> MemBuilder {
        MemTree::builder().file("etc/os-release", format!("ID={id}\n"))
    }

    fn status_of(outcome: &Outcome, name: &str) -> (Status, Option<Reason>) {
        let line = outcome.lines.iter().find(|line| line.name.as_bytes() == name.as_bytes()).unwrap();
        (line.status, line.code)
    }

    const MISSING: (Status, Option<Reason>) = (Status::Failed, Some(Reason::DatabaseMissing));
    const COMPLETE: (Status, Option<Reason>) = (Status::Complete, None);
    const ONE: &str = "Package: a\nStatus: install ok installed\nVersion: 1\n\n";

    #[test]
    fn a_distribution_without_its_own_database_has_failed() {
        for (id, name) in [
            ("debian", "dpkg"),
            ("fedora", "rpm"),
            ("alpine", "apk"),
            ("arch", "pacman"),
            ("gentoo", "portage"),
            ("openwrt", "opkg"),
            ("bottlerocket", "bottlerocket"),
            ("cos", "cos"),
        ] {
            assert_eq!(status_of(&outcome(system(id)), name), MISSING, "{id}");
        }
    }

    #[test]
    fn words_of_id_like_count_only_where_the_id_is_unknown() {
        let derived = outcome(system("somebody\nID_LIKE=\"other debian\""));
        assert_eq!(status_of(&derived, "dpkg"), MISSING);
        let own = outcome(system("alpine\nID_LIKE=debian"));
        assert_eq!((status_of(&own, "dpkg"), status_of(&own, "apk")), (COMPLETE, MISSING));
        let unknown = outcome(system("somebody"));
        assert!(unknown.lines.iter().all(|line| line.status != Status::Failed));
    }

    #[test]
    fn distroless_with_single_files_has_its_database() {
        let tree = system("debian").file("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 1\n");
        assert_eq!(status_of(&outcome(tree), "dpkg"), COMPLETE);
    }

    #[test]
    fn an_empty_database_is_a_note_only_for_a_foreign_tool() {
        let debian =
            outcome(system("debian").file("var/lib/dpkg/status", "").file("lib/apk/db/installed", ""));
        assert_eq!(status_of(&debian, "dpkg"), (Status::Failed, Some(Reason::DatabaseUnreadable)));
        let both =
            outcome(system("debian").file("var/lib/dpkg/status", ONE).file("lib/apk/db/installed", ""));
        assert_eq!((status_of(&both, "dpkg"), status_of(&both, "apk")), (COMPLETE, COMPLETE));
        let unknown = outcome(system("x").file("var/lib/dpkg/status", ONE).file("lib/apk/db/installed", ""));
        assert_eq!(status_of(&unknown, "apk"), (Status::Failed, Some(Reason::DatabaseUnreadable)));
    }
}
