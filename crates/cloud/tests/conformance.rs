// SPDX-License-Identifier: Apache-2.0
//! The suite of facts over a folder as a cloud: alone, in short pages with late ids, and simulated.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::conformance::{self, World, surprises};
use snapscan_cloud::local::{self, Account, Builder, InstanceRecord, Local, Paging, Settings, VolumeRecord};
use snapscan_cloud::pace::{Paced, Shares};
use snapscan_cloud::sim::{self, Latency, Quotas, Sim};
use snapscan_cloud::{AccountId, Clock, Cloud, InstanceId, Owner, Region, Timestamp, VolumeId};

/// The cases there are: fewer would mean that some were never reached.
const CASES: usize = 49;

const SERVICE: &str = "111111111111";
const TARGET: &str = "222222222222";
const OTHER: &str = "333333333333";

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

fn volume(text: &str) -> VolumeId {
    VolumeId::parse(text).unwrap()
}

fn world() -> World {
    World {
        region: Region::parse("eu-west-1").unwrap(),
        account: account(TARGET),
        instance: InstanceId::parse("i-0a").unwrap(),
        root: volume("vol-0a"),
        data: volume("vol-0b"),
        service: account(SERVICE),
        scanner: InstanceId::parse("i-00000000000000001").unwrap(),
        zone: "eu-west-1a".to_owned(),
        other: account(OTHER),
        owner: Owner::new("conformance".to_owned(), [3; 32]),
        patience: Duration::from_secs(600),
    }
}

/// A folder with the world in it, whose clock runs as tests wait.
fn cloud(folder: &Path, settings: Settings) -> Cloud {
    let image = folder.join("image");
    let file = File::create(&image).unwrap();
    file.set_len(200 << 20).unwrap();
    for block in (0..400).step_by(2) {
        file.write_all_at(&[7; 100], block * 512 * 1024).unwrap();
    }
    let world = world();
    let mut instance = InstanceRecord::new(world.instance, world.account.clone(), "eu-west-1a");
    instance.disks =
        [("/dev/xvda".to_owned(), world.root.clone()), ("/dev/sdf".to_owned(), world.data.clone())].into();
    let record = |id: VolumeId| VolumeRecord::new(id, account(TARGET), "eu-west-1a");
    Builder::new()
        .settings(settings)
        .account(Account::new(account(TARGET)))
        .account(Account::new(account(OTHER)))
        .instance(instance)
        .volume(record(world.root), &image)
        .volume(record(world.data), &image)
        .write(&folder.join("cloud"))
        .unwrap();
    let local = Local::with_clock(&folder.join("cloud"), Clock::from(Timestamp(1_800_000_000))).unwrap();
    let clock = local.clock();
    Cloud { service: Arc::new(local), clock }
}

async fn assert_conforms(cloud: &Cloud, expected_failures: &[&str]) {
    let cases = conformance::run(cloud, &world()).await;
    let surprises = surprises(&cases, expected_failures);
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert_eq!(cases.len(), CASES);
}

#[tokio::test(start_paused = true)]
async fn a_folder_behaves_as_our_code_relies_on() {
    let folder = tempfile::tempdir().unwrap();
    assert_conforms(&cloud(folder.path(), Settings::default()), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_of_short_and_empty_pages_and_late_ids_behaves_so_too() {
    let folder = tempfile::tempdir().unwrap();
    let paging = Paging { items: 1, blocks: 7, empty: true };
    let latency = local::Latency { late: 20, snapshot: 90, ..local::Latency::default() };
    let settings = Settings { paging, latency, ..Settings::default() };
    assert_conforms(&cloud(folder.path(), settings), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_cloud_behaves_so_too() {
    for seed in 1..=2 {
        let folder = tempfile::tempdir().unwrap();
        let settings = sim::Settings {
            seed,
            latency: Latency::Aws,
            quotas: Some(Quotas::default()),
            late: Duration::from_secs(30),
            ..sim::Settings::default()
        };
        let sim = Sim::new(cloud(folder.path(), Settings::default()), settings);
        assert_conforms(&sim.cloud(), &[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paced_cloud_behaves_so_too() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = cloud(folder.path(), Settings::default());
    let paced = Arc::new(Paced::new(&cloud, Shares { scanners: 4, ..Shares::default() }));
    assert_conforms(&Cloud { service: paced, clock: cloud.clock }, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_cloud_does_otherwise_is_told_and_can_be_expected() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "GetSnapshotBlock#1 before InternalError, Bury#1 before AccessDenied".parse().unwrap();
    let cloud = cloud(folder.path(), Settings::default());
    let sim = Sim::new(cloud, sim::Settings { plan, ..sim::Settings::default() });
    let cases = conformance::run(&sim.cloud(), &world()).await;
    let told = surprises(&cases, &[]);
    let [buried, block] = told.as_slice() else { panic!("{told:?}") };
    assert!(buried.starts_with("what is buried is counted as dead (facts, 1.7): "), "{buried}");
    assert!(block.starts_with("a block is 512 KiB with its SHA-256 (facts, 1.3): "), "{block}");
    let expected = ["what is buried is counted as dead", "a block is 512 KiB with its SHA-256"];
    assert!(surprises(&cases, &expected).is_empty());
}
