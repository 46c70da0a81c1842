// SPDX-License-Identifier: Apache-2.0
//! Headers made by the `rpm` crate, and headers that are broken in one place each.

use super::*;

/// The header blob of a package that the `rpm` crate built, and the package as that crate reads it.
fn built(mut builder: rpm::PackageBuilder) -> (Vec<u8>, rpm::Package) {
    let mut file = Vec::new();
    let package = builder.build().unwrap();
    package.write(&mut file).unwrap();
    // A lead of 96 bytes, the signature header padded to 8, and the main header, both after 8 bytes of magic.
    let len = |at: usize| {
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        INTRO + ENTRY * number(at) + number(at + 4)
    };
    let start = (96 + 8 + len(96 + 8)).next_multiple_of(8) + 8;
    (file[start..start + len(start)].to_vec(), package)
}

fn one() -> (Vec<u8>, rpm::Package) {
    let mut builder = rpm::PackageBuilder::new("tool", "2.3.4", "GPL-2.0-or-later", "aarch64", "a tool");
    builder.epoch(3).release("5.el9").vendor("Somebody");
    built(builder)
}

fn package(blob: &[u8]) -> Package {
    match read(blob).unwrap() {
        Described::Package(package) => package,
        Described::Key(key) => panic!("a key: {key:?}"),
    }
}

#[test]
fn a_built_header_is_read_as_its_builder_reads_it() {
    let (blob, theirs) = one();
    let metadata = &theirs.metadata;
    let ours = package(&blob);
    assert_eq!(ours.name.as_bytes(), metadata.get_name().unwrap().as_bytes());
    assert_eq!(ours.epoch, Some(metadata.get_epoch().unwrap()));
    assert_eq!(ours.version.as_bytes(), metadata.get_version().unwrap().as_bytes());
    assert_eq!(ours.release.unwrap().as_bytes(), metadata.get_release().unwrap().as_bytes());
    assert_eq!(ours.arch.unwrap().as_bytes(), metadata.get_arch().unwrap().as_bytes());
    assert_eq!(ours.licence.unwrap().as_bytes(), metadata.get_license().unwrap().as_bytes());
    assert_eq!(ours.vendor.unwrap().as_bytes(), metadata.get_vendor().unwrap().as_bytes());
    assert_eq!(ours.install_time, None);
}

/// A blob of these entries (tag, type, value).
fn blob(entries: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut store = Vec::new();
    for (tag, kind, value) in entries {
        for number in [*tag, *kind, store.len() as u32, 1] {
            index.extend_from_slice(&number.to_be_bytes());
        }
        store.extend_from_slice(value);
    }
    let lens = [entries.len() as u32, store.len() as u32].map(u32::to_be_bytes).concat();
    [lens, index, store].concat()
}

const MINIMAL: [(u32, u32, &[u8]); 3] =
    [(NAME, STRING, b"n\0"), (VERSION, STRING, b"1\0"), (RELEASE, STRING, b"2\0")];

#[test]
fn of_a_tag_that_stands_twice_the_later_counts() {
    let mut entries = MINIMAL.to_vec();
    entries.push((VERSION, STRING, b"9\0"));
    assert_eq!(package(&blob(&entries)).version.as_bytes(), b"9");
}

#[test]
fn a_key_is_told_apart() {
    let mut entries = MINIMAL.to_vec();
    entries[0].2 = b"gpg-pubkey\0";
    assert!(matches!(read(&blob(&entries)), Ok(Described::Key(_))));
}

#[test]
fn epoch_zero_is_not_no_epoch_and_long_times_are_read() {
    let mut entries = MINIMAL.to_vec();
    assert_eq!(package(&blob(&entries)).epoch, None);
    entries.push((EPOCH, INT32, &[0; 4]));
    entries.push((INSTALLTIME, INT64, &[0, 0, 0, 1, 0, 0, 0, 0]));
    let package = package(&blob(&entries));
    assert_eq!((package.epoch, package.install_time), (Some(0), Some(Time(1 << 32))));
}

#[test]
fn every_refusal_says_what_is_wrong() {
    let whole = blob(&MINIMAL);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut blob = whole.clone();
        change(&mut blob);
        read(&blob).unwrap_err().to_string()
    };
    let cases = [
        (with(&|blob| blob.truncate(7)), "3 index entries and 0 store bytes do not fit into 7 bytes"),
        (with(&|blob| blob.clear()), "do not fit into 0 bytes"),
        (with(&|blob| blob[3] = 0), "0 index entries"),
        (with(&|blob| blob[1] = 1), "65539 index entries, at most 65535"),
        (with(&|blob| blob[7] = 200), "do not fit"),
        (with(&|blob| blob[8 + 7] = 3), "tag 1000 has type 3"),
        (with(&|blob| blob[8 + 11] = 99), "tag 1000 at store offset 99 leaves the store of 6 bytes"),
        (with(&|blob| blob[8 + 15] = 0), "tag 1000 at store offset 0"),
        (with(&|blob| *blob.last_mut().unwrap() = b'x'), "tag 1002 at store offset 4"),
        (with(&|blob| blob[8 + 3] ^= 1), "no tag 1000"),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    }
}

#[test]
fn no_prefix_and_no_turned_bit_of_a_header_panics() {
    let (whole, _) = one();
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "a header of {len} of {} bytes", whole.len());
    }
    for bit in 0..whole.len().min(1200) * 8 {
        let mut blob = whole.clone();
        blob[bit / 8] ^= 1 << (bit % 8);
        let _ = read(&blob);
    }
}
