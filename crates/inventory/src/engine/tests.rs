// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use snapscan_disk::fs::mem::{Call, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_disk::{Error, SourceError};
use snapscan_schema::{Finding, Package, Reason, Status};

use super::probe::probe;
use super::{Options, Outcome, run};
use crate::{Extractor, Profile};

fn extractor(run: fn(&Tree, &crate::Hits, &mut crate::Sink<'_>)) -> Extractor {
    Extractor {
        name: "test",
        ecosystem: None,
        title: "a test",
        profile: Profile::Os,
        wants: &["etc/*"],
        max_bytes: 100,
        run,
        walk: None,
    }
}

fn outcome(extractor: &Extractor, tree: MemTree) -> Outcome {
    let tree = Tree::new(Arc::new(tree), "disk");
    Outcome::merge(std::iter::once((extractor, probe(&tree, extractor))))
}

fn one_file() -> MemTree {
    MemTree::builder().file("etc/passwd", vec![b'x'; 60]).file("etc/shadow", vec![b'y'; 60]).build().unwrap()
}

fn read_all(_: &Tree, hits: &crate::Hits, sink: &mut crate::Sink<'_>) {
    for hit in hits.all() {
        if let Some(content) = sink.read_resolved(&hit.at) {
            let name = content.bytes.len().to_string();
            sink.package(Package { name: name.into(), ..Package::default() });
        }
    }
}

#[test]
fn a_panic_of_one_extractor_is_its_own_failure() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = outcome(&extractor(|_, _, _| panic!("out of order")), one_file());
    std::panic::set_hook(hook);
    let line = &outcome.lines[0];
    assert_eq!((line.status, line.code), (Status::Failed, Some(Reason::ExtractorFailed)));
    assert_eq!(line.detail.as_bytes(), b"out of order");
}

#[test]
fn bytes_beyond_the_limit_are_not_read_and_the_line_says_so() {
    let outcome = outcome(&extractor(read_all), one_file());
    let names: Vec<_> =
        outcome.findings.iter().filter_map(Finding::package).map(|p| p.name.to_json()).collect();
    assert_eq!(names, ["60", "40"]);
    assert_eq!(
        (outcome.lines[0].status, outcome.lines[0].code),
        (Status::Partial, Some(Reason::LimitReached))
    );
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_others() {
    let tree = MemTree::builder()
        .file("etc/a", "1")
        .file("etc/b", "2")
        .fails(Call::Open, snapscan_disk::Error::node("inode 12", "checksum"))
        .build()
        .unwrap();
    let outcome = outcome(&extractor(read_all), tree);
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(
        (outcome.lines[0].status, outcome.lines[0].code),
        (Status::Partial, Some(Reason::SubtreeDamaged))
    );
    assert!(outcome.lines[0].detail.to_json().starts_with("/etc/b: "));
}

#[test]
fn a_worse_problem_behind_many_lesser_ones_still_decides() {
    let outcome = outcome(
        &extractor(|_, _, sink| {
            for line in 0..1000 {
                sink.problem(Reason::RecordMalformed, format!("line {line}"), "x");
            }
            sink.problem(Reason::DatabaseUnreadable, "", "y");
        }),
        one_file(),
    );
    assert_eq!(
        (outcome.lines[0].status, outcome.lines[0].code),
        (Status::Failed, Some(Reason::DatabaseUnreadable))
    );
}

#[test]
fn any_number_of_threads_gives_the_same_outcome() {
    let record = |name: usize| format!("Package: p{name}\nStatus: install ok installed\nVersion: {name}\n\n");
    let tree = MemTree::builder()
        .file("etc/os-release", "ID=debian\n")
        .file("etc/hostname", "host\n")
        .file("var/lib/dpkg/status", (0..500).map(record).collect::<String>())
        .file("lib/apk/db/installed", "P:a\nV:1\n\nP:b\n\n")
        .file("usr/lib/opkg/status", record(1))
        .dir("var/db/pkg/a-b/c-1")
        .dir("var/db/pkg/a-b/nonsense");
    let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let names = std::sync::atomic::AtomicU64::new(0);
        format!("{:?}", pool.install(|| run(&tree, Options { profile: Profile::Os }, &names)))
    };
    let alone = with(1);
    assert!(alone.contains("p499"));
    for threads in [2, 3, 8] {
        for _ in 0..5 {
            assert!(with(threads) == alone, "{threads} threads");
        }
    }
}

/// Each kind of error that a tree can answer becomes the problem that coverage has for it.
#[test]
fn what_a_file_answers_decides_the_code_of_the_line() {
    let cases = [
        (Error::Source(SourceError::PastEnd { offset: 9, len: 1 }), Reason::ImageTruncated),
        (Error::Source(SourceError::Refused("budget".into())), Reason::BudgetExhausted),
        (Error::Source(SourceError::Unavailable("gone".into())), Reason::SourceUnreadable),
        (Error::PermissionDenied, Reason::PermissionDenied),
        (Error::Unsupported("encrypted content".into()), Reason::UnsupportedFeature),
        (Error::node("inode", "zero"), Reason::SubtreeDamaged),
        (Error::Limit { what: "extents", limit: 1 }, Reason::LimitReached),
    ];
    for (error, code) in cases {
        let tree =
            MemTree::builder().file("etc/passwd", "x").fails(Call::Open, error.clone()).build().unwrap();
        let outcome = outcome(&extractor(read_all), tree);
        assert_eq!(outcome.lines[0].code, Some(code), "{error}");
        assert_ne!(outcome.lines[0].status, Status::Complete);
    }
}

#[test]
fn an_encrypted_folder_is_named_once_by_a_walk() {
    let tree = MemTree::builder()
        .dir("/home/a")
        .set(|metadata| metadata.encrypted = true)
        .dir("/home/a/b")
        .set(|metadata| metadata.encrypted = true)
        .build()
        .unwrap();
    let outcome = super::walk_alone(&Tree::new(Arc::new(tree), "disk"), &AtomicU64::new(0));
    let line = &outcome.lines[0];
    assert_eq!((line.code, line.notes.len()), (Some(Reason::EncryptedNames), 0));
    assert_eq!(line.detail.as_bytes(), b"/home/a: names and content are encrypted");
}

#[test]
fn an_empty_database_of_a_foreign_tool_is_a_note() {
    let tree = MemTree::builder()
        .file("etc/os-release", "ID=debian\n")
        .file(
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n",
        )
        .file("var/lib/rpm/Packages", "")
        .build()
        .unwrap();
    let outcome =
        run(&Tree::new(Arc::new(tree), "disk"), Options { profile: Profile::Os }, &AtomicU64::new(0));
    let line = outcome.lines.iter().find(|line| line.name.as_bytes() == b"rpm").unwrap();
    assert_eq!(line.status, Status::Complete);
    assert_eq!(line.notes[0].code, Reason::ForeignTool);
}
