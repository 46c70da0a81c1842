// SPDX-License-Identifier: Apache-2.0
//! A walk names each file that lends rights, and nothing else.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use snapscan_disk::fs::mem::MemTree;
use snapscan_disk::machine::Tree;
use snapscan_schema::{Finding, Value};

use super::MODES;
use crate::engine::walk::walk;

/// `setcap cap_net_raw+ep FILE; getfattr -e hex -n security.capability FILE` prints these bytes.
const CAP_NET_RAW_EP: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn each_kind_is_named_once_and_ordinary_files_are_not() {
    let fs = MemTree::builder()
        .file("/usr/bin/su", "x")
        .mode(0o4755)
        .file("/usr/bin/wall", "x")
        .mode(0o2755)
        .file("/var/lock-only", "x")
        .mode(0o2644)
        .file("/usr/bin/ping", "x")
        .mode(0o755)
        .xattr("security.capability", CAP_NET_RAW_EP)
        .file("/usr/bin/plain", "x")
        .mode(0o755)
        .file("/srv/open", "x")
        .mode(0o666)
        .dir("/tmp")
        .mode(0o1777)
        .dir("/srv/drop")
        .mode(0o777)
        .symlink("/usr/bin/link", "su")
        .build()
        .unwrap();
    let tree = Tree::new(Arc::new(fs), "disk");
    let walked = walk(&tree, &[&MODES], &AtomicU64::new(0), true);
    let mut seen: Vec<(String, Value, Option<Value>)> = Vec::new();
    for found in walked.found.into_iter().flatten() {
        for finding in &found.findings {
            let Finding::Fact(fact) = finding else { panic!("a fact") };
            let path = String::from_utf8(fact.subject.0.clone()).unwrap();
            seen.push((path, fact.values["kinds"].clone(), fact.values.get("capability").cloned()));
        }
    }
    seen.sort();
    let list = |words: &[&str]| Value::List(words.iter().map(|word| (*word).into()).collect());
    let row = |path: &str, kind| (path.to_owned(), list(&[kind]), None);
    let ping = ("/usr/bin/ping".to_owned(), list(&["capability"]), Some(list(&["cap_net_raw"])));
    assert_eq!(
        seen,
        [
            row("/srv/drop", "world-writable"),
            row("/srv/open", "world-writable"),
            row("/tmp", "world-writable-sticky"),
            ping,
            row("/usr/bin/su", "suid"),
            row("/usr/bin/wall", "sgid"),
        ]
    );
}
