// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_schema::{Coverage, Package, Reason, Status};

use super::DPKG;
use crate::engine::{Outcome, probe::probe};

const ACL: &str = "Package: acl\nStatus: install ok installed\nMaintainer: M\nArchitecture: amd64\nMulti-Arch: same\n\
                   Source: acl-src (9)\nVersion: 2.3.1-3\nDescription: x\n .\n y\n\n";

fn outcome(tree: MemBuilder) -> (Vec<Package>, Coverage) {
    let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
    let outcome = Outcome::merge(std::iter::once((&DPKG, probe(&tree, &DPKG))));
    let packages = outcome.findings.iter().filter_map(|finding| finding.package()).cloned().collect();
    (packages, outcome.lines[0].clone())
}

fn status(text: impl AsRef<[u8]>) -> (Vec<Package>, Coverage) {
    outcome(MemTree::builder().file("var/lib/dpkg/status", text))
}

fn names(packages: &[Package]) -> Vec<String> {
    packages.iter().map(|p| format!("{} {}", p.name.to_json(), p.version.to_json())).collect()
}

#[test]
fn a_package_has_its_source_and_the_line_where_it_begins() {
    let (packages, line) = status(format!("{ACL}{}", ACL.replace("amd64", "i386")));
    assert_eq!((line.status, packages.len()), (Status::Complete, 2));
    let second = &packages[1];
    assert_eq!(second.source.as_ref().unwrap().as_bytes(), b"acl-src");
    assert_eq!(second.source_version.as_ref().unwrap().as_bytes(), b"9");
    assert_eq!(second.evidence.line, Some(12));
    assert_eq!(second.evidence.path.as_bytes(), b"/var/lib/dpkg/status");
    assert_eq!(second.evidence.volume.as_bytes(), b"disk");
}

#[test]
fn a_status_cut_anywhere_inside_a_paragraph_is_incomplete_and_gives_no_torn_version() {
    let whole = format!("{ACL}{}", ACL.replace("acl", "bcl").replace("2.3.1-3", "1:7.0-1+b2"));
    for end in ACL.len() + 1..whole.len() {
        let (packages, line) = status(&whole[..end]);
        assert_eq!(
            (line.status, line.code),
            (Status::Partial, Some(Reason::DatabaseIncomplete)),
            "cut at {end}"
        );
        let names = names(&packages);
        assert_eq!(names[0], "acl 2.3.1-3");
        assert!(names[1..].iter().all(|name| name == "bcl 1:7.0-1+b2"), "cut at {end}: {names:?}");
    }
}

#[test]
fn an_empty_or_blank_status_is_unreadable() {
    for text in [&b""[..], b"\n\n", &[0; 4096]] {
        let (packages, line) = status(text);
        assert!(packages.is_empty());
        assert_eq!((line.status, line.code), (Status::Failed, Some(Reason::DatabaseUnreadable)));
    }
}

#[test]
fn a_malformed_paragraph_costs_only_itself() {
    for bad in [
        "Status: install ok installed\nVersion: 1\n\n",
        "Package: bad\nVersion: 1\n\n",
        "Package: bad\nStatus: install ok installed\n\n",
        "Package: bad\nStatus: install ok exploded\nVersion: 1\n\n",
        "Package: bad\nStatus: installed\nVersion: 1\n\n",
        "Package: bad\nStatus: install ok installed\nno field\nVersion: 1\n\n",
    ] {
        let (packages, line) = status(format!("{ACL}{bad}{}", ACL.replace("acl", "bcl")));
        assert_eq!(names(&packages), ["acl 2.3.1-3", "bcl 2.3.1-3"], "{bad}");
        assert_eq!((line.status, line.code), (Status::Partial, Some(Reason::RecordMalformed)), "{bad}");
        let place = line.detail.to_json().into_owned();
        assert!(place.starts_with("/var/lib/dpkg/status, line 1"), "{place}");
    }
}

#[test]
fn packages_that_are_not_on_the_disk_are_counted() {
    let removed = "Package: cron\nStatus: deinstall ok config-files\nVersion: 3\n\n";
    let never = "Package: x\nStatus: unknown ok not-installed\n\n";
    let half = "Package: h\nStatus: install reinstreq half-installed\nVersion: 1\n\n";
    let (packages, line) = status(format!("{removed}{never}{half}"));
    assert_eq!(names(&packages), ["h 1"]);
    assert_eq!(packages[0].status.as_ref().unwrap().as_bytes(), b"install reinstreq half-installed");
    assert_eq!(line.status, Status::Complete);
    assert!(
        line.notes.iter().any(|n| n.code == Reason::NotInstalled && n.detail.to_json().starts_with("2 "))
    );
}

#[test]
fn the_journal_replaces_records_in_the_order_of_its_names() {
    let record = |name: &str, version: &str, arch: &str, state: &str| {
        format!("Package: {name}\nStatus: {state}\nArchitecture: {arch}\nVersion: {version}\n\n")
    };
    let installed = "install ok installed";
    let base = [record("a", "1", "amd64", installed), record("b", "1", "all", installed)].concat();
    let tree = MemTree::builder()
        .file("var/lib/dpkg/status", format!("{base}{ACL}"))
        .file("var/lib/dpkg/updates/0000", record("a", "2", "amd64", "install ok unpacked"))
        .file("var/lib/dpkg/updates/0001", record("a", "2", "amd64", installed))
        .file("var/lib/dpkg/updates/0002", record("b", "2", "amd64", installed))
        .file("var/lib/dpkg/updates/0003", record("c", "1", "amd64", installed))
        .file("var/lib/dpkg/updates/0004", ACL.replace("amd64", "i386"))
        .file("var/lib/dpkg/updates/0005", record("c", "1", "amd64", "deinstall ok config-files"))
        .file("var/lib/dpkg/updates/tmp.i", "Package: half wri");
    let (packages, line) = outcome(tree);
    assert_eq!(names(&packages), ["a 2", "b 2", "acl 2.3.1-3", "acl 2.3.1-3"]);
    assert_eq!(packages[0].status.as_ref().unwrap().as_bytes(), installed.as_bytes());
    assert_eq!(line.status, Status::Complete, "{line:?}");
}

#[test]
fn a_list_of_files_without_a_record_shows_that_a_package_was_lost() {
    let tree = MemTree::builder()
        .file("var/lib/dpkg/status", ACL)
        .file("var/lib/dpkg/info/acl:amd64.list", "/.\n")
        .file("var/lib/dpkg/info/acl.md5sums", "")
        .file("var/lib/dpkg/info/format", "1\n");
    assert_eq!(outcome(tree).1.status, Status::Complete);
    let tree =
        MemTree::builder().file("var/lib/dpkg/status", ACL).file("var/lib/dpkg/info/bash.list", "/.\n");
    let (packages, line) = outcome(tree);
    assert_eq!(packages.len(), 1);
    assert_eq!((line.status, line.code), (Status::Partial, Some(Reason::DatabaseIncomplete)));
    assert!(line.detail.to_json().ends_with("without a record: bash"), "{:?}", line.detail);
    let tree = MemTree::builder().file("var/lib/dpkg/info/bash.list", "/.\n");
    assert_eq!(outcome(tree).1.code, Some(Reason::DatabaseMissing));
}

#[test]
fn single_files_of_status_d_are_packages_without_a_status() {
    let tree = MemTree::builder()
        .file("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 11.1\nArchitecture: amd64")
        .file("var/lib/dpkg/status.d/base.md5sums", "d41d8cd98f00b204e9800998ecf8427e  x\n");
    let (packages, line) = outcome(tree);
    assert_eq!(names(&packages), ["base-files 11.1"]);
    assert_eq!((line.status, packages[0].status.clone()), (Status::Complete, None));
}

/// dpkg-query reads the same folder, its journal included.
#[test]
fn dpkg_query_says_the_same_of_a_journal() {
    if std::process::Command::new("dpkg-query").arg("--version").output().is_err() {
        return eprintln!("there is no dpkg-query to compare with");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("updates")).unwrap();
    let full = |text: &str| text.replace("Maintainer: M\n", "Maintainer: M <m@example.org>\n");
    let files = [
        ("status", full(&[ACL, &ACL.replace("amd64", "i386"), &ACL.replace("acl", "bcl")].concat())),
        ("updates/0000", full(&ACL.replace("2.3.1-3", "3").replace("amd64", "i386"))),
        ("updates/0001", full(&ACL.replace("acl", "bcl").replace("amd64", "all").replace("same", "foreign"))),
        ("updates/0002", full(&ACL.replace("acl", "ccl"))),
    ];
    let mut tree = MemTree::builder();
    for (name, text) in &files {
        std::fs::write(folder.path().join(name), text).unwrap();
        tree = tree.file(format!("var/lib/dpkg/{name}"), text);
    }
    let asked = std::process::Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version} ${Architecture}\n", "--admindir"])
        .arg(folder.path())
        .output()
        .unwrap();
    let mut expected: Vec<_> = String::from_utf8(asked.stdout).unwrap().lines().map(str::to_owned).collect();
    let (packages, _) = outcome(tree);
    let line = |p: &Package| {
        format!("{} {} {}", p.name.to_json(), p.version.to_json(), p.arch.as_ref().unwrap().to_json())
    };
    let mut got: Vec<_> = packages.iter().map(line).collect();
    expected.sort();
    got.sort();
    assert_eq!(got, expected);
    assert_eq!(got.len(), 4);
}

#[test]
fn a_second_paragraph_in_a_single_file_is_not_passed_over() {
    let two = "Package: a\nVersion: 1\n\nPackage: b\nVersion: 2\n\nPackage: torn\nStatus: inst";
    let (packages, line) = outcome(MemTree::builder().file("var/lib/dpkg/status.d/a", two));
    assert_eq!(names(&packages), ["a 1", "b 2"]);
    assert_eq!((line.status, line.code), (Status::Partial, Some(Reason::RecordMalformed)));
}
