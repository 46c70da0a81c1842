// SPDX-License-Identifier: Apache-2.0
//! What lies in a partition and is no filesystem that is read.

use crate::disk::{
    BIOS_BOOT, ESP, Images, LINUX, MIB, fixture, gpt, part, root_with_fstab, sparse, swap, vfat,
};
use crate::run::{places, scan, words};

/// Scans a disk with the small Debian root in partition 1 and `content` in partition 2: the exit code, and the line of
/// what lies in partition 2.
fn beside_root(kind: &'static str, content: Vec<u8>) -> (i32, String) {
    let images = Images::new();
    let root = part(LINUX, "", fixture("unpartitioned-ext4"));
    let (code, report) = scan(&[images.write("disk.img", &gpt(&[root, part(kind, "", content)]))]);
    let volume = &report.coverage.children[0];
    let second = &volume.children[1];
    assert_eq!(second.children.len(), 1, "{second:#?}");
    // A partition is complete if nothing that matters is unread in it.
    let matters = code != 0;
    assert_eq!(words(second), format!("partition 2: {}", if matters { "failed" } else { "complete" }));
    (code, words(&second.children[0]))
}

#[test]
fn boot_code_without_a_known_magic_is_neutral_by_the_partitions_type() {
    let code = sparse(MIB, &[(0, b"\xeb\x63\x90core image of the boot loader")]);
    for kind in [BIOS_BOOT, "9e1a2d38-c612-4316-aa26-8b49521e5a8b", "e3c9e316-0b5c-4db8-817d-f92df00215ae"] {
        assert_eq!(
            beside_root(kind, code.clone()),
            (0, "filesystem : skipped BY_KIND neutral".into()),
            "{kind}"
        );
    }
}

#[test]
fn content_decides_before_the_type_of_a_bios_boot_partition() {
    let luks = sparse(MIB, &[(0, b"LUKS\xba\xbe\0\x02")]);
    let line = "filesystem crypto_LUKS: skipped UNSUPPORTED_LUKS";
    assert_eq!(beside_root(BIOS_BOOT, luks), (3, line.into()));
}

#[test]
fn swap_is_neutral_by_kind() {
    assert_eq!(beside_root(LINUX, swap()), (0, "filesystem swap: skipped BY_KIND neutral".into()));
}

#[test]
fn a_partition_of_zeros_is_blank_and_neutral() {
    assert_eq!(beside_root(LINUX, vec![0; 4 * MIB]), (0, "filesystem : skipped BLANK neutral".into()));
}

#[test]
fn bytes_without_a_known_magic_matter() {
    // In the first MiB, and in the last 64 KiB of a longer partition.
    for at in [100, 4 * MIB - 65_536] {
        let content = sparse(4 * MIB, &[(at, b"something that somebody wrote")]);
        assert_eq!(beside_root(LINUX, content), (3, "filesystem : skipped UNKNOWN_CONTENT".into()), "{at}");
    }
}

#[test]
fn a_fat_that_is_no_boot_partition_matters_and_an_esp_does_not() {
    assert_eq!(beside_root(LINUX, vfat()), (3, "filesystem vfat: skipped UNSUPPORTED_VFAT".into()));
    assert_eq!(beside_root(ESP, vfat()), (0, "filesystem vfat: skipped BOOT_FILES neutral".into()));
}

#[test]
fn a_fat_that_fstab_mounts_for_the_firmware_is_a_boot_partition() {
    for (at, code, line) in [
        ("/boot/efi", 0, "filesystem vfat: skipped BOOT_FILES neutral"),
        ("/efi", 0, "filesystem vfat: skipped BOOT_FILES neutral"),
        ("/srv", 3, "filesystem vfat: skipped UNSUPPORTED_VFAT"),
    ] {
        let root = root_with_fstab(&format!("/dev/sda1 / ext4 rw 0 1\nUUID=8F3A-2B1C {at} vfat rw 0 2\n"));
        let images = Images::new();
        let disk = gpt(&[part(LINUX, "", root), part(LINUX, "", vfat())]);
        let (exit, report) = scan(&[images.write("disk.img", &disk)]);
        assert_eq!((exit, places(&report).last().map(String::as_str)), (code, Some(line)), "{at}");
    }
}

#[test]
fn each_container_that_is_not_read_matters_under_its_own_code() {
    let ntfs = [b"\xeb\x52\x90NTFS    \0\x02\x08\0\0\0\0\0\0\0\xf8".as_slice()].concat();
    let mut zfs = vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x24, 0, 0, 0, 0x20, 0, 0, 0, 7];
    zfs.extend_from_slice(b"version\0");
    let md_12 = [0xa92b_4efc_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    let md_place = 8_u64.to_le_bytes();
    let bcache = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81".as_slice();
    let rows: [(&str, &str, Vec<u8>); 8] = [
        ("crypto_LUKS", "UNSUPPORTED_LUKS", sparse(2 * MIB, &[(0, b"LUKS\xba\xbe\0\x02")])),
        ("btrfs", "UNSUPPORTED_BTRFS", sparse(2 * MIB, &[(0x10040, b"_BHRfS_M")])),
        ("ntfs", "UNSUPPORTED_NTFS", sparse(2 * MIB, &[(0, &ntfs), (510, &[0x55, 0xaa])])),
        ("zfs_member", "UNSUPPORTED_ZFS", sparse(2 * MIB, &[(0x4000, &zfs)])),
        ("linux_raid_member", "UNSUPPORTED_MD", sparse(2 * MIB, &[(4096, &md_12), (4096 + 144, &md_place)])),
        ("bcache", "UNSUPPORTED_BCACHE", sparse(2 * MIB, &[(4120, bcache)])),
        ("vdo", "UNSUPPORTED_VDO", sparse(2 * MIB, &[(0, b"dmvdo001")])),
        ("squashfs", "UNSUPPORTED_FILESYSTEM", sparse(2 * MIB, &[(0, b"hsqs"), (28, &[4, 0])])),
    ];
    for (name, code, content) in rows {
        assert_eq!(beside_root(LINUX, content), (3, format!("filesystem {name}: skipped {code}")));
    }
}
