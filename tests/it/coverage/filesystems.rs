// SPDX-License-Identifier: Apache-2.0
//! Filesystems that are read, whole or in part.

use crate::disk::{Images, LINUX, fixture, gpt, part};
use crate::run::{self, extractor, packages, places, scan};

#[test]
fn clean_filesystems_are_complete() {
    let (code, report) = scan(&[run::fixture("unpartitioned-ext4")]);
    let lines = ["volume unpartitioned-ext4.img.zst: complete", "filesystem ext4: complete"];
    assert_eq!((code, places(&report)), (0, lines.map(String::from).to_vec()));

    let (code, report) = scan(&[run::fixture("rocky-xfs-lvm-gpt")]);
    assert_eq!((code, places(&report).last().map(String::as_str)), (0, Some("filesystem xfs: complete")));
}

#[test]
fn a_journal_that_was_replayed_leaves_the_filesystem_complete_with_a_note() {
    for (name, kind) in [("dirty-ext4", "ext4"), ("dirty-xfs", "xfs")] {
        let (code, report) = scan(&[run::fixture(name)]);
        let line = format!("filesystem {kind}: complete +JOURNAL_REPLAYED");
        assert_eq!(places(&report).last(), Some(&line));
        // These hold no operating system, which is why the exit code is not 0.
        assert_eq!(code, 3);
        assert_eq!(extractor(&report, "system").unwrap(), "extractor system: failed NO_OPERATING_SYSTEM");
    }
}

#[test]
fn a_journal_that_cannot_be_replayed_makes_the_filesystem_partial() {
    // The log's first record of XFS lies in the middle of the filesystem; the superblock of ext4's journal has a magic.
    let mut ext4 = fixture("dirty-ext4");
    let magic = crate::disk::places_of(&ext4, &[0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 4]);
    assert_eq!(magic.len(), 1, "one journal superblock");
    ext4[magic[0]] = 0;
    let (code, report) = scan(&[Images::new().write("dirty.img", &ext4)]);
    assert_eq!(places(&report).last().unwrap(), "filesystem ext4: partial JOURNAL_NOT_REPLAYED");
    assert_eq!(code, 3);
}

#[test]
fn an_image_that_ends_within_its_root_is_read_as_far_as_it_goes() {
    let (code, report) = scan(&[run::fixture("truncated")]);
    assert_eq!(code, 3);
    assert_eq!(
        places(&report),
        [
            "volume truncated.img.zst: partial IMAGE_TRUNCATED",
            "partition 1: complete",
            "filesystem vfat: skipped BOOT_FILES neutral",
            "partition 2: partial",
            "filesystem ext4: partial IMAGE_TRUNCATED",
        ]
    );
    assert_eq!(packages(&report), packages(&scan(&[run::fixture("debian-ext4-gpt")]).1));
}

#[test]
fn a_damaged_folder_makes_the_filesystem_partial() {
    // The block of /var/lib/dpkg, which holds the name of the database.
    let mut image = fixture("unpartitioned-ext4");
    let names = crate::disk::places_of(&image, b"\x06\x01status");
    assert_eq!(names.len(), 1);
    image[names[0] / 4096 * 4096..][..4096].fill(0xff);
    let (code, report) = scan(&[Images::new().write("damaged.img", &image)]);
    assert_eq!(code, 3);
    let database = extractor(&report, "dpkg").unwrap();
    assert!(database.starts_with("extractor dpkg: partial SUBTREE_DAMAGED"), "{database}");
    assert_eq!(places(&report).last().unwrap(), "filesystem ext4: partial");
    assert!(packages(&report).is_empty());
}

#[test]
fn a_superblock_that_is_not_valid_fails_the_filesystem_and_no_filesystem_is_exit_code_1() {
    // ext4: the last incompatible feature, without the one of checksums, so that no copy is taken instead; XFS: the
    // size of a block, in the superblock and its copies. Source: the kernel's documentation of ext4, "Super Block"; XFS Algorithms & Data Structures.
    let mut ext4 = fixture("unpartitioned-ext4");
    ext4[1024 + 0x63] |= 0x80;
    ext4[1024 + 0x65] &= !4;
    let mut xfs = fixture("dirty-xfs");
    for at in crate::disk::places_of(&xfs, b"XFSB") {
        xfs[at + 4..at + 8].fill(0xff);
    }
    for (image, line) in [
        (ext4, "filesystem ext4: failed UNSUPPORTED_FEATURE"),
        (xfs, "filesystem xfs: failed FILESYSTEM_DAMAGED"),
    ] {
        let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
        assert_eq!(places(&report).last().unwrap(), line);
        assert_eq!(code, 1, "{line}");
    }
}

#[test]
fn a_readable_filesystem_that_fstab_does_not_name_is_complete_with_a_note() {
    let disk =
        gpt(&[part(LINUX, "root", fixture("unpartitioned-ext4")), part(LINUX, "", fixture("two-disks-var"))]);
    let images = Images::new();
    let image = images.write("disk.img", &disk);
    let (code, report) = scan(&[&image]);
    assert_eq!(places(&report).last().unwrap(), "filesystem ext4: complete +NOT_MOUNTED");
    assert_eq!(code, 0);
    // The whole walk sees it as a tree of its own.
    let (code, report) = run::scan_with(&[&image], &["--profile", "full"]);
    let at = report.coverage.children[0].children[1].children[0].clone();
    assert_eq!(run::words(&at), "filesystem ext4: complete +NOT_MOUNTED");
    assert!(!at.children.is_empty(), "it is walked: {at:#?}");
    assert_eq!(code, 0);
}

#[test]
fn two_signatures_that_contradict_each_other_are_ambiguous() {
    let mut image = fixture("unpartitioned-ext4");
    image[0x10040..0x10048].copy_from_slice(b"_BHRfS_M");
    let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
    assert_eq!(places(&report).last().unwrap(), "filesystem : partial AMBIGUOUS");
    assert_eq!(code, 1, "nothing was opened");
}
