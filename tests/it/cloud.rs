// SPDX-License-Identifier: Apache-2.0
//! A cloud in a folder, and the agent at work in it as its own process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use snapscan_cloud::local::{
    Account, Builder, EventKind, InstanceRecord, Latency, Local, Settings, VolumeRecord, events, spans,
};
use snapscan_cloud::queue::Send;
use snapscan_cloud::{AccountId, Cloud, InstanceId, Purpose, Scope, VolumeId};
use snapscan_schema::{JOB_VERSION, Job, JobLimits, JobTarget, Method, Outcome, Parcel, Report};

use crate::run::{Ran, command, fixture, ran};

/// The account whose machines are scanned.
pub(crate) const CUSTOMER: &str = "444455556666";
/// Another one that is configured too.
pub(crate) const OTHER: &str = "777788889999";
/// One that the agent has no role in.
pub(crate) const STRANGER: &str = "999900001111";
const ZONE: &str = "eu-west-1a";
/// How many seconds pass in the cloud in one of the wall's.
const SPEED: u32 = 10;

/// A machine: its name is that of its job.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) account: &'static str,
    /// The bytes of its volumes, the root first.
    pub(crate) disks: Vec<PathBuf>,
}

/// A cloud with machines in it, and the folders of an agent beside it.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    machines: Vec<Machine>,
}

/// Unpacks a fixture; what is zero in it becomes a hole.
pub(crate) fn unpacked(name: &str, folder: &Path) -> PathBuf {
    const CHUNK: usize = 64 << 10;
    let packed = File::open(fixture(name)).unwrap();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed).unwrap();
    let path = folder.join(format!("{name}.img"));
    let mut file = File::create_new(&path).unwrap();
    let (mut chunk, mut length) = (Vec::new(), 0);
    loop {
        chunk.clear();
        let read = decoder.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).unwrap();
        if read == 0 {
            file.set_len(length).unwrap();
            return path;
        }
        length += read as u64;
        if chunk.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(length)).unwrap();
        } else {
            file.write_all(&chunk).unwrap();
        }
    }
}

impl Stage {
    /// A cloud with these machines, and an agent's configuration that knows two accounts.
    pub(crate) fn new(machines: Vec<Machine>) -> Self {
        Self::with(machines, |builder| builder)
    }

    /// The same with more in it.
    pub(crate) fn with(machines: Vec<Machine>, more: impl FnOnce(Builder) -> Builder) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap(), machines };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let latency = Latency { snapshot: 2, ..Latency::default() };
        let epoch = u64::try_from(since.as_millis()).unwrap();
        let settings = Settings { speed: SPEED, epoch, latency, ..Settings::default() };
        let mut builder = Builder::new().settings(settings);
        for account in [CUSTOMER, OTHER, STRANGER] {
            builder = builder.account(Account::new(AccountId::parse(account).unwrap()));
        }
        for (place, machine) in stage.machines.iter().enumerate() {
            let account = AccountId::parse(machine.account).unwrap();
            let id = InstanceId::parse(&stage.instance(place)).unwrap();
            let mut instance = InstanceRecord::new(id, account.clone(), ZONE);
            for (disk, image) in machine.disks.iter().enumerate() {
                let volume = VolumeId::parse(&volume(place, disk)).unwrap();
                instance.disks.insert(device(disk), volume.clone());
                builder = builder.volume(VolumeRecord::new(volume, account.clone(), ZONE), image);
            }
            builder = builder.instance(instance);
        }
        more(builder).write(&stage.cloud()).unwrap();
        stage.configure();
        stage
    }

    fn configure(&self) {
        use std::os::unix::fs::OpenOptionsExt;
        let secret = self.path("external.id");
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret).unwrap();
        file.write_all(b"0123456789abcdef0123456789abcdef").unwrap();
        fs::create_dir(self.path("config.d")).unwrap();
        fs::create_dir(self.path("root")).unwrap();
        let mut text = format!(
            "deployment = \"test\"\nstate = \"{}\"\n[agent]\nlease = \"1h\"\nlocal_root = \"{}\"\n[sandbox]\nrequire = \"possible\"\n",
            self.path("state").display(),
            self.path("root").display(),
        );
        for account in [CUSTOMER, OTHER] {
            text += &format!(
                "[accounts.{account}]\nrole = \"snapscan-target\"\nexternal_id = \"file:{}\"\n",
                secret.display()
            );
        }
        fs::write(self.path("config.d/test.toml"), text).unwrap();
    }

    /// A path in the stage's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The cloud's folder.
    pub(crate) fn cloud(&self) -> PathBuf {
        self.path("cloud")
    }

    /// The id of a machine's instance.
    pub(crate) fn instance(&self, place: usize) -> String {
        format!("i-0a{place:014x}")
    }

    /// A job for a machine, of this name.
    pub(crate) fn job(&self, machine: &str, method: Method) -> Job {
        let place = self.machines.iter().position(|one| one.name == machine).unwrap();
        Job {
            schema_version: JOB_VERSION,
            id: machine.to_owned(),
            target: JobTarget::Instance { id: self.instance(place) },
            account: Some(self.machines[place].account.to_owned()),
            region: Some(Settings::default().region.to_string()),
            profile: "os".to_owned(),
            exclude_volume_tags: Vec::new(),
            limits: JobLimits::default(),
            method,
            reader: None,
            attempt: 0,
            not_before: None,
        }
    }

    /// Puts a job on the queue.
    pub(crate) fn submit(&self, job: &Job) {
        self.send(&serde_json::to_string(job).unwrap());
    }

    /// Puts any message on the queue.
    pub(crate) fn send(&self, body: &str) {
        let local = Local::open(&self.cloud()).unwrap();
        let host = Settings::default();
        let scope = Scope {
            account: host.host.account,
            region: host.region,
            purpose: Purpose::Scanner,
            job: String::new(),
        };
        let cloud = Cloud { clock: local.clock(), service: std::sync::Arc::new(local) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let send = Send { body: body.to_owned(), delay: Duration::ZERO };
        runtime.block_on(async { cloud.ask(&scope, send).await }).unwrap();
    }

    /// Runs the agent until it has nothing left to do.
    pub(crate) fn agent(&self, settings: &[&str]) -> Ran {
        let folder = format!("cloud.folder={}", self.cloud().display());
        self.agent_at(&[&["cloud.kind=local", &folder], settings].concat())
    }

    /// The same with a cloud that the settings name.
    pub(crate) fn agent_at(&self, settings: &[&str]) -> Ran {
        let mut command = command();
        command.env("SNAPSCAN_LOG", "info").args(["agent", "--until-idle", "--config"]);
        command.arg(self.path("config.d"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let ran = ran(&mut command);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran
    }

    /// The reports that were handed over, by job.
    pub(crate) fn reports(&self) -> BTreeMap<String, Report> {
        let mut reports = BTreeMap::new();
        for path in files(&self.cloud().join("outbox/reports")) {
            let parcel: Parcel = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let old = reports.insert(parcel.delivery.job, parcel.report);
            assert!(old.is_none(), "{} is a second one", path.display());
        }
        // What the uploader has taken out of the outbox lies in the sink's folder.
        for path in files(&self.path("state/findings")) {
            if path.ends_with("report.json") {
                let delivery: snapscan_schema::Delivery =
                    serde_json::from_slice(&fs::read(path.with_file_name("delivery.json")).unwrap()).unwrap();
                let report = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                reports.entry(delivery.job).or_insert(report);
            }
        }
        reports
    }

    /// The records of jobs that ended without a report, by job.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Outcome> {
        let read = |path: PathBuf| serde_json::from_slice::<Outcome>(&fs::read(path).unwrap()).unwrap();
        let all = files(&self.cloud().join("outbox/outcomes")).into_iter().map(read);
        all.map(|outcome| (outcome.job.clone(), outcome)).collect()
    }

    /// What was made in the cloud and is not gone, by the cloud's own log.
    pub(crate) fn leaked(&self) -> Vec<String> {
        let events = events(&self.cloud()).unwrap();
        spans(&events).into_iter().filter(|span| span.gone.is_none()).map(|span| span.id).collect()
    }

    /// Things that were made in the cloud.
    pub(crate) fn made(&self) -> Vec<String> {
        let events = events(&self.cloud()).unwrap();
        let made = events.iter().filter(|event| event.kind == EventKind::Made);
        let lasting = |id: &&String| id.starts_with("snap-") || id.starts_with("vol-");
        made.flat_map(|event| event.ids.iter().filter(lasting).cloned()).collect()
    }

    /// A plain file for each volume of a machine, named as the volume is.
    pub(crate) fn plain(&self, machine: &str) -> Vec<PathBuf> {
        let place = self.machines.iter().position(|one| one.name == machine).unwrap();
        let folder = self.path("plain");
        fs::create_dir_all(&folder).unwrap();
        let link = |disk: usize| {
            let id = volume(place, disk);
            let path = folder.join(&id);
            if !path.exists() {
                let image = self.cloud().join(format!("volumes/{id}.img"));
                std::os::unix::fs::symlink(image, &path).unwrap();
            }
            path
        };
        (0..self.machines[place].disks.len()).map(link).collect()
    }
}

/// The id of a machine's volume.
pub(crate) fn volume(place: usize, disk: usize) -> String {
    format!("vol-0a{place:07x}{disk:07x}")
}

/// The name under which an instance has a disk: `/dev/xvda` for the root, then `/dev/xvdba` and on.
fn device(disk: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
    match disk {
        0 => "/dev/xvda".to_owned(),
        more => format!("/dev/xvd{}{}", letter(1 + more / 26), letter(more)),
    }
}

/// A report without what differs from run to run, as its canonical bytes.
pub(crate) fn comparable(report: &Report) -> String {
    let mut report = report.clone();
    report.header.run = snapscan_schema::Run::default();
    String::from_utf8(report.to_json().unwrap()).unwrap()
}

/// Asserts that two texts are equal; says the first line in which they are not.
pub(crate) fn assert_same(what: &str, one: &str, other: &str) {
    let differs = one.lines().zip(other.lines()).enumerate().find(|(_, (one, other))| one != other);
    if let Some((line, (one, other))) = differs {
        panic!("{what}: line {line} is {one:?}, and not {other:?}");
    }
    assert_eq!(one.len(), other.len(), "{what}: one is longer");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
