// SPDX-License-Identifier: Apache-2.0
//! One test for each reason an inode is refused.

use super::*;
use crate::error::{Corrupt, Scope};
use crate::fs::xfs::samples::{self, sample_inode, seal_inode};

fn volume(v5: bool) -> Volume {
    samples::volume(v5, Vec::new())
}

fn sample(v5: bool) -> Vec<u8> {
    sample_inode(v5)
}

fn seal(raw: &mut [u8]) {
    seal_inode(raw);
}

fn parse(raw: &[u8], v5: bool) -> Result<Core> {
    Core::parse(&volume(v5), 131, 131 * 512, raw)
}

fn damage(error: Error) -> Corrupt {
    match error {
        Error::Corrupt(corrupt) => corrupt,
        other => panic!("{other}"),
    }
}

#[test]
fn fields_are_read_in_both_versions() {
    for v5 in [true, false] {
        let core = parse(&sample(v5), v5).unwrap();
        let metadata = core.metadata(131, false);
        assert_eq!((metadata.mode, metadata.uid, metadata.gid, metadata.links), (0o4755, 1000, 100, 7));
        assert_eq!((metadata.size, metadata.mtime), (1000, Timestamp { seconds: -5, nanos: 999 }));
        assert_eq!(metadata.identity, Identity { device: 0, inode: 131, generation: 77 });
        assert_eq!(core.extents, 1);
    }
}

#[test]
fn each_lie_is_refused_with_its_numbers() {
    for (at, bytes, words) in [
        (0, &b"NI"[..], "begins with 0x4e49"),
        (4, &[2], "version 2"),
        (4, &[9], "version 9"),
        (152, &5_u64.to_be_bytes(), "inode 5"),
        (160, &[1; 16], "UUID"),
        (2, &[0, 0], "free"),
        (2, &[0x30, 0], "no type"),
        (5, &[1], "data fork of format 1"),
        (5, &[0], "data fork of format 0"),
        (56, &[0xff], "negative"),
        (82, &[42], "attribute fork begins at byte 336 of 336"),
        (82, &[10, 9], "attribute fork of format 9"),
    ] {
        let mut raw = sample(true);
        raw[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut raw);
        let found = damage(parse(&raw, true).unwrap_err());
        assert!(found.why.contains("inode 131") && found.why.contains(words), "{}", found.why);
        assert_eq!(found.scope, Scope::Node);
    }
    let mut raw = sample(true);
    raw[300] ^= 1;
    assert!(damage(parse(&raw, true).unwrap_err()).why.contains("checksum"));
}

#[test]
fn damage_of_a_folder_reaches_what_is_beneath_it() {
    let mut raw = sample(true);
    raw[2] = 0x41;
    assert_eq!(damage(parse(&raw, true).unwrap_err()).scope, Scope::Subtree);
}

#[test]
fn content_larger_than_the_inode_cannot_lie_in_it() {
    let mut raw = sample(true);
    raw[2..4].copy_from_slice(&0o120_777_u16.to_be_bytes());
    raw[5] = 1;
    seal(&mut raw);
    assert!(damage(parse(&raw, true).unwrap_err()).why.contains("1000 bytes do not fit"));
}

#[test]
fn first_version_counts_links_in_16_bits() {
    let mut raw = sample(false);
    raw[4] = 1;
    raw[6..8].copy_from_slice(&9_u16.to_be_bytes());
    assert_eq!(parse(&raw, false).unwrap().metadata(131, false).links, 9);
}

#[test]
fn large_counters_and_big_times_are_read_where_the_inode_has_them() {
    let mut raw = sample(true);
    raw[120..128].copy_from_slice(&(FLAG2_BIGTIME | FLAG2_LARGE_COUNTERS).to_be_bytes());
    raw[24..32].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    raw[76..80].copy_from_slice(&100_000_u32.to_be_bytes());
    // 2^31 s after December 1901 is 1970; one second and 17 ns more.
    raw[40..48].copy_from_slice(&((2_147_483_649_u64) * 1_000_000_000 + 17).to_be_bytes());
    seal(&mut raw);
    let core = parse(&raw, true).unwrap();
    assert_eq!((core.extents, core.attr_extents), (1 << 40, 100_000));
    assert_eq!(core.metadata(131, false).mtime, Timestamp { seconds: 1, nanos: 17 });
}

#[test]
fn number_outside_of_all_groups_is_refused_before_a_read() {
    assert!(damage(Inode::read(&volume(true), u64::MAX).unwrap_err()).why.contains("outside"));
}
