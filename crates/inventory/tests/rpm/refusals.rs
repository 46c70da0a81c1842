// SPDX-License-Identifier: Apache-2.0
//! Databases that are broken in one place each, and what is said of them.

use std::path::Path;

use super::files::{Files, cases};

/// What reading a case says after its files were changed: the error, or all damage.
fn said(case: &str, change: impl FnOnce(&mut [&mut Vec<u8>])) -> String {
    let folder = cases().into_iter().find(|path| path.file_name().unwrap() == Path::new(case)).unwrap();
    let mut files = Files::open(&folder);
    change(&mut files.parts());
    match files.read() {
        Ok((_, scan)) => scan.damage.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; "),
        Err(error) => error.to_string(),
    }
}

/// Writes bytes at an offset of the first file.
fn put(case: &str, offset: usize, bytes: &[u8]) -> String {
    put_in(case, 0, offset, bytes)
}

fn put_in(case: &str, file: usize, offset: usize, bytes: &[u8]) -> String {
    said(case, |files| files[file][offset..offset + bytes.len()].copy_from_slice(bytes))
}

fn check(cases: &[(String, &str)]) {
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    }
}

#[test]
fn sqlite_says_what_is_wrong_with_the_database() {
    let schema = |files: &mut [&mut Vec<u8>]| {
        let at = files[0].windows(13).position(|bytes| bytes == b"PackagesPacka").unwrap();
        files[0][at] = b'X';
    };
    check(&[
        (put("sqlite-512", 0, b"X"), "no magic"),
        (put("sqlite-512", 16, &[3, 0]), "page size 768"),
        (put("sqlite-512", 16, &[0, 0]), "page size 0"),
        (put("sqlite-512", 19, &[3]), "read version 3"),
        (put("sqlite-512", 20, &[33]), "33 reserved bytes of a page of 512"),
        (said("sqlite-512", schema), "no table Packages"),
        (said("sqlite-512", |files| files[0].truncate(50)), "page 1 does not exist"),
        (said("sqlite-512", |files| files[0].truncate(512)), "page 2"),
        (put("sqlite-512", 512, &[10]), "type 10 is no page of a table"),
        (put("sqlite-512", 512 + 3, &[0, 1]), "bytes are in no cell"),
        (put("sqlite-512", 512 + 8, &[0, 0, 0, 2]), "met before"),
        (put("sqlite-512", 512 + 8, &[0, 0, 99, 0]), "beyond the last"),
    ]);
}

#[test]
fn sqlite_says_what_is_wrong_with_a_log() {
    let log = |offset: usize, bytes: &[u8]| put_in("sqlite-wal", 1, offset, bytes);
    check(&[
        (log(0, &[0]), "was not applied: magic"),
        (log(4, &[1]), "was not applied: version"),
        (log(8, &[0, 0, 4, 0]), "page size 1024, the database has 512"),
        (log(12, &[9]), "the checksum of its header"),
        (log(32 + 24 + 100, &[0xff]), "damaged after 0 frames"),
        (said("sqlite-wal", |files| files[1].truncate(31)), "31 bytes, fewer than its header"),
    ]);
}

#[test]
fn a_log_without_a_commit_is_nothing() {
    assert_eq!(said("sqlite-512", |_| ()), "");
    // The database alone is as it was before the last commit: the log is not applied, and that is no damage.
    assert_eq!(said("sqlite-wal", |files| files[1].truncate(32 + 24 + 512)), "");
}

#[test]
fn sqlite_says_what_is_wrong_with_a_journal() {
    let journal = |offset: usize, bytes: &[u8]| put_in("sqlite-hot-journal", 1, offset, bytes);
    let super_journal = |files: &mut [&mut Vec<u8>]| {
        let magic = files[1][..8].to_vec();
        files[1].extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0]);
        files[1].extend_from_slice(&magic);
    };
    check(&[
        (journal(0, &[1]), "no magic"),
        (journal(20, &[0, 0, 0, 3]), "sectors of 3 bytes"),
        (journal(24, &[0, 0, 4, 0]), "pages of 1024, the database has 512"),
        (journal(512, &[0, 0, 0, 99]), "restores page 99"),
        (journal(512 + 4 + 112, &[0xff]), "3 records, of which 0 are valid"),
        (said("sqlite-hot-journal", super_journal), "several databases"),
    ]);
}

#[test]
fn ndb_says_what_is_wrong() {
    let two = |files: &mut [&mut Vec<u8>]| files[0].copy_within(32..48, 48);
    check(&[
        (put("ndb", 0, b"X"), "no magic"),
        (put("ndb", 4, &[1]), "NDB version 1"),
        (put("ndb", 12, &[0]), "no pages of slots"),
        (put("ndb", 12, &[0, 9]), "bytes of slots are announced"),
        (put("ndb", 16, &[2]), "package 8 of fewer than 2"),
        (put("ndb", 32, b"X"), "slot 2 has no magic"),
        (put("ndb", 36, &[0]), "slot 2: package 0 with"),
        (said("ndb", two), "package 1 has two slots"),
        (put("ndb", 44, &[0x19]), "in 25 blocks"),
        (put("ndb", 44, &[0xff]), "package 1: corrupt database file: bytes 4096 to 8176"),
        (put("ndb", 40, &[1, 0]), "package 1 at block 1 overlaps"),
        (put("ndb", 4096, b"X"), "no head at block 256"),
        (put("ndb", 4096 + 40, &[0xee]), "does not match"),
        (said("ndb", |files| files[0].truncate(20)), "4096 bytes of slots are announced, 20 were read"),
        (said("ndb", |files| files[0].truncate(7000)), "lie beyond its end at 7000"),
    ]);
}

#[test]
fn berkeley_db_says_what_is_wrong() {
    check(&[
        (put("bdb-hash", 12, &[0]), "no magic"),
        (put("bdb-hash", 16, &[6]), "version 6"),
        (put("bdb-hash", 20, &[0, 3]), "page size 768"),
        (put("bdb-hash", 24, &[1]), "cipher 1"),
        (put("bdb-hash", 25, &[9]), "page 0 has type 9"),
        (put("bdb-hash", 26, &[1]), "flags 0x1"),
        (put("bdb-hash", 32, &[200]), "the last page is 200"),
        (put("bdb-hash", 72, &[0, 1]), "buckets in a file of"),
        (put("bdb-hash", 512 + 8, &[77]), "says that it is page 77"),
        (put("bdb-hash", 512 + 25, &[5]), "type 5"),
        (put("bdb-hash", 512 + 22, &[1, 1]), "its items begin at"),
        (said("bdb-hash", |files| files[0].truncate(300)), "beyond"),
        (said("bdb-hash", |files| files[0].truncate(90)), "cut off"),
        (put("bdb-btree", 88, &[0]), "met before"),
        (put("bdb-btree", 88, &[9]), "nothing leads to it"),
    ]);
}

#[test]
fn a_stale_total_is_only_a_note() {
    let folder = cases().into_iter().find(|path| path.ends_with("bdb-hash")).unwrap();
    let mut files = Files::open(&folder);
    files.parts()[0][88] ^= 0x40;
    let (rows, scan) = files.read().unwrap();
    assert_eq!((rows.len(), scan.is_whole(), scan.stale.len()), (12, true, 1));
}
