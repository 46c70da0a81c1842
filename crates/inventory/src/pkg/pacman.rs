// SPDX-License-Identifier: Apache-2.0
//! Arch packages.
//!
//! Source: alpm-db-desc(5): a folder `NAME-VERSION` for each package, in it `desc` with `%KEY%` lines and values below.

use snapscan_disk::fs::FileType;
use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Package, Reason};

use crate::{Extractor, Hits, Profile, Sink};

/// Arch packages.
pub const PACMAN: Extractor = Extractor {
    name: "pacman",
    ecosystem: Some("pacman"),
    title: "Arch packages",
    profile: Profile::Os,
    wants: &["var/lib/pacman/local/*/desc", "var/lib/pacman/local/*"],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let (files, folders) = (hits.of(0), hits.of(1));
    if let Some(first) = folders.first() {
        sink.database(&first.at.path.parent());
    }
    let with_desc: std::collections::HashSet<Vec<u8>> =
        files.iter().map(|file| file.at.path.parent().as_bytes().to_vec()).collect();
    for folder in folders.iter().filter(|folder| folder.at.metadata.kind == FileType::Directory) {
        if !with_desc.contains(folder.at.path.as_bytes()) {
            sink.problem(Reason::DatabaseIncomplete, folder.at.path.as_bytes(), "no desc in it");
        }
    }
    for file in files {
        if let Some(content) = sink.read_resolved(&file.at) {
            package(&content, sink);
        }
    }
}

fn package(content: &Content, sink: &mut Sink<'_>) {
    let path = &content.at.path;
    let value = |key: &'static [u8]| values(&content.bytes, key).next();
    let (Some(name), Some(version)) = (value(b"%NAME%"), value(b"%VERSION%")) else {
        return sink.problem(Reason::RecordMalformed, path.as_bytes(), "no name or no version");
    };
    // The folder's name is a second copy of both, which tells when the file was cut.
    if path.parent().name() != [name, version].join(&b'-') {
        let why = "name and version are not those of the folder";
        return sink.problem(Reason::RecordMalformed, path.as_bytes(), why);
    }
    let licences: Vec<&[u8]> = values(&content.bytes, b"%LICENSE%").collect();
    sink.package(Package {
        ecosystem: "pacman".into(),
        name: name.into(),
        version: version.into(),
        arch: value(b"%ARCH%").map(Into::into),
        source: value(b"%BASE%").map(Into::into),
        licence: (!licences.is_empty()).then(|| licences.join(&b", "[..]).into()),
        evidence: sink.evidence(&content.at),
        ..Package::default()
    });
}

/// The lines below a key up to an empty one.
fn values<'a>(bytes: &'a [u8], key: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = bytes.split(|&byte| byte == b'\n');
    lines.skip_while(move |line| *line != key).skip(1).take_while(|line| !line.is_empty())
}
