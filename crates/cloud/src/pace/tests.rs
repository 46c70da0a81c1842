// SPDX-License-Identifier: Apache-2.0
//! Whoever asks for much waits for itself, and what gives back never waits for what begins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::order::Urgency;
use super::rates::Shares;
use super::scheduler::{Next, Scheduler};
use super::*;
use crate::ebs::{Block, GetSnapshotBlock};
use crate::ec2::{CreateSnapshot, DescribeSnapshots, Find, Page, Tags};
use crate::{
    AccountId, Answer, Call, Clock, Cloud, Error, Purpose, Region, Scope, Service, SnapshotId, Timestamp,
    VolumeId,
};

fn scope(account: u32, purpose: Purpose, job: &str) -> Scope {
    let account = AccountId::parse(&format!("{account:012}")).unwrap();
    Scope { account, region: Region::parse("eu-west-1").unwrap(), purpose, job: job.to_owned() }
}

fn block(snapshot: u32) -> Call {
    let snapshot = SnapshotId::parse(&format!("snap-{snapshot:x}")).unwrap();
    GetSnapshotBlock { snapshot, index: 0, token: String::new() }.into()
}

fn create() -> Call {
    let volume = VolumeId::parse("vol-1").unwrap();
    CreateSnapshot { volume, description: String::new(), tags: Tags::new() }.into()
}

fn describe() -> Call {
    DescribeSnapshots { find: Find::Deployment("d".to_owned()), token: None }.into()
}

fn go<T: std::fmt::Debug>(scheduler: &mut Scheduler<T>, now: u64) -> Option<T> {
    match scheduler.next(now) {
        Next::Go(one, _) => Some(one),
        _ => None,
    }
}

#[test]
fn another_account_gets_a_block_at_once_however_many_jobs_of_a_hostile_one_wait() {
    let mut scheduler = Scheduler::new(Shares { blocks: 2, ..Shares::default() });
    for job in 0..20_000 {
        let scope = scope(1, Purpose::Read, &format!("hostile-{job}"));
        scheduler.wait(&scope, &block(job), "hostile").unwrap();
    }
    assert_eq!(go(&mut scheduler, 0), Some("hostile"));
    assert_eq!(go(&mut scheduler, 0), Some("hostile"));
    assert_eq!(scheduler.next(0), Next::Blocks);
    scheduler.wait(&scope(2, Purpose::Read, "other"), &block(1_000_000), "other").unwrap();
    let mut turns = 0;
    loop {
        turns += 1;
        scheduler.done(true);
        if go(&mut scheduler, 0) == Some("other") {
            break;
        }
    }
    assert!(turns <= 2, "{turns} turns");
}

#[test]
fn another_job_of_the_same_account_gets_a_block_after_one_of_each_other_job() {
    let mut scheduler = Scheduler::new(Shares::default());
    (0..20_000).for_each(|_| scheduler.wait(&scope(1, Purpose::Read, "large"), &block(1), "large").unwrap());
    scheduler.wait(&scope(1, Purpose::Read, "small"), &block(2), "small").unwrap();
    assert_eq!(go(&mut scheduler, 0), Some("large"));
    assert_eq!(go(&mut scheduler, 0), Some("small"));
}

#[test]
fn a_job_whose_snapshot_is_at_its_rate_does_not_hold_up_the_others() {
    let mut scheduler = Scheduler::new(Shares { blocks: 100_000, ..Shares::default() });
    (0..2_000).for_each(|_| scheduler.wait(&scope(1, Purpose::Read, "large"), &block(1), "large").unwrap());
    let mut gone = 0;
    while go(&mut scheduler, 0).is_some() {
        gone += 1;
    }
    assert_eq!(gone, 450, "half of 1,000 a snapshot, less the tenth that reads leave to others");
    scheduler.wait(&scope(1, Purpose::Read, "small"), &block(2), "small").unwrap();
    assert_eq!(go(&mut scheduler, 0), Some("small"));
}

#[test]
fn what_releases_goes_when_what_creates_and_reads_has_used_its_part_up() {
    let mut scheduler = Scheduler::new(Shares::default());
    let mut gone = [0; 2];
    for (nth, purpose) in [Purpose::Create, Purpose::Read].into_iter().enumerate() {
        (0..100).for_each(|_| scheduler.wait(&scope(1, purpose, "job"), &describe(), purpose).unwrap());
        while go(&mut scheduler, 0).is_some() {
            gone[nth] += 1;
        }
    }
    assert_eq!(gone, [40, 5]);
    (0..5).for_each(|_| {
        let purpose = Purpose::Release;
        scheduler.wait(&scope(1, purpose, "job"), &describe(), purpose).unwrap();
    });
    (0..5).for_each(|_| assert_eq!(go(&mut scheduler, 0), Some(Purpose::Release)));
}

#[test]
fn urgency_goes_before_age() {
    let mut scheduler = Scheduler::new(Shares { ec2: 0.01, ..Shares::default() });
    for purpose in [Purpose::Create, Purpose::Create, Purpose::Read, Purpose::Release] {
        scheduler.wait(&scope(1, purpose, "job"), &describe(), purpose).unwrap();
    }
    let mut order = vec![];
    let mut now = 0;
    while order.len() < 4 {
        match scheduler.next(now) {
            Next::Go(purpose, _) => order.push(purpose),
            Next::After(wait) => now += u64::try_from(wait.as_millis()).unwrap() + 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(order, [Purpose::Release, Purpose::Read, Purpose::Create, Purpose::Create]);
    assert!(now >= 15_000, "one at once, then one in five seconds: {now}");
    assert!(Urgency::Release < Urgency::Heartbeat && Urgency::Heartbeat < Urgency::Read);
}

#[test]
fn accounts_and_actions_do_not_share_buckets_and_scanners_do() {
    let burst = |scanners, accounts: &[u32]| {
        let mut scheduler = Scheduler::new(Shares { scanners, ..Shares::default() });
        for account in accounts {
            (0..200).for_each(|_| {
                scheduler.wait(&scope(*account, Purpose::Create, "job"), &create(), ()).unwrap();
            });
        }
        let mut gone = 0;
        while go(&mut scheduler, 0).is_some() {
            gone += 1;
        }
        gone
    };
    assert_eq!(burst(1, &[1]), 40);
    assert_eq!(burst(2, &[1]), 20);
    assert_eq!(burst(1, &[1, 2]), 80);
    assert_eq!(burst(1_000, &[1]), 1);
}

/// Answers after 50 ms, throttles at first so often, and keeps when each call came.
struct Slow {
    clock: Clock,
    throttled: AtomicU64,
    code: &'static str,
    came: Mutex<Vec<(String, u64)>>,
}

#[async_trait::async_trait]
impl Service for Slow {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        self.came.lock().unwrap().push((scope.job.clone(), self.clock.milliseconds()));
        self.clock.sleep(Duration::from_millis(50)).await;
        let left = self.throttled.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() {
            return Err(Error::of(call.action().name(), self.code, "slow down"));
        }
        Ok(match call {
            Call::GetSnapshotBlock(_) => {
                Answer::GetSnapshotBlock(Block { bytes: vec![], checksum: String::new() })
            }
            _ => Answer::DescribeSnapshots(Page::default()),
        })
    }
}

fn slow(throttled: u64, code: &'static str, shares: Shares) -> (Arc<Slow>, Arc<Paced>) {
    let clock = Clock::from(Timestamp(1_000));
    let slow = Slow { clock, throttled: AtomicU64::new(throttled), code, came: Mutex::default() };
    let slow = Arc::new(slow);
    let paced = Paced::new(&Cloud { service: slow.clone(), clock }, shares);
    (slow, Arc::new(paced))
}

fn begin(paced: &Arc<Paced>, scope: Scope, call: Call) -> tokio::task::JoinHandle<Result<Answer, Error>> {
    let paced = paced.clone();
    tokio::spawn(async move { paced.call(&scope, call).await })
}

#[tokio::test(start_paused = true)]
async fn calls_wait_until_the_rate_allows_them() {
    let (slow, paced) = slow(0, "", Shares::default());
    let calls: Vec<_> = (0..245).map(|_| begin(&paced, scope(1, Purpose::Read, "job"), describe())).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let came = slow.came.lock().unwrap();
    let last = came.last().unwrap().1 - 1_000_000;
    assert_eq!(came.iter().filter(|(_, at)| *at == 1_000_000).count(), 45);
    assert!((19_900..=20_300).contains(&last), "200 more at ten a second: {last}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_account_does_not_slow_down_another() {
    let (slow, paced) = slow(0, "", Shares { blocks: 8, ..Shares::default() });
    let hostile: Vec<_> = (0..2_000)
        .map(|n| begin(&paced, scope(1, Purpose::Read, &format!("hostile-{n}")), block(n)))
        .collect();
    tokio::time::sleep(Duration::from_millis(120)).await;
    let began = slow.clock.milliseconds();
    for _ in 0..20 {
        begin(&paced, scope(2, Purpose::Read, "other"), block(9_999)).await.unwrap().unwrap();
    }
    let took = slow.clock.milliseconds() - began;
    assert!(took <= 20 * 100, "20 blocks of 50 ms, each after at most one other: {took} ms");
    hostile.into_iter().for_each(|call| call.abort());
}

#[tokio::test(start_paused = true)]
async fn those_who_go_away_while_they_wait_or_read_leave_their_place() {
    let (_, paced) = slow(0, "", Shares { blocks: 2, ..Shares::default() });
    let calls: Vec<_> = (0..10).map(|n| begin(&paced, scope(1, Purpose::Read, "job"), block(n))).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    calls.into_iter().for_each(|call| call.abort());
    let call = begin(&paced, scope(1, Purpose::Read, "job"), block(11));
    let answer = tokio::time::timeout(Duration::from_secs(1), call).await;
    answer.expect("waits for nobody").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_down_what_it_speaks_of() {
    let calls_in_ten_seconds = async |code| {
        let (slow, paced) = slow(1, code, Shares::default());
        let throttled = begin(&paced, scope(1, Purpose::Read, "job"), describe()).await.unwrap();
        assert_eq!(throttled.unwrap_err().code, code);
        let calls: Vec<_> =
            (0..1_000).map(|_| begin(&paced, scope(1, Purpose::Read, "job"), describe())).collect();
        tokio::time::sleep(Duration::from_secs(10)).await;
        calls.into_iter().for_each(|call| call.abort());
        slow.came.lock().unwrap().len()
    };
    assert!((130..=150).contains(&calls_in_ten_seconds("SnapshotCreationPerVolumeRateExceeded").await));
    let slowed = calls_in_ten_seconds("RequestLimitExceeded").await;
    assert!((40..=65).contains(&slowed), "five a second and a little more each second: {slowed}");
}

#[tokio::test(start_paused = true)]
async fn more_scanners_mean_less_for_each() {
    let (slow, paced) = slow(0, "", Shares::default());
    begin(&paced, scope(1, Purpose::Read, "job"), describe()).await.unwrap().unwrap();
    paced.share(Shares { scanners: 10, ..Shares::default() });
    let calls: Vec<_> = (0..100).map(|_| begin(&paced, scope(1, Purpose::Read, "job"), describe())).collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    calls.into_iter().for_each(|call| call.abort());
    assert_eq!(slow.came.lock().unwrap().len(), 1 + 4 + 10);
}

#[tokio::test(start_paused = true)]
async fn what_would_change_something_and_has_no_turn_in_time_fails_without_having_left() {
    let (slow, paced) = slow(0, "", Shares { ec2: 0.02, ..Shares::default() });
    let began = slow.clock.milliseconds();
    let calls: Vec<_> = (0..20).map(|_| begin(&paced, scope(1, Purpose::Create, "job"), create())).collect();
    let look = begin(&paced, scope(1, Purpose::Read, "job"), describe());
    let mut refused = 0;
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!((error.code.as_str(), error.class), ("RequestLimitExceeded", crate::Class::Throttled));
            refused += 1;
        }
    }
    let took = slow.clock.milliseconds() - began;
    assert!((60_000..=60_200).contains(&took), "{took} ms");
    look.await.unwrap().unwrap();
    // Two at once, then one in ten seconds; less what is kept for those that release.
    let came = slow.came.lock().unwrap().len() - 1;
    assert_eq!(came + refused, 20);
    assert!((6..=8).contains(&came), "{came}");
}

#[test]
fn a_dry_run_uses_up_the_rate_of_what_would_be_done() {
    let dry: Call = crate::dry_run::DryRun::CreateSnapshot {
        volume: VolumeId::parse("vol-1").unwrap(),
        tags: Tags::new(),
    }
    .into();
    let keys = |call: &Call| {
        let needs = rates::needs(&scope(1, Purpose::Create, "j"), call);
        needs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&dry), keys(&create()));
}
