// SPDX-License-Identifier: Apache-2.0
//! Whether the local cloud answers as AWS does, where code relies on it.

mod boxes;
mod snapshots;
mod volumes;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::*;
use crate::ec2::{CreateSnapshot, DescribeSnapshots, Find, Snapshot, Tags};
use crate::owned::{TAG_DEPLOYMENT, TAG_INTENT, TAG_JOB};
use crate::{AccountId, Clock, Cloud, Error, InstanceId, IntentId, Owned, Purpose, Request, Scope};
use crate::{SnapshotId, Timestamp, VolumeId};

const SCANNER: &str = "111111111111";
const TARGET: &str = "222222222222";
const STRANGER: &str = "333333333333";
const INSTANCE: &str = "i-0a";
const ROOT: &str = "vol-0a";
const DATA: &str = "vol-0b";
const HOST: &str = "i-00000000000000001";
const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/1";
const INTENT: &str = "0123456789abcdef0123456789abcdef";

/// A cloud in a folder of its own, whose clock runs as tests wait.
struct World {
    folder: tempfile::TempDir,
    cloud: Cloud,
}

/// Two accounts beside the scanner's, and an instance with a root and a data volume.
fn builder(folder: &std::path::Path) -> Builder {
    let image = folder.join("image");
    let file = File::create(&image).expect("a file");
    file.set_len(8 << 20).expect("a length");
    file.write_all_at(&[7; 512 * 1024], 0).expect("block 0");
    file.write_all_at(&[9; 4096], 5 * 512 * 1024).expect("a part of block 5");
    let mut instance = InstanceRecord::new(id(INSTANCE), id(TARGET), "eu-west-1a");
    instance.disks = [("/dev/xvda".to_owned(), id(ROOT)), ("/dev/sdf".to_owned(), id(DATA))].into();
    let volume = |name| VolumeRecord::new(id(name), id(TARGET), "eu-west-1a");
    Builder::new()
        .account(Account::new(id(TARGET)))
        .account(Account::new(id(STRANGER)))
        .instance(instance)
        .volume(volume(ROOT), &image)
        .volume(volume(DATA), &image)
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        change(builder(folder.path())).write(&folder.path().join("cloud")).expect("a cloud");
        let local = Local::with_clock(&folder.path().join("cloud"), Clock::from(Timestamp(1_800_000_000)));
        let local = local.expect("the cloud opens");
        let clock = local.clock();
        Self { folder, cloud: Cloud { service: Arc::new(local), clock } }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("cloud")
    }

    async fn ask<R: Request>(&self, account: &str, purpose: Purpose, request: R) -> Result<R::Answer, Error> {
        self.cloud.ask(&scope(account, purpose), request).await
    }

    async fn seconds(&self, seconds: u64) {
        self.cloud.clock.sleep(Duration::from_secs(seconds)).await;
    }

    async fn snapshot(&self, volume: &str) -> Result<Snapshot, Error> {
        let request = CreateSnapshot { volume: id(volume), description: "d".to_owned(), tags: tags() };
        self.ask(TARGET, Purpose::Create, request).await
    }

    /// A completed snapshot of the root.
    async fn completed(&self) -> SnapshotId {
        let snapshot = self.snapshot(ROOT).await.expect("a snapshot");
        self.seconds(20).await;
        snapshot.id
    }

    async fn find(&self, account: &str, find: Find<SnapshotId>) -> Vec<Snapshot> {
        let request = DescribeSnapshots { find, token: None };
        self.ask(account, Purpose::Read, request).await.expect("a page").items
    }

    async fn state(&self, snapshot: &SnapshotId) -> Option<String> {
        let found = self.find(TARGET, Find::Ids(vec![snapshot.clone()])).await;
        found.first().map(|snapshot| snapshot.state.clone())
    }

    fn events(&self, kind: EventKind, action: &str) -> Vec<Event> {
        let all = events(&self.path()).expect("a log");
        all.into_iter().filter(|event| event.kind == kind && event.action == action).collect()
    }
}

fn scope(account: &str, purpose: Purpose) -> Scope {
    let region = crate::Region::parse("eu-west-1").expect("a region");
    Scope { account: id(account), region, purpose, job: "job-1".to_owned() }
}

fn id<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_value(serde_json::Value::from(text)).expect("an id")
}

fn ours<T: DeserializeOwned + serde::Serialize>(id: &T) -> Owned<T> {
    let value = serde_json::to_value(id).expect("a value");
    serde_json::from_value(value).expect("the same")
}

fn tags() -> Tags {
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [tag(TAG_DEPLOYMENT, "d1"), tag(TAG_INTENT, INTENT), tag(TAG_JOB, "job-1")].into()
}

fn code<T>(result: Result<T, Error>) -> String {
    result.err().map_or_else(|| "nothing".to_owned(), |error| error.code)
}
