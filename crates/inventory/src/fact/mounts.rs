// SPDX-License-Identifier: Apache-2.0
//! Mounts of fstab with their options.
//!
//! Shape:  a fact for each line, under the folder it mounts at, or under what it mounts where there is no folder.
//! Source: fstab(5); mount(8) for options that imply others.

use std::collections::BTreeSet;

use snapscan_disk::machine::{Tree, fstab};
use snapscan_schema::Reason;

use super::assemble::{fact, list};
use super::lines::{lines, words};
use crate::{Extractor, Hits, Profile, Sink};

/// Mount options from fstab.
pub const MOUNTS: Extractor = Extractor {
    name: "mounts",
    ecosystem: None,
    title: "mount options from fstab",
    profile: Profile::Os,
    wants: &["etc/fstab"],
    max_bytes: 1 << 20,
    run: extract,
    walk: None,
};

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    for hit in hits.all() {
        let Some(content) = sink.read_resolved(&hit.at) else { continue };
        let entries = fstab::parse(&content.bytes);
        let understood: BTreeSet<u64> = entries.iter().map(|entry| entry.line).collect();
        for (number, line) in lines(&content.bytes) {
            if number > fstab::MOST_LINES {
                sink.problem_at_line(Reason::LimitReached, &content.at, number, "lines of fstab");
                break;
            }
            let is_blank = words(line).next().is_none_or(|word| word.starts_with(b"#"));
            if !is_blank && !understood.contains(&number) {
                sink.problem_at_line(Reason::RecordMalformed, &content.at, number, "fewer than three fields");
            }
        }
        for entry in entries {
            let at = entry.at.as_ref().map(|at| at.as_bytes());
            let limits = Limits::of(&entry.options);
            let mut values = vec![
                ("spec", entry.spec.as_slice().into()),
                ("type", entry.kind.as_slice().into()),
                ("options", list(entry.options.iter().map(Vec::as_slice))),
                ("noexec", limits.noexec.into()),
                ("nosuid", limits.nosuid.into()),
                ("nodev", limits.nodev.into()),
                ("read_only", limits.read_only.into()),
            ];
            values.extend(at.map(|at| ("at", at.into())));
            let evidence = sink.evidence_at_line(&content.at, entry.line);
            sink.fact(fact("mount", at.unwrap_or(&entry.spec), evidence, values));
        }
    }
}

/// What options forbid. A later one overrides an earlier one.
#[derive(Default)]
struct Limits {
    noexec: bool,
    nosuid: bool,
    nodev: bool,
    read_only: bool,
}

impl Limits {
    fn of(options: &[Vec<u8>]) -> Self {
        let mut all = Limits::default();
        for option in options {
            match option.as_slice() {
                b"noexec" => all.noexec = true,
                b"exec" => all.noexec = false,
                b"nosuid" => all.nosuid = true,
                b"suid" => all.nosuid = false,
                b"nodev" => all.nodev = true,
                b"dev" => all.nodev = false,
                b"ro" => all.read_only = true,
                b"rw" => all.read_only = false,
                b"user" | b"users" => (all.noexec, all.nosuid, all.nodev) = (true, true, true),
                b"owner" | b"group" => (all.nosuid, all.nodev) = (true, true),
                b"defaults" => all = Limits::default(),
                _ => {}
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snapscan_disk::fs::mem::MemTree;

    use super::*;
    use crate::engine::probe::probe;

    #[test]
    fn lines_beyond_the_limit_are_said_and_those_before_it_are_facts() {
        let text = "tmpfs /tmp tmpfs nosuid 0 0\n".repeat(5000);
        let tree = MemTree::builder().file("etc/fstab", text).build().unwrap();
        let found = probe(&Tree::new(Arc::new(tree), "disk"), &MOUNTS).found;
        assert_eq!(found.findings.len(), 4096);
        assert_eq!(found.problems.len(), 1);
        assert_eq!(found.problems[0].code, Reason::LimitReached);
    }
}
