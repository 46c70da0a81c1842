// SPDX-License-Identifier: Apache-2.0
//! Sums made by hand from the price list.

use std::time::Duration;

use snapscan_cloud::ebs::{Block, BlockPage, GetSnapshotBlock, ListSnapshotBlocks};
use snapscan_cloud::ec2::{CreateVolume, DescribeVolumes, Find, Tags};
use snapscan_cloud::{AccountId, Class, Purpose, Region, SnapshotId, VolumeId};

use super::*;

/// Answers what it is asked; every third block is throttled.
#[derive(Default)]
struct Fake(Mutex<u32>);

#[async_trait::async_trait]
impl Service for Fake {
    async fn call(&self, _: &Scope, call: Call) -> Result<Answer, Error> {
        match call {
            Call::CreateVolume(_) => Ok(Answer::CreateVolume(VolumeId::parse("vol-0a").unwrap())),
            Call::ListSnapshotBlocks(_) => Ok(Answer::ListSnapshotBlocks(BlockPage::default())),
            Call::GetSnapshotBlock(_) => {
                let mut asked = self.0.lock().unwrap();
                *asked += 1;
                if asked.is_multiple_of(3) {
                    return Err(Error::of("ebs:GetSnapshotBlock", "ThrottlingException", "slow down"));
                }
                Ok(Answer::GetSnapshotBlock(Block { bytes: vec![0; 524_288], checksum: String::new() }))
            }
            other => Err(Error::of(other.action().name(), "AccessDenied", "not here")),
        }
    }
}

fn scope(job: &str) -> Scope {
    Scope {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Read,
        job: job.to_owned(),
    }
}

fn start() -> (Cloud, Arc<Costs>, Arc<Metrics>) {
    let clock = Clock::from(Timestamp(1_000_000));
    let metrics = Metrics::new();
    let costs = Costs::new(Prices::default(), true, clock, metrics.clone());
    let cloud = Cloud { service: Arc::new(Fake::default()), clock };
    (counted(cloud, costs.clone()), costs, metrics)
}

#[tokio::test(start_paused = true)]
async fn blocks_and_pages_cost_what_the_list_says() {
    let (cloud, costs, metrics) = start();
    let snapshot = SnapshotId::parse("snap-0a").unwrap();
    let list = ListSnapshotBlocks { snapshot: snapshot.clone(), start: 0, token: None, most: 1000 };
    for _ in 0..10 {
        cloud.ask(&scope("one"), list.clone()).await.unwrap();
    }
    for index in 0..300 {
        let get = GetSnapshotBlock { snapshot: snapshot.clone(), index, token: String::new() };
        let told = cloud.ask(&scope("one"), get).await;
        assert!(told.is_ok() || told.is_err_and(|error| error.class == Class::Throttled));
    }
    let cost = costs.of("one");
    assert_eq!((cost.get_blocks, cost.list_pages, cost.bytes), (200, 10, 200 * 524_288));
    // A third of the requests were refused; they are counted and cost nothing.
    assert_eq!(cost.calls["ebs:GetSnapshotBlock"], 300);
    // 200 of 1,000 blocks at $0.003 are $0.0006; 10 of 1,000 pages at $0.0006 are $0.000006.
    assert_eq!(cost.microdollars, 606);
    assert!(cost.simulated && cost.prices_dated == "2026-11-21");
    assert_eq!(
        costs.of("two"),
        Cost { prices_dated: cost.prices_dated.clone(), simulated: true, ..Cost::default() }
    );
    let text = metrics.text();
    let line = "snapscan_calls_total{action=\"ebs:GetSnapshotBlock\",outcome=\"throttled\"} 100";
    assert!(text.lines().any(|one| one == line), "{text}");
    assert!(text.lines().any(|one| one == "snapscan_read_blocks_total 200"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn things_cost_by_size_and_time_until_they_are_gone() {
    let (_, costs, _) = start();
    let made = |volume, gib, seconds| {
        let made = Timestamp(1_000_000);
        Thing { volume, gib, made, gone: Some(made.plus(Duration::from_secs(seconds))) }
    };
    let mut tally = Tally::default();
    // 100 GiB at $0.05 for one of 30 days: 5 / 30 = $0.166667 (rounded up).
    tally.things.insert("snap-0a".to_owned(), made(false, 100, 86_400));
    assert_eq!(costs.price(&tally).microdollars, 166_667);
    assert_eq!(costs.price(&tally).snapshot_seconds, 86_400);
    // 1,000 GiB at $0.08 for 10 s are paid as 60 s: 80 * 60 / 2,592,000 = $0.001852 (rounded up).
    tally.things = BTreeMap::from([("vol-0a".to_owned(), made(true, 1_000, 10))]);
    assert_eq!((costs.price(&tally).microdollars, costs.price(&tally).volume_seconds), (1_852, 10));
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_asked_for_twice_with_one_token_costs_once() {
    let (cloud, costs, _) = start();
    let create = CreateVolume {
        snapshot: SnapshotId::parse("snap-0a").unwrap(),
        zone: "eu-west-1a".to_owned(),
        key: None,
        token: "t".to_owned(),
        tags: Tags::new(),
    };
    for _ in 0..2 {
        cloud.ask(&scope("one"), create.clone()).await.unwrap();
        cloud.clock.sleep(Duration::from_secs(50)).await;
    }
    assert_eq!(costs.of("one").volume_seconds, 100);
    let find = DescribeVolumes { find: Find::Ids(vec![]), token: None };
    assert!(cloud.ask(&scope("one"), find).await.is_err());
    let cost = costs.settle("one");
    assert_eq!((cost.calls["ec2:CreateVolume"], cost.calls["ec2:DescribeVolumes"]), (2, 1));
    assert!(costs.of("one").calls.is_empty());
}
