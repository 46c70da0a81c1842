// SPDX-License-Identifier: Apache-2.0
//! Physical volumes, groups and logical volumes.

use crate::disk::{Images, LINUX, MIB, fixture, gpt, part};
use crate::lvm::{IDS, group, orphan, physical, volume};
use crate::run::{packages, places, scan};

#[test]
fn a_physical_volume_of_a_complete_group_is_accounted_by_the_group() {
    let pv = physical(IDS[0], &group(1, &volume("root", "striped", 0)), &fixture("unpartitioned-ext4"));
    let (code, report) = scan(&[Images::new().write("disk.img", &pv)]);
    assert_eq!(
        places(&report),
        [
            "volume disk.img: complete",
            "filesystem LVM2_member: complete",
            "group vg: complete",
            "logical root: complete",
            "filesystem ext4: complete",
        ]
    );
    assert_eq!((code, packages(&report).len()), (0, 11));
}

/// Scans a disk with the small Debian root and a physical volume: the exit code, and the lines from that one's on.
fn beside_root(pv: Vec<u8>) -> (i32, Vec<String>) {
    let disk = gpt(&[part(LINUX, "", fixture("unpartitioned-ext4")), part(LINUX, "", pv)]);
    let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
    (code, places(&report).split_off(4))
}

#[test]
fn a_physical_volume_without_group_and_a_group_without_volumes_are_neutral() {
    let line = "filesystem LVM2_member: skipped LVM_UNUSED neutral".to_owned();
    assert_eq!(beside_root(physical(IDS[0], "", &[0; MIB])), (0, vec![line.clone()]));
    let lines = vec![line, "group vg: complete".to_owned()];
    assert_eq!(beside_root(physical(IDS[0], &group(1, ""), &[0; MIB])), (0, lines));
}

#[test]
fn a_physical_volume_in_use_whose_group_cannot_be_read_matters() {
    let line = |code: &str| (3, vec![format!("filesystem LVM2_member: failed {code}")]);
    assert_eq!(beside_root(orphan(IDS[0])), line("LVM_ORPHANED"));
    assert_eq!(beside_root(physical(IDS[0], "vg {\n", &[0; MIB])), line("FILESYSTEM_DAMAGED"));
    assert_eq!(beside_root(physical(IDS[0], "seqno = 1\n", &[0; MIB])), line("FILESYSTEM_DAMAGED"));
}

#[test]
fn the_second_copy_of_a_physical_volume_matters() {
    let pv = physical(IDS[0], &group(1, &volume("root", "striped", 0)), &fixture("unpartitioned-ext4"));
    let images = Images::new();
    let (code, report) = scan(&[images.write("a.img", &pv), images.write("b.img", &pv)]);
    assert_eq!(code, 3);
    assert_eq!(
        places(&report)[..4],
        [
            "volume a.img: complete",
            "filesystem LVM2_member: complete",
            "volume b.img: failed",
            "filesystem LVM2_member: failed LVM_ORPHANED",
        ]
    );
    assert_eq!(packages(&report).len(), 11);
}

#[test]
fn a_logical_volume_on_a_missing_physical_volume_fails() {
    let text = group(2, &format!("{}{}", volume("root", "striped", 0), volume("data", "striped", 1)));
    let first = physical(IDS[0], &text, &fixture("unpartitioned-ext4"));
    let second = physical(IDS[1], &text, &fixture("two-disks-var"));
    let images = Images::new();
    let (a, b) = (images.write("a.img", &first), images.write("b.img", &second));
    let (code, report) = scan(&[&a]);
    assert_eq!(
        places(&report)[2..],
        [
            "group vg: partial",
            "logical root: complete",
            "filesystem ext4: complete",
            "logical data: failed",
            "filesystem : failed PV_MISSING",
        ]
    );
    assert_eq!((code, packages(&report).len()), (3, 11));

    let (code, report) = scan(&[&a, &b]);
    let lines = places(&report);
    assert_eq!(
        lines[4..],
        [
            "group vg: complete",
            "logical root: complete",
            "filesystem ext4: complete",
            "logical data: complete",
            "filesystem ext4: complete +NOT_MOUNTED"
        ]
    );
    assert_eq!(code, 0);

    // The other disk alone has the data, and no system.
    let (code, report) = scan(&[&b]);
    assert!(places(&report).contains(&"filesystem : failed PV_MISSING".to_owned()), "{:?}", places(&report));
    assert_eq!(code, 3);
}

#[test]
fn with_no_filesystem_but_one_on_a_missing_disk_the_exit_code_is_1() {
    let text = group(2, &volume("root", "striped", 1));
    let (code, report) = scan(&[Images::new().write("a.img", &physical(IDS[0], &text, &[0; MIB]))]);
    assert_eq!(places(&report).last().unwrap(), "filesystem : failed PV_MISSING");
    assert_eq!(code, 1);
}

#[test]
fn kinds_of_logical_volumes_that_are_not_mapped_matter() {
    for kind in ["thin", "cache", "snapshot", "raid1", "writecache", "vdo"] {
        let text = group(1, &volume("data", kind, 0));
        let lines = beside_root(physical(IDS[0], &text, &[0; MIB]));
        let last = lines.1.last().unwrap();
        assert_eq!((lines.0, last.as_str()), (3, "filesystem : skipped UNSUPPORTED_LVM"), "{kind}");
    }
}
