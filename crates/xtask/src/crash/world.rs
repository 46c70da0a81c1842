// SPDX-License-Identifier: Apache-2.0
//! The cloud of one round: a folder, its things and decoys, and a clock that can be moved on.
//!
//! The target is an instance with two volumes in an account of its own: the root is not encrypted, so that attaching
//! shares its snapshot, and `/var` is encrypted under the account's default key, so that attaching needs a copy.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use snapscan_cloud::local::{
    Account, Builder, InstanceRecord, KeyRecord, Local, Settings, SnapshotRecord, VolumeRecord,
};
use snapscan_cloud::queue::Send;
use snapscan_cloud::{Clock, Cloud, Purpose, Region, Scope};
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobTarget};

use super::power::Disk;
use super::standin::StandIn;
use crate::steps::run;

/// The scanners' account.
pub(super) const SCANNER: &str = "111111111111";
/// The target's account.
pub(super) const TARGET: &str = "222222222222";
/// The instance that is to be scanned.
pub(super) const INSTANCE: &str = "i-0a";
/// The scanners, of which a round has one or more.
pub(super) const HOSTS: [&str; 3] = ["i-00000000000000001", "i-00000000000000002", "i-00000000000000003"];
/// The job.
pub(super) const JOB: &str = "job-1";
/// The key that copies are made with.
pub(super) const COPY_KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/copy";
/// A volume of somebody else in the target's account.
pub(super) const FOREIGN_VOLUME: &str = "vol-0f";
/// A snapshot of it.
pub(super) const FOREIGN_SNAPSHOT: &str = "snap-0f";
/// What is somebody else's from the beginning: id and account.
pub(super) const DECOYS: [(&str, &str); 6] = [
    (FOREIGN_VOLUME, TARGET),
    (FOREIGN_SNAPSHOT, TARGET),
    // Carries tags like ours, of an intent that nobody has.
    ("snap-0e", TARGET),
    ("snap-0d", SCANNER),
    // Attached to a scanner.
    ("vol-0d", SCANNER),
    // Looks like one of ours that is left over.
    ("vol-0c", SCANNER),
];

const DEFAULT_KEY: &str = "arn:aws:kms:eu-west-1:222222222222:alias/aws/ebs";
const REGION: &str = "eu-west-1";
const ZONE: &str = "eu-west-1a";
/// Seconds of the cloud that pass in one of the wall's.
pub(super) const SPEED: u32 = 100;

/// How the job's volumes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    /// Block by block.
    Direct,
    /// As attached volumes.
    Attach,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Direct => "direct",
            Method::Attach => "attach",
        }
    }
}

/// The folder that each round's is a copy of.
pub(super) struct Template {
    folder: tempfile::TempDir,
}

impl Template {
    /// Unpacks the images and writes the cloud.
    pub(super) fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("snapscan-crash-").tempdir()?;
        let image = |name: &str| -> Result<PathBuf> {
            let path = folder.path().join(name);
            let packed = format!("fixtures/{name}.img.zst");
            run(Command::new("zstd").args(["-q", "-d", "-f", "--sparse", "-o"]).arg(&path).arg(packed))?;
            Ok(path)
        };
        let (root, var) = (image("two-disks-root")?, image("two-disks-var")?);
        let blank = folder.path().join("blank");
        File::create(&blank)?.set_len(1 << 20)?;
        build(&root, &var, &blank)?.write(&folder.path().join("cloud"))?;
        for image in [root, var, blank] {
            fs::remove_file(image)?;
        }
        Disk::blank(&folder.path().join("disk.img"))?;
        Ok(Self { folder })
    }

    /// A copy of the program, out of the way of the next build.
    pub(super) fn program(&self, built: &Path) -> Result<PathBuf> {
        let path = self.folder.path().join("snapscan");
        fs::copy(built, &path).with_context(|| format!("cannot copy {}", built.display()))?;
        Ok(path)
    }

    /// A new world with so many messages of the one job. Images are hard links. With `power` there is a disk, on which
    /// the outbox is, and whatever is put at [`World::disk`].
    pub(super) fn world(
        &self,
        method: Method,
        messages: usize,
        power: bool,
        handle: &tokio::runtime::Handle,
    ) -> Result<World> {
        let folder = tempfile::Builder::new().prefix("snapscan-round-").tempdir()?;
        let (from, to) = (self.folder.path().join("cloud"), folder.path().join("cloud"));
        for entry in walkdir::WalkDir::new(&from) {
            let entry = entry?;
            let target = to.join(entry.path().strip_prefix(&from)?);
            if entry.file_type().is_dir() {
                fs::create_dir_all(&target)?;
            } else if target.extension().is_some_and(|ending| ending == "img") {
                fs::hard_link(entry.path(), &target)?;
            } else {
                fs::copy(entry.path(), &target)?;
            }
        }
        let disk = if power {
            let disk = Disk::mount(&self.folder.path().join("disk.img"), folder.path().join("disk"))?;
            let outbox = to.join("outbox");
            fs::remove_dir(&outbox)?;
            fs::create_dir(folder.path().join("disk/outbox"))?;
            std::os::unix::fs::symlink(folder.path().join("disk/outbox"), outbox)?;
            Some(disk)
        } else {
            None
        };
        let epoch = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let standin = handle.block_on(StandIn::start());
        let world = World { disk, standin, folder, epoch, handle: handle.clone() };
        world.enqueue(method, messages)?;
        Ok(world)
    }
}

/// What there is in the cloud before anything happens.
fn build(root: &Path, var: &Path, blank: &Path) -> Result<Builder> {
    let mut settings = Settings::default();
    for host in &HOSTS[1..] {
        settings.host.beside.insert(id(host)?);
    }
    let (scanner, target) = (id(SCANNER)?, id(TARGET)?);
    let default_key = KeyRecord { managed: true, ..KeyRecord::new(DEFAULT_KEY, id(TARGET)?) };
    let mut copy_key = KeyRecord::new(COPY_KEY, id(TARGET)?);
    copy_key.users.insert(id(SCANNER)?);
    let mut instance = InstanceRecord::new(id(INSTANCE)?, id(TARGET)?, ZONE);
    instance.disks = [("/dev/xvda".to_owned(), id("vol-0a")?), ("/dev/sdf".to_owned(), id("vol-0b")?)].into();
    let mut other = InstanceRecord::new(id("i-0f")?, id(TARGET)?, ZONE);
    other.disks = [("/dev/xvda".to_owned(), id(FOREIGN_VOLUME)?)].into();
    let volume = |name: &str, account| Ok::<_, anyhow::Error>(VolumeRecord::new(id(name)?, account, ZONE));
    let mut left = volume("vol-0c", id(SCANNER)?)?;
    left.tags = tags();
    let mut builder = Builder::new()
        .settings(settings)
        .account(Account::new(id(TARGET)?))
        .key(default_key)
        .key(copy_key)
        .instance(InstanceRecord::new(id(HOSTS[1])?, id(SCANNER)?, ZONE))
        .instance(InstanceRecord::new(id(HOSTS[2])?, id(SCANNER)?, ZONE))
        .instance(instance)
        .instance(other)
        .volume(volume("vol-0a", id(TARGET)?)?, root)
        .volume(VolumeRecord { key: Some(DEFAULT_KEY.to_owned()), ..volume("vol-0b", id(TARGET)?)? }, var)
        .volume(volume(FOREIGN_VOLUME, target)?, blank)
        .volume(volume("vol-0d", scanner)?, blank)
        .volume(left, blank);
    if let Some(host) = builder.world.instances.get_mut(&id(HOSTS[0])?) {
        host.disks.insert("/dev/sdf".to_owned(), id("vol-0d")?);
    }
    let snapshot = |name: &str, account: &str| {
        let record = SnapshotRecord::new(id(name)?, id(account)?, id(FOREIGN_VOLUME)?);
        Ok::<_, anyhow::Error>(SnapshotRecord { tags: tags(), ..record })
    };
    let plain = SnapshotRecord { tags: Default::default(), ..snapshot(FOREIGN_SNAPSHOT, TARGET)? };
    Ok(builder
        .snapshot(plain, blank)
        .snapshot(snapshot("snap-0e", TARGET)?, blank)
        .snapshot(snapshot("snap-0d", SCANNER)?, blank))
}

/// Tags like ours, of an intent that nobody has.
fn tags() -> snapscan_cloud::ec2::Tags {
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [
        tag("snapscan", "snapscan"),
        tag("snapscan:job", JOB),
        tag("snapscan:intent", "0123456789abcdef0123456789abcdef"),
        tag("snapscan:mac", "AAAAAAAAAAA"),
        tag("Name", "snapscan"),
    ]
    .into()
}

/// The cloud of one round.
pub(super) struct World {
    /// Unmounted before its folder goes.
    disk: Option<Disk>,
    /// Where findings are uploaded to; it lives in this process, and knows of no kill.
    pub(super) standin: StandIn,
    folder: tempfile::TempDir,
    /// The wall's milliseconds from which on the clock runs faster.
    epoch: u64,
    handle: tokio::runtime::Handle,
}

impl World {
    /// The folder of the round.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The cloud's folder.
    pub(super) fn cloud_path(&self) -> PathBuf {
        self.folder.path().join("cloud")
    }

    /// The folder that all scanners deliver to.
    pub(super) fn findings(&self) -> PathBuf {
        self.disk().unwrap_or_else(|| self.path().to_owned()).join("findings")
    }

    /// The disk whose power can be cut, if there is one.
    pub(super) fn disk(&self) -> Option<PathBuf> {
        self.disk.as_ref().map(|_| self.path().join("disk"))
    }

    /// Cuts its power.
    pub(super) fn cut_power(&mut self) -> Result<()> {
        self.disk.as_mut().map_or(Ok(()), Disk::cut)
    }

    /// The runtime on which the cloud is served.
    pub(super) fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }

    /// Keeps the folder, and says where it is.
    pub(super) fn keep(self) -> PathBuf {
        if let Some(Err(error)) = self.disk.map(Disk::keep) {
            println!("what was on the disk is lost: {error:#}");
        }
        self.folder.keep()
    }

    /// Moves the clock on by at least so much, for whoever opens the cloud from now on.
    pub(super) fn jump(&mut self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.epoch = self.epoch.saturating_sub(milliseconds.div_ceil(u64::from(SPEED - 1)));
    }

    /// Opens the cloud.
    pub(super) fn open(&self) -> Result<Cloud> {
        let _entered = self.handle.enter();
        let clock = Clock::fast(self.epoch, SPEED);
        let local = Local::with_clock(&self.cloud_path(), clock)?;
        Ok(Cloud { service: Arc::new(local), clock })
    }

    /// Sets how long a new id is unknown to other calls, and how long a snapshot takes, in seconds.
    pub(super) fn latency(&self, late: u64, snapshot: u64) -> Result<()> {
        let mut world = snapscan_cloud::local::World::read(&self.cloud_path())?;
        (world.settings.latency.late, world.settings.latency.snapshot) = (late, snapshot);
        Ok(world.write(&self.cloud_path())?)
    }

    fn enqueue(&self, method: Method, messages: usize) -> Result<()> {
        let job = Job {
            schema_version: JOB_VERSION,
            id: JOB.to_owned(),
            target: JobTarget::Instance { id: INSTANCE.to_owned() },
            account: Some(TARGET.to_owned()),
            region: Some(REGION.to_owned()),
            profile: "os".to_owned(),
            exclude_volume_tags: Vec::new(),
            limits: JobLimits::default(),
            method: match method {
                Method::Direct => snapscan_schema::Method::Direct,
                Method::Attach => snapscan_schema::Method::Attach,
            },
            reader: None,
            attempt: 0,
            not_before: None,
        };
        let (cloud, body) = (self.open()?, serde_json::to_string(&job)?);
        for _ in 0..messages {
            let send = Send { body: body.clone(), delay: Duration::ZERO };
            self.handle.block_on(cloud.ask(&scope(SCANNER, Purpose::Scanner, "harness")?, send))?;
        }
        Ok(())
    }
}

/// In whose name the harness asks.
pub(super) fn scope(account: &str, purpose: Purpose, job: &str) -> Result<Scope> {
    let region: Region = id(REGION)?;
    Ok(Scope { account: id(account)?, region, purpose, job: job.to_owned() })
}

/// A text as an id.
pub(super) fn id<T: TryFrom<String, Error = String>>(text: &str) -> Result<T> {
    T::try_from(text.to_owned()).map_err(|error| anyhow!(error)).context("an id of the world")
}
