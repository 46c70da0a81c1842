// SPDX-License-Identifier: Apache-2.0
//! Configuration of real machines, against what their own tools say of it.
//!
//! `SNAPSCAN_REALDATA` names the unpacked folder; without it nothing is compared.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod folder;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use serde_json::Value as Json;
use snapscan_inventory::{Options, Outcome, Profile, run};
use snapscan_schema::{Fact, Status, Value};

/// One machine: what its tools say, and what was found.
struct Case {
    expected: Json,
    outcome: Outcome,
}

impl Case {
    fn open(name: &str) -> Option<Case> {
        let Some(realdata) = std::env::var_os("SNAPSCAN_REALDATA").map(PathBuf::from) else {
            eprintln!("SNAPSCAN_REALDATA is not set: nothing is compared with real data");
            return None;
        };
        let case = realdata.join("config").join(name);
        let expected = std::fs::read(case.join("expected-facts.json")).unwrap();
        let options = Options { profile: Profile::Os };
        let outcome = run(&folder::tree(&case.join("root")), options, &AtomicU64::new(0));
        Some(Case { expected: serde_json::from_slice(&expected).unwrap(), outcome })
    }

    /// The facts of one topic, of an extractor that must have read everything.
    fn facts(&self, extractor: &str, topic: &str) -> Vec<&Fact> {
        let line =
            self.outcome.lines.iter().find(|line| line.name.as_bytes() == extractor.as_bytes()).unwrap();
        assert_eq!(line.status, Status::Complete, "{line:?}");
        let facts = self.outcome.findings.iter().filter_map(|finding| finding.fact());
        facts.filter(|fact| fact.topic.as_bytes() == topic.as_bytes()).collect()
    }
}

fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap()
}

/// Where `sshd -T` prints one line a list has one entry.
fn listed(value: &Json) -> Json {
    if value.is_array() { value.clone() } else { Json::Array(vec![value.clone()]) }
}

/// Compares the ssh server's configuration; the keywords that the files set.
fn sshd(name: &str) -> Option<BTreeMap<String, Json>> {
    let case = Case::open(name)?;
    let mut found = BTreeMap::new();
    for fact in case.facts("sshd", "sshd") {
        let keyword = fact.subject.to_json().into_owned();
        let (got, expected) = (json(&fact.values["value"]), &case.expected["sshd_T"][&keyword]);
        assert_eq!(listed(&got), listed(expected), "{name}: {keyword}");
        assert!(fact.evidence.line.is_some());
        found.insert(keyword, got);
    }
    Some(found)
}

#[test]
fn the_ssh_server_is_configured_as_sshd_says() {
    let Some(plain) = sshd("debian12-server") else { return };
    let set =
        ["acceptenv", "kbdinteractiveauthentication", "printmotd", "subsystem", "usepam", "x11forwarding"];
    assert_eq!(plain.keys().collect::<Vec<_>>(), set);
    let included = sshd("sshd-include").unwrap();
    let added = included.keys().filter(|keyword| !set.contains(&keyword.as_str()));
    assert_eq!(added.collect::<Vec<_>>(), ["maxauthtries", "passwordauthentication", "permitrootlogin"]);
}

#[test]
fn accounts_are_as_passwd_says() {
    let Some(case) = Case::open("debian12-server") else { return };
    let facts = case.facts("accounts", "account");
    let expected = case.expected["accounts"].as_array().unwrap();
    assert_eq!(facts.len(), expected.len());
    for (fact, expected) in facts.iter().zip(expected) {
        assert_eq!(fact.subject.to_json(), expected["name"].as_str().unwrap());
        for key in ["uid", "gid", "home", "shell", "passwd_status", "last_change"] {
            assert_eq!(json(&fact.values[key]), expected[key], "{} {key}", expected["name"]);
        }
    }
    assert!(case.facts("accounts", "group").len() > 30);
}

#[test]
fn units_are_in_the_state_that_systemctl_says() {
    let Some(case) = Case::open("debian12-server") else { return };
    let facts = case.facts("units", "unit");
    let state = |fact: &&Fact| (fact.subject.to_json().into_owned(), json(&fact.values["state"]));
    let got: BTreeMap<String, Json> = facts.iter().map(state).collect();
    let expected = case.expected["unit_files"].as_object().unwrap();
    assert_eq!(facts.len(), got.len());
    let expected: BTreeMap<String, Json> = expected.clone().into_iter().collect();
    let wrong = |one: &&(String, Json)| expected.get(&one.0) != Some(&one.1);
    let got_list: Vec<(String, Json)> = got.clone().into_iter().collect();
    assert_eq!(got_list.iter().filter(wrong).collect::<Vec<_>>(), Vec::<&(String, Json)>::new());
    assert_eq!(got.len(), expected.len());
}
