// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::MemTree;
use snapscan_schema::Fact;

use super::*;
use crate::engine::probe::probe;

fn values(fact: &Fact) -> String {
    let all = fact.values.iter().map(|(name, value)| match value {
        Value::Text(text) => format!("{name}={}", text.to_json()),
        Value::Bool(yes) => format!("{name}={yes}"),
        other => format!("{name}={other:?}"),
    });
    all.collect::<Vec<_>>().join(" ")
}

/// Order and names by sysctl.d(5).
#[test]
fn the_last_file_by_name_counts_and_a_file_in_etc_hides_its_namesake() {
    let tree = MemTree::builder()
        .file("usr/lib/sysctl.d/10-a.conf", "# c\n; c\nkernel.a = shipped\nkernel.hidden = 1\n")
        .file("etc/sysctl.d/10-a.conf", "kernel.a=local\n")
        .file("usr/lib/sysctl.d/20-b.conf", "kernel/b = 2\nnet/ipv4/conf/eth0.1/x=1\n-kernel.maybe = 3 4\n")
        .file("etc/sysctl.d/15-late.conf", "kernel.b = early\n-net.ipv4.conf.all.y\nbroken\n")
        .file("usr/lib/sysctl.d/30-c.conf", "kernel.masked = 1\n")
        .symlink("etc/sysctl.d/30-c.conf", "/dev/null")
        .file("etc/sysctl.d/ignored", "kernel.no = 1\n")
        .file("etc/sysctl.conf", "kernel.last = caf\n")
        .build()
        .unwrap();
    let found = probe(&Tree::new(Arc::new(tree), "disk"), &SYSCTL).found;
    let facts = found.findings.iter().filter_map(|one| one.fact());
    let got: Vec<_> =
        facts.map(|fact| (fact.subject.to_json().into_owned(), values(fact), fact.evidence.line)).collect();
    let expected = [
        ("kernel.a", "may_fail=false value=local", 1),
        ("kernel.b", "may_fail=false value=2", 1),
        ("kernel.last", "may_fail=false value=caf", 1),
        ("kernel.maybe", "may_fail=true value=3 4", 3),
        ("net.ipv4.conf.all.y", "left_out=true", 2),
        ("net.ipv4.conf.eth0/1.x", "may_fail=false value=1", 2),
    ];
    assert_eq!(got, expected.map(|(name, values, line)| (name.to_owned(), values.to_owned(), Some(line))));
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].detail.to_json().starts_with("/etc/sysctl.d/15-late.conf, line 3:"));
}
