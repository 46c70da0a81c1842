// SPDX-License-Identifier: Apache-2.0
//! Hides each part of a machine in turn: exactly its line changes, and the exit code is that of the table.

use std::fs;

use snapscan_schema::Report;

use crate::disk::{Images, LINUX, MIB, Part, fixture, gpt, part, places_of, set_fstab, swap};
use crate::lvm::{IDS, group, physical, volume};
use crate::run::{extractor, packages, places, scan};

/// The machine: a disk with its root, swap, and /boot, and a second one whose group holds /var.
fn parts() -> Vec<Part> {
    let mut root = fixture("two-disks-root");
    root.drain(..36 * MIB);
    root.truncate(24 * MIB);
    set_fstab(
        &mut root,
        "/dev/sda1 / ext4 rw 0 1\n/dev/sda3 /boot ext4 rw 0 2\nUUID=0c8e3a52-9f5b-4c1e-8a77-3d5e9b2f6c11 /var ext4 rw 0 2\n",
    );
    let mut boot = fixture("mbr-extended");
    boot.drain(..MIB);
    boot.truncate(16 * MIB);
    vec![part(LINUX, "root", root), part(LINUX, "swap", swap()), part(LINUX, "boot", boot)]
}

fn second(kind: &str, data: &[u8]) -> Vec<u8> {
    physical(IDS[0], &group(1, &volume("var", kind, 0)), data)
}

fn run(parts: &[Part], second: &[u8]) -> (i32, Report) {
    let images = Images::new();
    scan(&[images.write("a.img", &gpt(parts)), images.write("b.img", second)])
}

/// The lines of the whole machine.
const WHOLE: [&str; 12] = [
    "volume a.img: complete",
    "partition 1: complete",
    "filesystem ext4: complete",
    "partition 2: complete",
    "filesystem swap: skipped BY_KIND neutral",
    "partition 3: complete",
    "filesystem ext4: complete",
    "volume b.img: complete",
    "filesystem LVM2_member: complete",
    "group vg: complete",
    "logical var: complete",
    "filesystem ext4: complete",
];

/// The whole machine's lines with some replaced.
fn whole_but(changed: &[(usize, &str)], more: &[&str]) -> Vec<String> {
    let mut lines = WHOLE.map(str::to_owned).to_vec();
    for (at, line) in changed {
        lines[*at] = (*line).to_owned();
    }
    lines.extend(more.iter().map(|line| (*line).to_owned()));
    lines
}

#[test]
fn nothing_hidden_everything_is_complete() {
    let (code, report) = run(&parts(), &second("striped", &fixture("two-disks-var")));
    assert_eq!((code, places(&report)), (0, whole_but(&[], &[])));
    assert_eq!(packages(&report).len(), 11);
}

#[test]
fn each_filesystem_that_is_blanked_is_missed_where_it_is_mounted() {
    let var = fixture("two-disks-var");
    // /boot: its device is there, and its own line says that it is blank, which nobody may take for success.
    let mut hidden = parts();
    hidden[2].content.fill(0);
    let (code, report) = run(&hidden, &second("striped", &var));
    let missing = "mount /boot: partial MOUNT_MISSING";
    assert_eq!(places(&report), whole_but(&[(6, "filesystem : skipped BLANK neutral")], &[missing]));
    assert_eq!((code, packages(&report).len()), (3, 11));

    // /var
    let (code, report) = run(&parts(), &second("striped", &vec![0; var.len()]));
    let missing = "mount /var: partial MOUNT_MISSING";
    assert_eq!(places(&report)[11..], ["filesystem : skipped BLANK neutral", missing]);
    assert_eq!((code, packages(&report).len()), (3, 0));
    assert_eq!(extractor(&report, "dpkg").unwrap(), "extractor dpkg: failed DATABASE_MISSING");

    // The root: nothing says any more what is mounted where.
    let mut hidden = parts();
    hidden[0].content.fill(0);
    let (code, report) = run(&hidden, &second("striped", &var));
    assert_eq!(code, 3);
    assert_eq!(extractor(&report, "system").unwrap(), "extractor system: failed NO_OPERATING_SYSTEM");
}

#[test]
fn each_filesystem_that_is_overwritten_matters() {
    let noise: Vec<u8> =
        (0..24 * MIB as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect();
    let var = fixture("two-disks-var");
    let unknown = "filesystem : skipped UNKNOWN_CONTENT";
    let mut hidden = parts();
    hidden[2].content.copy_from_slice(&noise[..16 * MIB]);
    let (code, report) = run(&hidden, &second("striped", &var));
    let changed = [(0, "volume a.img: partial"), (5, "partition 3: failed"), (6, unknown)];
    assert_eq!((code, places(&report)), (3, whole_but(&changed, &[])));

    let (code, report) = run(&parts(), &second("striped", &noise));
    let lines = places(&report);
    let missing = "mount /var: partial MOUNT_MISSING";
    assert_eq!(lines[9..], ["group vg: failed", "logical var: failed", unknown, missing]);
    assert_eq!((code, packages(&report).len()), (3, 0));
}

#[test]
fn each_partition_dropped_from_the_table_is_missed_where_it_is_mounted() {
    let second = second("striped", &fixture("two-disks-var"));
    let mut hidden = parts();
    hidden.pop();
    let (code, report) = run(&hidden, &second);
    let mut lines = whole_but(&[], &["mount /boot: partial MOUNT_MISSING"]);
    lines.drain(5..7);
    assert_eq!((code, places(&report)), (3, lines));
    // Without swap a machine has all its files.
    let mut hidden = parts();
    let boot = hidden.pop().unwrap();
    hidden[1] = boot;
    set_fstab_of_root(&mut hidden[0]);
    let (code, report) = run(&hidden, &second);
    let mut lines = whole_but(&[], &[]);
    lines.drain(3..5);
    lines[3] = "partition 2: complete".into();
    assert_eq!((code, places(&report)), (0, lines));
}

/// Without swap /boot is the second partition.
fn set_fstab_of_root(root: &mut Part) {
    let at = places_of(&root.content, b"/dev/sda3 /boot");
    assert_eq!(at.len(), 1);
    root.content[at[0] + 8] = b'2';
}

#[test]
fn the_logical_volume_hidden_is_missed_where_it_is_mounted() {
    let var = fixture("two-disks-var");
    // Its group has it no more.
    let (code, report) = run(&parts(), &physical(IDS[0], &group(1, ""), &var));
    let lines = places(&report);
    let unused = "filesystem LVM2_member: skipped LVM_UNUSED neutral";
    assert_eq!(lines[8..], [unused, "group vg: complete", "mount /var: partial MOUNT_MISSING"]);
    assert_eq!((code, packages(&report).len()), (3, 0));
    // It is of a kind that is not mapped.
    let (code, report) = run(&parts(), &second("raid1", &var));
    let lines = places(&report);
    let missing = "mount /var: partial MOUNT_MISSING";
    assert_eq!(
        lines[9..],
        ["group vg: failed", "logical var: failed", "filesystem : skipped UNSUPPORTED_LVM", missing]
    );
    assert_eq!(code, 3);
    // The disk is not given.
    let images = Images::new();
    let (code, report) = scan(&[images.write("a.img", &gpt(&parts()))]);
    let lines = places(&report);
    assert_eq!((code, lines.last().map(String::as_str)), (3, Some(missing)));
}

#[test]
fn each_package_database_hidden_fails_its_extractor() {
    for (name, path) in [
        ("alpine", "lib/apk/db/installed"),
        ("debian", "var/lib/dpkg/status"),
        ("rocky", "var/lib/rpm/rpmdb.sqlite"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let image = match name {
            "alpine" => "alpine",
            "debian" => "debian-ext4-gpt",
            _ => "rocky-xfs-lvm-gpt",
        };
        let image = crate::run::fixture(image);
        let copy = |path: &str| {
            let ran = crate::run::snapscan(["cat".as_ref(), image.as_os_str(), path.as_ref()]);
            assert_eq!(ran.code, 0, "{path}");
            let to = root.path().join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, ran.out).unwrap();
        };
        copy("etc/os-release");
        copy(path);
        let tool = match name {
            "alpine" => "apk",
            "debian" => "dpkg",
            _ => "rpm",
        };
        let (code, report) = scan(&[root.path()]);
        assert_eq!(code, 0, "{name}");
        assert!(packages(&report).len() >= 5, "{name}");
        fs::remove_file(root.path().join(path)).unwrap();
        let (code, report) = scan(&[root.path()]);
        let line = format!("extractor {tool}: failed DATABASE_MISSING");
        assert_eq!((code, extractor(&report, tool), packages(&report)), (3, Some(line), vec![]), "{name}");
    }
}
