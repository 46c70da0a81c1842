// SPDX-License-Identifier: Apache-2.0
//! Flatpak applications and runtimes.
//!
//! Source: flatpak(1), "System installation": `app/ID/current` leads to the branch in use, whose `active` leads to the commit
//!         in use; the AppStream file in its exports has the version. A runtime has no version but its branch.

use std::collections::HashSet;

use snapscan_disk::fs::FileType;
use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::{Package, Reason};

use super::xml;
use crate::{Extractor, Hits, Profile, Sink};

/// Flatpak applications and runtimes.
pub const FLATPAK: Extractor = Extractor {
    name: "flatpak",
    ecosystem: Some("flatpak"),
    title: "Flatpak applications and runtimes",
    profile: Profile::Os,
    wants: &[
        "var/lib/flatpak/app/*/current/active/export/share/metainfo/*.xml",
        "var/lib/flatpak/app/*/current/active/files/share/metainfo/*.xml",
        "var/lib/flatpak/app/*/current/active/files/share/appdata/*.xml",
        "var/lib/flatpak/app/*",
        "var/lib/flatpak/runtime/*/*/*/active",
    ],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// How many of `wants` are AppStream files.
const APPSTREAM: usize = 3;
/// Places of the others.
const APPS: usize = 3;
const RUNTIMES: usize = 4;

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut seen = HashSet::new();
    for file in hits.by_pattern.iter().take(APPSTREAM).flatten() {
        let Some(id) = component(file, 4) else { continue };
        // The exports come first; what lies beside is the same or of a part of the application.
        let own = file.at.path.name().starts_with(id);
        if own && !seen.contains(id) && application(file, id, sink) {
            seen.insert(id);
        }
    }
    for app in hits.of(APPS).iter().filter(|app| app.at.metadata.kind == FileType::Directory) {
        if !component(app, 4).is_some_and(|id| seen.contains(id)) {
            let why = "an application without a version in its AppStream file";
            sink.problem(Reason::RecordMalformed, app.at.path.as_bytes(), why);
        }
    }
    for runtime in hits.of(RUNTIMES) {
        let parts = (component(runtime, 4), component(runtime, 5), component(runtime, 6));
        if let (Some(id), Some(arch), Some(branch)) = parts {
            sink.package(Package {
                ecosystem: "flatpak".into(),
                name: id.into(),
                version: branch.into(),
                arch: Some(arch.into()),
                evidence: sink.evidence(&runtime.at),
                ..Package::default()
            });
        }
    }
}

/// One component of the path that matched.
fn component(hit: &Match, which: usize) -> Option<&[u8]> {
    hit.name.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).nth(which)
}

/// Hands over an application by its AppStream file; true if it has a version.
fn application(file: &Match, id: &[u8], sink: &mut Sink<'_>) -> bool {
    let Some(content) = sink.read_resolved(&file.at) else { return false };
    let component = xml::component(&content.bytes);
    let Some(version) = component.version else { return false };
    sink.package(Package {
        ecosystem: "flatpak".into(),
        name: id.into(),
        version: version.into(),
        source: component.name.map(Into::into),
        licence: component.licence.map(Into::into),
        evidence: sink.evidence(&content.at),
        ..Package::default()
    });
    true
}
