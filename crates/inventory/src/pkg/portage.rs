// SPDX-License-Identifier: Apache-2.0
//! Gentoo packages.
//!
//! Source: Package Manager Specification, "Version Specifications": a folder `CATEGORY/NAME-VERSION[-rREVISION]` for each
//!         package. The names hold all that is wanted, so that no file is opened.

use std::ops::ControlFlow;

use snapscan_disk::fs::FileType;
use snapscan_disk::machine::glob::Match;
use snapscan_disk::machine::{Resolved, Tree};
use snapscan_schema::{Evidence, Package, Reason};

use crate::{Extractor, Hits, Profile, Sink};

/// Gentoo packages.
pub const PORTAGE: Extractor = Extractor {
    name: "portage",
    ecosystem: Some("portage"),
    title: "Gentoo packages",
    profile: Profile::Os,
    wants: &["var/db/pkg/*/"],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    if let Some(first) = hits.all().next() {
        sink.database(&first.at.path.parent());
    }
    for category in hits.all().filter(|hit| hit.at.metadata.kind == FileType::Directory) {
        // A name with a dash in front is a package that portage is about to write.
        if category.at.path.name().first() != Some(&b'-') {
            packages(tree, category, sink);
        }
    }
}

fn packages(tree: &Tree, category: &Match, sink: &mut Sink<'_>) {
    let path = &category.at.path;
    let mut names = Vec::new();
    let listed = tree.entries(category.at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) => {
                let is_folder = entry.kind.is_none_or(|kind| kind == FileType::Directory);
                if is_folder && !matches!(entry.name.first(), Some(b'-' | b'.')) {
                    names.push(entry.name);
                }
            }
            Err(error) => sink.failed(path.as_bytes(), &error),
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = listed {
        sink.failed(path.as_bytes(), &error);
    }
    names.sort();
    for folder in names {
        match split(&folder) {
            Some((name, version, revision)) => {
                let evidence = evidence(sink, &category.at, &folder);
                sink.package(Package {
                    ecosystem: "portage".into(),
                    name: [path.name(), name].join(&b'/').into(),
                    version: version.into(),
                    release: revision.map(Into::into),
                    evidence,
                    ..Package::default()
                });
            }
            None => {
                let place = path.join(&folder);
                sink.problem(Reason::RecordMalformed, place.as_bytes(), "no name and version");
            }
        }
    }
}

fn evidence(sink: &Sink<'_>, category: &Resolved, folder: &[u8]) -> Evidence {
    Evidence { path: category.path.join(folder).as_bytes().into(), ..sink.evidence(category) }
}

/// Name, version and revision (`r1`).
type Split<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

/// What a folder's name says.
fn split(folder: &[u8]) -> Option<Split<'_>> {
    let at_dash = |text: &'_ [u8]| text.iter().rposition(|&byte| byte == b'-');
    let cut = at_dash(folder)?;
    let (before, last) = (folder.get(..cut)?, folder.get(cut.saturating_add(1)..)?);
    if is_version(last) {
        return (!before.is_empty()).then_some((before, last, None));
    }
    let digits = last.strip_prefix(b"r")?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let cut = at_dash(before)?;
    let (name, version) = (before.get(..cut)?, before.get(cut.saturating_add(1)..)?);
    (!name.is_empty() && is_version(version)).then_some((name, version, Some(last)))
}

/// True for `1.2.3b_beta4_p5`: numbers, a letter, suffixes.
fn is_version(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'_');
    let numbers = parts.next().unwrap_or_default();
    let numbers = match numbers.split_last() {
        Some((last, rest)) if last.is_ascii_lowercase() => rest,
        _ => numbers,
    };
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let is_suffix = |part: &[u8]| {
        let kinds: [&[u8]; 5] = [b"alpha", b"beta", b"pre", b"rc", b"p"];
        let digits = kinds.iter().find_map(|kind| part.strip_prefix(*kind));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    };
    numbers.split(|&byte| byte == b'.').all(is_number) && parts.all(is_suffix)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn folders_are_split_by_the_grammar_of_versions() {
        let is = |folder: &str, name: &str, version: &str, revision: Option<&str>| {
            let expected = (name.as_bytes(), version.as_bytes(), revision.map(str::as_bytes));
            assert_eq!(split(folder.as_bytes()), Some(expected), "{folder}");
        };
        is("bash-4.4_p23-r1", "bash", "4.4_p23", Some("r1"));
        is("python-exec-conf-2.4.6", "python-exec-conf", "2.4.6", None);
        is("openssl-1.0.2u-r1", "openssl", "1.0.2u", Some("r1"));
        is("gtk+-3.24.41", "gtk+", "3.24.41", None);
        is("a-1_alpha_beta2", "a", "1_alpha_beta2", None);
        is("font-adobe-100dpi-1.0.4", "font-adobe-100dpi", "1.0.4", None);
        for folder in ["bash", "bash-", "-1.0", "bash-x1", "bash-1..0", "bash-r1", "bash-1_q"] {
            assert_eq!(split(folder.as_bytes()), None, "{folder}");
        }
    }
}
