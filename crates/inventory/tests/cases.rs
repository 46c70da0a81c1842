// SPDX-License-Identifier: Apache-2.0
//! Small machines, each with what one extractor must make of it: `cases/NAME/input` and `cases/NAME/expected.json`.
//!
//! The expected values are written by hand from the formats' documentation. Of an object only the keys given are compared,
//! of a list all entries, in their order.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod folder;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use serde_json::{Value, json};
use snapscan_inventory::{Options, Profile, registry, run};

fn cases() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let expected =
        |case: &Path| serde_json::from_slice(&std::fs::read(case.join("expected.json")).unwrap()).unwrap();
    cases.into_iter().map(|case| (case.clone(), expected(&case))).collect()
}

/// Where `got` lacks or contradicts what is expected, if anywhere.
fn differs(expected: &Value, got: &Value, place: &str) -> Option<String> {
    match (expected, got) {
        (Value::Object(keys), Value::Object(_)) => {
            keys.iter().find_map(|(key, value)| differs(value, &got[key], &format!("{place}.{key}")))
        }
        (Value::Array(wanted), Value::Array(have)) if wanted.len() == have.len() => {
            let mut pairs = wanted.iter().zip(have).enumerate();
            pairs.find_map(|(at, (wanted, have))| differs(wanted, have, &format!("{place}[{at}]")))
        }
        _ if expected == got => None,
        _ => Some(format!("{place}: expected {expected}, got {got}")),
    }
}

#[test]
fn every_case_gives_what_is_expected() {
    let mut wrong = Vec::new();
    for (case, mut expected) in cases() {
        let mut outcome =
            run(&folder::tree(&case.join("input")), Options { profile: Profile::Os }, &AtomicU64::new(0));
        outcome.findings.sort();
        outcome.kernels.sort();
        let name = expected.as_object_mut().unwrap().remove("extractor").unwrap();
        let line =
            outcome.lines.iter().find(|line| line.name.as_bytes() == name.as_str().unwrap().as_bytes());
        let line = serde_json::to_value(line.unwrap()).unwrap();
        let notes: Vec<&Value> =
            line["notes"].as_array().into_iter().flatten().map(|note| &note["code"]).collect();
        let notes = notes.into_iter().filter(|code| **code == json!("NOT_INSTALLED")).collect::<Vec<_>>();
        let got = json!({
            "status": line["status"],
            "code": line["code"],
            "notes": notes,
            "findings": outcome.findings,
            "system": outcome.system,
            "kernels": outcome.kernels,
            "hostname": outcome.hostname,
            "machine_id": outcome.machine_id,
            "architecture": outcome.architecture,
        });
        if let Some(why) = differs(&expected, &got, "") {
            wrong.push(format!("{}{why}; line: {line}", case.file_name().unwrap().display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// rpm's databases are binary; `tests/rpm.rs` has them made by another program.
const WITHOUT_CASE: &[&str] = &["rpm"];

#[test]
fn every_package_extractor_has_a_case() {
    let have: Vec<String> =
        cases().into_iter().map(|(_, expected)| expected["extractor"].as_str().unwrap().to_owned()).collect();
    let lacks = registry::ALL
        .iter()
        .filter(|one| one.ecosystem.is_some() && !WITHOUT_CASE.contains(&one.name))
        .filter(|one| !have.iter().any(|name| name == one.name));
    let lacks: Vec<&str> = lacks.map(|one| one.name).collect();
    assert!(lacks.is_empty(), "without a case: {lacks:?}");
}
