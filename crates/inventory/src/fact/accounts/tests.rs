// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_schema::{Fact, Reason, Value};

use super::*;
use crate::engine::probe::probe;
use crate::sink::Found;

fn found(files: &[(&str, &[u8])]) -> Found {
    let builder = files.iter().fold(MemTree::builder(), |b: MemBuilder, (path, text)| b.file(path, text));
    probe(&Tree::new(Arc::new(builder.build().unwrap()), "disk"), &ACCOUNTS).found
}

fn get<'f>(found: &'f Found, topic: &str, subject: &[u8]) -> &'f Fact {
    let mut facts = found.findings.iter().filter_map(|one| one.fact());
    facts.find(|fact| fact.topic.to_json() == topic && fact.subject.as_bytes() == subject).unwrap()
}

fn text(fact: &Fact, name: &str) -> Option<String> {
    match fact.values.get(name)? {
        Value::Text(text) => Some(text.to_json().into_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::List(all) => Some(all.iter().map(|one| one.to_json()).collect::<Vec<_>>().join(",")),
    }
}

/// The methods' prefixes are those of crypt(5); the letters those that passwd(1) documents for -S.
#[test]
fn passwords_are_told_by_their_state_and_method_and_never_shown() {
    for (field, state, letters, method) in [
        ("", "empty", "NP", None),
        ("*", "locked", "L", None),
        ("!", "locked", "L", None),
        ("!!", "locked", "L", None),
        ("!*", "locked", "L", None),
        ("!$6$SECRETsalt$SECRET", "locked", "L", Some("sha512crypt")),
        ("$6$SECRETsalt$SECRET", "set", "P", Some("sha512crypt")),
        ("$y$j9T$SECRET$SECRET", "set", "P", Some("yescrypt")),
        ("$2y$05$SECRET", "set", "P", Some("bcrypt")),
        ("$1$SECRET$SECRET", "set", "P", Some("md5crypt")),
        ("SECRETsalt.12", "set", "P", Some("descrypt")),
        ("SECRET", "set", "P", Some("unknown")),
    ] {
        let shadow = format!("a:{field}:20778:0:99999:7:::\n");
        let found =
            found(&[("etc/passwd", b"a:x:1:2:gecos:/home/a:/bin/sh\n"), ("etc/shadow", shadow.as_bytes())]);
        let fact = get(&found, "account", b"a");
        assert_eq!(text(fact, "password").as_deref(), Some(state), "{field}");
        assert_eq!(text(fact, "passwd_status").as_deref(), Some(letters), "{field}");
        assert_eq!(text(fact, "algorithm").as_deref(), method, "{field}");
        assert!(!format!("{found:?}").contains("SECRET"), "{field}");
    }
}

#[test]
fn an_account_has_its_numbers_and_days() {
    let found = found(&[
        (
            "etc/passwd",
            b"# comment\na:x:0:4294967295:g:/caf\xe9:/bin/sh\nb:x:1:1::/:\nc::2:2::/:\n+@staff::::::\n",
        ),
        ("etc/shadow", b"a:*:20778:1:90:7:14:20800:\na:$6$second:1::::::\nc:*:0::::::\n"),
    ]);
    let a = get(&found, "account", b"a");
    for (name, expected) in [
        ("uid", "0"),
        ("gid", "4294967295"),
        ("last_change", "2026-11-21"),
        ("expires", "2026-12-13"),
        ("min_days", "1"),
        ("max_days", "90"),
        ("warn_days", "7"),
        ("inactive_days", "14"),
        ("password", "locked"),
    ] {
        assert_eq!(text(a, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(a.values["home"], Value::Text(b"/caf\xe9"[..].into()));
    assert_eq!(a.evidence.line, Some(2));
    let b = get(&found, "account", b"b");
    assert_eq!(text(b, "password").as_deref(), Some("unknown"));
    assert!(!b.values.contains_key("passwd_status"));
    assert_eq!(text(get(&found, "account", b"c"), "must_change").as_deref(), Some("true"));
    assert_eq!(text(get(&found, "account", b"+@staff"), "nis").as_deref(), Some("true"));
}

#[test]
fn a_group_has_members_and_the_state_of_its_password() {
    let found = found(&[
        ("etc/group", b"wheel:x:10:root,a\nempty:x:11:\nold::12:\n"),
        ("etc/gshadow", b"wheel:$6$SECRET:boss:root,a\nempty:!::\n"),
    ]);
    let wheel = get(&found, "group", b"wheel");
    assert_eq!(text(wheel, "gid").as_deref(), Some("10"));
    assert_eq!(text(wheel, "members").as_deref(), Some("root,a"));
    assert_eq!(text(wheel, "administrators").as_deref(), Some("boss"));
    assert_eq!(text(wheel, "password").as_deref(), Some("set"));
    assert_eq!(text(get(&found, "group", b"empty"), "members").as_deref(), Some(""));
    assert_eq!(text(get(&found, "group", b"empty"), "password").as_deref(), Some("locked"));
    assert_eq!(text(get(&found, "group", b"old"), "password").as_deref(), Some("empty"));
    assert!(!format!("{found:?}").contains("SECRET"));
}

#[test]
fn a_malformed_line_costs_itself_and_shows_nothing_of_a_password() {
    let found = found(&[
        (
            "etc/passwd",
            b"a:x:1:1::/:/bin/sh\nb:x:y:1::/:\n$6$SECRET:x:1:1::/:\nc:x:1\n\na:1:1:1:1:$6$SECRET:\n",
        ),
        ("etc/shadow", b"a$6$SECRET:1:0:99999:7:::\n$6$SECRET:a:1::::::\n"),
    ]);
    let lines: Vec<_> = found.problems.iter().map(|one| one.detail.to_json().into_owned()).collect();
    for (file, line) in [("passwd", 2), ("passwd", 3), ("passwd", 4), ("shadow", 1), ("shadow", 2)] {
        assert!(lines.iter().any(|one| one.starts_with(&format!("/etc/{file}, line {line}:"))), "{lines:?}");
    }
    assert_eq!(lines.len(), 5);
    assert!(found.problems.iter().all(|one| one.code == Reason::RecordMalformed));
    assert!(!format!("{found:?}").contains("SECRET"));
}
