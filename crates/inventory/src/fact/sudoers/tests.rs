// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_schema::Fact;

use super::*;
use crate::engine::probe::probe;
use crate::sink::Found;

fn found(files: &[(&str, &str)]) -> Found {
    let builder = files.iter().fold(MemTree::builder(), |b: MemBuilder, (path, text)| b.file(path, text));
    probe(&Tree::new(Arc::new(builder.build().unwrap()), "disk"), &SUDOERS).found
}

fn text(fact: &Fact, name: &str) -> String {
    match fact.values.get(name) {
        None => "-".to_owned(),
        Some(Value::Text(text)) => text.to_json().into_owned(),
        Some(Value::Bool(yes)) => yes.to_string(),
        Some(Value::List(all)) => all.iter().map(|one| one.to_json()).collect::<Vec<_>>().join(","),
        Some(other) => panic!("{other:?}"),
    }
}

fn told(found: &Found, kind: &str, names: &[&str]) -> Vec<String> {
    let facts = found.findings.iter().filter_map(|one| one.fact()).filter(|fact| text(fact, "kind") == kind);
    facts.map(|fact| names.iter().map(|name| text(fact, name)).collect::<Vec<_>>().join("|")).collect()
}

/// `cvtsudoers -f json` of sudo 1.9.13p3 groups users, hosts, users to run as, options and commands like this.
#[test]
fn rules_are_taken_apart_as_cvtsudoers_does() {
    let found = found(&[(
        "etc/sudoers",
        "root ALL=(ALL:ALL) ALL\n\
         %wheel, !bob , #1000 ALL, !web = NOPASSWD: /bin/a -x, (op) PASSWD: /bin/b \\\n  arg\\,s, /bin/c\n\
         al web = NOEXEC:SETENV: /x : db = (: adm) /y, ROLE=r /z # comment\n",
    )]);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let names = ["users", "hosts", "runas_users", "runas_groups", "tags", "nopasswd", "command"];
    let expected = [
        "root|ALL|ALL|ALL||false|ALL",
        "%wheel,!bob,#1000|ALL,!web|-|-|NOPASSWD|true|/bin/a -x",
        "%wheel,!bob,#1000|ALL,!web|op|-|PASSWD|false|/bin/b   arg\\,s",
        "%wheel,!bob,#1000|ALL,!web|op|-|PASSWD|false|/bin/c",
        "al|web|-|-|NOEXEC,SETENV|false|/x",
        "al|db||adm||false|/y",
        "al|db||adm|ROLE=r|false|/z",
    ];
    assert_eq!(told(&found, "rule", &names), expected);
}

#[test]
fn settings_and_aliases_are_told_one_by_one() {
    let found = found(&[(
        "etc/sudoers",
        "Defaults env_reset, secure_path=\"/a:/b,c\"\nDefaults:%sudo !requiretty\nDefaults@web env_keep += \"A B\"\n\
         User_Alias ADMINS = al, %wheel : OPS = bob\nCmnd_Alias SHELLS = /bin/sh, /bin/bash -c a\\=b\n",
    )]);
    assert!(found.problems.is_empty());
    let expected = [
        "env_reset|-|-",
        "secure_path=\"/a:/b,c\"|-|-",
        "!requiretty|user|%sudo",
        "env_keep += \"A B\"|host|web",
    ];
    assert_eq!(told(&found, "defaults", &["setting", "scope", "scope_of"]), expected);
    let expected = ["user|al,%wheel", "user|bob", "command|/bin/sh,/bin/bash -c a\\=b"];
    assert_eq!(told(&found, "alias", &["alias_kind", "members"]), expected);
}

#[test]
fn included_files_are_read_and_loops_end() {
    let found = found(&[
        ("etc/sudoers", "#includedir /etc/sudoers.d\n@include local\n@include none\n# include x\n"),
        ("etc/sudoers.d/10", "a ALL=ALL\n"),
        ("etc/sudoers.d/20.rpmnew", "b ALL=ALL\n"),
        ("etc/sudoers.d/30~", "c ALL=ALL\n"),
        ("etc/local", "d ALL=ALL\nnonsense\n@include local\n"),
    ]);
    let users = told(&found, "rule", &["users"]);
    assert_eq!((users[0].as_str(), users[1].as_str()), ("a", "d"));
    assert!(!users.contains(&"b".to_owned()) && !users.contains(&"c".to_owned()));
    let starts = |what: &str| found.problems.iter().any(|one| one.detail.to_json().starts_with(what));
    assert!(starts("/etc/sudoers, line 3: no such file: /etc/none"));
    assert!(starts("/etc/local, line 2: "));
    assert!(found.problems.iter().any(|one| one.code == Reason::LimitReached));
}
