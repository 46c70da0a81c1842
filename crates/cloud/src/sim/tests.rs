// SPDX-License-Identifier: Apache-2.0
//! What a call meets on its way to a small cloud of snapshots.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::ebs::{Block, GetSnapshotBlock};
use crate::ec2::{CreateSnapshot, DescribeSnapshots, Find, Page, Snapshot, Tags};
use crate::{
    AccountId, Action, Answer, Call, Class, Clock, Cloud, Error, Purpose, Region, Scope, Service, SnapshotId,
    Timestamp, VolumeId,
};

/// Makes snapshots that stay pending, and lists them.
#[derive(Default)]
struct Small(Mutex<Vec<Snapshot>>);

#[async_trait::async_trait]
impl Service for Small {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let mut all = self.0.lock().unwrap();
        Ok(match call {
            Call::CreateSnapshot(create) => {
                let snapshot = Snapshot {
                    id: SnapshotId::parse(&format!("snap-{:x}", all.len() + 1)).unwrap(),
                    volume: create.volume,
                    state: "pending".to_owned(),
                    state_message: String::new(),
                    started: Timestamp(0),
                    size_gib: 1,
                    full_bytes: None,
                    encrypted: false,
                    key: None,
                    owner: scope.account.clone(),
                    description: create.description,
                    tier: "standard".to_owned(),
                    tags: create.tags,
                };
                all.push(snapshot.clone());
                Answer::CreateSnapshot(snapshot)
            }
            Call::GetSnapshotBlock(_) => {
                Answer::GetSnapshotBlock(Block { bytes: vec![], checksum: String::new() })
            }
            _ => Answer::DescribeSnapshots(Page { items: all.clone(), token: None }),
        })
    }
}

fn sim(settings: Settings) -> std::sync::Arc<Sim> {
    let clock = Clock::from(Timestamp(1_000));
    Sim::new(Cloud { service: std::sync::Arc::new(Small::default()), clock }, settings)
}

fn scope() -> Scope {
    let account = AccountId::parse("000000000001").unwrap();
    let region = Region::parse("eu-west-1").unwrap();
    Scope { account, region, purpose: Purpose::Create, job: "job".to_owned() }
}

fn create(volume: &str) -> CreateSnapshot {
    let volume = VolumeId::parse(volume).unwrap();
    CreateSnapshot { volume, description: String::new(), tags: Tags::new() }
}

fn list() -> DescribeSnapshots {
    DescribeSnapshots { find: Find::Deployment("d".to_owned()), token: None }
}

fn block(nth: u64) -> GetSnapshotBlock {
    GetSnapshotBlock { snapshot: SnapshotId::parse("snap-99").unwrap(), index: nth, token: String::new() }
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_leaves_nothing_behind_and_one_after_what_was_made() {
    let plan = "CreateSnapshot#1 before Timeout, CreateSnapshot#2 after Timeout".parse().unwrap();
    let sim = sim(Settings { plan, ..Settings::default() });
    let cloud = sim.cloud();
    for made in [0, 1] {
        let error = cloud.ask(&scope(), create("vol-1")).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Unknown, "Timeout"));
        assert_eq!(cloud.ask(&scope(), list()).await.unwrap().items.len(), made);
    }
    assert!(cloud.ask(&scope(), create("vol-1")).await.is_ok());
    assert_eq!(sim.counts().get(&Action::CreateSnapshot), Some(&3));
    assert_eq!(sim.counts().get(&Action::DescribeSnapshots), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn latency_is_within_its_range_and_the_same_for_the_same_seed() {
    let times = async |seed| {
        let sim = sim(Settings { seed, latency: Latency::Aws, ..Settings::default() });
        let (cloud, mut times) = (sim.cloud(), vec![]);
        for nth in 0..200 {
            let before = cloud.clock.milliseconds();
            cloud.ask(&scope(), block(nth)).await.unwrap();
            times.push(cloud.clock.milliseconds() - before);
        }
        times
    };
    let first = times(1).await;
    assert!(first.iter().all(|time| (10..=101).contains(time)), "{first:?}");
    assert!(first.iter().max().unwrap() - first.iter().min().unwrap() > 60, "{first:?}");
    assert_eq!(first, times(1).await);
    assert_ne!(first, times(2).await);
}

#[tokio::test(start_paused = true)]
async fn a_new_id_is_unknown_for_a_while_and_known_ever_after() {
    let late = Duration::from_secs(60);
    let cloud = sim(Settings { seed: 1, late, ..Settings::default() }).cloud();
    let mut hidden = 0;
    for nth in 0..20 {
        let id = cloud.ask(&scope(), create(&format!("vol-{nth:x}"))).await.unwrap().id;
        let blocks = GetSnapshotBlock { snapshot: id.clone(), index: 0, token: String::new() };
        let is_listed = |page: &Page<Snapshot>| page.items.iter().any(|one| one.id == id);
        if !is_listed(&cloud.ask(&scope(), list()).await.unwrap()) {
            hidden += 1;
            let error = cloud.ask(&scope(), blocks.clone()).await.unwrap_err();
            assert_eq!(error.class, Class::NotFound);
        }
        cloud.clock.sleep(late).await;
        assert!(is_listed(&cloud.ask(&scope(), list()).await.unwrap()));
        assert!(cloud.ask(&scope(), blocks).await.is_ok());
    }
    assert!(hidden >= 15, "{hidden}");
}

#[tokio::test(start_paused = true)]
async fn a_volume_takes_one_snapshot_in_fifteen_seconds_and_five_at_once() {
    let cloud = sim(Settings { quotas: Some(Quotas::default()), ..Settings::default() }).cloud();
    for _ in 0..5 {
        assert!(cloud.ask(&scope(), create("vol-1")).await.is_ok());
        let error = cloud.ask(&scope(), create("vol-1")).await.unwrap_err();
        let expected = match cloud.ask(&scope(), list()).await.unwrap().items.len() {
            5 => (Class::Quota, "ConcurrentSnapshotLimitExceeded"),
            _ => (Class::Throttled, "SnapshotCreationPerVolumeRateExceeded"),
        };
        assert_eq!((error.class, error.code.as_str()), expected);
        assert!(cloud.ask(&scope(), list()).await.is_ok());
        cloud.clock.sleep(Duration::from_secs(15)).await;
    }
    let error = cloud.ask(&scope(), create("vol-1")).await.unwrap_err();
    assert_eq!(error.code, "ConcurrentSnapshotLimitExceeded");
    assert!(cloud.ask(&scope(), create("vol-2")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rates_refuse_with_the_codes_of_their_services() {
    let cloud = sim(Settings { quotas: Some(Quotas::default()), ..Settings::default() }).cloud();
    for _ in 0..100 {
        cloud.ask(&scope(), list()).await.unwrap();
    }
    let error = cloud.ask(&scope(), list()).await.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (Class::Throttled, "RequestLimitExceeded"));
    for nth in 0..1_000 {
        cloud.ask(&scope(), block(nth)).await.unwrap();
    }
    let error = cloud.ask(&scope(), block(0)).await.unwrap_err();
    assert_eq!(error.code, "ThrottlingException/RESOURCE_LEVEL_THROTTLE");
    cloud.clock.sleep(Duration::from_secs(1)).await;
    assert!(cloud.ask(&scope(), list()).await.is_ok());
    assert!(cloud.ask(&scope(), block(0)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_paced_scanner_is_never_throttled() {
    let sim = sim(Settings { quotas: Some(Quotas::default()), latency: Latency::Aws, ..Settings::default() });
    let paced = crate::pace::Paced::new(&sim.cloud(), crate::pace::Shares::default());
    let paced = std::sync::Arc::new(paced);
    let calls: Vec<_> = (0..3_000)
        .map(|nth| {
            let paced = paced.clone();
            tokio::spawn(async move { paced.call(&scope(), block(nth).into()).await.map(drop) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
}
