// SPDX-License-Identifier: Apache-2.0
//! The cloud of the bench: instances of one image, behind a socket, each call with the times that it began and ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use snapscan_cloud::local::{Account, Builder, InstanceRecord, Local, Settings, VolumeRecord};
use snapscan_cloud::queue::Send;
use snapscan_cloud::sim::{self, Latency, Quotas, Sim};
use snapscan_cloud::{
    AccountId, Answer, Call, Cloud, Error, InstanceId, Purpose, Scope, Service, VolumeId, remote,
};
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobTarget, Method};

use super::process::{self, Cost};

/// Seconds from the call to a completed snapshot.
pub(super) const SNAPSHOT: u64 = 30;
const ACCOUNT: &str = "444455556666";
const ZONE: &str = "eu-west-1a";
const GIB: u64 = 1 << 30;

/// One call that was answered.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// The action.
    pub(super) action: String,
    /// The block, if it asked for one.
    pub(super) block: Option<u64>,
    /// When it came, in milliseconds of the cloud's clock.
    pub(super) begin: u64,
    /// When it was answered.
    pub(super) end: u64,
}

/// What the agent is to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) jobs: usize,
    pub(super) profile: &'static str,
    /// How long calls take.
    pub(super) latency: Latency,
    /// Scanners that share the quotas, as the agent is told.
    pub(super) scanners: u32,
}

/// A copy of the image that nobody can write to, so that volumes and snapshots of it are links.
pub(super) struct World {
    folder: tempfile::TempDir,
    image: PathBuf,
    size_gib: u64,
    speed: u32,
}

impl World {
    pub(super) fn make(image: &Path, speed: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("snapscan-bench-").tempdir()?;
        let copy = folder.path().join("image");
        let copied =
            std::process::Command::new("cp").arg("--sparse=always").arg(image).arg(&copy).status()?;
        anyhow::ensure!(copied.success(), "cannot copy {}", image.display());
        let size_gib = fs::metadata(&copy)?.len().div_ceil(GIB);
        fs::OpenOptions::new().write(true).open(&copy)?.set_len(size_gib * GIB)?;
        let mut permissions = fs::metadata(&copy)?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&copy, permissions)?;
        Ok(Self { folder, image: copy, size_gib, speed })
    }

    /// Runs an agent over so many instances until nothing is left to be done.
    pub(super) fn run(
        &self,
        program: &Path,
        inspect: usize,
        work: &Work,
    ) -> Result<(Vec<Done>, Cost, Vec<Value>)> {
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(self.folder.path())?;
        let &Work { jobs, profile, latency, scanners } = work;
        self.build(folder.path(), jobs)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let local = Local::open(&folder.path().join("cloud"))?;
        let clock = local.clock();
        let settings =
            sim::Settings { seed: 8, latency, quotas: Some(Quotas::default()), ..sim::Settings::default() };
        let local = Cloud { service: Arc::new(local), clock };
        runtime.block_on(submit(&local, jobs, profile))?;
        let book = Arc::new(Mutex::new(Vec::new()));
        let sim = Sim::new(local, settings).cloud();
        let meter = Arc::new(Meter { cloud: sim, book: Arc::clone(&book) });
        let socket = folder.path().join("socket");
        let served = runtime.spawn({
            let socket = socket.clone();
            async move { remote::serve(&socket, meter, clock).await }
        });
        while !socket.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let cost = process::agent(program, folder.path(), &socket, ACCOUNT, inspect, scanners)?;
        served.abort();
        let done = book.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((done, cost, reports(folder.path())?))
    }

    fn build(&self, folder: &Path, jobs: usize) -> Result<()> {
        let account = parsed(ACCOUNT, AccountId::parse)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let latency = snapscan_cloud::local::Latency { snapshot: SNAPSHOT, ..Default::default() };
        let settings = Settings {
            speed: self.speed,
            epoch: u64::try_from(since.as_millis())?,
            latency,
            ..Settings::default()
        };
        let mut builder = Builder::new().settings(settings).account(Account::new(account.clone()));
        let cloud = folder.join("cloud");
        fs::create_dir_all(cloud.join("volumes"))?;
        for place in 0..jobs {
            let volume = parsed(&format!("vol-0b{place:06x}"), VolumeId::parse)?;
            let id = parsed(&instance(place), InstanceId::parse)?;
            let mut instance = InstanceRecord::new(id, account.clone(), ZONE);
            instance.disks.insert("/dev/xvda".to_owned(), volume.clone());
            builder = builder.instance(instance);
            let record = VolumeRecord::new(volume.clone(), account.clone(), ZONE);
            let record = VolumeRecord { size_gib: self.size_gib, ..record };
            builder.world.volumes.insert(volume.clone(), record);
            fs::hard_link(&self.image, cloud.join(format!("volumes/{volume}.img")))?;
        }
        builder.write(&cloud)?;
        Ok(())
    }
}

/// A cloud that writes down when each call came and was answered.
struct Meter {
    cloud: Cloud,
    book: Arc<Mutex<Vec<Done>>>,
}

#[async_trait::async_trait]
impl Service for Meter {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action().name().to_owned();
        let block = match &call {
            Call::GetSnapshotBlock(get) => Some(get.index),
            _ => None,
        };
        let begin = self.cloud.clock.milliseconds();
        let answer = self.cloud.service.call(scope, call).await;
        let done = Done { action, block, begin, end: self.cloud.clock.milliseconds() };
        self.book.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        answer
    }
}

async fn submit(cloud: &Cloud, jobs: usize, profile: &str) -> Result<()> {
    let host = Settings::default();
    let (account, region) = (host.host.account, host.region);
    let scope = Scope { account, region: region.clone(), purpose: Purpose::Scanner, job: String::new() };
    for place in 0..jobs {
        let job = Job {
            schema_version: JOB_VERSION,
            id: format!("job-{place}"),
            target: JobTarget::Instance { id: instance(place) },
            account: Some(ACCOUNT.to_owned()),
            region: Some(region.to_string()),
            profile: profile.to_owned(),
            exclude_volume_tags: Vec::new(),
            limits: JobLimits::default(),
            method: Method::Direct,
            reader: None,
            attempt: 0,
            not_before: None,
        };
        let body = serde_json::to_string(&job)?;
        cloud.ask(&scope, Send { body, delay: Duration::ZERO }).await?;
    }
    Ok(())
}

fn instance(place: usize) -> String {
    format!("i-0b{place:06x}")
}

/// The reports in the outbox and, once they are delivered, in the sink's folder.
fn reports(folder: &Path) -> Result<Vec<Value>> {
    let mut reports = Vec::new();
    for entry in walkdir::WalkDir::new(folder.join("cloud/outbox/reports")).into_iter().flatten() {
        if entry.file_type().is_file() {
            let parcel: Value = serde_json::from_slice(&fs::read(entry.path())?)?;
            reports.push(parcel["report"].clone());
        }
    }
    if reports.is_empty() {
        for entry in walkdir::WalkDir::new(folder.join("findings")).into_iter().flatten() {
            if entry.file_name() == "report.json" {
                reports
                    .push(serde_json::from_slice(&fs::read(entry.path())?).context("a report is no JSON")?);
            }
        }
    }
    Ok(reports)
}

fn parsed<T>(text: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(text).ok_or_else(|| anyhow!("{text} is no id"))
}
