// SPDX-License-Identifier: Apache-2.0
//! What is made is taken away, wherever a process dies and whatever a cloud answers.

mod crash;
mod fake;
mod faults;
mod local;
mod proof;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use snapscan_cloud::ec2::Snapshot;
use snapscan_cloud::host::HostFacts;
use snapscan_cloud::{
    AccountId, Clock, Cloud, InstanceId, Owner, Region, Service, SnapshotId, Timestamp, VolumeId,
};
use tokio::sync::Notify;

use self::fake::{Fake, Manner, Seen};
use super::{CopyOf, Error, Place, Resources, SetOf};
use crate::agent::ledger::reap::reap;
use crate::agent::ledger::{Ledger, Opening};

/// Where a process dies: at the n-th boundary that it passes. From there on it does nothing more.
#[derive(Default)]
pub(crate) struct Halt {
    at: Option<usize>,
    passed: Mutex<Vec<String>>,
    died: Notify,
}

impl Halt {
    fn at(at: usize) -> Arc<Self> {
        Arc::new(Self { at: Some(at), ..Self::default() })
    }

    /// Passes a boundary, or never comes back from it.
    pub(crate) async fn pass(&self, name: &str) {
        let number = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            passed.push(name.to_owned());
            passed.len()
        };
        if self.at.is_some_and(|at| number >= at) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn passed(&self) -> Vec<String> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const JOB: &str = "job-1";
const MINUTES: Duration = Duration::from_secs(600);

fn account(n: u64) -> AccountId {
    AccountId::parse(&format!("{n}").repeat(12)).unwrap()
}

fn region() -> Region {
    Region::parse("eu-west-1").unwrap()
}

fn scanner() -> InstanceId {
    InstanceId::parse("i-05ca2").unwrap()
}

fn target() -> InstanceId {
    InstanceId::parse("i-07a6e").unwrap()
}

fn volumes_of(instance: &InstanceId) -> Vec<VolumeId> {
    assert_eq!(*instance, target());
    ["vol-0a", "vol-0b"].map(|id| VolumeId::parse(id).unwrap()).to_vec()
}

/// Where the target lies.
fn there() -> Place {
    Place { account: account(1), region: region(), job: JOB.to_owned() }
}

/// A folder, a cloud, and processes that come and go.
struct Stage {
    folder: tempfile::TempDir,
    fake: Fake,
    clock: Clock,
}

impl Stage {
    fn new(manner: Manner) -> Self {
        // Memory where there is some: hundreds of small synchronous commits.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let clock = Clock::from(Timestamp(1_700_000_000));
        Self { folder, fake: Fake::new(clock, manner), clock }
    }

    /// An agent starts.
    fn process(&self, halt: Arc<Halt>) -> Resources {
        let mut ledger = Ledger::open(self.folder.path(), Opening::Agent).unwrap();
        ledger.halt = Some(halt.clone());
        let service: Arc<dyn Service> = Arc::new(Seen(self.fake.clone(), halt));
        let host = HostFacts {
            account: account(2),
            region: region(),
            zone: "eu-west-1a".to_owned(),
            instance: scanner(),
            kind: "c7i.large".to_owned(),
            group: None,
            devices: None,
        };
        let owner = Arc::new(Owner::new("test".to_owned(), [7; 32]));
        Resources::new(Cloud { service, clock: self.clock }, owner, ledger, host)
    }

    /// An agent that nothing happens to.
    fn agent(&self) -> Resources {
        self.process(Arc::default())
    }

    /// New agents reap until nothing is left, as long as that takes.
    async fn reap_all(&self) {
        for _ in 0..40 {
            let agent = self.agent();
            let reaped = reap(&agent, agent.ledger.epoch()).await.unwrap();
            if reaped.left.is_empty() {
                return;
            }
            self.clock.sleep(Duration::from_secs(3600)).await;
        }
        let agent = self.agent();
        panic!("still there after 40 h: {:#?}", reap(&agent, agent.ledger.epoch()).await);
    }

    #[track_caller]
    fn assert_clean(&self, when: &str) {
        assert_eq!(self.fake.ours(), Vec::<String>::new(), "left behind: {when}");
        assert_eq!(self.fake.decoys().1, 0, "a decoy was touched: {when}");
    }
}

/// One of each kind, as the attach method needs them.
async fn make_all(agent: &Resources) -> Result<(), Error> {
    let at = there();
    let set = set(agent).await?;
    let single = agent.snapshot_volume(&at, &VolumeId::parse("vol-0c").unwrap()).await?;
    let ids: Vec<SnapshotId> = set.iter().map(|one| one.id.clone()).chain([single.id]).collect();
    agent.wait_completed(&at, &ids, MINUTES).await?;
    let key = Some("arn:aws:kms:eu-west-1:111111111111:key/ours");
    let copy = agent.copy(&at, &CopyOf { source: &ids[0], region: &region(), key }).await?;
    let copy = agent.wait_completed(&at, &[copy], MINUTES).await?.remove(0);
    agent.share(&at, &copy.id, &account(2)).await?;
    let home = agent.home(JOB);
    let volume = agent.volume(&home, &copy, "eu-west-1a", None, MINUTES).await?;
    agent.attach(&home, &volume.id, "/dev/sdf", MINUTES).await?;
    Ok(())
}

async fn set(agent: &Resources) -> Result<Vec<Snapshot>, Error> {
    let (instance, volumes) = (target(), volumes_of(&target()));
    let set = SetOf { instance: &instance, volumes: &volumes, root_left_out: None, exclude: &[] };
    agent.snapshot_set(&there(), &set).await
}

#[tokio::test(start_paused = true)]
async fn a_job_that_makes_one_of_each_kind_leaves_nothing() {
    let manner = Manner { late: 4, pending: 40, slow: 5, decoys: true, ..Manner::default() };
    let stage = Stage::new(manner);
    let agent = stage.agent();
    make_all(&agent).await.unwrap();
    assert_eq!(stage.fake.ours().len(), 7, "{:?}", stage.fake.ours());
    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (7, 0, 0), "{released:#?}");
    stage.assert_clean("after the release");
    assert_eq!(stage.fake.decoys(), (9, 0));
    let tally = agent.ledger.tally().await.unwrap();
    assert_eq!((tally.made, tally.released, tally.held, tally.unresolved), (7, 7, 0, 0));
    // And once more: nothing is left to be asked.
    let calls = stage.fake.changing();
    assert_eq!(agent.release(JOB).await.unwrap().released, 0);
    assert_eq!(stage.fake.changing(), calls);
}
