// SPDX-License-Identifier: Apache-2.0
//! Messages as others write them: old ones, newer ones, and ones that are no jobs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

fn job() -> Value {
    json!({
        "schema_version": 1, "id": "job-1", "profile": "os", "account": "111122223333", "region": "eu-west-1",
        "target": { "kind": "instance", "id": "i-0abc" },
    })
}

fn with(changes: &[(&str, Value)]) -> Result<(Job, Vec<Note>), JobError> {
    let mut message = job();
    for (name, value) in changes {
        message[*name] = value.clone();
    }
    Job::parse(&message.to_string())
}

#[test]
fn every_message_ever_written_still_parses_to_what_it_meant() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_messages");
    let mut met = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let (job, notes) = Job::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(notes.is_empty(), "{}: {notes:?}", path.display());
        // Nothing that it said is lost: what is written again holds each of its fields.
        let again = serde_json::to_value(&job).unwrap();
        for (name, value) in serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap() {
            assert_eq!(again.get(name), Some(value), "{}: {name}", path.display());
        }
        met += 1;
    }
    assert!(met >= 4, "the committed messages are not there");
}

#[test]
fn a_field_that_is_not_known_is_ignored_with_a_note() {
    let (_, notes) = with(&[
        ("colour", json!("blue")),
        ("role", json!("admin")),
        ("limits", json!({ "blocks": 5, "cats": 1 })),
        ("target", json!({ "kind": "instance", "id": "i-0abc", "path": "/etc" })),
    ])
    .unwrap();
    let named: BTreeSet<String> = notes.iter().map(|note| note.detail.to_json().into_owned()).collect();
    assert_eq!(named, ["colour", "role", "limits.cats", "target.path"].map(str::to_owned).into());
    assert!(notes.iter().all(|note| note.code == Reason::UnknownField));
}

#[test]
fn an_unknown_version_or_kind_of_target_is_refused() {
    assert_eq!(with(&[("schema_version", json!(2))]), Err(JobError::Version("2".to_owned())));
    assert_eq!(with(&[("schema_version", json!("1"))]), Err(JobError::Version("\"1\"".to_owned())));
    let cluster = json!({ "kind": "cluster", "id": "c-1" });
    assert_eq!(with(&[("target", cluster)]), Err(JobError::Kind("\"cluster\"".to_owned())));
    assert_eq!(Job::parse("{}"), Err(JobError::Version("absent".to_owned())));
}

#[test]
fn a_message_that_is_no_job_is_refused_with_its_field() {
    for (name, value, field) in [
        ("id", json!(""), "id"),
        ("id", json!("a".repeat(65)), "id"),
        ("id", json!("../../etc"), "id"),
        ("profile", json!("all"), "profile"),
        ("account", json!("11112222333"), "account"),
        ("account", json!(null), "account"),
        ("region", json!("EU/../"), "account"),
        ("target", json!({ "kind": "instance", "id": "vol-0abc" }), "target.id"),
        ("target", json!({ "kind": "instance", "id": "i-0ABC" }), "target.id"),
        ("target", json!({ "kind": "image", "paths": [] }), "target.paths"),
        ("target", json!({ "kind": "image", "paths": ["a\u{0}b"] }), "target.paths"),
        ("target", json!({ "kind": "directory", "path": "" }), "target.path"),
        ("target", json!({ "kind": "directory", "path": "web" }), "account"),
        ("exclude_volume_tags", json!(vec!["a"; 65]), "exclude_volume_tags"),
    ] {
        let error = with(&[(name, value.clone())]).unwrap_err();
        assert!(matches!(&error, JobError::Field { field: met, .. } if *met == field), "{value}: {error}");
    }
}

#[test]
fn what_is_no_object_or_has_other_types_is_malformed() {
    let deep = "[".repeat(10_000);
    for text in ["", "null", "[]", "\"job\"", "{\"schema_version\":1", &deep] {
        let error = Job::parse(text).unwrap_err();
        assert!(matches!(error, JobError::Malformed(_)), "{text:.20}: {error}");
    }
    assert!(matches!(with(&[("attempt", json!(-1))]), Err(JobError::Malformed(_))));
    assert!(matches!(with(&[("target", json!("i-0abc"))]), Err(JobError::Malformed(_))));
}

#[test]
fn a_message_beyond_the_limit_is_not_looked_at() {
    let text = " ".repeat(JOB_BYTES + 1);
    assert_eq!(Job::parse(&text), Err(JobError::TooLong { bytes: JOB_BYTES + 1 }));
}

#[test]
fn the_list_of_known_fields_is_that_of_the_type() {
    let schema = serde_json::to_value(schemars::schema_for!(Job)).unwrap();
    let names = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let known = |fields: &[&str]| -> BTreeSet<String> { fields.iter().map(|f| (*f).to_owned()).collect() };
    assert_eq!(names(&schema["properties"]), known(FIELDS));
    assert_eq!(names(&schema["$defs"]["JobLimits"]["properties"]), known(LIMITS));
    let kinds = schema["$defs"]["JobTarget"]["oneOf"].as_array().unwrap().iter();
    let kinds: BTreeSet<(String, String)> = kinds
        .map(|kind| {
            let properties = &kind["properties"];
            let field = names(properties).into_iter().find(|name| name != "kind").unwrap();
            (properties["kind"]["const"].as_str().unwrap().to_owned(), field)
        })
        .collect();
    let expected: BTreeSet<_> = KINDS.iter().map(|(k, f)| ((*k).to_owned(), (*f).to_owned())).collect();
    assert_eq!(kinds, expected);
}

#[test]
fn a_retry_keeps_the_id_and_counts_only_if_the_target_was_touched() {
    let (job, _) = with(&[]).unwrap();
    let again = job.again(false, Some(crate::Time(7)));
    assert_eq!((again.attempt, again.not_before, &again.id), (0, Some(crate::Time(7)), &job.id));
    assert_eq!(job.again(true, None).attempt, 1);
    assert_eq!(again.identity(), job.identity());
    assert_ne!(with(&[("profile", json!("full"))]).unwrap().0.identity(), job.identity());
}
