// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;
use std::sync::Arc;

use snapscan_disk::fs::mem::MemTree;

use super::*;
use crate::engine::probe::probe;

/// The states are what `systemctl --root` of systemd 252 lists for the same tree.
#[test]
fn links_and_install_sections_decide_the_state() {
    let wanted = "[Install]\nWantedBy=multi-user.target\n";
    let lib = "usr/lib/systemd/system/";
    let tree = MemTree::builder()
        .file(format!("{lib}on.service"), wanted)
        .file(format!("{lib}off.service"), wanted)
        .file(format!("{lib}reset.service"), "[Install]\nWantedBy=x.target\nWantedBy=\n")
        .file(format!("{lib}also.service"), "[Install]\nAlso=on.service\n")
        .file(format!("{lib}t@.service"), "[Install]\nWantedBy=x.target\nDefaultInstance=one\n")
        .file(format!("{lib}u@.service"), wanted)
        .file(format!("{lib}hidden.service"), wanted)
        .file(format!("{lib}README"), "")
        .file("etc/systemd/system/empty.service", "")
        .file("opt/linked.service", wanted)
        .symlink("etc/systemd/system/hidden.service", "/dev/null")
        .symlink("etc/systemd/system/linked.service", "/opt/linked.service")
        .symlink("etc/systemd/system/other.service", "/usr/lib/systemd/system/on.service")
        .symlink(
            "etc/systemd/system/multi-user.target.wants/on.service",
            "/usr/lib/systemd/system/on.service",
        )
        .symlink("etc/systemd/system/x.target.requires/t@one.service", "/usr/lib/systemd/system/t@.service")
        .symlink("etc/systemd/system/x.target.wants/u@two.service", "/usr/lib/systemd/system/u@.service")
        .build()
        .unwrap();
    let found = probe(&Tree::new(Arc::new(tree), "disk"), &UNITS).found;
    let facts = found.findings.iter().filter_map(|one| one.fact());
    let text = |value: &Value| serde_json::to_value(value).unwrap().as_str().unwrap().to_owned();
    let got: BTreeMap<String, String> =
        facts.map(|fact| (fact.subject.to_json().into_owned(), text(&fact.values["state"]))).collect();
    let expected = [
        ("also.service", "indirect"),
        ("empty.service", "masked"),
        ("hidden.service", "masked"),
        ("linked.service", "linked"),
        ("off.service", "disabled"),
        ("on.service", "enabled"),
        ("other.service", "alias"),
        ("reset.service", "static"),
        ("t@.service", "enabled"),
        ("u@.service", "indirect"),
    ];
    assert_eq!(got, BTreeMap::from(expected.map(|(name, state)| (name.to_owned(), state.to_owned()))));
    assert!(found.problems.is_empty());
}
