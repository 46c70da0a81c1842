// SPDX-License-Identifier: Apache-2.0
//! Whole machines: several disks, every kind of table, two halves, a second system, an ostree deployment.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::disk::{ESP, Images, LINUX, fixture, gpt, part, swap_text, vfat};
use crate::run::{self, packages, places, scan};

/// What dpkg knows on the small Debian, by `fixtures/README.md`.
const DEBIAN: [&str; 11] = [
    "apt 2.6.1",
    "base-files 12.4+deb12u5",
    "bash 5.2.15-2+b2",
    "docker.io 20.10.24+dfsg1-1+b3",
    "libc6 2.36-9+deb12u4",
    "libc6 2.36-9+deb12u4",
    "linux-image-6.1.0-18-amd64 6.1.76-1",
    "openssh-server 1:9.2p1-2+deb12u2",
    "tzdata 2024a-0+deb12u1",
    "vim-tiny 2:9.0.1378-2",
    "zlib1g 1:1.2.13.dfsg-1",
];

#[test]
fn two_disks_in_any_order_are_one_machine_and_one_alone_is_not() {
    let (root, var) = (run::fixture("two-disks-root"), run::fixture("two-disks-var"));
    for disks in [[&root, &var], [&var, &root]] {
        let (code, report) = scan(&disks);
        assert_eq!(
            (code, packages(&report)),
            (0, DEBIAN.map(String::from).to_vec()),
            "{:?}",
            places(&report)
        );
    }
    let (code, report) = scan(&[&root]);
    assert_eq!((code, packages(&report)), (3, vec![]));
    assert_eq!(places(&report).last().unwrap(), "mount /var: partial MOUNT_MISSING");
    let (code, report) = scan(&[&var]);
    assert_eq!((code, packages(&report)), (3, vec![]));
}

#[test]
fn every_layout_of_the_small_debian_gives_its_packages() {
    for name in ["debian-ext4-gpt", "mbr-extended", "unpartitioned-ext4"] {
        let (code, report) = scan(&[run::fixture(name)]);
        assert_eq!((code, packages(&report)), (0, DEBIAN.map(String::from).to_vec()), "{name}");
    }
}

#[test]
fn a_partitions_name_and_type_do_not_matter() {
    // The names with which others find nothing, and types of other systems.
    for name in
        ["root", "rootfs", "ROOT", "Linux root", "Linux filesystem", "cloudimg-rootfs", "primary", "p.lxroot"]
    {
        let disk = gpt(&[part(ESP, "EFI", vfat()), part(LINUX, name, fixture("unpartitioned-ext4"))]);
        let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
        assert_eq!((code, packages(&report).len()), (0, 11), "{name}");
    }
    for kind in [
        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
        "01234567-89ab-cdef-0123-456789abcdef",
    ] {
        let disk = gpt(&[part(kind, "", fixture("unpartitioned-ext4"))]);
        let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
        assert_eq!((code, packages(&report).len()), (0, 11), "{kind}");
    }
}

#[test]
fn an_mbr_partition_counts_whether_it_is_active_or_not() {
    let root = fixture("unpartitioned-ext4");
    for active in [0, 0x80] {
        let mut disk = vec![0; (1 << 20) + root.len()];
        disk[1 << 20..].copy_from_slice(&root);
        disk[446..462].copy_from_slice(&crate::disk::mbr_entry(
            0x83,
            2048,
            u32::try_from(root.len() / 512).unwrap(),
        ));
        disk[446] = active;
        disk[440..444].copy_from_slice(b"abcd");
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
        assert_eq!((code, packages(&report).len()), (0, 11), "{:?}", places(&report));
    }
}

#[test]
fn the_half_that_is_read_is_said_where_a_machine_has_two() {
    let disk = gpt(&[
        part(LINUX, "BOTTLEROCKET-ROOT-A", fixture("unpartitioned-ext4")),
        part(LINUX, "BOTTLEROCKET-ROOT-B", fixture("unpartitioned-ext4")),
    ]);
    let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
    assert_eq!((code, packages(&report).len()), (0, 11));
    let other = report.coverage.children[0].children[1].children[0].clone();
    let detail = String::from_utf8_lossy(other.detail.as_bytes()).into_owned();
    assert!(detail.starts_with("disk.img/1/ext4 was taken as the root"), "{detail}");
}

#[test]
fn two_systems_are_never_mixed() {
    let mut other = fixture("alpine");
    swap_text(&mut other, "P:musl\n", "P:evil\n");
    let disk = gpt(&[part(LINUX, "", fixture("unpartitioned-ext4")), part(LINUX, "", other)]);
    let (code, report) = scan(&[Images::new().write("disk.img", &disk)]);
    assert_eq!((code, packages(&report)), (3, DEBIAN.map(String::from).to_vec()));
    assert_eq!(places(&report).last().unwrap(), "filesystem ext4: skipped OTHER_SYSTEM");
}

#[test]
fn of_several_ostree_deployments_the_one_that_boots_is_read() {
    let tool =
        ["/sbin/mkfs.ext4", "/usr/sbin/mkfs.ext4"].into_iter().find(|path| fs::exists(path).unwrap_or(false));
    let Some(tool) = tool else {
        assert!(std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none(), "mkfs.ext4 is not installed");
        eprintln!("skipped: mkfs.ext4 is not there");
        return;
    };
    let tree = tempfile::tempdir().unwrap();
    let at = |path: &str| tree.path().join(path);
    for (deployment, version) in [("aaaa.0", "41"), ("bbbb.0", "42")] {
        let root = format!("ostree/deploy/fedora/deploy/{deployment}");
        fs::create_dir_all(at(&format!("{root}/usr/lib"))).unwrap();
        fs::create_dir_all(at(&format!("{root}/etc"))).unwrap();
        fs::create_dir_all(at(&format!("{root}/var"))).unwrap();
        let release = format!("ID=mine\nVERSION_ID={version}\n");
        fs::write(at(&format!("{root}/usr/lib/os-release")), release).unwrap();
        fs::write(at(&format!("{root}/etc/hostname")), "tree\n").unwrap();
    }
    fs::create_dir_all(at("ostree/deploy/fedora/var/lib/dpkg")).unwrap();
    let status = "Package: one\nStatus: install ok installed\nArchitecture: all\nVersion: 1-1\n\n";
    fs::write(at("ostree/deploy/fedora/var/lib/dpkg/status"), status).unwrap();
    fs::create_dir_all(at("boot/loader.1/entries")).unwrap();
    symlink("loader.1", at("boot/loader")).unwrap();
    let entry = "title Mine\noptions root=UUID=x rw ostree=/ostree/boot.1/fedora/cccc/0\n";
    fs::write(at("boot/loader.1/entries/ostree-1.conf"), entry).unwrap();
    fs::create_dir_all(at("ostree/boot.1.1/fedora/cccc")).unwrap();
    symlink("boot.1.1", at("ostree/boot.1")).unwrap();
    symlink("../../../deploy/fedora/deploy/bbbb.0", at("ostree/boot.1.1/fedora/cccc/0")).unwrap();

    let images = Images::new();
    let image = images.path("disk.img");
    let made =
        Command::new(tool).args(["-q", "-F", "-d"]).arg(tree.path()).arg(&image).arg("16M").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (code, report) = scan(&[&image]);
    let system = report.header.system.as_ref().unwrap();
    assert_eq!(system.version_id.as_ref().unwrap().as_bytes(), b"42");
    assert_eq!(report.header.hostname.as_ref().unwrap().as_bytes(), b"tree");
    assert_eq!(places(&report).last().unwrap(), "filesystem ext4: complete +ROOT_CHOSEN");
    // The system's own /var is bound into the deployment.
    assert_eq!((code, packages(&report)), (0, vec!["one 1-1".to_owned()]));
}
