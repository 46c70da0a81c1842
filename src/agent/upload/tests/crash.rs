// SPDX-License-Identifier: Apache-2.0
//! Two uploaders, and one that dies: nothing is lost, and a repeat is the same request.

use std::time::Duration;

use super::super::Error;
use super::super::lease::{Lease, TERM};
use super::standin::{Reply, SYNC};
use super::world::{World, drive, parcel};
use super::{answer, requests};

#[tokio::test]
async fn two_scanners_are_never_uploaders_at_once() {
    let world = World::new().await;
    world.fill(1);
    world.standin.script(SYNC, [Reply::Answer(429, vec![("Retry-After", "200".to_owned())], String::new())]);
    let (one, other) = (world.uploader("scanner-1"), world.uploader("scanner-2"));
    let mut busy = Box::pin(one.round());
    // The first one waits 200 s for the limit, and renews its lease of 90 s meanwhile.
    tokio::select! {
        lost = &mut busy => assert!(matches!(lost, Err(Error::LeaseLost(_))), "only on a machine that stood still"),
        () = tokio::time::sleep(Duration::from_millis(1_200)) => assert!(!other.round().await.unwrap().ours),
    }
    drop(busy);
    assert_eq!(world.standin.seen(SYNC).len(), 1);
    drive(&other).await.unwrap();
    assert_eq!(world.ends(), (1, 0, 0));
}

#[tokio::test]
async fn a_lease_whose_renewal_was_cut_off_is_given_back_all_the_same() {
    let world = World::new().await;
    let store = world.store();
    let lease = Lease::take(&store, "csam-acme", "scanner-1").await.unwrap().unwrap();
    // The renewal took effect, and nobody heard of it.
    let row = store.row("uploader/csam-acme").await.unwrap().unwrap();
    let until = store.now().plus(TERM);
    assert!(store.put_row("uploader/csam-acme", row.value, Some(row.version), Some(until)).await.unwrap());
    lease.give_back().await;
    assert!(Lease::take(&store, "csam-acme", "scanner-2").await.unwrap().is_some());
}

#[tokio::test]
async fn an_uploader_that_dies_in_a_call_leaves_a_batch_that_the_next_one_sends_unchanged() {
    for reply in [Reply::Hang(true), Reply::Hang(false)] {
        let world = World::new().await;
        world.fill(2);
        world.standin.script(SYNC, [reply]);
        let dies = world.uploader("scanner-1");
        // Dropping the future is all that a killed process does to the outside.
        let cut = tokio::time::timeout(Duration::from_millis(200), dies.round()).await;
        assert!(cut.is_err() && world.standin.seen(SYNC).len() == 1);
        // What came meanwhile does not change what was fixed.
        world.put(&parcel(5, "job", 1_000));
        drive(&world.uploader("scanner-2")).await.unwrap();
        let seen = world.standin.seen(SYNC);
        assert_eq!(seen[0].body, seen[1].body);
        assert_eq!((seen.len(), world.ends()), (3, (3, 0, 0)));
    }
}

#[tokio::test]
async fn a_halving_that_was_cut_off_goes_on_where_it_was() {
    let world = World::new().await;
    world.fill(4);
    world.standin.script(SYNC, [answer(413, ""), Reply::Hang(false)]);
    let dies = world.uploader("scanner-1");
    let cut = tokio::time::timeout(Duration::from_millis(250), dies.round()).await;
    assert!(cut.is_err());
    let halves = world.names("batches/");
    assert_eq!(halves.len(), 2);
    // As if it had died after the first half was written down: the second is missing, the whole still there.
    let second = world
        .texts("batches/")
        .into_iter()
        .zip(&halves)
        .find(|(text, _)| !text.contains(&requests(&world.standin.seen(SYNC))[1]));
    let (_, missing) = second.unwrap();
    world.forget(missing);
    world.restore();
    drive(&world.uploader("scanner-2")).await.unwrap();
    assert_eq!(world.ends(), (4, 0, 0));
    let ids = requests(&world.standin.seen(SYNC));
    // The whole once, its first half twice with one id, its second half once.
    assert_eq!(ids.len(), 4);
    assert_eq!(ids.iter().filter(|id| **id == ids[1]).count(), 2, "{ids:?}");
    assert_eq!(ids.iter().filter(|id| **id == ids[0]).count(), 1, "{ids:?}");
}
