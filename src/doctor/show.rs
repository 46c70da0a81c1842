// SPDX-License-Identifier: Apache-2.0
//! How the examination is told: for people, and as JSON.

use std::fmt::Write as _;

use serde_json::json;

use super::{Check, State};
use crate::config::Origins;

/// For people: settings, then what was looked at, what is bad last of all in one line.
pub(crate) fn table(origins: &Origins, checks: &[Check]) -> String {
    let mut text = "settings\n".to_owned();
    let widest = origins.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in &origins.rows {
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "  {:widest$}  {}  [{}]", row.name, row.value, row.origin);
    }
    let mut topics: Vec<&str> = Vec::new();
    for check in checks {
        if !topics.contains(&check.topic) {
            topics.push(check.topic);
        }
    }
    for topic in topics {
        let of = || checks.iter().filter(|check| check.topic == topic);
        let widest = of().map(|check| check.subject.chars().count()).max().unwrap_or(0);
        let _ok = writeln!(text, "{topic}");
        for check in of() {
            let _ok = writeln!(text, "  {}  {:widest$}  {}", word(check.state), check.subject, check.detail);
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (good, notes, bad) = (count(State::Good), count(State::Note), count(State::Bad));
    let _ok = writeln!(text, "{good} in order, {notes} to note, {bad} bad");
    text
}

/// As one JSON document.
pub(crate) fn document(origins: &Origins, checks: &[Check]) -> String {
    let setting = |row: &crate::config::Row| json!({ "name": row.name, "value": row.value, "origin": row.origin.to_string() });
    let check = |check: &Check| {
        let state = word(check.state).trim().to_lowercase();
        json!({ "topic": check.topic, "subject": check.subject, "state": state, "detail": check.detail })
    };
    let document = json!({
        "schema_version": 1,
        "settings": origins.rows.iter().map(setting).collect::<Vec<_>>(),
        "checks": checks.iter().map(check).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn word(state: State) -> &'static str {
    match state {
        State::Good => "ok  ",
        State::Note => "note",
        State::Bad => "BAD ",
    }
}
