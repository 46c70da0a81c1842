// SPDX-License-Identifier: Apache-2.0
//! Snaps.
//!
//! Source: snapcraft.yaml's "snap.yaml" reference. On a disk that is not running a snap is an image of its own
//!         (`var/lib/snapd/snaps/NAME_REVISION.snap`, squashfs) and its folder below `snap` an empty place to mount it; only
//!         unpacked ones have their `meta/snap.yaml` here.

use std::collections::HashSet;

use snapscan_disk::machine::glob::Match;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason};

use super::yaml;
use crate::{Extractor, Hits, Profile, Sink};

/// Snaps.
pub const SNAP: Extractor = Extractor {
    name: "snap",
    ecosystem: Some("snap"),
    title: "snaps",
    profile: Profile::Os,
    wants: &["snap/*/*/meta/snap.yaml", "var/lib/snapd/snaps/"],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut read = HashSet::new();
    for hit in hits.of(0) {
        let (Some(name), Some(revision)) = (component(hit, 1), component(hit, 2)) else { continue };
        // A link to one of the revisions beside it.
        if revision == b"current" {
            continue;
        }
        read.insert([name, revision].join(&b'_'));
        if let Some(content) = sink.read_resolved(&hit.at) {
            package(&content, revision, sink);
        }
    }
    for folder in hits.of(1) {
        unread(tree, folder, &read, sink);
    }
}

/// One component of the path that matched.
fn component(hit: &Match, which: usize) -> Option<&[u8]> {
    hit.name.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).nth(which)
}

fn package(content: &Content, revision: &[u8], sink: &mut Sink<'_>) {
    sink.database(&content.at.path);
    let (name, version) = (yaml::scalar(&content.bytes, b"name"), yaml::scalar(&content.bytes, b"version"));
    let (Some(name), Some(version)) = (name, version) else {
        return sink.problem(Reason::RecordMalformed, content.at.path.as_bytes(), "no name or no version");
    };
    let architectures = yaml::list(&content.bytes, b"architectures");
    sink.package(Package {
        ecosystem: "snap".into(),
        name: name.into(),
        version: version.into(),
        release: Some(revision.into()),
        arch: (!architectures.is_empty()).then(|| architectures.join(&b',').into()),
        licence: yaml::scalar(&content.bytes, b"license").map(Into::into),
        evidence: sink.evidence(&content.at),
        ..Package::default()
    });
}

/// Names the images of snaps that are not unpacked.
fn unread(tree: &Tree, folder: &Match, read: &HashSet<Vec<u8>>, sink: &mut Sink<'_>) {
    let mut images = Vec::new();
    let listed = tree.entries(folder.at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) => images.extend(
                entry.name.strip_suffix(b".snap").filter(|name| !read.contains(*name)).map(<[u8]>::to_vec),
            ),
            Err(error) => sink.failed(folder.at.path.as_bytes(), &error),
        }
        std::ops::ControlFlow::Continue(())
    });
    if let Err(error) = listed {
        sink.failed(folder.at.path.as_bytes(), &error);
    }
    images.sort();
    for image in images {
        let path = folder.at.path.join(&[&image[..], b".snap"].concat());
        sink.problem(Reason::UnsupportedFilesystem, path.as_bytes(), "squashfs: version not read");
    }
}
