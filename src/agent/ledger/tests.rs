// SPDX-License-Identifier: Apache-2.0
//! What a ledger remembers, over restarts and beside other processes.

mod forget;

use std::path::Path;

use snapscan_cloud::{AccountId, Region, Timestamp};
use snapscan_schema::{Disposition, Job, Reason};

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000);

fn job() -> Job {
    let text = r#"{"schema_version": 1, "id": "job-1", "target": {"kind": "instance", "id": "i-0abc"},
        "account": "111111111111", "region": "eu-west-1", "profile": "os"}"#;
    serde_json::from_str(text).unwrap()
}

fn agent(folder: &Path) -> Ledger {
    Ledger::open(folder, Opening::Agent).unwrap()
}

fn new_intent(kind: Kind) -> NewIntent {
    NewIntent {
        kind,
        account: AccountId::parse("111111111111").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        job: "job-1".to_owned(),
        sources: vec!["vol-0a".to_owned(), "vol-0b".to_owned()],
        about: String::new(),
        expected: 2,
    }
}

#[tokio::test]
async fn a_message_that_comes_again_while_its_job_lives_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    assert_eq!(ledger.job_seen(&job(), "first", NOW).await.unwrap(), Seen::New);
    for step in 0..3 {
        let receipt = format!("receipt {step}");
        assert_eq!(ledger.job_seen(&job(), &receipt, NOW).await.unwrap(), Seen::Alive);
        assert_eq!(ledger.job("job-1").await.unwrap().unwrap().receipt, receipt);
        match step {
            0 => ledger.working("job-1", NOW).await.unwrap(),
            _ => ledger.spooled("job-1", "d1", NOW).await.unwrap(),
        }
    }
    ledger.set_receipt("job-1", "later", NOW).await.unwrap();
    let row = ledger.job("job-1").await.unwrap().unwrap();
    assert_eq!(row.receipt, "later");
    assert_eq!(row.state, JobState::Spooled { digest: "d1".to_owned() });
    assert!(!format!("{row:?}").contains("later"), "a receipt handle is a right");
}

#[tokio::test]
async fn a_restart_undoes_a_job_before_the_spool_and_finishes_it_after() {
    let folder = tempfile::tempdir().unwrap();
    agent(folder.path()).job_seen(&job(), "a", NOW).await.unwrap();
    let second = agent(folder.path());
    assert_eq!(second.job_seen(&job(), "b", NOW).await.unwrap(), Seen::New, "seen before the restart");
    second.working("job-1", NOW).await.unwrap();
    let third = agent(folder.path());
    assert_eq!(third.job_seen(&job(), "c", NOW).await.unwrap(), Seen::New, "worked on before the restart");
    third.spooled("job-1", "d1", NOW).await.unwrap();
    let fourth = agent(folder.path());
    let digest = "d1".to_owned();
    assert_eq!(fourth.job_seen(&job(), "d", NOW).await.unwrap(), Seen::Spooled { digest });
    assert_eq!(fourth.job_seen(&job(), "e", NOW).await.unwrap(), Seen::Alive, "this agent finishes it");
    fourth.handed_over("job-1", NOW).await.unwrap();
    assert_eq!(fourth.job_seen(&job(), "f", NOW).await.unwrap(), Seen::HandedOver);
    let fifth = agent(folder.path());
    assert_eq!(fifth.job_seen(&job(), "g", NOW).await.unwrap(), Seen::HandedOver);
}

#[tokio::test]
async fn a_job_that_ended_is_acked_run_again_or_new_by_how_it_ended() {
    let retry =
        Disposition::Retry { after: 60, code: Reason::find("IMAGE_TRUNCATED").unwrap(), touched: true };
    let permanent = Disposition::Permanent { code: Reason::find("IMAGE_TRUNCATED").unwrap() };
    let cases = [
        (Disposition::Complete, Seen::HandedOver),
        (Disposition::Partial, Seen::HandedOver),
        (retry, Seen::New),
        (permanent, Seen::PermanentBefore),
    ];
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    for (end, seen) in cases {
        ledger.job_seen(&job(), "a", NOW).await.unwrap();
        ledger.done("job-1", &end, NOW).await.unwrap();
        assert_eq!(ledger.job_seen(&job(), "b", NOW).await.unwrap(), seen, "{end:?}");
        if seen != Seen::HandedOver {
            assert_eq!(ledger.job("job-1").await.unwrap().unwrap().state, JobState::Seen, "it runs: {end:?}");
        }
    }
}

#[tokio::test]
async fn the_same_id_with_another_target_account_region_or_profile_is_poison() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    ledger.job_seen(&job(), "mine", NOW).await.unwrap();
    let before = ledger.job("job-1").await.unwrap();
    type Change = fn(&mut Job);
    let others: [(&str, Change); 4] = [
        ("target", |job| job.target = snapscan_schema::JobTarget::Volume { id: "vol-0a".to_owned() }),
        ("account", |job| job.account = Some("222222222222".to_owned())),
        ("region", |job| job.region = None),
        ("profile", |job| job.profile = "full".to_owned()),
    ];
    for (field, change) in others {
        let mut other = job();
        change(&mut other);
        let seen = ledger.job_seen(&other, "theirs", NOW).await.unwrap();
        let Seen::Poison { reason } = seen else { panic!("{field}: {seen:?}") };
        assert!(reason.contains(field), "{reason}");
        assert_eq!(ledger.job("job-1").await.unwrap(), before, "{field}: the first job's row stays");
    }
    let mut again = job();
    again.attempt = 3;
    assert_eq!(
        ledger.job_seen(&again, "mine", NOW).await.unwrap(),
        Seen::Alive,
        "an attempt is no difference"
    );
}

#[tokio::test]
async fn an_agent_begins_an_epoch_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Ledger::open(folder.path(), Opening::Beside), Err(Error::Missing(_))));
    assert_eq!(agent(folder.path()).epoch(), 1);
    assert_eq!(Ledger::open(folder.path(), Opening::Beside).unwrap().epoch(), 1);
    let second = agent(folder.path());
    assert_eq!(second.epoch(), 2);
    let old = second.plan(new_intent(Kind::Set), NOW).await.unwrap();
    assert_eq!((old.epoch, old.state, old.boot.is_empty()), (2, State::Planned, false));
    assert!(second.open_before(2).await.unwrap().is_empty());
    let third = agent(folder.path());
    assert_eq!(third.open_before(3).await.unwrap(), [old]);
}

#[tokio::test]
async fn every_event_of_a_row_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    let id = ledger.plan(new_intent(Kind::Set), NOW).await.unwrap().id;
    let late = NOW.plus(std::time::Duration::from_secs(2_000));
    let events = [
        Event::Called { from: Timestamp(NOW.0 - 300), until: late, deadline: NOW },
        Event::Lost("no answer".to_owned()),
        Event::Looked(NOW),
        Event::Looked(late),
        Event::Found(vec!["snap-0a".to_owned()]),
        Event::Looked(late),
        Event::Troubled(Trouble::Denied, "no".to_owned(), late),
        Event::Deleting("snap-0a".to_owned(), late),
        Event::Deleted("snap-0a".to_owned(), late),
        Event::Absent("snap-0a".to_owned(), late),
        Event::Gone("snap-0a".to_owned(), late),
    ];
    for event in events {
        let before = ledger.intent(&id).await.unwrap();
        let after = ledger.advance(&id, event.clone()).await.unwrap();
        assert_ne!(before, after, "{event:?}");
        let elsewhere = Ledger::open(folder.path(), Opening::Beside).unwrap();
        assert_eq!(elsewhere.intent(&id).await.unwrap(), after, "{event:?}");
    }
    let row = ledger.intent(&id).await.unwrap();
    assert_eq!((row.lookups, row.looks), (4, Some((late, late))), "what was found begins the count anew");
    assert_eq!(row.word(), "denied");
    let made = row.made[0].clone();
    assert_eq!(
        (made.seen, made.deleted, made.absent, made.gone),
        (Some(late), Some(late), Some(late), Some(late))
    );
}

#[tokio::test]
async fn an_illegal_change_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    let row = ledger.plan(new_intent(Kind::Volume), NOW).await.unwrap();
    for event in [Event::Bound(vec![]), Event::Closed, Event::Releasing, Event::Lost(String::new())] {
        let refused = ledger.advance(&row.id, event.clone()).await;
        assert!(matches!(refused, Err(Error::Illegal { .. })), "{event:?}");
    }
    assert_eq!(ledger.intent(&row.id).await.unwrap(), row);
    ledger.advance(&row.id, Event::Dropped).await.unwrap();
    let closed = ledger.advance(&row.id, Event::Called { from: NOW, until: NOW, deadline: NOW }).await;
    assert!(closed.unwrap_err().to_string().contains("is closed and cannot become called"));
}

fn allowance(account: &str, ceiling: u64) -> Allowance {
    Allowance { account: AccountId::parse(account).unwrap(), what: "microdollars", ceiling }
}

#[tokio::test]
async fn what_was_reserved_survives_a_restart_and_ends_with_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (allowance("111111111111", 100), allowance("222222222222", 100));
    let tomorrow = Timestamp(NOW.0 + 86_400);
    let ledger = agent(folder.path());
    assert_eq!(ledger.spent(&one, NOW).await.unwrap(), 0);
    assert_eq!(ledger.reserve(&one, 60, NOW).await.unwrap().amount, 60);
    drop(ledger);
    let ledger = agent(folder.path());
    let second = ledger.reserve(&one, 60, NOW).await.unwrap();
    assert_eq!(second.amount, 40, "no more than the ceiling leaves");
    assert_eq!(ledger.reserve(&one, 60, NOW).await.unwrap().amount, 0);
    assert_eq!(ledger.reserve(&other, 60, NOW).await.unwrap().amount, 60, "another account has its own");
    assert_eq!(ledger.reserve(&one, 60, tomorrow).await.unwrap().amount, 60, "another day has its own");
    let unspent = Reserved { amount: 30, ..second };
    ledger.give_back(&one, unspent).await.unwrap();
    assert_eq!(ledger.spent(&one, NOW).await.unwrap(), 70);
    assert_eq!(ledger.spent(&one, tomorrow).await.unwrap(), 60, "it is given back to its own day");
    let more = Allowance { ceiling: u64::MAX, ..one.clone() };
    ledger.reserve(&more, u64::MAX, NOW).await.unwrap();
    assert_eq!(ledger.spent(&one, NOW).await.unwrap(), i64::MAX.unsigned_abs(), "it stays at the most");
}

#[tokio::test]
async fn a_lower_ceiling_than_what_is_spent_leaves_nothing_and_takes_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    ledger.reserve(&allowance("111111111111", 100), 80, NOW).await.unwrap();
    let lower = allowance("111111111111", 50);
    assert_eq!(ledger.reserve(&lower, 1, NOW).await.unwrap().amount, 0);
    assert_eq!(ledger.spent(&lower, NOW).await.unwrap(), 80);
}

#[tokio::test]
async fn two_processes_reserve_at_once_and_the_ceiling_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (agent(folder.path()), Ledger::open(folder.path(), Opening::Beside).unwrap());
    let budget = allowance("111111111111", 75);
    let mut sum = 0;
    for _ in 0..50 {
        let (a, b) = tokio::join!(one.reserve(&budget, 1, NOW), other.reserve(&budget, 1, NOW));
        sum += a.unwrap().amount + b.unwrap().amount;
    }
    assert_eq!(sum, 75);
    assert_eq!(one.spent(&budget, NOW).await.unwrap(), 75);
}

#[tokio::test]
async fn a_commit_is_synchronous_and_goes_through_the_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    let ask = |name: &'static str| {
        ledger.read(move |db| Ok(db.pragma_query_value(None, name, |row| row.get::<_, String>(0)).ok()))
    };
    assert_eq!(ask("journal_mode").await.unwrap().as_deref(), Some("wal"));
    let full = ledger.read(|db| Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?));
    assert_eq!(full.await.unwrap(), 2);
}

#[tokio::test]
async fn a_ledger_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(agent(folder.path()));
    let db = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let opened = Ledger::open(folder.path(), Opening::Agent);
    assert!(matches!(opened, Err(Error::TooNew { found: 99 })));
}
