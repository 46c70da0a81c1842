// SPDX-License-Identifier: Apache-2.0
//! Signatures against what blkid prints.

use std::path::PathBuf;

use std::sync::Arc;

use super::*;
use crate::source::cache::Cache;
use crate::source::count::Counting;
use crate::source::file::FileSource;
use crate::source::rounds::Rounds;

fn realdata(what: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("SNAPSCAN_REALDATA") else {
        eprintln!("skipped: SNAPSCAN_REALDATA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(what))
}

/// `\xNN` in blkid's encoded values back to bytes.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, more)) = rest.split_first() {
        rest = match (byte, more) {
            (b'\\', [b'x', a, b, tail @ ..]) => {
                out.push(u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap());
                tail
            }
            _ => {
                out.push(byte);
                more
            }
        };
    }
    out
}

#[test]
fn every_image_of_blkids_own_tests_has_blkids_type() {
    let Some(root) = realdata("images/blkid") else { return };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let (mut types, mut uuids, mut labels) = (0, 0, 0);
    for (name, case) in expected.as_object().unwrap() {
        let Some(probe) = case["probe"].as_object() else { continue };
        let image = root.join("images").join(format!("{name}.img"));
        let source = FileSource::new(std::fs::File::open(image).unwrap()).unwrap();
        let Content::Known(found) = identify(&source).unwrap() else {
            wrong.push(format!("{name}: {:?}", identify(&source).unwrap()));
            continue;
        };
        types += 1;
        let want = |key: &str| probe.get(key).and_then(|value| value.as_str());
        if Some(found.name) != want("ID_FS_TYPE") {
            wrong.push(format!("{name}: {} is {:?}", found.name, want("ID_FS_TYPE")));
        }
        if let Some(uuid) = &found.uuid {
            uuids += 1;
            if Some(uuid.as_str()) != want("ID_FS_UUID") {
                wrong.push(format!("{name}: {uuid} is {:?}", want("ID_FS_UUID")));
            }
        }
        if let Some(label) = &found.label {
            labels += 1;
            if Some(label.clone()) != want("ID_FS_LABEL_ENC").map(decoded) {
                wrong.push(format!("{name}: label {label:?} is {:?}", want("ID_FS_LABEL_ENC")));
            }
        }
    }
    eprintln!("{types} types, {uuids} uuids, {labels} labels");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(types >= 93);
}

#[test]
fn disk_labels_that_are_not_read_are_named() {
    let Some(root) = realdata("images/blkid/images/images-pt") else { return };
    for (image, name) in
        [("sgi", "sgi"), ("atari-primary", "atari"), ("atari-xgm", "atari"), ("dasd-cdl", "dasd")]
    {
        let file = std::fs::File::open(root.join(image).with_extension("img")).unwrap();
        let Content::Known(found) = identify(&FileSource::new(file).unwrap()).unwrap() else {
            panic!("{image}")
        };
        assert_eq!((found.name, found.class), (name, Class::Other));
    }
}

/// An ext2 superblock that has what the check asks for, in a source of 1 MiB.
fn ext2() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[1024 + 4] = 1;
    disk[1024 + 40] = 1;
    disk[1024 + 56..][..2].copy_from_slice(&[0x53, 0xef]);
    disk
}

#[test]
fn zeros_are_blank_and_a_byte_without_magic_is_unknown() {
    for len in [0, 1, 511, 4096, 3 << 20] {
        assert_eq!(identify(&vec![0; len]).unwrap(), Content::Blank, "{len}");
    }
    let mut disk = vec![0; 3 << 20];
    disk[700_000] = 1;
    assert_eq!(identify(&disk).unwrap(), Content::Unknown);
}

#[test]
fn two_filesystems_are_ambiguous_in_the_tables_order() {
    let mut disk = ext2();
    disk[0x10040..][..8].copy_from_slice(b"_BHRfS_M");
    let Content::Ambiguous(found) = identify(&disk).unwrap() else { panic!() };
    assert_eq!(found.iter().map(|one| one.name).collect::<Vec<_>>(), ["ext2", "btrfs"]);
}

#[test]
fn md_1_0_at_the_end_hides_the_filesystem_at_the_start() {
    let mut disk = ext2();
    let sector = (disk.len() / 512 - 16) & !7;
    disk[sector * 512..][..8].copy_from_slice(&[0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0]);
    disk[sector * 512 + 144..][..8].copy_from_slice(&(sector as u64).to_le_bytes());
    let Content::Known(found) = identify(&disk).unwrap() else { panic!() };
    assert_eq!((found.name, found.class), ("linux_raid_member", Class::Raid));
    // Content that was copied elsewhere does not say where it stands.
    disk[sector * 512 + 144] ^= 1;
    let Content::Known(found) = identify(&disk).unwrap() else { panic!() };
    assert_eq!(found.name, "ext2");
}

#[test]
fn an_ordinary_filesystem_costs_its_first_72_and_last_16_kib_and_one_wait() {
    let mut disk = ext2();
    disk.resize(64 << 20, 0);
    let counting = Arc::new(Counting::new(Arc::new(disk)));
    let rounds = Arc::new(Rounds::default());
    let cache = Cache::new(counting.clone(), &rounds, 1 << 20);
    let (mut calls, mut found) = (0, None);
    rounds.run(|| {
        calls += 1;
        found = identify(&*cache).ok();
    });
    assert!(matches!(found, Some(Content::Known(_))));
    assert_eq!((calls, rounds.count()), (2, 1));
    assert_eq!(counting.counts().bytes, (72 + 16 + 4) << 10);
}

#[test]
fn flipped_bits_never_panic() {
    let mut bits = crate::layout::flips::Flips::new(7);
    let mut disk = ext2();
    for _ in 0..2000 {
        let len = disk.len();
        bits.flip(&mut disk[..8192], 1);
        identify(&disk[..len].to_vec()).unwrap();
    }
}
