// SPDX-License-Identifier: Apache-2.0
//! The demo, from its first line to its account, judged by the cloud's log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
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
    bill(&ran, &kept, &events, &reports);

    ledger_of_what_is_kept(&kept, &account);
}

/// What is shown, and what the agent says of itself, against sums that are made here by hand.
fn bill(ran: &Ran, kept: &Path, events: &[Event], reports: &[Value]) {
    let counts = counts(&kept.join("cloud")).unwrap();
    let calls = |action: &str| -> u64 {
        counts.iter().filter(|count| count.action == action).map(|count| count.calls).sum()
    };
    let (blocks, lists) = (calls("ebs:GetSnapshotBlock"), calls("ebs:ListSnapshotBlocks"));
    let cost = |report: &Value, name: &str| report["report"]["header"]["run"]["cost"][name].as_u64().unwrap();
    let costs = |name: &str| -> u64 { reports.iter().map(|it| cost(it, name)).sum() };
    assert_eq!((costs("get_blocks"), costs("list_pages")), (blocks, lists));
    assert_eq!(costs("bytes"), blocks * 524_288);
    // Amazon EBS pricing: 0.003 and 0.0006 dollars a thousand requests, 0.05 a GiB and month of 30 days.
    let requests = blocks as f64 * 3e-6 + lists as f64 * 6e-7;
    let price = |gib_seconds: u64| gib_seconds as f64 * 0.05 / (30.0 * 86_400.0);
    let dollars = requests + price(gib_seconds(events, |_| true));
    let shown = |line: &str| -> Vec<String> {
        let found = ran.text().lines().find_map(|it| it.trim().strip_prefix(line));
        let found = found.unwrap_or_else(|| panic!("{line}: {}", ran.text()));
        let words = found.split([' ', ',', '$', ';', ':']).filter(|word| !word.is_empty());
        words.map(|word| word.trim_end_matches('.').to_owned()).collect()
    };
    let number = |words: &[String], place: usize| -> f64 { words[place].parse().unwrap() };
    let all = shown("all ");
    // Each thing's price is rounded down to a billionth.
    let rounded = 1e-9 * events.len() as f64;
    assert!((number(&all, 4) - dollars).abs() < rounded, "{all:?}, by hand {dollars}");
    let asked = counts.iter().filter(|it| it.job != "(viewer)" && !it.action.starts_with("imds:"));
    assert_eq!(number(&all, 0) as u64, asked.map(|count| count.calls).sum::<u64>());

    // Each job was begun twice, since its first agent was killed: its report claims one set of snapshots, and no more.
    for report in reports {
        assert_eq!(report["report"]["header"]["run"]["cost"]["calls"]["ec2:CreateSnapshots"], 1);
    }
    assert_eq!(calls("ec2:CreateSnapshots"), 8);
    let killed = shown("Of that the killed attempt:");
    let of_the_killed = price(gib_seconds(events, |place| place < 6));
    assert!((number(&killed, 6) - of_the_killed).abs() < rounded, "{killed:?}, by hand {of_the_killed}");
    assert!(ran.text().contains(" lists: equal.\n"), "{}", ran.text());

    // What the agent that finished charged, job by job: as the log has it, but for the time that answers took.
    let log = fs::read_to_string(kept.join("agent-2.log")).unwrap();
    let charged = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let charged: Vec<Value> = charged.filter(|line| line["message"] == "job_charged").collect();
    assert_eq!(charged.len(), 4, "the one that was left alone had been settled before");
    let sum = |name: &str| -> u64 { charged.iter().map(|it| it[name].as_u64().unwrap()).sum() };
    assert_eq!((sum("blocks"), sum("lists"), sum("bytes")), (blocks, lists, blocks * 524_288));
    let own = requests + price(sum("snapshot_seconds"));
    let by_log = requests + price(gib_seconds(events, |place| place >= 6));
    assert!(own > by_log - rounded, "{own}, by hand {by_log}");
    // Disks are of 1 GiB, and each job's sum is rounded up to a millionth.
    let said = sum("microdollars") as f64 * 1e-6;
    assert!(said > own - rounded && said < own + 4e-6, "{said}, by hand {own}");
    for line in &charged {
        let report = reports.iter().find(|it| it["delivery"]["job"] == line["job"]).unwrap();
        for name in ["snapshot_seconds", "microdollars"] {
            assert!(line[name].as_u64().unwrap() >= cost(report, name), "{name}: {line}");
        }
    }
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
    assert!(ran.err.contains("done: report handed over, snapshots deleted"), "{}", ran.err);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_demo_whose_decoy_is_changed_from_outside_ends_with_1_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = sabotaged(folder.path(), |kept| {
        let decoy = kept.join("cloud/snapshots/snap-0dec0000000000001.img");
        fs::OpenOptions::new().write(true).open(decoy).unwrap().write_all_at(b"foreign", 4096).unwrap();
    });
    assert_eq!(ran.code, 1, "{}\n{}", ran.text(), ran.err);
    assert!(ran.text().contains("decoys 4, harmed 1\n"), "{}", ran.text());
    let said = "error: the demo's agent did not keep its promise\n  \
                snap-0dec0000000000001: another digest than before\nhelp: ";
    assert!(ran.err.contains(said), "{}", ran.err);
}

#[test]
fn a_demo_whose_agent_does_not_start_again_ends_with_1_and_says_what_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ran = sabotaged(folder.path(), |kept| {
        fs::write(kept.join("config.d/zz.toml"), "agent.leese = \"240s\"\n").unwrap();
    });
    assert_eq!(ran.code, 1, "{}\n{}", ran.text(), ran.err);
    assert!(ran.text().contains("jobs 5, lost 4, on the queue 4\n"), "{}", ran.text());
    let last = ran.text().lines().last().unwrap();
    assert_eq!(last, "made 6, released 0, held 6");
    let (_, error) = ran.err.split_once("error: the demo's agent ended by itself: ").unwrap();
    assert!(error.starts_with("exit status: 2\n"), "{error}");
    for wanted in ["agent.leese", "web: neither a report nor", ": made, and still there"] {
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

/// Runs a demo that is kept, and does `harm` to its folder while the first agent is at work.
fn sabotaged(folder: &Path, harm: impl FnOnce(&Path)) -> Ran {
    let kept = folder.join("kept");
    let mut command = command();
    command.arg("demo").arg("--keep").arg(&kept).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The first line of progress: the agent has read its configuration, and snapshots are in the making.
    while !said.contains(" made") {
        assert_ne!(err.read_line(&mut said).unwrap(), 0, "{said}");
    }
    harm(&kept);
    let rest = std::thread::spawn(move || {
        err.read_to_string(&mut said).unwrap();
        said
    });
    let output = child.wait_with_output().unwrap();
    let err = rest.join().unwrap();
    assert!(!err.contains("panicked"), "{err}");
    Ran { code: output.status.code().unwrap(), out: output.stdout, err }
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

/// GiB times whole seconds for which things existed, all together; of those alone whose place, counted by their making, is
/// wanted.
fn gib_seconds(events: &[Event], is_wanted: impl Fn(usize) -> bool) -> u64 {
    let mut begun: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    let mut sum = 0;
    for event in events {
        for id in event.ids.iter().filter(|id| id.starts_with("snap-")) {
            match event.kind {
                EventKind::Made => drop(begun.insert(id, (event.at, begun.len()))),
                EventKind::Gone => {
                    let (at, place) = begun[id.as_str()];
                    let seconds = event.at / 1000 - at / 1000;
                    sum += if is_wanted(place) { seconds * event.size_gib } else { 0 };
                }
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
