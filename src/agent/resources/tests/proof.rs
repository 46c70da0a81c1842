// SPDX-License-Identifier: Apache-2.0
//! When something counts as gone, and what is said aloud when it stays.

use snapscan_cloud::Action;

use super::fake::Fault;
use super::*;
use crate::agent::ledger::{State, Trouble};

async fn sleep(stage: &Stage, seconds: u64) {
    stage.clock.sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_intent_closes_after_two_lookups_a_minute_apart_fifteen_minutes_after_its_deadline() {
    let faults = [(0, Fault::Swallowed)].into();
    let stage = Stage::new(Manner { faults, ..Manner::default() });
    let agent = stage.agent();
    let Err(Error::Unknown { intent, .. }) = set(&agent).await else { panic!() };
    let deadline = agent.ledger.intent(&intent).await.unwrap().deadline;
    // Any number of lookups before the deadline and fifteen minutes proves nothing.
    while stage.clock.now() < deadline.plus(Duration::from_secs(890)) {
        assert_eq!(agent.release(JOB).await.unwrap().held, 1);
        sleep(&stage, 61).await;
    }
    let left = deadline.plus(Duration::from_secs(900)).since(stage.clock.now());
    stage.clock.sleep(left).await;
    assert_eq!(agent.release(JOB).await.unwrap().held, 1, "the first that counts");
    sleep(&stage, 59).await;
    assert_eq!(agent.release(JOB).await.unwrap().held, 1, "not yet a minute apart");
    sleep(&stage, 1).await;
    assert_eq!(agent.release(JOB).await.unwrap().held, 0);
    assert_eq!(agent.ledger.intent(&intent).await.unwrap().state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_copy_is_looked_for_a_day() {
    let faults = [(1, Fault::Swallowed)].into();
    let stage = Stage::new(Manner { faults, ..Manner::default() });
    let agent = stage.agent();
    let source = agent.snapshot_volume(&there(), &VolumeId::parse("vol-0c").unwrap()).await.unwrap();
    let copy = CopyOf { source: &source.id, region: &region(), key: None };
    let Err(Error::Unknown { .. }) = agent.copy(&there(), &copy).await else { panic!() };
    for _ in 0..24 {
        assert_eq!(agent.release(JOB).await.unwrap().held, 1);
        sleep(&stage, 3595).await;
    }
    for _ in 0..2 {
        sleep(&stage, 300).await;
        agent.release(JOB).await.unwrap();
    }
    assert_eq!(agent.ledger.tally().await.unwrap().unresolved, 0);
}

#[tokio::test(start_paused = true)]
async fn a_thing_that_shows_only_after_ten_minutes_is_found_and_deleted() {
    let faults = [(0, Fault::Lost)].into();
    let stage = Stage::new(Manner { faults, late: 600, decoys: true, ..Manner::default() });
    let agent = stage.agent();
    assert!(matches!(set(&agent).await, Err(Error::Unknown { .. })));
    assert_eq!(agent.release(JOB).await.unwrap().held, 1);
    assert_eq!(stage.fake.ours().len(), 2);
    for _ in 0..12 {
        sleep(&stage, 61).await;
        agent.release(JOB).await.unwrap();
    }
    stage.assert_clean("after the lag");
    assert_eq!(agent.ledger.tally().await.unwrap().held, 0);
}

#[tokio::test(start_paused = true)]
async fn a_bound_thing_that_is_not_listed_yet_is_not_taken_for_gone() {
    let stage = Stage::new(Manner { late: 300, ..Manner::default() });
    let agent = stage.agent();
    set(&agent).await.unwrap();
    for _ in 0..4 {
        let released = agent.release(JOB).await.unwrap();
        assert_eq!((released.released, released.held), (0, 2));
        sleep(&stage, 62).await;
    }
    sleep(&stage, 62).await;
    assert_eq!(agent.release(JOB).await.unwrap().released, 2);
    stage.assert_clean("after the lag");
}

#[tokio::test(start_paused = true)]
async fn a_pending_snapshot_is_held_until_it_is_seen_gone() {
    let stage = Stage::new(Manner { pending: 1_000, ..Manner::default() });
    let agent = stage.agent();
    set(&agent).await.unwrap();
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (0, 2, 0), "{released:#?}");
    assert!(released.left.iter().all(|left| left.state == "releasing"));
    let deletes = stage.fake.count(Action::DeleteSnapshot);
    sleep(&stage, 120).await;
    assert_eq!(agent.release(JOB).await.unwrap().held, 2);
    assert_eq!(stage.fake.count(Action::DeleteSnapshot), deletes, "asked once");
    sleep(&stage, 1_000).await;
    assert_eq!(agent.release(JOB).await.unwrap().released, 2);
    stage.assert_clean("once complete");
}

#[tokio::test(start_paused = true)]
async fn a_set_with_a_member_in_error_is_named_and_deleted_whole() {
    let error = ["vol-0b".to_owned()].into();
    let stage = Stage::new(Manner { error, pending: 20, ..Manner::default() });
    let agent = stage.agent();
    let ids: Vec<_> = set(&agent).await.unwrap().into_iter().map(|one| one.id).collect();
    let waited = agent.wait_completed(&there(), &ids, MINUTES).await;
    let Err(error @ Error::Failed(_)) = waited else { panic!("{waited:?}") };
    assert!(error.to_string().contains("of vol-0b: as planned"), "{error}");
    sleep(&stage, 60).await;
    assert_eq!(agent.release(JOB).await.unwrap().released, 2);
    stage.assert_clean("after the error");
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_take_too_long_are_named() {
    let stage = Stage::new(Manner { pending: 10_000, ..Manner::default() });
    let agent = stage.agent();
    let ids: Vec<_> = set(&agent).await.unwrap().into_iter().map(|one| one.id).collect();
    let Err(Error::Late { pending, .. }) = agent.wait_completed(&there(), &ids, MINUTES).await else {
        panic!()
    };
    assert_eq!(pending, ids);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_jobs_wait_with_one_list_a_round() {
    let stage = Stage::new(Manner { pending: 50, ..Manner::default() });
    let agent = stage.agent();
    let one = agent.snapshot_volume(&there(), &VolumeId::parse("vol-0c").unwrap()).await.unwrap();
    let ids = [one.id];
    let (here, limit) = (there(), MINUTES);
    let wait = || agent.wait_completed(&here, &ids, limit);
    let mut all: Vec<_> = (0..200).map(|_| Box::pin(wait())).collect();
    for wait in &mut all {
        // Polled together, so that all join before the first round.
        tokio::select! { biased; _ = wait => panic!(), () = std::future::ready(()) => {} }
    }
    for wait in all {
        wait.await.unwrap();
    }
    // Eleven rounds of 5 s, each of two pages.
    assert!(
        stage.fake.count(Action::DescribeSnapshots) <= 22,
        "{}",
        stage.fake.count(Action::DescribeSnapshots)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_denied_is_loud_until_it_is_allowed() {
    let stage = Stage::new(Manner::default());
    let agent = stage.agent();
    set(&agent).await.unwrap();
    stage.fake.manner(|manner| manner.denied.extend([Action::DeleteSnapshot]));
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (0, 2, 1), "{released:#?}");
    assert_eq!(released.left[0].state, "denied");
    stage.fake.manner(|manner| manner.denied.clear());
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (2, 0, 0), "{released:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_for_thirty_days_is_orphaned_and_not_tried_again() {
    let stage = Stage::new(Manner::default());
    let agent = stage.agent();
    set(&agent).await.unwrap();
    stage.fake.manner(|manner| manner.denied.extend([Action::DescribeSnapshots]));
    for _ in 0..31 {
        assert_eq!(agent.release(JOB).await.unwrap().loud, 1);
        sleep(&stage, 86_400).await;
    }
    let calls = stage.fake.count(Action::DescribeSnapshots);
    agent.release(JOB).await.unwrap();
    assert_eq!(stage.fake.count(Action::DescribeSnapshots), calls);
    let tally = agent.ledger.tally().await.unwrap();
    assert_eq!((tally.held, tally.loud), (2, 1), "it still counts, and it is still said");
}

#[tokio::test(start_paused = true)]
async fn a_locked_snapshot_is_said_to_be_locked() {
    let stage = Stage::new(Manner { locked: Some("OperationNotPermitted"), ..Manner::default() });
    let agent = stage.agent();
    set(&agent).await.unwrap();
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.held, released.loud), (2, 1));
    let row = &agent.ledger.intents(false).await.unwrap()[0];
    assert_eq!(row.trouble.map(|trouble| trouble.0), Some(Trouble::Locked));
}

#[tokio::test(start_paused = true)]
async fn two_candidates_for_one_volume_are_both_left_alone_and_said() {
    let faults = [(0, Fault::Lost)].into();
    let stage = Stage::new(Manner { faults, ..Manner::default() });
    let agent = stage.agent();
    assert!(matches!(set(&agent).await, Err(Error::Unknown { .. })));
    let first = SnapshotId::parse(&stage.fake.ours()[0]).unwrap();
    let twin = stage.fake.plant(stage.fake.snapshot(&first).unwrap());
    let released = agent.release(JOB).await.unwrap();
    assert_eq!(released.loud, 1, "{released:#?}");
    assert_eq!(released.left[0].state, "ambiguous");
    assert!(released.left[0].why.contains(first.as_str()) && released.left[0].why.contains(twin.as_str()));
    assert_eq!(stage.fake.decoys(), (1, 0));
    assert!(stage.fake.ours().contains(&first.to_string()));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_vanishes_is_a_ghost_that_names_the_key() {
    for (after, seconds) in [(0, 120), (9, 14)] {
        let stage = Stage::new(Manner { ghost: Some(after), ..Manner::default() });
        let agent = stage.agent();
        let one = agent.snapshot_volume(&there(), &VolumeId::parse("vol-0c").unwrap()).await.unwrap();
        let begun = stage.clock.now();
        let made = agent.volume(&agent.home(JOB), &one, "eu-west-1a", None, MINUTES).await;
        let Err(Error::Ghost { key, account: who, .. }) = made else { panic!("{made:?}") };
        assert_eq!((key, who), (one.key.clone(), account(2)));
        assert!(stage.clock.now().since(begun).as_secs() <= seconds, "{after}");
        agent.release(JOB).await.unwrap();
        drop(agent);
        stage.reap_all().await;
        stage.assert_clean("after a ghost");
    }
}

#[tokio::test(start_paused = true)]
async fn two_releases_of_one_job_at_once_do_not_trip_over_each_other() {
    let stage = Stage::new(Manner { slow: 20, pending: 10, ..Manner::default() });
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    let (one, other) = tokio::join!(agent.release(JOB), agent.release(JOB));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.released, one.held), (7, 0));
    assert_eq!((other.released, other.held), (0, 7));
    assert_eq!(stage.fake.count(Action::DeleteSnapshot), 4);
    stage.assert_clean("after both");
}

#[tokio::test(start_paused = true)]
async fn a_thing_that_lost_our_marks_is_left_alone_and_said() {
    let stage = Stage::new(Manner::default());
    let agent = stage.agent();
    set(&agent).await.unwrap();
    stage.fake.strip(&SnapshotId::parse(&stage.fake.ours()[0]).unwrap());
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (1, 1, 1), "{released:#?}");
    assert_eq!(released.left[0].state, "not provably ours");
    assert_eq!(stage.fake.ours().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_not_deleted_while_it_cannot_be_detached() {
    let stage = Stage::new(Manner::default());
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    stage.fake.manner(|manner| manner.denied.extend([Action::DetachVolume]));
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (5, 2, 1), "{released:#?}");
    assert_eq!(stage.fake.count(Action::DeleteVolume), 0);
    stage.fake.manner(|manner| manner.denied.clear());
    assert_eq!(agent.release(JOB).await.unwrap().held, 0);
    stage.assert_clean("once allowed");
}

#[tokio::test(start_paused = true)]
async fn a_second_try_takes_what_the_first_attached_after_all_and_one_release_frees_both() {
    let faults = [(5, Fault::Lost)].into();
    let stage = Stage::new(Manner { faults, ..Manner::default() });
    let agent = stage.agent();
    assert!(matches!(make_all(&agent).await, Err(Error::Unknown { .. })));
    let volume = stage.fake.ours().into_iter().find(|id| id.starts_with("vol-")).unwrap();
    let volume = VolumeId::parse(&volume).unwrap();
    agent.attach(&agent.home(JOB), &volume, "/dev/sdf", MINUTES).await.unwrap();
    assert_eq!(agent.release(JOB).await.unwrap().held, 0);
    assert_eq!(stage.fake.count(Action::DetachVolume), 1);
    stage.assert_clean("after the release");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_another_instance_holds_is_not_taken_for_attached() {
    let stage = Stage::new(Manner::default());
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    let volume = stage.fake.ours().into_iter().find(|id| id.starts_with("vol-")).unwrap();
    let volume = VolumeId::parse(&volume).unwrap();
    let mut elsewhere = agent.clone();
    elsewhere.host.instance = target();
    let made = elsewhere.attach(&elsewhere.home(JOB), &volume, "/dev/sdf", MINUTES).await;
    assert!(matches!(made, Err(Error::Refused { .. })), "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn a_member_more_than_was_asked_for_is_released_and_a_copy_of_its_marks_is_not() {
    let attached = Some(VolumeId::parse("vol-0e").unwrap());
    let stage = Stage::new(Manner { attached, decoys: true, ..Manner::default() });
    let agent = stage.agent();
    let set = set(&agent).await.unwrap();
    let extra = set.iter().find(|one| one.volume.as_str() == "vol-0e").unwrap();
    // All its marks, its volume and its time: only the answer tells them apart.
    let copied = stage.fake.plant(extra.clone());
    assert_eq!(stage.fake.ours().len(), 3);
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (3, 0, 0), "{released:#?}");
    stage.assert_clean("after the release");
    assert_eq!(stage.fake.decoys(), (7, 0));
    assert!(stage.fake.snapshot(&copied).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_member_more_than_was_asked_for_is_released_by_the_next_agent_too() {
    let attached = Some(VolumeId::parse("vol-0e").unwrap());
    let stage = Stage::new(Manner { attached, decoys: true, ..Manner::default() });
    set(&stage.agent()).await.unwrap();
    stage.reap_all().await;
    stage.assert_clean("after the next agent's start");
}

/// A set with a member more than was asked for, whose answer was lost.
fn extra_of_a_lost_answer(pending: i64) -> (Stage, VolumeId) {
    let extra = VolumeId::parse("vol-0e").unwrap();
    let faults = [(0, Fault::Lost)].into();
    let manner = Manner { attached: Some(extra.clone()), decoys: true, faults, pending, ..Manner::default() };
    (Stage::new(manner), extra)
}

#[tokio::test(start_paused = true)]
async fn a_member_more_than_was_asked_for_is_released_although_the_answer_was_lost() {
    let (stage, _) = extra_of_a_lost_answer(40);
    assert!(matches!(set(&stage.agent()).await, Err(Error::Unknown { .. })));
    assert_eq!(stage.fake.ours().len(), 3);
    stage.reap_all().await;
    stage.assert_clean("after the next agent's start");
    assert_eq!(stage.fake.decoys().0, 6);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_claim_to_be_the_member_more_neither_is_touched_and_it_is_said_aloud() {
    let (stage, extra) = extra_of_a_lost_answer(0);
    let agent = stage.agent();
    set(&agent).await.unwrap_err();
    let ours = stage.fake.of(&extra);
    let copied = stage.fake.plant(ours.clone());
    for _ in 0..3 {
        let released = agent.release(JOB).await.unwrap();
        assert_eq!((released.held, released.loud), (1, 1), "{released:#?}");
        assert!(released.left[0].why.contains("by hand"), "{released:#?}");
        assert_eq!(stage.fake.ours(), [ours.id.to_string()], "the other members are gone");
        stage.clock.sleep(Duration::from_secs(3600)).await;
    }
    assert!(stage.fake.snapshot(&copied).is_some());
    assert_eq!(agent.ledger.tally().await.unwrap().loud, 1);
    // Somebody looks, and takes both away.
    stage.fake.remove(&copied);
    stage.fake.remove(&ours.id);
    stage.reap_all().await;
    stage.assert_clean("once somebody has looked");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_with_all_marks_of_a_volume_of_the_instance_that_began_later_is_not_touched() {
    let (stage, extra) = extra_of_a_lost_answer(0);
    stage.fake.manner(|manner| manner.attached = None);
    let agent = stage.agent();
    set(&agent).await.unwrap_err();
    stage.fake.manner(|manner| manner.attached = Some(extra.clone()));
    // Whoever copies our marks has seen them first.
    stage.clock.sleep(Duration::from_secs(2)).await;
    let ours = stage.fake.of(&volumes_of(&target())[0]);
    let theirs = stage.fake.plant(Snapshot { volume: extra, started: stage.clock.now(), ..ours });
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.loud), (2, 1), "{released:#?}");
    assert!(stage.fake.snapshot(&theirs).is_some());
    stage.assert_clean("but for what is not provably ours");
    stage.fake.remove(&theirs);
    stage.reap_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_more_whose_volume_has_left_the_instance_is_not_touched() {
    let (stage, extra) = extra_of_a_lost_answer(0);
    set(&stage.agent()).await.unwrap_err();
    stage.fake.manner(|manner| manner.detached = true);
    stage.reap_all().await;
    // What cannot be proved stays: the decision says so.
    assert_eq!(stage.fake.ours(), [stage.fake.of(&extra).id.to_string()]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_the_set_left_out_is_never_taken_for_a_member_more() {
    for is_root in [true, false] {
        let (stage, extra) = extra_of_a_lost_answer(0);
        let agent = stage.agent();
        let (instance, volumes) = (target(), volumes_of(&target()));
        let exclude = if is_root { vec![] } else { vec![extra.clone()] };
        let root_left_out = is_root.then_some(&extra);
        let set = SetOf { instance: &instance, volumes: &volumes, root_left_out, exclude: &exclude };
        agent.snapshot_set(&there(), &set).await.unwrap_err();
        let whole = agent.ledger.intents(false).await.unwrap()[0].whole().unwrap();
        assert_eq!((whole.instance, whole.left_out), (instance, vec![extra.clone()]));
        stage.reap_all().await;
        assert_eq!(
            stage.fake.ours(),
            [stage.fake.of(&extra).id.to_string()],
            "somebody made it with our marks"
        );
    }
}
