// SPDX-License-Identifier: Apache-2.0
//! Where databases lie in a machine, and which of several counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_inventory::{Options, Outcome, Profile, run};
use snapscan_schema::{Coverage, Reason, Status};

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rpm").join(name)).unwrap()
}

fn read(builder: MemBuilder) -> (usize, Coverage, Outcome) {
    let tree = Tree::new(Arc::new(builder.build().unwrap()), "disk");
    let outcome = run(&tree, Options { profile: Profile::Os }, &AtomicU64::new(0));
    let line = outcome.lines.iter().find(|line| line.name.as_bytes() == b"rpm").unwrap().clone();
    let packages: Vec<_> = outcome.findings.iter().filter_map(|finding| finding.package()).collect();
    (packages.len(), line, outcome)
}

fn noted(line: &Coverage, code: Reason) -> bool {
    line.notes.iter().any(|note| note.code == code)
}

#[test]
fn a_folder_under_two_names_counts_once() {
    let builder = MemTree::builder()
        .file("usr/lib/sysimage/rpm/Packages.db", bytes("ndb/Packages.db"))
        .symlink("var/lib/rpm", "../../usr/lib/sysimage/rpm")
        .symlink("usr/share/rpm", "/var/lib/rpm");
    let (packages, line, outcome) = read(builder);
    assert_eq!((packages, line.status, line.notes.len()), (5, Status::Complete, 0), "{line:?}");
    let package = outcome.findings[0].package().unwrap();
    assert_eq!(package.evidence.path.as_bytes(), b"/usr/lib/sysimage/rpm/Packages.db");
    assert_eq!((package.evidence.volume.as_bytes(), package.evidence.record), (&b"disk"[..], Some(1)));
}

#[test]
fn of_two_databases_in_a_folder_the_newer_format_counts_and_the_other_is_named() {
    let builder = MemTree::builder()
        .file("var/lib/rpm/Packages", bytes("bdb-hash/Packages"))
        .file("var/lib/rpm/Packages.db", bytes("ndb/Packages.db"));
    let (packages, line, _) = read(builder);
    assert_eq!((packages, line.status), (5, Status::Complete));
    assert!(noted(&line, Reason::SecondDatabase), "{line:?}");
}

#[test]
fn two_folders_with_packages_are_never_added_up() {
    let builder = MemTree::builder()
        .file("var/lib/rpm/Packages", bytes("bdb-hash/Packages"))
        .file("usr/lib/sysimage/rpm/Packages.db", bytes("ndb/Packages.db"));
    let (packages, line, _) = read(builder);
    assert_eq!((packages, line.status, line.code), (5, Status::Partial, Some(Reason::Ambiguous)));
}

#[test]
fn an_empty_database_beside_a_full_one_is_no_contradiction() {
    let builder = MemTree::builder()
        .file("var/lib/rpm/Packages", bytes("bdb-hash/Packages"))
        .file("usr/lib/sysimage/rpm/rpmdb.sqlite", bytes("sqlite-empty/rpmdb.sqlite"));
    let (packages, line, _) = read(builder);
    assert_eq!((packages, line.status), (12, Status::Complete), "{line:?}");
}

#[test]
fn the_log_is_looked_for_where_the_database_is_and_not_its_link() {
    let builder = MemTree::builder()
        .symlink("var/lib/rpm/rpmdb.sqlite", "/srv/db/rpmdb.sqlite")
        .file("srv/db/rpmdb.sqlite", bytes("sqlite-wal/rpmdb.sqlite"))
        .file("srv/db/rpmdb.sqlite-wal", bytes("sqlite-wal/rpmdb.sqlite-wal"));
    let (packages, line, outcome) = read(builder);
    assert_eq!((packages, line.status), (10, Status::Complete), "{line:?}");
    let names: Vec<_> = outcome.findings.iter().filter_map(|finding| finding.package()).collect();
    assert!(names.iter().any(|package| package.name.as_bytes() == b"package11"));
}

#[test]
fn what_is_no_database_fails_and_what_is_empty_is_complete() {
    for (name, content, code) in [
        ("rpmdb.sqlite", Vec::new(), Reason::DatabaseUnreadable),
        ("rpmdb.sqlite", vec![0; 4096], Reason::DatabaseUnreadable),
        ("Packages.db", b"text".to_vec(), Reason::DatabaseUnreadable),
        ("Packages", vec![1; 5000], Reason::DatabaseUnreadable),
    ] {
        let (packages, line, _) = read(MemTree::builder().file(format!("var/lib/rpm/{name}"), content));
        assert_eq!((packages, line.status, line.code), (0, Status::Failed, Some(code)), "{name}");
    }
    let (_, line, _) = read(MemTree::builder().dir("var/lib/rpm/Packages"));
    assert_eq!((line.status, line.code), (Status::Failed, Some(Reason::DatabaseUnreadable)));
    let empty = bytes("ndb-empty/Packages.db");
    let (packages, line, outcome) = read(MemTree::builder().file("var/lib/rpm/Packages.db", empty));
    assert_eq!((packages, line.status), (0, Status::Complete));
    assert_eq!(outcome.databases, ["rpm"]);
}

#[test]
fn one_bad_header_costs_one_package() {
    let mut content = bytes("bdb-hash/Packages");
    let at = content.windows(9).position(|bytes| bytes == b"package01").unwrap();
    content[at] = 0;
    let (packages, line, _) = read(MemTree::builder().file("var/lib/rpm/Packages", content));
    assert_eq!((packages, line.status, line.code), (11, Status::Partial, Some(Reason::RecordMalformed)));
    assert_eq!(line.detail.to_json(), "/var/lib/rpm/Packages: record 1: no tag 1000");
}

/// Writers leave the count of records in the first page behind; `nelem` stands at byte 88 (db_page.h, HMETA).
#[test]
fn a_stale_total_is_a_note_and_no_loss() {
    let mut stale = bytes("bdb-hash/Packages");
    stale[88..92].copy_from_slice(&77_777_u32.to_le_bytes());
    let (packages, line, _) = read(MemTree::builder().file("var/lib/rpm/Packages", stale));
    let (whole, _, _) = read(MemTree::builder().file("var/lib/rpm/Packages", bytes("bdb-hash/Packages")));
    assert_eq!((packages, line.status), (whole, Status::Complete));
    assert!(noted(&line, Reason::TotalsStale), "{line:?}");
}
