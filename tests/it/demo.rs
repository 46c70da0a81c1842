// SPDX-License-Identifier: Apache-2.0
//! The demo, from its first line to its account, judged by the cloud's log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use snapscan_cloud::local::{Event, EventKind, counts, events};

use crate::run::{Ran, command, ran};

/// An ordinary user: `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn a_demo_that_is_kept_ends_with_nothing_held_and_its_bill_is_that_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let ran = ran(command().arg("demo").arg("--keep").arg(&kept));
    assert_eq!(ran.code, 0, "{}\n{}", ran.text(), ran.err);
    let cloud = kept.join("cloud");
    let events = events(&cloud).unwrap();

    let (made, gone) = (ids(&events, EventKind::Made), ids(&events, EventKind::Gone));
    assert_eq!(made, gone, "what was made is gone");
    // Six volumes may be read; what the first agent had made when it was killed is made again.
    assert!(made.len() > 6, "{made:?}");
    let account = format!("made {0}, released {0}, held 0", made.len());
    assert_eq!(ran.text().lines().last(), Some(account.as_str()));
    assert!(ran.text().contains("lost 0, on the queue 0"), "{}", ran.text());
    assert!(ran.text().contains("decoys 4, harmed 0"), "{}", ran.text());
    for code in ["DATABASE_MISSING: ", "SUBTREE_DAMAGED: ", "TAG_EXCLUDED: "] {
        assert!(ran.text().contains(code), "{code} is not explained: {}", ran.text());
    }

    let touched = |event: &&Event| event.ids.iter().any(|id| id.contains("-0dec"));
    assert_eq!(events.iter().find(touched), None, "nobody tried to change a decoy");
    let of_the_excluded = events.iter().filter(|event| event.job == "hands-off").flat_map(|event| &event.ids);
    assert_eq!(of_the_excluded.filter(|id| id.starts_with("snap-")).count(), 0);

    let reports = reports(&cloud.join("outbox/reports"));
    let jobs: BTreeSet<&str> = reports.iter().filter_map(|it| it["delivery"]["job"].as_str()).collect();
    assert_eq!(jobs, BTreeSet::from(["broken", "db", "mail", "web"]));
    let calls = |action: &str| -> u64 {
        counts(&cloud).unwrap().iter().filter(|count| count.action == action).map(|count| count.calls).sum()
    };
    let cost = |name: &str| -> u64 {
        reports.iter().filter_map(|it| it["report"]["header"]["run"]["cost"][name].as_u64()).sum()
    };
    assert_eq!(cost("get_blocks"), calls("ebs:GetSnapshotBlock"));
    assert_eq!(cost("list_pages"), calls("ebs:ListSnapshotBlocks"));
    // Amazon EBS pricing: 0.003 and 0.0006 dollars a thousand requests, 0.05 a GiB and month of 30 days.
    let requests =
        calls("ebs:GetSnapshotBlock") as f64 * 3e-6 + calls("ebs:ListSnapshotBlocks") as f64 * 6e-7;
    let dollars = requests + gib_seconds(&events) as f64 * 0.05 / (30.0 * 86_400.0);
    let shown = ran.text().lines().find_map(|line| line.trim().strip_prefix("all ")).unwrap();
    let shown: f64 = shown.split_whitespace().last().unwrap().parse().unwrap();
    // Each snapshot's price is rounded down to a billionth.
    assert!((shown - dollars).abs() < 1e-9 * made.len() as f64, "shown {shown}, by hand {dollars}");
    assert!(shown > 0.0);

    ledger_of_what_is_kept(&kept, &account);
}

/// What is kept can be looked at with the ordinary commands.
fn ledger_of_what_is_kept(kept: &Path, account: &str) {
    let ran = ran(command().args(["ledger", "--config"]).arg(kept.join("config.d")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.text().lines().last(), Some(account), "the ledger says what the cloud's log says");
}

#[test]
fn a_demo_as_an_ordinary_user_runs_to_its_end_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let ran = as_nobody(folder.path(), &["demo"], &temporary);
    assert_eq!(ran.code, 0, "{}\n{}", ran.text(), ran.err);
    let last = ran.text().lines().last().unwrap();
    assert!(last.starts_with("made ") && last.ends_with(", held 0"), "{last}");
    assert!(!ran.err.contains('\x1b'), "in a pipe there are plain lines only: {}", ran.err);
    assert!(ran.err.contains("done: report delivered"), "{}", ran.err);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_folder_that_holds_something_is_not_used_and_not_cleared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "mine").unwrap();
    let ran = ran(command().arg("demo").arg("--keep").arg(folder.path()));
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("is not empty"), "{}", ran.err);
    assert_eq!(fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
}

/// Runs the program as `nobody` if this is root, else as who runs this.
fn as_nobody(folder: &Path, arguments: &[&str], temporary: &Path) -> Ran {
    if !nix::unistd::geteuid().is_root() {
        return ran(command().args(arguments).env("TMPDIR", temporary));
    }
    // The folders above the program may be closed to others.
    let program = folder.join("snapscan");
    fs::copy(env!("CARGO_BIN_EXE_snapscan"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(temporary, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(program);
    command.env_clear().env("TMPDIR", temporary).stdin(Stdio::null()).current_dir("/");
    ran(command.uid(NOBODY).gid(NOBODY).args(arguments))
}

/// The snapshots and volumes of which the log says that.
fn ids(events: &[Event], kind: EventKind) -> BTreeSet<&str> {
    let of_kind = events.iter().filter(|event| event.kind == kind).flat_map(|event| &event.ids);
    of_kind.map(String::as_str).filter(|id| id.starts_with("snap-") || id.starts_with("vol-")).collect()
}

/// GiB times whole seconds for which each thing existed, all together.
fn gib_seconds(events: &[Event]) -> u64 {
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sum = 0;
    for event in events {
        for id in event.ids.iter().filter(|id| id.starts_with("snap-")) {
            match event.kind {
                EventKind::Made => drop(begun.insert(id, event.at)),
                EventKind::Gone => sum += (event.at - begun[id.as_str()]) / 1000 * event.size_gib,
                _ => {}
            }
        }
    }
    sum
}

/// Everything that lies under `folder`, at any depth.
fn reports(folder: &Path) -> Vec<Value> {
    let mut folders = vec![folder.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.iter().map(|file| serde_json::from_slice(&fs::read(file).unwrap()).unwrap()).collect()
}
