// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::MemTree;
use snapscan_schema::Value;

use super::*;
use crate::engine::probe::probe;

#[test]
fn jobs_have_user_schedule_and_command() {
    let tree = MemTree::builder()
        .file("etc/crontab", "SHELL=/bin/sh\n17 *\t* * *\troot  cd / && x\n@reboot bin /b=c\n1 2 3\n")
        .file("etc/cron.d/.placeholder", "1 * * * * root no\n")
        .file("etc/cron.d/a.dpkg-old", "1 * * * * root no\n")
        .file("var/spool/cron/crontabs/u\u{e9}", "*/5 * * * 1-5 echo caf\\%\n")
        .file("etc/anacrontab", "START_HOURS_RANGE=3-22\n1\t5\tcron.daily\tnice run-parts /etc/cron.daily\n")
        .file("etc/cron.daily/man-db", "#!/bin/sh\n")
        .file("etc/cron.daily/.placeholder", "")
        .build()
        .unwrap();
    let found = probe(&Tree::new(Arc::new(tree), "disk"), &CRON).found;
    let text = |value: &Value| match value {
        Value::Text(text) => text.to_json().into_owned(),
        other => panic!("{other:?}"),
    };
    let facts = found.findings.iter().filter_map(|one| one.fact());
    let got: Vec<_> = facts
        .map(|fact| {
            assert!(fact.evidence.path == fact.subject);
            ["user", "schedule", "command"].map(|name| text(&fact.values[name])).join("|")
        })
        .collect();
    let expected = [
        "root|17 * * * *|cd / && x",
        "bin|@reboot|/b=c",
        "u\u{e9}|*/5 * * * 1-5|echo caf\\%",
        "root|every 1 days|nice run-parts /etc/cron.daily",
        "root|@daily|/etc/cron.daily/man-db",
    ];
    assert_eq!(got, expected);
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].detail.to_json().starts_with("/etc/crontab, line 4:"));
}
