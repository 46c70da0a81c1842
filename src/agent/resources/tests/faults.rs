// SPDX-License-Identifier: Apache-2.0
//! Calls that fail before or after their effect.

use snapscan_cloud::Action;

use super::fake::Fault;
use super::*;
use crate::agent::ledger::{Kind, State};

fn with(number: usize, fault: Fault) -> Stage {
    let faults = [(number, fault)].into();
    Stage::new(Manner { late: 2, pending: 20, slow: 3, decoys: true, faults, ..Manner::default() })
}

/// The changing calls that a calm job makes: six make, seven take away.
const CALLS: usize = 13;

#[tokio::test(start_paused = true)]
async fn whatever_one_call_answers_nothing_is_left() {
    let faults = [
        Fault::Lost,
        Fault::Swallowed,
        Fault::Refused("RequestLimitExceeded"),
        Fault::Refused("UnauthorizedOperation"),
        Fault::Refused("IncorrectState"),
        Fault::Refused("InternalError"),
        Fault::Refused("InvalidSnapshot.NotFound"),
        Fault::Refused("InvalidParameterValue"),
    ];
    for number in 0..CALLS {
        for fault in faults {
            let stage = with(number, fault);
            let agent = stage.agent();
            let made = make_all(&agent).await;
            assert_eq!(made.is_ok(), number >= 6, "{number} {fault:?} {made:?}");
            agent.release(JOB).await.unwrap();
            drop(agent);
            stage.reap_all().await;
            stage.assert_clean(&format!("call {number} {fault:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_calm_job_makes_as_many_calls_as_are_tried() {
    let stage = Stage::new(Manner { pending: 20, ..Manner::default() });
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    agent.release(JOB).await.unwrap();
    assert_eq!(stage.fake.changing(), CALLS);
}

#[tokio::test(start_paused = true)]
async fn no_second_create_goes_out_under_an_unresolved_intent() {
    let kinds = [
        (0, Kind::Set, Action::CreateSnapshots),
        (1, Kind::Snapshot, Action::CreateSnapshot),
        (2, Kind::Copy, Action::CopySnapshot),
        (3, Kind::Share, Action::ShareSnapshot),
        (4, Kind::Volume, Action::CreateVolume),
        (5, Kind::Attachment, Action::AttachVolume),
    ];
    assert_eq!(kinds.len(), Kind::ALL.len());
    for (number, kind, action) in kinds {
        for fault in [Fault::Lost, Fault::Swallowed] {
            let stage = with(number, fault);
            let agent = stage.agent();
            let made = make_all(&agent).await;
            let Err(Error::Unknown { kind: lost, intent, .. }) = made else { panic!("{made:?}") };
            assert_eq!(lost, kind);
            assert_eq!(stage.fake.count(action), 1, "{kind:?}");
            // Nothing leads back to a call.
            let now = stage.clock.now();
            let again = crate::agent::ledger::Event::Called { from: now, until: now, deadline: now };
            let again = agent.ledger.advance(&intent, again).await;
            assert!(matches!(again, Err(crate::agent::ledger::Error::Illegal { .. })), "{kind:?} {again:?}");
            // Nor does any release, of this process or another, call it.
            agent.release(JOB).await.unwrap();
            stage.reap_all().await;
            assert_eq!(stage.fake.count(action), 1, "{kind:?}");
            assert_eq!(agent.ledger.intent(&intent).await.unwrap().state, State::Closed, "{kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_answers_is_given_up_and_looked_for() {
    struct Silent;
    #[async_trait::async_trait]
    impl Service for Silent {
        async fn call(
            &self,
            _: &snapscan_cloud::Scope,
            _: snapscan_cloud::Call,
        ) -> Result<snapscan_cloud::Answer, snapscan_cloud::Error> {
            std::future::pending().await
        }
    }
    let stage = Stage::new(Manner::default());
    let mut agent = stage.agent();
    agent.cloud.service = Arc::new(Silent);
    let begun = stage.clock.now();
    let made = set(&agent).await;
    assert!(matches!(made, Err(Error::Unknown { .. })), "{made:?}");
    assert_eq!(stage.clock.now().since(begun).as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_release_works_without_a_ledger_that_can_be_written_and_making_does_not() {
    let stage = Stage::new(Manner { pending: 20, ..Manner::default() });
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    agent.ledger.refuse_writes(true).await;
    let calls = stage.fake.changing();
    assert!(matches!(set(&agent).await, Err(Error::Ledger(_))));
    assert_eq!(stage.fake.changing(), calls, "nothing was asked for");
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held), (7, 0), "{released:#?}");
    stage.assert_clean("with a full disk");
    // The ledger does not know; the next one finds out.
    agent.ledger.refuse_writes(false).await;
    drop(agent);
    stage.reap_all().await;
}
