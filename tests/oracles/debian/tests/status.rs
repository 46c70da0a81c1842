// SPDX-License-Identifier: Apache-2.0
//! Status files of dpkg, as `debian-packaging` and as the extractor read them.
//!
//! `SNAPSCAN_REALDATA` names the unpacked folder of real files; without it only the committed ones are compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use debian_packaging::control::{ControlParagraph, ControlParagraphReader};
use snapscan_disk::fs::mem::MemTree;
use snapscan_disk::machine::Tree;
use snapscan_inventory::engine::probe::probe;
use snapscan_inventory::pkg::dpkg::DPKG;
use snapscan_schema::{Finding, Text};

/// Name, version, architecture, status; an empty text where a field is missing.
type Row = [String; 4];

/// Where the two parsers must differ.
enum Difference {
    /// `debian-packaging` stops, with this in its message; the rows are those that it read before.
    Stops { with: &'static str, after: usize },
    /// The paragraph of this package (empty: it has no name) is not one that the extractor may report.
    NotReported { name: &'static str },
}

/// The files on which the two differ, by the end of their path, with the reason.
const DIFFERENCES: &[(&str, Difference, &str)] = &[
    (
        "ill-formed-fanal/root/var/lib/dpkg/status",
        Difference::Stops { with: "/etc/pam.conf 87fc76f18e98ee7d3848f6b81b3391e5", after: 0 },
        "a line of Conffiles has lost the blank before it, and one such line ends everything",
    ),
    (
        "ill-formed-scalibr-nopackage/root/var/lib/dpkg/status",
        Difference::NotReported { name: "" },
        "a paragraph without Package is no package",
    ),
    (
        "ill-formed-scalibr-statusfield/root/var/lib/dpkg/status",
        Difference::NotReported { name: "wantnostatus" },
        "a paragraph without Status tells of no package on the disk",
    ),
    (
        "cases/dpkg-cut/input/var/lib/dpkg/status",
        Difference::NotReported { name: "bash" },
        "the file ends inside this paragraph's version",
    ),
];

/// The rows of a second parser, and why it stopped if it did.
fn theirs(bytes: &[u8]) -> (Vec<Row>, Option<String>) {
    let mut rows = Vec::new();
    for paragraph in ControlParagraphReader::new(bytes) {
        match paragraph {
            Ok(paragraph) => rows.push(row(&paragraph)),
            Err(error) => return (rows, Some(error.to_string())),
        }
    }
    (rows, None)
}

fn row(paragraph: &ControlParagraph<'_>) -> Row {
    ["Package", "Version", "Architecture", "Status"]
        .map(|field| paragraph.field_str(field).unwrap_or_default().to_owned())
}

/// The rows of the extractor.
fn ours(bytes: &[u8]) -> Vec<Row> {
    let files = MemTree::builder().file("var/lib/dpkg/status", bytes).build().unwrap();
    let probed = probe(&Tree::new(Arc::new(files), "root"), &DPKG);
    let text = |text: &Text| String::from_utf8(text.0.clone()).unwrap();
    let optional = |value: &Option<Text>| value.as_ref().map(text).unwrap_or_default();
    let packages = probed.found.findings.iter().map(|finding| match finding {
        Finding::Package(one) => {
            [text(&one.name), text(&one.version), optional(&one.arch), optional(&one.status)]
        }
        other => panic!("{other:?} in a status file"),
    });
    packages.collect()
}

/// True for packages whose files are on the disk: the others are counted, not listed (dpkg(1), "Package states").
fn on_disk(row: &Row) -> bool {
    !row[3].ends_with(" config-files") && !row[3].ends_with(" not-installed")
}

/// All status files below a folder, by their paths. Those of `status.d` are another format: they have no status.
fn status_files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(&path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                left.push(path);
            } else if ["var/lib/dpkg/status", "var/lib/dpkg/status-old"].iter().any(|end| path.ends_with(end))
            {
                found.insert(path.to_str().unwrap().to_owned(), path);
            }
        }
    }
    found
}

/// Compares all status files below a folder; answers how many files and how many equal rows there were.
fn compare(folder: &Path) -> (usize, usize) {
    let mut same = 0;
    let files = status_files(folder);
    for (name, path) in &files {
        let bytes = std::fs::read(path).unwrap();
        let ours = ours(&bytes);
        let (mut theirs, stop) = theirs(&bytes);
        theirs.retain(on_disk);
        match DIFFERENCES.iter().find(|(end, ..)| name.ends_with(end)) {
            None => assert_eq!(stop, None, "{name}"),
            Some((_, Difference::Stops { with, after }, why)) => {
                assert!(stop.is_some_and(|stop| stop.contains(with)), "{name}: stops no more, though {why}");
                assert_eq!(theirs.len(), *after, "{name}");
                assert!(ours.len() > *after, "{name}: the extractor stops as well");
                continue;
            }
            Some((_, Difference::NotReported { name: package }, why)) => {
                assert_eq!(stop, None, "{name}");
                let before = theirs.len();
                theirs.retain(|row| row[0] != *package);
                assert_eq!(before, theirs.len() + 1, "{name}: {why}");
            }
        }
        assert_eq!(ours, theirs, "{name}");
        same += ours.len();
    }
    (files.len(), same)
}

#[test]
fn committed_status_files_give_the_same_rows() {
    let (files, same) =
        compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../crates/inventory/cases"));
    assert!(files >= 5 && same >= 6, "{files} files, {same} rows");
}

#[test]
fn real_status_files_give_the_same_rows() {
    let Some(folder) = std::env::var_os("SNAPSCAN_REALDATA") else {
        eprintln!("SNAPSCAN_REALDATA is not set: nothing is compared with real data");
        return;
    };
    let (files, same) = compare(Path::new(&folder));
    println!("{files} status files, {same} rows");
    assert!(files >= 15 && same >= 3000, "{files} files, {same} rows");
}
