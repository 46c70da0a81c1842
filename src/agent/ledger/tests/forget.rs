// SPDX-License-Identifier: Apache-2.0
//! What a ledger may forget, and what never.

use std::collections::BTreeSet;

use super::*;

/// Everything below is this old.
const OLD: Timestamp = NOW;
/// What was settled before this is forgotten.
const BEFORE: Timestamp = Timestamp(NOW.0 + 1);

/// A ledger with one job, seen long ago.
async fn with_job(folder: &Path, state: &str) -> Ledger {
    let ledger = agent(folder);
    ledger.job_seen(&job(), "a", OLD).await.unwrap();
    let code = Reason::find("IMAGE_TRUNCATED").unwrap();
    let done = match state {
        "seen" => return ledger,
        "working" => return ledger.working("job-1", OLD).await.map(|()| ledger).unwrap(),
        "spooled" => return ledger.spooled("job-1", "d1", OLD).await.map(|()| ledger).unwrap(),
        "handed over" => return ledger.handed_over("job-1", OLD).await.map(|()| ledger).unwrap(),
        "complete" => Disposition::Complete,
        "partial" => Disposition::Partial,
        "permanent" => Disposition::Permanent { code },
        "retry" => Disposition::Retry { after: 60, code, touched: true },
        other => panic!("{other}"),
    };
    ledger.done("job-1", &done, OLD).await.unwrap();
    ledger
}

/// An intent of the job, taken so far.
async fn with_intent(ledger: &Ledger, events: &[Event]) -> Intent {
    let mut row = ledger.plan(new_intent(Kind::Set), OLD).await.unwrap();
    for event in events {
        row = ledger.advance(&row.id, event.clone()).await.unwrap();
    }
    row
}

fn called() -> Event {
    Event::Called { from: OLD, until: OLD, deadline: OLD }
}

fn bound() -> Event {
    Event::Bound(vec!["snap-0a".to_owned(), "snap-0b".to_owned()])
}

fn gone(id: &str) -> Event {
    Event::Gone(id.to_owned(), OLD)
}

/// What is left of jobs and intents.
async fn left(ledger: &Ledger) -> (usize, usize) {
    (ledger.jobs().await.unwrap().len(), ledger.intents(true).await.unwrap().len())
}

#[tokio::test]
async fn a_job_whose_message_is_settled_is_forgotten_and_no_other_one() {
    let cases = [
        ("seen", 1),
        ("working", 1),
        ("spooled", 1),
        ("handed over", 1),
        ("complete", 0),
        ("partial", 0),
        ("permanent", 0),
        ("retry", 0),
    ];
    for (state, stays) in cases {
        let folder = tempfile::tempdir().unwrap();
        let ledger = with_job(folder.path(), state).await;
        ledger.forget(OLD).await.unwrap();
        assert_eq!(left(&ledger).await.0, 1, "{state}: it is too young");
        ledger.forget(BEFORE).await.unwrap();
        assert_eq!(left(&ledger).await.0, stays, "{state}");
        let again = agent(folder.path());
        again.forget(Timestamp(i64::MAX)).await.unwrap();
        assert_eq!(left(&again).await.0, stays, "{state}: also after a restart, and however old it is");
    }
}

#[tokio::test]
async fn an_intent_that_is_not_closed_is_never_forgotten_and_keeps_its_job() {
    let lost = || Event::Lost("no answer".to_owned());
    let cases: Vec<(&str, Vec<Event>)> = vec![
        ("planned", vec![]),
        ("called", vec![called()]),
        ("unknown", vec![called(), lost()]),
        ("bound", vec![called(), bound()]),
        ("releasing", vec![called(), bound(), Event::Releasing]),
        ("half of it gone", vec![called(), bound(), Event::Releasing, gone("snap-0a")]),
        ("all of it gone", vec![called(), bound(), Event::Releasing, gone("snap-0a"), gone("snap-0b")]),
        ("orphaned", vec![called(), bound(), Event::Releasing, Event::Orphaned]),
    ];
    let mut met = BTreeSet::new();
    for (name, events) in cases {
        let folder = tempfile::tempdir().unwrap();
        let ledger = with_job(folder.path(), "complete").await;
        let row = with_intent(&ledger, &events).await;
        met.insert(row.state);
        for _ in 0..2 {
            ledger.forget(Timestamp(i64::MAX)).await.unwrap();
            assert_eq!(left(&ledger).await, (1, 1), "{name}");
        }
        assert_eq!(ledger.intent(&row.id).await.unwrap(), row, "{name}: nor is anything of it");
    }
    met.insert(State::Closed);
    assert_eq!(met, State::ALL.iter().copied().collect(), "every state is here or in the next test");
}

#[tokio::test]
async fn a_closed_intent_is_forgotten_with_what_it_made_and_twice_is_once() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = with_job(folder.path(), "complete").await;
    let whole = [called(), bound(), Event::Releasing, gone("snap-0a"), gone("snap-0b"), Event::Closed];
    with_intent(&ledger, &whole).await;
    with_intent(&ledger, &[Event::Dropped]).await;
    let later = Event::Called { from: OLD, until: Timestamp(BEFORE.0 + 900), deadline: BEFORE };
    let young = with_intent(&ledger, &[later, Event::Refused("no".to_owned())]).await;
    for _ in 0..2 {
        ledger.forget(BEFORE).await.unwrap();
        assert_eq!(ledger.intents(true).await.unwrap(), std::slice::from_ref(&young));
        assert!(ledger.makers("snap-0a").await.unwrap().is_empty());
        assert_eq!(left(&ledger).await.0, 0, "a closed intent keeps no job");
    }
}

#[tokio::test]
async fn what_is_closed_with_something_left_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = with_job(folder.path(), "complete").await;
    // No path of the program leads here; a row like this would be the last word on something that costs.
    let row = with_intent(&ledger, &[called(), bound(), Event::Releasing, Event::Closed]).await;
    assert_eq!(row.held().count(), 2);
    ledger.forget(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(left(&ledger).await.1, 1);
}

#[tokio::test]
async fn a_message_of_a_forgotten_job_is_that_of_a_new_one() {
    for state in ["complete", "partial", "permanent", "retry"] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = with_job(folder.path(), state).await;
        ledger.forget(BEFORE).await.unwrap();
        assert_eq!(ledger.job_seen(&job(), "b", BEFORE).await.unwrap(), Seen::New, "{state}");
        let mut other = job();
        other.profile = "full".to_owned();
        ledger.done("job-1", &Disposition::Complete, OLD).await.unwrap();
        ledger.forget(BEFORE).await.unwrap();
        assert_eq!(ledger.job_seen(&other, "c", BEFORE).await.unwrap(), Seen::New, "its id is free again");
    }
}

#[tokio::test]
async fn spending_is_forgotten_by_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = agent(folder.path());
    let budget = allowance("111111111111", 100);
    let reserved = ledger.reserve(&budget, 40, OLD).await.unwrap();
    ledger.forget(OLD).await.unwrap();
    assert_eq!(ledger.spent(&budget, OLD).await.unwrap(), 40, "its day is not over");
    ledger.forget(Timestamp(OLD.0 + 86_400)).await.unwrap();
    assert_eq!(ledger.spent(&budget, OLD).await.unwrap(), 0);
    ledger.give_back(&budget, reserved).await.unwrap();
    assert_eq!(ledger.spent(&budget, OLD).await.unwrap(), 0, "nothing can be given back to it");
}
