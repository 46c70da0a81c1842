// SPDX-License-Identifier: Apache-2.0
//! The suite of facts over a folder as a cloud: alone, in short pages with late ids, simulated, and under a cap.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::conformance::{self, World, surprises};
use snapscan_cloud::ec2::{CreateSnapshot, DescribeSnapshots, DescribeVolumes, Find};
use snapscan_cloud::local::{self, Account, Builder, InstanceRecord, Local, Paging, Settings, VolumeRecord};
use snapscan_cloud::outbox::ListObjects;
use snapscan_cloud::owned::Origin;
use snapscan_cloud::pace::{Paced, Shares};
use snapscan_cloud::sim::{self, Latency, Quotas, Sim};
use snapscan_cloud::{
    AccountId, Clock, Cloud, InstanceId, IntentId, Owner, Purpose, Region, Scope, Timestamp, VolumeId,
};

/// The cases there are: fewer would mean that some were never reached.
const CASES: usize = 51;

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

/// What carries the suite's tags, in both accounts, and its objects: seen by nobody's wrapper.
async fn held(cloud: &Cloud) -> Vec<String> {
    let mut held = Vec::new();
    for account in [TARGET, SERVICE] {
        let scope = scope(account, Purpose::Read);
        let (mut token, name) = (None, "conformance".to_owned());
        loop {
            let find = Find::Deployment(name.clone());
            let page = cloud.ask(&scope, DescribeSnapshots { find, token }).await.unwrap();
            held.extend(page.items.into_iter().map(|one| one.id.to_string()));
            token = page.token;
            if token.is_none() {
                break;
            }
        }
        let find = Find::Deployment(name);
        let page = cloud.ask(&scope, DescribeVolumes { find, token: None }).await.unwrap();
        held.extend(
            page.items.into_iter().filter(|one| one.state != "deleted").map(|one| one.id.to_string()),
        );
    }
    let list = ListObjects { prefix: "conformance-".to_owned(), after: None, most: 1000 };
    let objects = cloud.ask(&scope(SERVICE, Purpose::Scanner), list).await.unwrap().objects;
    held.extend(objects.into_iter().map(|object| object.key));
    held
}

fn scope(of: &str, purpose: Purpose) -> Scope {
    let region = Region::parse("eu-west-1").unwrap();
    Scope { account: account(of), region, purpose, job: "test".to_owned() }
}

fn never() -> std::future::Pending<()> {
    std::future::pending()
}

#[tokio::test(start_paused = true)]
async fn under_a_cap_that_is_high_enough_every_case_passes_and_the_sum_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = cloud(folder.path(), Settings::default());
    let bill = conformance::run_capped(&cloud, &world(), 500_000, never()).await;
    assert!(surprises(&bill.cases, &[]).is_empty());
    assert_eq!((bill.cases.len(), bill.refused, bill.left.as_slice()), (CASES, 0, [].as_slice()));
    // Volumes of 1 GiB. Three sets, each counted with both volumes, and a copy, at $0.05 a month; three answers to requests
    // for a volume, at $0.08; a day of each of thirty; all doubled: 2 (7 x 0.05 / 30 + 3 x 0.08 / 30) = $0.0393, and less
    // than a cent of requests.
    assert!((39_333..49_333).contains(&bill.microdollars), "{}", bill.microdollars);
    assert!(held(&cloud).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cap_that_is_reached_anywhere_refuses_what_costs_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let all =
        conformance::run_capped(&cloud(folder.path(), Settings::default()), &world(), 500_000, never()).await;
    let mut refused = Vec::new();
    for part in 0..8 {
        let cap = all.microdollars * part / 8;
        let folder = tempfile::tempdir().unwrap();
        let latency = local::Latency { late: 20, snapshot: 90, ..local::Latency::default() };
        let cloud = cloud(folder.path(), Settings { latency, ..Settings::default() });
        let bill = conformance::run_capped(&cloud, &world(), cap, never()).await;
        assert_eq!(bill.left, Vec::<String>::new(), "{part} eighths");
        assert_eq!(held(&cloud).await, Vec::<String>::new(), "{part} eighths");
        // What takes away is never refused, and lists at the end cost some thousandths of a cent.
        assert!(bill.microdollars <= cap + 500, "{part} eighths: {} of {cap}", bill.microdollars);
        assert!(bill.refused > 0, "{part} eighths");
        let said = surprises(&bill.cases, &[]).join("\n");
        assert!(said.contains("DollarCap") && said.contains("are counted already"), "{said}");
        refused.push(bill.cases.iter().filter(|case| case.result.is_err()).count());
    }
    assert!(refused[0] > refused[7], "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_answer_or_a_failed_case_leaves_is_taken_away() {
    for plan in [
        "CreateSnapshots#2 after Timeout",
        "CopySnapshot#1 after Timeout",
        "CreateVolume#1 after Timeout",
        "AttachVolume#1 after Timeout",
        "DetachVolume#1 before AccessDenied",
        "DeleteVolume#1 before AccessDenied, DeleteSnapshot#1 before AccessDenied",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cloud = cloud(folder.path(), Settings::default());
        let settings = sim::Settings { plan: plan.parse().unwrap(), ..sim::Settings::default() };
        let sim = Sim::new(cloud.clone(), settings);
        let bill = conformance::run_capped(&sim.cloud(), &world(), 500_000, never()).await;
        assert!(!surprises(&bill.cases, &[]).is_empty(), "{plan}");
        assert_eq!(bill.left, Vec::<String>::new(), "{plan}");
        assert_eq!(held(&cloud).await, Vec::<String>::new(), "{plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_leaves_nothing() {
    for seconds in [1, 100, 400] {
        let folder = tempfile::tempdir().unwrap();
        let latency = local::Latency { late: 20, snapshot: 90, ..local::Latency::default() };
        let cloud = cloud(folder.path(), Settings { latency, ..Settings::default() });
        let stop = cloud.clock.sleep(Duration::from_secs(seconds));
        let bill = conformance::run_capped(&cloud, &world(), 500_000, stop).await;
        assert_eq!((bill.cases.len(), bill.left.as_slice()), (0, [].as_slice()), "after {seconds} s");
        assert!(held(&cloud).await.is_empty(), "after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_goes_and_what_is_not_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = cloud(folder.path(), Settings::default());
    let make = async |key: u8, n: u8| {
        let (owner, volume) = (Owner::new("conformance".to_owned(), [key; 32]), volume("vol-0a"));
        let origin = Origin {
            account: account(TARGET),
            region: world().region,
            job: "conformance-1".to_owned(),
            intent: IntentId::parse(&format!("{n:032x}")).unwrap(),
        };
        let marks = owner.snapshot_marks(&origin, std::slice::from_ref(&volume));
        let create = CreateSnapshot { volume, description: marks.description, tags: marks.tags };
        let made = cloud.ask(&scope(TARGET, Purpose::Create), create).await.unwrap();
        cloud.clock.sleep(Duration::from_secs(20)).await;
        made.id.to_string()
    };
    make(3, 1).await;
    let foreign = make(4, 2).await;
    cloud.clock.sleep(Duration::from_secs(3_600)).await;
    let bill = conformance::run_capped(&cloud, &world(), 500_000, never()).await;
    assert!(bill.left.iter().all(|left| left.contains(&foreign)) && bill.left.len() == 1, "{:?}", bill.left);
    assert_eq!(held(&cloud).await, [foreign], "with another key it is not ours");
}
