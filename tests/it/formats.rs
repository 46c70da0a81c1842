// SPDX-License-Identifier: Apache-2.0
//! The forms that other programs read: each against its official schema or its readers' own check.
//!
//! `SNAPSCAN_ORACLES` names the folder that `.ci/oracles` makes; without it the foreign readers are not asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::disk::{Images, fixture, places_of};
use crate::run::{self, realdata, snapscan};

const NAMES: [&str; 5] = ["debian-ext4-gpt", "rocky-xfs-lvm-gpt", "alpine", "two-disks-var", "truncated"];

/// The folder of the foreign readers.
fn oracles() -> Option<PathBuf> {
    let folder = std::env::var_os("SNAPSCAN_ORACLES").map(|folder| PathBuf::from(folder).join("bin"));
    if folder.is_none() {
        eprintln!("skipped: SNAPSCAN_ORACLES is not set");
    }
    folder
}

/// Writes a target's SBOM to a file.
fn sbom(images: &Images, target: &Path, format: &str, name: &str) -> PathBuf {
    let file = images.path(&format!("{name}.{format}.json"));
    let at = "2026-11-21T13:30:00Z";
    let ran = snapscan([
        "scan".as_ref(),
        "--format".as_ref(),
        format.as_ref(),
        "--at".as_ref(),
        at.as_ref(),
        "-o".as_ref(),
        file.as_os_str(),
        target.as_os_str(),
    ]);
    assert!(ran.code == 0 || ran.code == 3, "{}", ran.err);
    file
}

fn check(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// The small Alpine with a licence, a name and a version that are no UTF-8, or not there.
fn odd(images: &Images) -> PathBuf {
    let mut image = fixture("alpine");
    let name = places_of(&image, b"P:zlib\n")[0];
    image[name + 2..name + 4].copy_from_slice(b"\xff\xfe");
    let licence = places_of(&image, b"\nL:")[0];
    image[licence + 3..licence + 5].copy_from_slice(b"\xff<");
    images.write("odd.img", &image)
}

/// The targets that each format is tried on: fixtures, odd text, and roots of the real data where they are given.
fn targets(images: &Images) -> Vec<(String, PathBuf)> {
    let mut all: Vec<_> = NAMES.iter().map(|name| ((*name).to_owned(), run::fixture(name))).collect();
    all.push(("odd".to_owned(), odd(images)));
    if let Some(folder) = realdata() {
        for case in [
            "dpkg/debian12-broken-states",
            "rpm/modularity-and-key-sqlite",
            "rpm/sle15-bci-ndb",
            "portage/portage-utils-qlist",
            "snap/snaps-scalibr",
            "dpkg/ill-formed-fanal",
        ] {
            all.push((case.replace('/', "-"), folder.join(case).join("root")));
        }
    }
    all
}

#[test]
fn the_report_is_as_its_schema_says() {
    let schema = include_str!("../../crates/schema/json/report.v1.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let images = Images::new();
    for (name, target) in targets(&images) {
        let ran = snapscan([
            "scan".as_ref(),
            "--json".as_ref(),
            "--profile".as_ref(),
            "full".as_ref(),
            target.as_os_str(),
        ]);
        let report: Value = serde_json::from_slice(&ran.out).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&report)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn cyclonedx_is_valid_by_the_official_schema() {
    let Some(bin) = oracles() else { return };
    let images = Images::new();
    let script = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        validator = JsonStrictValidator(SchemaVersion.V1_6)\n\
        wrong = [(f, str(e)[:2000]) for f in sys.argv[1:] if (e := validator.validate_str(open(f).read()))]\n\
        sys.exit(str(wrong) if wrong else 0)\n";
    let files: Vec<PathBuf> =
        targets(&images).iter().map(|(name, target)| sbom(&images, target, "cyclonedx", name)).collect();
    check(Command::new(bin.join("python")).args(["-c", script]).args(files));
}

#[test]
fn spdx_is_valid_by_the_projects_own_check() {
    let Some(bin) = oracles() else { return };
    let images = Images::new();
    for (name, target) in targets(&images) {
        check(Command::new(bin.join("pyspdxtools")).arg("-i").arg(sbom(&images, &target, "spdx", &name)));
    }
}

/// The purls and the operating system of a CycloneDX document.
fn content(document: &Value) -> (BTreeSet<String>, Option<(String, String)>) {
    let components = document["components"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let system = components.iter().find(|one| one["type"] == "operating-system");
    let system = system.map(|one| (text(&one["name"]), text(&one["version"])));
    let named = |one: &&Value| one["type"] == "library";
    let row =
        |one: &Value| format!("{} {} {}", text(&one["name"]), text(&one["version"]), text(&one["purl"]));
    (components.iter().filter(named).map(row).collect(), system)
}

#[test]
fn trivy_takes_our_sboms_and_gives_the_same_system_and_packages() {
    let Some(bin) = oracles() else { return };
    let images = Images::new();
    for (name, count, system) in [
        ("debian-ext4-gpt", 11, ("debian", "12")),
        ("rocky-xfs-lvm-gpt", 5, ("rocky", "9.3")),
        ("alpine", 6, ("alpine", "3.19.1")),
    ] {
        let ours = sbom(&images, &run::fixture(name), "cyclonedx", name);
        let wanted = content(&serde_json::from_slice(&fs::read(&ours).unwrap()).unwrap());
        assert_eq!(wanted.0.len(), count);
        assert_eq!(wanted.1, Some((system.0.to_owned(), system.1.to_owned())));
        for file in [ours, sbom(&images, &run::fixture(name), "spdx", name)] {
            let theirs = images.path("theirs.json");
            let cache = images.path("cache");
            check(
                Command::new(bin.join("trivy"))
                    .args(["sbom", "-q", "--offline-scan", "--skip-version-check", "--format", "cyclonedx"])
                    .arg("--cache-dir")
                    .arg(&cache)
                    .arg("-o")
                    .arg(&theirs)
                    .arg(&file),
            );
            let found = content(&serde_json::from_slice(&fs::read(&theirs).unwrap()).unwrap());
            assert_eq!(found, wanted, "{}", file.display());
        }
    }
}

#[test]
fn sboms_are_the_same_bytes_at_the_same_time() {
    let image = run::fixture("rocky-xfs-lvm-gpt");
    let image = image.to_str().unwrap();
    for format in ["cyclonedx", "spdx"] {
        let at = |time: &str, threads: &str| {
            snapscan(["scan", "--format", format, "--at", time, "--threads", threads, image]).out
        };
        let first = at("2026-11-21T13:30:00Z", "1");
        assert_eq!(first, at("2026-11-21T13:30:00Z", "8"), "{format}");
        // 1795267800 is 2026-11-21T13:30:00Z by date(1).
        let mut command = run::command();
        command.args(["scan", "--format", format, image]).env("SOURCE_DATE_EPOCH", "1795267800");
        assert_eq!(run::ran(&mut command).out, first, "{format}");
        assert_ne!(at("2026-11-21T13:30:01Z", "1"), first, "{format}");
    }
}

#[test]
fn an_sbom_names_source_licence_and_what_was_not_read() {
    let ran = snapscan([
        "scan".as_ref(),
        "--format".as_ref(),
        "cyclonedx".as_ref(),
        run::fixture("truncated").as_os_str(),
    ]);
    assert!(ran.code == 3 && ran.err.contains("[IMAGE_TRUNCATED]"), "{}", ran.err);
    let document: Value = serde_json::from_slice(&ran.out).unwrap();
    let properties = document["metadata"]["properties"].as_array().unwrap();
    assert!(properties.iter().any(|one| one["name"] == "snapscan:coverage" && one["value"] == "partial"));

    let ran =
        snapscan(["scan".as_ref(), "--format".as_ref(), "spdx".as_ref(), run::fixture("alpine").as_os_str()]);
    let document: Value = serde_json::from_slice(&ran.out).unwrap();
    let packages = document["packages"].as_array().unwrap();
    let crypto = packages.iter().find(|one| one["name"] == "libcrypto3").unwrap();
    assert_eq!(crypto["sourceInfo"], "built package from: openssl");
    assert_eq!(crypto["licenseComments"], "MIT", "as the recipe wrote it");
}
