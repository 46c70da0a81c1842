// SPDX-License-Identifier: Apache-2.0
//! `scan`: the same machine gives the same report, whoever asks and however.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::disk::{Images, fixture};
use crate::run::{self, command, ran, snapscan};

const NAMES: [&str; 4] = ["debian-ext4-gpt", "rocky-xfs-lvm-gpt", "mbr-extended", "alpine"];

fn json(arguments: &[&str]) -> Value {
    let ran = snapscan(["scan", "--json"].iter().chain(arguments));
    serde_json::from_slice(&ran.out).unwrap()
}

/// A report without what differs from run to run.
fn without_run(mut report: Value) -> Value {
    report["header"]["run"] = Value::Null;
    report
}

#[test]
fn a_report_is_the_same_with_any_number_of_threads() {
    for name in NAMES {
        let image = run::fixture(name);
        let image = image.to_str().unwrap();
        for profile in ["os", "full"] {
            let with = |threads| without_run(json(&["--profile", profile, "--threads", threads, image]));
            assert_eq!(with("1"), with("8"), "{name} {profile}");
        }
    }
}

#[test]
fn only_the_run_differs_between_two_runs() {
    let image = run::fixture("debian-ext4-gpt");
    let image = image.to_str().unwrap();
    let (first, second) = (json(&["--at", "2020-01-01T00:00:00Z", image]), json(&["--threads", "3", image]));
    assert_ne!(first["header"]["run"], second["header"]["run"]);
    assert_eq!(first["header"]["run"]["started"], "2020-01-01T00:00:00Z");
    assert_eq!(without_run(first), without_run(second));
}

#[test]
fn a_packed_image_and_the_raw_one_give_the_same_report() {
    for name in NAMES {
        let images = Images::new();
        // The name of the volume is part of the report, so both are called alike.
        let raw = images.write("disk.img", &fixture(name));
        let raw = without_run(json(&[raw.to_str().unwrap()]));
        let packed = images.path("disk.img");
        fs::copy(run::fixture(name), &packed).unwrap();
        assert_eq!(without_run(json(&[packed.to_str().unwrap()])), raw, "{name}");
    }
}

#[test]
fn a_loop_device_gives_what_its_image_gives() {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
        eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set");
        return;
    }
    let images = Images::new();
    let image = images.write("disk.img", &fixture("debian-ext4-gpt"));
    let made =
        std::process::Command::new("losetup").args(["-f", "--show", "-r"]).arg(&image).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let device = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let ran = snapscan(["scan", "--json", &device]);
    let freed = std::process::Command::new("losetup").args(["-d", &device]).status().unwrap();
    assert!(freed.success());
    let of_device: Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(ran.code, 0);
    let of_image = json(&[image.to_str().unwrap()]);
    let count = |report: &Value| report["findings"].as_array().unwrap().len();
    assert!(count(&of_device) >= 11 && count(&of_device) == count(&of_image));
    assert_eq!(of_device["header"]["system"]["id"], of_image["header"]["system"]["id"]);
    let lines = |report: &Value| report["coverage"]["children"][0]["children"].clone();
    assert_eq!(lines(&of_device), lines(&of_image));
}

#[test]
fn json_is_short_for_its_format_and_goes_where_it_shall() {
    let image = run::fixture("alpine");
    let image = image.to_str().unwrap();
    let images = Images::new();
    let file = images.path("report.json");
    let ran = snapscan(["scan", "--format", "json", "-o", file.to_str().unwrap(), image]);
    assert_eq!((ran.code, ran.out.len(), ran.err.as_str()), (0, 0, ""));
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(without_run(written), without_run(json(&[image])));
    assert_eq!(without_run(json(&["-o", "-", image])), without_run(json(&[image])));
    assert_eq!(snapscan(["scan", "--json", "--format", "table", image]).code, 2);
}

#[test]
fn the_table_has_the_system_the_packages_and_the_coverage() {
    let ran = snapscan(["scan".as_ref(), run::fixture("debian-ext4-gpt").as_os_str()]);
    let text = ran.text();
    for part in [
        "debian-ext4-gpt.img.zst: Debian GNU/Linux 12",
        "11 deb packages",
        "openssh-server",
        "1:9.2p1-2+deb12u2",
        "coverage: complete",
        "filesystem vfat: not read BOOT_FILES",
        "11 packages, ",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains('\x1b') && ran.err.is_empty(), "{}", ran.err);
    // What was removed is no package.
    assert!(!text.contains("nano"), "{text}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let image = run::fixture("debian-ext4-gpt");
    let image = image.to_str().unwrap();
    for arguments in [
        vec!["scan", image],
        vec!["scan", "--json", image],
        vec!["ls", "-R", image],
        vec!["ls", "-R", "--digest", "--format", "tsv", image],
        vec!["cat", image, "/var/lib/dpkg/status"],
        vec!["explain"],
    ] {
        let mut child =
            command().args(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn each_reason_code_is_explained_and_listed() {
    let list = snapscan(["explain"]);
    assert_eq!(list.text().lines().count(), snapscan_schema::Reason::ALL.len());
    for reason in snapscan_schema::Reason::ALL {
        let row = reason.explain();
        assert!(list.text().contains(row.code), "{}", row.code);
        let one = ran(command().args(["explain", &row.code.to_lowercase()]));
        let text = one.text();
        let whole = one.code == 0 && text.starts_with(row.code) && text.contains(row.meaning);
        assert!(whole && text.contains(&format!("What to do: {}", row.remedy)), "{text}");
    }
}
