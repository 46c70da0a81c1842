// SPDX-License-Identifier: Apache-2.0
//! The real data through the whole program: disks by what coverage names, roots as folders by packages and status.
//!
//! `SNAPSCAN_REALDATA` names the unpacked folder; without it nothing is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use snapscan_schema::{Coverage, Level, Status};

use crate::run::{packages, places, realdata, scan, words};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The rows of a table by the names of their columns.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let row = |line: &str| {
        header.iter().map(|&name| name.to_owned()).zip(line.split('\t').map(str::to_owned)).collect()
    };
    lines.map(row).collect()
}

#[test]
fn partition_tables_are_named_with_their_places_and_nothing_beyond_the_end_is_complete() {
    let Some(folder) = realdata() else { return };
    for name in ["dissect-gpt", "dissect-gpt-4k", "dissect-gpt-hybrid"] {
        let case = folder.join("images").join(name);
        let sector = json(&case.join("case.json"))["sector_size"].as_u64().unwrap();
        let (code, report) = scan(&[case.join("image.img")]);
        assert_eq!(code, 1, "{name}: {:?}", places(&report));
        let volume = report.coverage.children.iter().find(|line| line.level == Level::Volume).unwrap();
        let rows = table(&case.join("expected.tsv"));
        assert_eq!(volume.children.len(), rows.len(), "{name}");
        for (line, row) in volume.children.iter().zip(&rows) {
            let number = |key: &str| row[key].parse::<u64>().unwrap();
            let (first, last) = (number("first_lba"), number("last_lba"));
            let detail = format!(
                "{} bytes from {}, type {}",
                (last - first + 1) * sector,
                first * sector,
                row["type"]
            );
            let said = String::from_utf8_lossy(line.detail.as_bytes());
            assert!(said.starts_with(&detail), "{name}: {said} is not {detail}");
            assert!(row["name"].is_empty() || said.contains(&format!("name {:?}", row["name"])), "{said}");
            // The second partition of the hybrid one has bytes within the image: zeros.
            assert_eq!(words(line), format!("partition {}: failed", row["index"]), "{name}");
            assert_eq!(words(&line.children[0]), "filesystem : failed IMAGE_TRUNCATED", "{name}");
        }
    }
}

#[test]
fn volume_groups_are_named_with_their_volumes() {
    let Some(folder) = realdata() else { return };
    let image = |name: &str| folder.join("images").join(name).join("image.img");
    let mirror = "filesystem : skipped UNSUPPORTED_LVM";
    for (targets, case, last) in [
        (vec![image("dissect-lvm")], "dissect-lvm", "filesystem : skipped UNKNOWN_CONTENT"),
        (vec![image("dissect-lvm-mirror-1")], "dissect-lvm-mirror-1", mirror),
        (vec![image("dissect-lvm-mirror-1"), image("dissect-lvm-mirror-2")], "dissect-lvm-mirror-1", mirror),
    ] {
        let (code, report) = scan(&targets);
        let lines = places(&report);
        assert_eq!((code, lines.last().map(String::as_str)), (1, Some(last)), "{case}");
        for row in table(&folder.join("images").join(case).join("expected.tsv")) {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("group {}: ", row["vg"]))),
                "{lines:?}"
            );
            // The images of a mirror are parts of it and have no line of their own.
            let part = row["lv"].contains("_mimage_");
            let named = lines.iter().any(|line| line.starts_with(&format!("logical {}: ", row["lv"])));
            assert!(part || named, "{case}: {} is not in {lines:?}", row["lv"]);
        }
    }
}

#[test]
fn each_image_of_blkids_tests_is_named_and_none_ends_in_success() {
    let Some(folder) = realdata() else { return };
    let folder = folder.join("images/blkid");
    let expected = json(&folder.join("expected.json"));
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 99);
    let (mut named, mut opened) = (0, 0);
    for (name, case) in expected {
        let (code, report) = scan(&[folder.join("images").join(format!("{name}.img"))]);
        assert!(code == 1 || code == 3, "{name}: {code}");
        let lines = report.coverage.lines();
        let filesystems: Vec<&&Coverage> =
            lines.iter().filter(|line| line.level == Level::Filesystem).collect();
        for line in &filesystems {
            // Only what our readers opened, and a physical volume that its group accounts for, may be complete.
            let kind = String::from_utf8_lossy(line.name.as_bytes()).into_owned();
            let readable = ["ext2", "ext3", "ext4", "xfs", "LVM2_member"].contains(&kind.as_str());
            assert!(readable || line.status > Status::Partial || kind.is_empty(), "{name}: {}", words(line));
            opened += usize::from(readable && line.status == Status::Complete);
        }
        let Some(kind) = case["probe"].get("ID_FS_TYPE").and_then(Value::as_str) else { continue };
        let is = |line: &&&Coverage| line.name.as_bytes() == kind.as_bytes();
        assert!(filesystems.iter().any(is), "{name}: {kind} is not in {:?}", places(&report));
        named += 1;
    }
    eprintln!("{named} named, {opened} of them read");
    assert!(named >= 93, "{named}");
}

/// Cases of a kind, with what is expected of their coverage.
fn cases(folder: &Path, kind: &str) -> Vec<(PathBuf, String)> {
    let mut all: Vec<_> = fs::read_dir(folder.join(kind)).unwrap().map(|case| case.unwrap().path()).collect();
    all.sort();
    let expect = |case: &Path| json(&case.join("case.json"))["expect"].as_str().unwrap().to_owned();
    all.into_iter()
        .filter(|case| case.join("root").exists())
        .map(|case| (case.clone(), expect(&case)))
        .collect()
}

/// A package as [`packages`] writes it.
fn shown(row: &BTreeMap<String, String>) -> String {
    let epoch = Some(&row["epoch"]).filter(|epoch| !epoch.is_empty() && *epoch != "0");
    let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let release = Some(&row["release"]).filter(|release| !release.is_empty());
    let release = release.map(|release| format!("-{release}")).unwrap_or_default();
    format!("{} {epoch}{}{release}", row["name"], row["version"])
}

#[test]
fn every_package_database_gives_its_list_and_its_status() {
    let Some(folder) = realdata() else { return };
    let mut compared = 0;
    for kind in ["apk", "bottlerocket", "cos", "dpkg", "flatpak", "opkg", "pacman", "portage", "rpm", "snap"]
    {
        for (case, expect) in cases(&folder, kind) {
            let (code, report) = scan(&[case.join("root")]);
            let lines = report.coverage.lines();
            let line = lines
                .iter()
                .find(|line| line.level == Level::Extractor && line.name.as_bytes() == kind.as_bytes());
            let line = line.unwrap_or_else(|| panic!("{}: no line of {kind}", case.display()));
            let right = match expect.as_str() {
                "complete" => line.status == Status::Complete,
                "complete-or-partial" => line.status <= Status::Partial,
                "failed" => line.status == Status::Failed && code == 3,
                _ => line.status > Status::Complete && code == 3,
            };
            assert!(right, "{}: {} is not {expect}, exit code {code}", case.display(), words(line));
            let mut found = packages(&report);
            found.sort();
            // Removed packages are no findings, and the keys of an rpm database are no packages.
            let rows = table(&case.join("expected.tsv"));
            let listed = |row: &&BTreeMap<String, String>| {
                row["name"] != "gpg-pubkey"
                    && !row["status"].ends_with("config-files")
                    && !row["status"].ends_with("not-installed")
            };
            // Of ill-formed input only what has a state that is on disk must be there.
            let on_disk =
                ["installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"];
            let stated = |row: &&BTreeMap<String, String>| {
                let state = row["status"].rsplit(' ').next().unwrap_or_default();
                expect == "complete" || !["dpkg", "opkg"].contains(&kind) || on_disk.contains(&state)
            };
            let mut wanted: Vec<String> = rows.iter().filter(listed).filter(stated).map(shown).collect();
            wanted.sort();
            match expect.as_str() {
                "complete" => assert_eq!(found, wanted, "{}", case.display()),
                "complete-or-partial" => {
                    // deb-version(7) knows letters, digits and `.+-~:`; other ecosystems add `_`.
                    let plain = |c: char| c.is_ascii_alphanumeric() || ".+-~:_".contains(c);
                    let whole = |row: &&String| {
                        row.split_once(' ').is_some_and(|(name, version)| {
                            !name.is_empty() && !version.is_empty() && version.chars().all(plain)
                        })
                    };
                    let lost: Vec<_> =
                        wanted.iter().filter(whole).filter(|row| !found.contains(row)).collect();
                    assert!(lost.is_empty(), "{}: {lost:?}", case.display());
                }
                _ if case.join("upper.tsv").exists() => {
                    let upper: Vec<String> = table(&case.join("upper.tsv")).iter().map(shown).collect();
                    let invented: Vec<_> = found.iter().filter(|row| !upper.contains(row)).collect();
                    assert!(invented.is_empty(), "{}: {invented:?}", case.display());
                }
                _ => assert!(found.is_empty(), "{}: {found:?}", case.display()),
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 56);
}

#[test]
fn configuration_is_read_whole() {
    let Some(folder) = realdata() else { return };
    for (case, expect) in cases(&folder, "config") {
        assert_eq!(expect, "complete");
        let (_, report) = scan(&[case.join("root")]);
        for name in ["sshd", "accounts", "units", "mounts", "sudoers", "sysctl", "cron"] {
            let line = crate::run::extractor(&report, name).unwrap();
            assert!(line.starts_with(&format!("extractor {name}: complete")), "{}: {line}", case.display());
        }
    }
}
