// SPDX-License-Identifier: Apache-2.0
//! Two methods, one result: blocks of a snapshot, an attached volume and a plain file give the same report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use snapscan_schema::{Method, Report};

use crate::cloud::{CUSTOMER, Machine, Stage, assert_same, comparable, unpacked};
use crate::kernel::{CLEAN, DIRTY};
use crate::run::scan;

/// Every fixture as a machine.
fn fixtures() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    CLEAN.iter().chain(DIRTY)
}

fn stage() -> Stage {
    let images = tempfile::tempdir().unwrap();
    let machine = |(name, disks): &(&str, &[&str])| Machine {
        name: (*name).to_owned(),
        account: CUSTOMER,
        disks: disks.iter().map(|disk| unpacked(disk, images.path())).collect(),
    };
    Stage::new(fixtures().map(machine).collect())
}

/// The reports of an agent that reads all machines by one method.
fn by(stage: &Stage, method: Method) -> BTreeMap<String, Report> {
    for (name, _) in fixtures() {
        stage.submit(&stage.job(name, method));
    }
    let ran = stage.agent(&[]);
    let reports = stage.reports();
    for (name, _) in fixtures() {
        let outcome = stage.outcomes().remove(*name);
        assert!(reports.contains_key(*name), "{name}: {outcome:?}\n{}", ran.err);
    }
    assert_eq!(stage.leaked(), Vec::<String>::new());
    reports
}

/// The reports of plain files with the names and the bytes of the volumes.
fn plain(stage: &Stage) -> BTreeMap<String, Report> {
    let one = |(name, _): &(&str, &[&str])| {
        let files: Vec<PathBuf> = stage.plain(name);
        ((*name).to_owned(), scan(&files).1)
    };
    fixtures().map(one).collect()
}

/// Compares a method with plain files, for every fixture.
fn compare(method: Method, named: &str) {
    let stage = stage();
    let (ours, plain) = (by(&stage, method), plain(&stage));
    for (name, _) in fixtures() {
        assert_eq!(ours[*name].header.run.method, named, "{name}");
        assert_same(&format!("{name} by {named}"), &comparable(&ours[*name]), &comparable(&plain[*name]));
    }
    let found: usize = ours.values().map(|report| report.findings.len()).sum();
    assert!(found > 100, "{found} findings in all");
}

#[test]
fn every_fixture_read_block_by_block_gives_the_report_of_a_plain_file() {
    compare(Method::Direct, "direct");
}

#[test]
fn every_fixture_read_from_an_attached_volume_gives_the_report_of_a_plain_file() {
    compare(Method::Attach, "attach");
}
