// SPDX-License-Identifier: Apache-2.0
//! Hostile targets and hostile messages, through the whole agent: what they do to others, and to what is not theirs.

use std::fs;

use snapscan_cloud::local::{Settings, SnapshotRecord, dead_letters, events};
use snapscan_cloud::{AccountId, Call, SnapshotId, VolumeId};
use snapscan_schema::{Disposition, Job, JobTarget, Method, Reason, Report};

use crate::between;
use crate::cloud::{CUSTOMER, Machine, OTHER, STRANGER, Stage, assert_same, comparable, unpacked, volume};
use crate::run::scan;

/// A victim in one account, beside it a machine of so many disks in another.
fn stage(other: &str, disks: usize) -> Stage {
    let images = tempfile::tempdir().unwrap();
    let victim = unpacked("debian-ext4-gpt", images.path());
    let hostile = if other == "debian-ext4-gpt" { victim.clone() } else { unpacked(other, images.path()) };
    Stage::new(vec![
        Machine { name: "victim".to_owned(), account: CUSTOMER, disks: vec![victim] },
        Machine { name: "hostile".to_owned(), account: OTHER, disks: vec![hostile; disks] },
    ])
}

fn has(report: &Report, code: Reason) -> bool {
    report
        .coverage
        .lines()
        .iter()
        .any(|line| line.code == Some(code) || line.notes.iter().any(|note| note.code == code))
}

#[test]
fn a_report_is_the_same_whether_or_not_a_hostile_disk_is_read_beside_it() {
    let alone = stage("evil-ext4", 1);
    alone.submit(&alone.job("victim", Method::Direct));
    alone.agent(&[]);
    let both = stage("evil-ext4", 1);
    both.submit(&both.job("hostile", Method::Direct));
    both.submit(&both.job("victim", Method::Direct));
    both.agent(&["agent.inspect=2"]);
    let (alone, both) = (alone.reports(), both.reports());
    assert!(both.contains_key("hostile"));
    assert!(alone["victim"].findings.len() > 10);
    assert_same("the victim's report", &comparable(&alone["victim"]), &comparable(&both["victim"]));
}

#[test]
fn a_target_of_very_many_volumes_ends_at_its_budget_and_the_other_account_is_read_whole() {
    let stage = stage("debian-ext4-gpt", 40);
    let plain = scan(&stage.plain("victim")).1;
    let blocks = plain.header.run.read.blocks_512k + 12;
    stage.submit(&stage.job("hostile", Method::Direct));
    stage.submit(&stage.job("victim", Method::Direct));
    stage.agent(&[&format!("limits.blocks_os={blocks}")]);
    let reports = stage.reports();
    assert!(has(&reports["hostile"], Reason::BudgetExhausted));
    assert!(reports["hostile"].coverage.is_incomplete());
    assert_same("the victim's report", &comparable(&reports["victim"]), &comparable(&plain));
    assert_eq!(stage.leaked(), Vec::<String>::new());
}

#[test]
fn money_that_one_account_has_used_up_is_not_taken_from_another() {
    let stage = stage("debian-ext4-gpt", 40);
    let plain = scan(&stage.plain("victim")).1;
    // Millionths of a dollar: three for a block, and a list for each volume; some more for what is read ahead.
    let money = (plain.header.run.read.blocks_512k + 12) * 3 + 4;
    stage.submit(&stage.job("hostile", Method::Direct));
    stage.submit(&stage.job("victim", Method::Direct));
    stage.agent(&[&format!("limits.dollars_a_day=0.{money:06}")]);
    let reports = stage.reports();
    if let Some(hostile) = reports.get("hostile") {
        assert!(has(hostile, Reason::BudgetExhausted));
    } else {
        assert!(stage.outcomes().contains_key("hostile"));
    }
    assert_same("the victim's report", &comparable(&reports["victim"]), &comparable(&plain));
    assert_eq!(stage.leaked(), Vec::<String>::new());
}

/// A cloud with a machine in two accounts, and a snapshot of somebody else's.
fn forged() -> Stage {
    let images = tempfile::tempdir().unwrap();
    let image = unpacked("alpine", images.path());
    let machine =
        |name: &str, account| Machine { name: name.to_owned(), account, disks: vec![image.clone()] };
    let machines = vec![machine("mine", CUSTOMER), machine("theirs", OTHER), machine("strange", STRANGER)];
    Stage::with(machines, |builder| {
        let account = AccountId::parse(OTHER).unwrap();
        let of = VolumeId::parse(&volume(1, 0)).unwrap();
        let id = SnapshotId::parse("snap-0ee").unwrap();
        builder.snapshot(SnapshotRecord::new(id, account, of), &image)
    })
}

fn named(stage: &Stage, id: &str, target: JobTarget) -> Job {
    let local = matches!(target, JobTarget::Image { .. } | JobTarget::Directory { .. });
    let job = stage.job("mine", Method::Direct);
    let (account, region) = if local { (None, None) } else { (job.account, job.region) };
    Job { id: id.to_owned(), target, account, region, ..job }
}

/// Why a message of this job lies among the dead ones.
fn dead(stage: &Stage, id: &str) -> Option<String> {
    let all = dead_letters(&stage.cloud()).unwrap();
    all.into_iter().find(|(body, _)| body.contains(&format!("\"id\":\"{id}\""))).map(|(_, reason)| reason)
}

#[test]
fn a_message_that_names_what_it_may_not_makes_nothing_and_is_buried() {
    let stage = forged();
    fs::write(stage.path("secret"), "canary-5f1d0c7e").unwrap();
    std::os::unix::fs::symlink(stage.path("secret"), stage.path("root/link")).unwrap();
    std::os::unix::fs::symlink("/etc", stage.path("root/folder")).unwrap();
    stage.submit(&stage.job("strange", Method::Direct));
    let image = |path: &str| JobTarget::Image { paths: vec![path.to_owned()] };
    for (id, path) in [
        ("above", "../secret".to_owned()),
        ("absolute", "/etc/passwd".to_owned()),
        ("link", "link".to_owned()),
        ("beyond", "folder/passwd".to_owned()),
    ] {
        stage.submit(&named(&stage, id, image(&path)));
    }
    stage.submit(&named(&stage, "folder", JobTarget::Directory { path: "folder".to_owned() }));
    let job = serde_json::to_string(&named(&stage, "version", image("x"))).unwrap();
    stage.send(&job.replace("\"schema_version\":1", "\"schema_version\":2"));
    stage.send(&job.replace("\"version\"", "\"kind\"").replace("\"kind\":\"image\"", "\"kind\":\"host\""));
    stage.agent(&[]);
    for id in ["strange", "above", "absolute", "link", "beyond", "folder", "version"] {
        assert!(dead(&stage, id).is_some(), "{id}: {:?}", stage.outcomes().get(id));
    }
    assert!(dead(&stage, "strange").unwrap().contains("not configured"));
    assert_eq!(dead_letters(&stage.cloud()).unwrap().len(), 8);
    assert_eq!(stage.made(), Vec::<String>::new());
    assert!(stage.reports().is_empty());
}

#[test]
fn a_message_that_names_what_another_account_has_finds_nothing_there() {
    let stage = forged();
    stage.submit(&named(&stage, "snapshot", JobTarget::Snapshot { id: "snap-0ee".to_owned() }));
    stage.submit(&named(&stage, "instance", JobTarget::Instance { id: stage.instance(1) }));
    stage.submit(&named(&stage, "volume", JobTarget::Volume { id: volume(1, 0) }));
    stage.agent(&[]);
    let outcomes = stage.outcomes();
    for id in ["snapshot", "instance", "volume"] {
        let ended = outcomes.get(id).map(|outcome| outcome.ended.clone());
        assert_eq!(ended, Some(Disposition::Permanent { code: Reason::TargetGone }), "{id}");
    }
    assert_eq!(stage.made(), Vec::<String>::new());
    assert!(stage.reports().is_empty());
}

#[test]
fn a_message_sent_again_with_another_target_is_buried_and_one_that_is_the_same_is_not_done_twice() {
    let stage = forged();
    let job = stage.job("mine", Method::Direct);
    stage.submit(&job);
    stage.agent(&[]);
    let made = stage.made();
    assert_eq!(made.len(), 1, "{made:?}");
    stage.submit(&job);
    let other = stage.job("theirs", Method::Direct);
    stage.submit(&Job { id: job.id.clone(), ..other });
    stage.agent(&[]);
    assert_eq!(stage.made(), made);
    let all = dead_letters(&stage.cloud()).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].0.contains(OTHER));
}

#[test]
fn what_is_attached_is_shared_with_the_scanner_s_account_alone_and_bait_is_left_alone() {
    let images = tempfile::tempdir().unwrap();
    let image = unpacked("alpine", images.path());
    let machine = Machine { name: "mine".to_owned(), account: CUSTOMER, disks: vec![image.clone()] };
    let bait = ["snap-0b1", "snap-0b2"];
    let stage = Stage::with(vec![machine], |builder| {
        let of = |id: &str| {
            let account = AccountId::parse(CUSTOMER).unwrap();
            let volume = VolumeId::parse(&volume(0, 0)).unwrap();
            let mut record = SnapshotRecord::new(SnapshotId::parse(id).unwrap(), account, volume);
            record.tags.insert("Name".to_owned(), "snapscan".to_owned());
            record.tags.insert(snapscan_cloud::owned::TAG_DEPLOYMENT.to_owned(), "test".to_owned());
            record.description = "snapscan test".to_owned();
            record
        };
        bait.into_iter().fold(builder, |builder, id| builder.snapshot(of(id), &image))
    });
    stage.submit(&stage.job("mine", Method::Attach));
    let (_, calls) = between::agent(&stage, |_| false);
    assert_eq!(stage.reports()["mine"].header.run.method, "attach");
    assert_eq!(stage.leaked(), Vec::<String>::new());
    let events = events(&stage.cloud()).unwrap();
    let touched = |id: &&str| events.iter().any(|event| event.ids.iter().any(|one| one == id));
    assert_eq!(bait.iter().find(|id| touched(id)), None);
    let with = calls.iter().filter_map(|(_, call)| match call {
        Call::ShareSnapshot(share) => Some(share.with.to_string()),
        _ => None,
    });
    assert_eq!(with.collect::<Vec<_>>(), [Settings::default().host.account.to_string()]);
}

#[test]
fn a_block_with_another_checksum_than_it_says_is_an_error_and_never_data() {
    let stage = stage("alpine", 1);
    stage.submit(&stage.job("victim", Method::Direct));
    let (_, calls) = between::agent(&stage, |_| true);
    assert!(calls.iter().any(|(_, call)| matches!(call, Call::GetSnapshotBlock(_))));
    match stage.reports().get("victim") {
        Some(report) => {
            assert!(report.findings.is_empty(), "{:?}", report.findings);
            assert!(report.coverage.is_incomplete());
        }
        None => assert!(stage.outcomes().contains_key("victim")),
    }
    assert_eq!(stage.leaked(), Vec::<String>::new());
}

#[test]
fn a_block_that_comes_damaged_once_is_fetched_again_and_the_report_is_whole() {
    let stage = stage("alpine", 1);
    let plain = scan(&stage.plain("victim")).1;
    stage.submit(&stage.job("victim", Method::Direct));
    between::agent(&stage, |nth| nth % 3 == 0);
    let reports = stage.reports();
    assert_same("the report", &comparable(&reports["victim"]), &comparable(&plain));
}
