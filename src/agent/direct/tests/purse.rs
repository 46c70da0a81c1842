// SPDX-License-Identifier: Apache-2.0
//! What a job may spend, over its own death and the agent's.
//!
//! By the default prices a block costs 3 and a page of the list 0.6 millionths of a dollar; 1,000 are reserved at once.

use super::*;

const STEP: u64 = 1000;

async fn spent(folder: &Path, clock: Clock) -> u64 {
    let account = AccountId::parse("111122223333").unwrap();
    let budget = Allowance { account, what: "microdollars", ceiling: 0 };
    Ledger::open(folder, Opening::Beside).unwrap().spent(&budget, clock.now()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_is_counted_with_what_it_spent() {
    let rig = rig_with(Fake::new(0..10), 1_000_000);
    assert!(!rig.purse.is_empty().await.unwrap());
    for index in 0..5 {
        assert_eq!(rig.fetch(index).await, bytes(index));
    }
    assert_eq!(spent(rig.folder.path(), rig.fake.clock).await, STEP, "counted before it is spent");
    // One page and five blocks: 0.6 + 15, rounded up.
    assert_eq!(rig.purse.settle().await.unwrap(), 16);
    assert_eq!(spent(rig.folder.path(), rig.fake.clock).await, 16);
    assert_eq!(rig.purse.settle().await.unwrap(), 16, "twice is once");
    assert_eq!(spent(rig.folder.path(), rig.fake.clock).await, 16);
    assert!(matches!(rig.fetch(6).await, Fetched::Refused(Refusal::Budget(_))), "it has ended");
    assert_eq!(rig.direct.calls().gets, 5);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_killed_stays_counted_with_no_less_than_it_spent() {
    let rig = rig_with(Fake::new(0..1000), 1_000_000);
    let asks: Vec<_> = (0..700).map(|index| rig.ask(index)).collect();
    let mut paid = 0;
    for ask in asks.into_iter().take(400) {
        ask.await.unwrap();
        paid += 3;
    }
    let (folder, clock) = (rig.folder, rig.fake.clock);
    // No word of it to the ledger: what a killed process leaves.
    drop((rig.direct, rig.purse));
    let counted = spent(folder.path(), clock).await;
    let most = 700 * 3 + 1 + STEP;
    assert!((paid..=most).contains(&counted), "{counted}, not {paid} to {most}");
    let next = purse(folder.path(), clock, counted + 5);
    assert!(!next.is_empty().await.unwrap(), "the next agent has what is left");
    assert_eq!(spent(folder.path(), clock).await, counted + 5);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_the_agent_each_time_spends_no_more_than_the_ceiling() {
    const CEILING: u64 = 3500;
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::from(START);
    let (mut paid, mut deaths) = (0, 0);
    loop {
        let purse = purse(folder.path(), clock, CEILING);
        if purse.is_empty().await.unwrap() {
            break;
        }
        deaths += 1;
        for _ in 0..200 {
            paid += if purse.pay_get().await.is_ok() { 3 } else { 0 };
        }
        assert!(spent(folder.path(), clock).await >= paid);
        // Killed.
    }
    assert_eq!(spent(folder.path(), clock).await, CEILING);
    assert!(paid <= CEILING && deaths == 4, "{paid} paid, {deaths} deaths");
    clock.sleep(Duration::from_secs(86_400)).await;
    assert!(!purse(folder.path(), clock, CEILING).is_empty().await.unwrap(), "tomorrow is another day");
}

#[tokio::test(start_paused = true)]
async fn jobs_at_once_share_one_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::from(START);
    let purses = [purse(folder.path(), clock, 3000), purse(folder.path(), clock, 3000)];
    let mut paid = 0;
    while let (Ok(()), _) | (_, Ok(())) = tokio::join!(purses[0].pay_get(), purses[1].pay_get()) {
        paid += 1;
        assert!(paid <= 2000);
    }
    let sum = purses[0].settle().await.unwrap() + purses[1].settle().await.unwrap();
    assert!((2991..=3000).contains(&sum), "{sum}");
    assert_eq!(spent(folder.path(), clock).await, sum);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_counted_is_not_spent_and_is_no_empty_purse() {
    let rig = rig_with(Fake::new(0..10), 1_000_000);
    rig.ledger.refuse_writes(true).await;
    assert!(why(rig.fetch(0).await).contains("cannot be written down"));
    assert_eq!(rig.direct.calls(), Calls::default());
    assert!(rig.purse.settle().await.is_err(), "the job ends by it, and is tried again");
}
