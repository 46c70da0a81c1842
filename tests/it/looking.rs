// SPDX-License-Identifier: Apache-2.0
//! `ls` and `cat`: names and content, against lists that other tools wrote.

use std::fs;
use std::path::Path;

use crate::disk::{Images, LINUX, fixture, gpt, part};
use crate::run::{self, realdata, snapscan};

const HEADER: &str = "path\ttype\tmode\tuid\tgid\tsize\tmtime\tsha256\ttarget";

/// The rows of a listing without its header, each in its columns.
fn rows(arguments: &[&str]) -> Vec<Vec<String>> {
    let ran = snapscan(["ls", "--format", "tsv"].iter().chain(arguments));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
    let mut lines = ran.text().lines();
    assert_eq!(lines.next(), Some(HEADER));
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Compares the listing of an image with a table of path, type, mode, uid, gid, size, sha256, target.
fn compare(image: &Path, expected: &str) {
    let mut lines = expected.lines();
    assert_eq!(lines.next(), Some("path\ttype\tmode\tuid\tgid\tsize\tsha256\ttarget"));
    let mut wanted: Vec<&str> = lines.collect();
    wanted.sort_unstable();
    let unreadable = wanted.iter().any(|line| line.contains("\tunreadable\t"));
    let arguments = ["ls", "-R", "--digest", "--format", "tsv", image.to_str().unwrap()];
    let ran = snapscan(arguments);
    assert_eq!(ran.code, if unreadable { 3 } else { 0 }, "{}: {}", image.display(), ran.err);
    let without_time = |line: &str| {
        let mut cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 9, "{line}");
        cells.remove(6);
        cells.join("\t")
    };
    let mut found: Vec<String> = ran.text().lines().skip(1).map(without_time).collect();
    found.sort_unstable();
    let missing: Vec<_> =
        wanted.iter().filter(|line| found.binary_search_by(|f| f.as_str().cmp(line)).is_err()).collect();
    let strange: Vec<_> = found.iter().filter(|line| wanted.binary_search(&line.as_str()).is_err()).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "{}: missing {:#?}, strange {:#?}",
        image.display(),
        &missing[..missing.len().min(5)],
        &strange[..strange.len().min(5)]
    );
    eprintln!("{}: {} entries", image.display(), wanted.len());
}

#[test]
fn filesystems_of_others_are_listed_as_the_kernel_shows_them() {
    let Some(folder) = realdata() else { return };
    let mut compared = 0;
    for case in fs::read_dir(folder.join("images")).unwrap() {
        let case = case.unwrap().path();
        let Ok(expected) = fs::read_to_string(case.join("expected.tsv")) else { continue };
        if expected.starts_with("path\t") {
            compare(&case.join("image.img"), &expected);
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

#[test]
fn the_columns_are_those_of_the_documentation() {
    let image = run::fixture("unpartitioned-ext4");
    let image = image.to_str().unwrap();
    let all = rows(&["-R", "--digest", image]);
    let row =
        |path: &str| all.iter().find(|row| row[0] == path).unwrap_or_else(|| panic!("{path}")).join("\t");
    // What the recipe wrote: modes, times and links are its own; the digest is sha256sum's of "root:x:0:0:..." below.
    assert!(row("etc/shadow").starts_with("etc/shadow\tf\t640\t0\t0\t71\t2024-03-01T00:00:00.000000000Z\t"));
    assert!(row("root").starts_with("root\td\t700\t") || row("root").starts_with("root\td\t755\t"));
    assert_eq!(row("etc").split('\t').nth(5), Some(""), "folders have no size");
    assert_eq!(row("etc").split('\t').nth(7), Some(""), "folders have no digest");
    let link: Vec<String> = row("etc/os-release").split('\t').map(str::to_owned).collect();
    assert_eq!([link[1].as_str(), &link[2], &link[7], &link[8]], ["l", "777", "", "../usr/lib/os-release"]);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(
        row("var/log/dpkg.log").split('\t').nth(7),
        Some(empty),
        "the digest of no bytes (FIPS 180-4)"
    );
    assert!(
        all.iter().all(|row| !row[0].starts_with('/') && !row[0].is_empty()),
        "the root itself is not listed"
    );
    assert!(rows(&["-R", image]).iter().all(|row| row[7].is_empty()), "no digest unless asked for");
    let mut sorted = all.clone();
    sorted.sort_by(|one, other| one[0].split('/').cmp(other[0].split('/')));
    assert_eq!(all, sorted, "sorted by name within each folder");
}

#[test]
fn one_folder_is_listed_without_those_in_it() {
    let image = run::fixture("debian-ext4-gpt");
    let image = image.to_str().unwrap();
    let names = |path: &str| rows(&[image, path]).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(names("/etc/ssh"), ["etc/ssh/sshd_config", "etc/ssh/sshd_config.d"]);
    assert_eq!(names("etc/ssh/"), names("/etc/ssh"));
    assert_eq!(names("/etc/hostname"), ["etc/hostname"]);
    // A link to a folder is looked through.
    assert_eq!(names("/lib"), names("/usr/lib").into_iter().collect::<Vec<_>>());
    let table = snapscan(["ls", image, "/etc/ssh"]);
    assert_eq!(table.text(), "sshd_config\nsshd_config.d\n");
}

#[test]
fn cat_writes_the_bytes_and_follows_links_inside_the_machine() {
    let image = run::fixture("unpartitioned-ext4");
    let image = image.to_str().unwrap();
    let release = snapscan(["cat", image, "/etc/os-release"]);
    assert!(release.text().contains("VERSION_ID=\"12\""), "{}", release.text());
    assert_eq!(snapscan(["cat", image, "/usr/lib/os-release"]).out, release.out);
    let answer = snapscan(["cat", image, "/bin/answer"]);
    assert_eq!((&answer.out[..4], answer.out.len()), (b"\x7fELF".as_slice(), 132));
}

#[test]
fn two_disks_are_one_machine_and_volume_names_one_filesystem() {
    let (root, var) = (run::fixture("two-disks-root"), run::fixture("two-disks-var"));
    let (root, var) = (root.to_str().unwrap(), var.to_str().unwrap());
    let status = |arguments: &[&str]| snapscan(["cat"].iter().chain(arguments)).out;
    let whole = status(&[root, "--with", var, "/var/lib/dpkg/status"]);
    assert!(whole.starts_with(b"Package: "));
    assert_eq!(
        status(&[root, "--with", var, "--volume", "two-disks-var.img.zst", "/lib/dpkg/status"]),
        whole
    );
    assert_eq!(snapscan(["cat", root, "/var/lib/dpkg/status"]).code, 1);

    let rocky = run::fixture("rocky-xfs-lvm-gpt");
    let rocky = rocky.to_str().unwrap();
    assert_eq!(rows(&["-R", rocky, "--volume", "rl/root"]), rows(&["-R", rocky]));
}

#[test]
fn a_volume_is_called_by_its_place_in_coverage() {
    let disk =
        gpt(&[part(LINUX, "", fixture("unpartitioned-ext4")), part(LINUX, "", fixture("two-disks-var"))]);
    let images = Images::new();
    let image = images.write("disk.img", &disk);
    let image = image.to_str().unwrap();
    for place in ["disk.img/2", "disk.img/2/ext4"] {
        let names: Vec<String> =
            rows(&[image, "--volume", place]).into_iter().map(|row| row[0].clone()).collect();
        assert!(
            names.contains(&"lib".to_owned()) && !names.contains(&"etc".to_owned()),
            "{place}: {names:?}"
        );
    }
}

#[test]
fn the_journal_is_replayed_for_ls_as_for_scan() {
    // The list is that of fixtures/README.md.
    for name in ["dirty-ext4", "dirty-xfs"] {
        let image = run::fixture(name);
        let image = image.to_str().unwrap();
        let names =
            |path: &str| rows(&[image, path]).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
        assert_eq!(names("/old"), ["old/f10", "old/f4", "old/f6", "old/f8"], "{name}");
        let mut new: Vec<String> = (1..=20).map(|n| format!("new/g{n}")).collect();
        new.push("new/moved".to_owned());
        new.sort();
        let found: Vec<String> = names("/new").into_iter().filter(|name| new.contains(name)).collect();
        assert_eq!((found, names("/new").len()), (new, 22), "{name}");
        let content = |path: &str| String::from_utf8(snapscan(["cat", image, path]).out).unwrap();
        assert_eq!(content("/old/f4").trim_end(), "replaced, and longer than before", "{name}");
        assert_eq!(content("/new/g7").trim_end(), "second 7", "{name}");
        assert_eq!(content("/new/moved").trim_end(), "first 2", "{name}");
    }
}
