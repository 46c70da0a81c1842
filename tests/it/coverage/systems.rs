// SPDX-License-Identifier: Apache-2.0
//! Systems, tables and package databases: which counts, which is missing, which was not reached whole.

use std::fs;
use std::path::Path;

use crate::disk::{self, Images, LINUX, MIB, fixture, gpt, mbr_entry, part};
use crate::run::{self, extractor, packages, places, scan};

#[test]
fn a_second_systems_root_matters_and_the_other_half_of_a_pair_does_not() {
    for (names, code, line) in [
        (["", ""], 3, "filesystem ext4: skipped OTHER_SYSTEM"),
        (["ROOT-A", "ROOT-B"], 0, "filesystem ext4: skipped OTHER_SYSTEM neutral"),
    ] {
        let mut other = fixture("unpartitioned-ext4");
        disk::swap_text(&mut other, "VERSION_ID=\"12\"", "VERSION_ID=\"11\"");
        let disk = gpt(&[part(LINUX, names[0], fixture("unpartitioned-ext4")), part(LINUX, names[1], other)]);
        let (exit, report) = scan(&[Images::new().write("disk.img", &disk)]);
        assert_eq!((exit, places(&report).last().map(String::as_str)), (code, Some(line)), "{names:?}");
        let version = report.header.system.as_ref().unwrap().version_id.as_ref().unwrap();
        assert_eq!((version.as_bytes(), packages(&report).len()), (b"12".as_slice(), 11));
    }
}

#[test]
fn an_extractor_outside_the_profile_is_left_out_by_choice() {
    let image = run::fixture("alpine");
    let (code, report) = scan(&[&image]);
    let line = "extractor modes: skipped BY_CHOICE neutral";
    assert_eq!((code, extractor(&report, "modes").as_deref()), (0, Some(line)));
    let (code, report) = run::scan_with(&[&image], &["--profile", "full"]);
    let modes = extractor(&report, "modes").unwrap();
    assert!(modes.starts_with("extractor modes: complete"), "{modes}");
    assert_eq!(code, 0);
}

/// A disk with a GPT and the small Debian root.
fn debian() -> Vec<u8> {
    gpt(&[part(LINUX, "", fixture("unpartitioned-ext4"))])
}

#[test]
fn the_copy_of_a_damaged_gpt_is_used_with_a_note() {
    let mut image = debian();
    image[512..1024].fill(0);
    let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
    assert_eq!(places(&report)[0], "volume disk.img: complete +BACKUP_GPT_USED");
    assert_eq!((code, packages(&report).len()), (0, 11));
}

#[test]
fn a_hybrid_table_is_noted() {
    let mut image = debian();
    let sectors = u32::try_from(24 * MIB / 512).unwrap();
    image[462..478].copy_from_slice(&mbr_entry(0x83, 2048, sectors));
    let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
    assert_eq!(places(&report)[0], "volume disk.img: complete +HYBRID_TABLE");
    assert_eq!((code, packages(&report).len()), (0, 11));
}

#[test]
fn two_live_tables_that_contradict_each_other_are_ambiguous() {
    let mut image = debian();
    image[462..478].copy_from_slice(&mbr_entry(0x83, 4096, 2048));
    let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
    assert_eq!(places(&report)[0], "volume disk.img: partial AMBIGUOUS");
    assert_eq!((code, packages(&report).len()), (3, 11));
}

#[test]
fn a_disk_without_an_operating_system_says_so() {
    let (code, report) = scan(&[run::fixture("two-disks-var")]);
    let line = "extractor system: failed NO_OPERATING_SYSTEM";
    assert_eq!((code, extractor(&report, "system").as_deref()), (3, Some(line)));
    assert!(report.findings.is_empty());
}

/// A folder with an os-release of an id and further files.
fn folder(at: &Path, id: &str, files: &[(&str, &[u8])]) {
    let release = format!("ID={id}\nVERSION_ID=1\nPRETTY_NAME=\"A system\"\n");
    for (path, content) in std::iter::once(&("etc/os-release", release.as_bytes())).chain(files) {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Scans a folder made by [`folder`]: the exit code, the line of an extractor, the packages.
fn scan_folder(id: &str, files: &[(&str, &[u8])], name: &str) -> (i32, String, Vec<String>) {
    let at = tempfile::tempdir().unwrap();
    folder(at.path(), id, files);
    let (code, report) = scan(&[at.path()]);
    let line = extractor(&report, name).unwrap_or_default();
    (code, line, packages(&report))
}

const STATUS: &str = "Package: one\nStatus: install ok installed\nArchitecture: all\nVersion: 1-1\n\n\
                      Package: two\nStatus: install ok installed\nArchitecture: all\nVersion: 2-1\n\n";

#[test]
fn the_distributions_own_database_missing_is_a_failure() {
    for (id, tool) in [
        ("debian", "dpkg"),
        ("fedora", "rpm"),
        ("alpine", "apk"),
        ("arch", "pacman"),
        ("mine\nID_LIKE=\"other ubuntu debian\"", "dpkg"),
    ] {
        let line = format!("extractor {tool}: failed DATABASE_MISSING");
        assert_eq!(scan_folder(id, &[], tool), (3, line, vec![]), "{id}");
    }
}

#[test]
fn a_foreign_tool_without_a_database_is_a_note() {
    // An rpm that was installed on Debian to unpack files leaves its configuration.
    let files: [(&str, &[u8]); 2] =
        [("var/lib/dpkg/status", STATUS.as_bytes()), ("var/lib/rpm/.rpm.lock", b"")];
    let (code, line, packages) = scan_folder("debian", &files, "rpm");
    assert!(line.starts_with("extractor rpm: complete +"), "{line}");
    assert_eq!((code, packages), (0, vec!["one 1-1".to_owned(), "two 2-1".to_owned()]));
}

#[test]
fn a_database_that_ends_in_the_middle_is_partial_with_what_is_there() {
    let torn = &STATUS.as_bytes()[..STATUS.len() - 20];
    let (code, line, packages) = scan_folder("debian", &[("var/lib/dpkg/status", torn)], "dpkg");
    assert_eq!(packages[0], "one 1-1");
    assert!(line.starts_with("extractor dpkg: partial"), "{line}");
    assert_eq!(code, 3);
}

#[test]
fn a_database_of_no_bytes_is_not_an_empty_database() {
    let (code, line, packages) = scan_folder("debian", &[("var/lib/dpkg/status", b"")], "dpkg");
    assert!(line.starts_with("extractor dpkg: failed"), "{line}");
    assert_eq!((code, packages), (3, vec![]));
}

#[test]
fn a_leaf_that_an_rpm_database_promises_and_does_not_have_makes_it_incomplete() {
    // The leaf that holds the first package is destroyed; the header of a table leaf begins with 13.
    let mut image = fixture("rocky-xfs-lvm-gpt");
    let start = disk::places_of(&image, b"SQLite format 3\0")[0];
    let page = usize::from(u16::from_be_bytes([image[start + 16], image[start + 17]]));
    let pages = u32::from_be_bytes(image[start + 28..start + 32].try_into().unwrap()) as usize;
    let leaves: Vec<usize> = (1..pages).map(|n| start + n * page).filter(|at| image[*at] == 13).collect();
    let mut incomplete = 0;
    for leaf in leaves {
        let kept = std::mem::replace(&mut image[leaf], 0xff);
        let (code, report) = scan(&[Images::new().write("disk.img", &image)]);
        image[leaf] = kept;
        let line = extractor(&report, "rpm").unwrap();
        if line.starts_with("extractor rpm: complete") {
            // A leaf of an index, which is not read.
            assert_eq!((code, packages(&report).len()), (0, 5), "{line}");
        } else {
            assert!(code == 3 && packages(&report).len() <= 5, "{line} {:?}", packages(&report));
            incomplete += usize::from(line.starts_with("extractor rpm: partial DATABASE_INCOMPLETE"));
        }
    }
    assert!(incomplete > 0, "no leaf holds packages");
}
