// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::error::{Error, SourceError};

#[test]
fn parents_are_made_and_links_counted_as_unix_does() {
    let tree = MemTree::builder().file("/a/b/c", "x").dir("/a/d").hardlink("/a/e", "/a/b/c").build().unwrap();
    let a = tree.lookup(tree.root(), b"a").unwrap().unwrap();
    let e = tree.lookup(a, b"e").unwrap().unwrap();
    assert_eq!(tree.metadata(tree.root()).unwrap().links, 3);
    assert_eq!(tree.metadata(a).unwrap().links, 4);
    assert_eq!(tree.metadata(e).unwrap().links, 2);
    assert!(tree.lookup(a, b"x").unwrap().is_none());
}

#[test]
fn setters_change_the_object_made_last() {
    let tree = MemTree::builder()
        .file("/su", "")
        .mode(0o4755)
        .owner(70_000, 4)
        .mtime(-1, 5)
        .xattr("user.b", "2")
        .xattr("user.a", "1")
        .dir("/")
        .mode(0o700)
        .build()
        .unwrap();
    let su = tree.lookup(tree.root(), b"su").unwrap().unwrap();
    let metadata = tree.metadata(su).unwrap();
    assert_eq!((metadata.mode, metadata.uid, metadata.gid), (0o4755, 70_000, 4));
    assert_eq!((metadata.mtime.seconds, metadata.mtime.nanos), (-1, 5));
    assert_eq!(tree.xattrs(su).unwrap()[0].name, b"user.a");
    assert_eq!(tree.metadata(tree.root()).unwrap().mode, 0o700);
}

#[test]
fn faults_answer_only_the_call_they_were_planned_for() {
    let gone = || Error::from(SourceError::PastEnd { offset: 9, len: 5 });
    let tree = MemTree::builder()
        .file("/f", "abc")
        .fails(Call::Read, gone())
        .dir("/d")
        .fails(Call::List, gone())
        .dir("/")
        .bad_entry(gone())
        .build()
        .unwrap();
    let f = tree.lookup(tree.root(), b"f").unwrap().unwrap();
    let d = tree.lookup(tree.root(), b"d").unwrap().unwrap();
    assert!(tree.open(f).unwrap().read_at(0, &mut [0; 3]).unwrap_err().is_past_end());
    assert!(tree.metadata(d).is_ok());
    assert!(tree.entries(d, &mut |_| ControlFlow::Continue(())).unwrap_err().is_past_end());
    let mut seen = (0, 0);
    let mut count = |entry: Result<Entry>| {
        match entry {
            Ok(_) => seen.0 += 1,
            Err(_) => seen.1 += 1,
        }
        ControlFlow::Continue(())
    };
    tree.entries(tree.root(), &mut count).unwrap();
    assert_eq!(seen, (2, 1));
}

#[test]
fn mistakes_of_a_test_come_out_of_build() {
    assert!(MemTree::builder().file("/a", "").file("/a/b", "").build().is_err());
    assert!(MemTree::builder().hardlink("/a", "/nothing").build().is_err());
    assert!(MemTree::builder().dir("/a").hardlink("/b", "/a").build().is_err());
    assert!(MemTree::builder().file("/", "").build().is_err());
}

#[test]
fn a_sparse_file_reads_as_zeros_where_no_piece_lies() {
    let tree =
        MemTree::builder().sparse("/s", 20, vec![(15, b"xy".to_vec()), (4, b"ab".to_vec())]).build().unwrap();
    let file = tree.open(tree.lookup(tree.root(), b"s").unwrap().unwrap()).unwrap();
    let mut buf = [9; 16];
    assert_eq!(file.read_at(5, &mut buf).unwrap(), 15);
    assert_eq!(&buf, b"b\0\0\0\0\0\0\0\0\0xy\0\0\0\x09");
    let places: Vec<_> = file.extents(0..99).unwrap().into_iter().map(|e| (e.range, e.place)).collect();
    use Extents::{Hole, Inline};
    assert_eq!(places, [(0..4, Hole), (4..6, Inline), (6..15, Hole), (15..17, Inline), (17..20, Hole)]);
}
