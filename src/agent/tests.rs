// SPDX-License-Identifier: Apache-2.0
//! What tests of the agent share: a cloud in a folder, an agent over it, an inspector that only answers, and faults.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use snapscan_cloud::local::{Account, Builder, InstanceRecord, Local, VolumeRecord};
use snapscan_cloud::outbox::{GetObject, ListObjects};
use snapscan_cloud::queue::{Backlog, CountMessages, Send};
use snapscan_cloud::{
    AccountId, Answer, Call, Clock, Cloud, Error, InstanceId, Scope, Service, Timestamp, VolumeId,
};
use snapscan_schema::{Coverage, Header, Level, Outcome, Parcel, Report, SCHEMA_VERSION};

use crate::agent::context::Context;
use crate::agent::inspector::{Inspector, Look};
use crate::agent::poll::{self, Until};
use crate::agent::stop::Stop;
use crate::config::Config;
use crate::config::effective::{
    AgentSettings, CloudChoice, Limits, Prices, SandboxSettings, SecretFrom, Sink,
};

/// The account that is scanned.
pub(crate) const TARGET: &str = "222222222222";
/// The instance that is scanned, with a root and a data volume.
pub(crate) const INSTANCE: &str = "i-0a";
const ROOT: &str = "vol-0a";
const DATA: &str = "vol-0b";

/// A configuration with nothing but defaults.
pub(crate) fn config() -> Config {
    configured(Path::new("/nonexistent"))
}

fn configured(folder: &Path) -> Config {
    let state = folder.join("state");
    let account = crate::config::effective::Account {
        role: "snapscan".to_owned(),
        external_id: SecretFrom::Environment("NONE".to_owned()),
        copy_key: None,
    };
    Config {
        deployment: "test".to_owned(),
        key: SecretFrom::File(state.join("deployment.key")),
        state,
        cloud: CloudChoice::Local { folder: folder.join("cloud") },
        accounts: BTreeMap::from([(AccountId::parse(TARGET).unwrap(), account)]),
        agent: AgentSettings { report_room: 1 << 20, ..AgentSettings::default() },
        sandbox: SandboxSettings::default(),
        limits: Limits::default(),
        sinks: Vec::new(),
        keep: Duration::from_secs(30 * 86_400),
        prices: Prices::default(),
    }
}

/// A cloud that answers nothing.
pub(crate) fn silent_cloud() -> Cloud {
    struct Silent;
    #[async_trait]
    impl Service for Silent {
        async fn call(&self, _: &Scope, call: Call) -> Result<Answer, Error> {
            Err(Error::of(call.action().name(), "Unreachable", "nobody is there"))
        }
    }
    Cloud { service: Arc::new(Silent), clock: Clock::from(Timestamp(1_800_000_000)) }
}

/// A cloud in a folder, and what its agents keep beside it.
pub(crate) struct World {
    /// The folder of both.
    pub(crate) folder: tempfile::TempDir,
    cloud: Cloud,
}

/// Decides about a call before it is made.
pub(crate) type Fault = Box<dyn Fn(&Call) -> Option<Error> + std::marker::Send + Sync>;

struct Faulty(Arc<dyn Service>, Fault);

#[async_trait]
impl Service for Faulty {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        match (self.1)(&call) {
            Some(error) => Err(error),
            None => self.0.call(scope, call).await,
        }
    }
}

/// The instance as it is unless a test changes it.
pub(crate) fn instance() -> InstanceRecord {
    let mut instance = InstanceRecord::new(
        InstanceId::parse(INSTANCE).unwrap(),
        AccountId::parse(TARGET).unwrap(),
        "eu-west-1a",
    );
    let volume = |id| VolumeId::parse(id).unwrap();
    instance.disks = [("/dev/xvda".to_owned(), volume(ROOT)), ("/dev/sdf".to_owned(), volume(DATA))].into();
    instance.dns = "web-03.internal".to_owned();
    instance
}

/// One of its volumes as it is unless a test changes it.
pub(crate) fn volume(id: &str) -> VolumeRecord {
    VolumeRecord::new(VolumeId::parse(id).unwrap(), AccountId::parse(TARGET).unwrap(), "eu-west-1a")
}

impl World {
    /// One instance with two volumes.
    pub(crate) fn new() -> Self {
        Self::with(instance(), volume(ROOT), volume(DATA), |builder| builder)
    }

    /// The same, changed.
    pub(crate) fn with(
        instance: InstanceRecord,
        root: VolumeRecord,
        data: VolumeRecord,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let file = File::create(&image).unwrap();
        file.set_len(4 << 20).unwrap();
        file.write_all_at(&[7; 4096], 0).unwrap();
        // Of two accounts with one id the first counts: a test may bring its own.
        let builder = change(Builder::new())
            .account(Account::new(AccountId::parse(TARGET).unwrap()))
            .instance(instance)
            .volume(root, &image)
            .volume(data, &image);
        builder.write(&folder.path().join("cloud")).unwrap();
        let local =
            Local::with_clock(&folder.path().join("cloud"), Clock::from(Timestamp(1_800_000_000))).unwrap();
        let clock = local.clock();
        Self { folder, cloud: Cloud { service: Arc::new(local), clock } }
    }

    /// A configuration over this cloud.
    pub(crate) fn config(&self) -> Config {
        configured(self.folder.path())
    }

    /// The cloud itself, with nothing around it.
    pub(crate) fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// An agent.
    pub(crate) async fn agent(&self) -> Arc<Context> {
        self.agent_with(self.config(), Arc::new(Canned::default()), Box::new(|_| None)).await
    }

    /// Another agent, with a state folder of its own.
    pub(crate) async fn other_agent(&self) -> Arc<Context> {
        let mut config = self.config();
        config.state = self.folder.path().join("other");
        std::fs::create_dir_all(&config.state).unwrap();
        // Both belong to one deployment.
        let key = self.folder.path().join("state/deployment.key");
        config.key = SecretFrom::File(key);
        self.agent_with(config, Arc::new(Canned::default()), Box::new(|_| None)).await
    }

    /// An agent with a configuration, an inspector and faults of its own.
    pub(crate) async fn agent_with(
        &self,
        config: Config,
        inspector: Arc<dyn Inspector>,
        fault: Fault,
    ) -> Arc<Context> {
        self.agent_over(config, inspector, |service| Arc::new(Faulty(service, fault))).await
    }

    /// An agent with this state folder that hands findings to a folder, and how many are in that.
    pub(crate) async fn agent_with_sink(&self, state: &str) -> (Arc<Context>, impl Fn() -> usize + use<>) {
        let (mut config, folder) = (self.config(), self.folder.path().join("findings"));
        config.state = self.folder.path().join(state);
        config.sinks = vec![Sink::Dir { name: "findings".to_owned(), folder: folder.clone() }];
        let context = self.agent_with(config, Arc::new(Canned::default()), Box::new(|_| None)).await;
        let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
        let count = move || entries(&folder).map(|day| entries(&day.path()).count()).sum();
        (context, count)
    }

    /// An agent that sees the cloud through something else.
    pub(crate) async fn agent_over(
        &self,
        config: Config,
        inspector: Arc<dyn Inspector>,
        through: impl FnOnce(Arc<dyn Service>) -> Arc<dyn Service>,
    ) -> Arc<Context> {
        std::fs::create_dir_all(&config.state).unwrap();
        let cloud = Cloud { service: through(Arc::clone(&self.cloud.service)), clock: self.cloud.clock };
        Arc::new(Context::open(config, cloud, inspector).await.map_err(|failure| failure.what).unwrap())
    }

    /// Puts a message on the queue.
    pub(crate) async fn send(&self, context: &Context, body: &str) {
        let send = Send { body: body.to_owned(), delay: Duration::ZERO };
        self.cloud.ask(&context.own(""), send).await.unwrap();
    }

    /// What is on the queue.
    pub(crate) async fn queue(&self, context: &Context) -> Backlog {
        self.cloud.ask(&context.own(""), CountMessages {}).await.unwrap()
    }

    /// All objects whose name begins so.
    async fn objects(&self, context: &Context, prefix: &str) -> Vec<Vec<u8>> {
        let list = ListObjects { prefix: prefix.to_owned(), after: None, most: 100 };
        let scope = context.own("");
        let mut objects = Vec::new();
        for object in self.cloud.ask(&scope, list).await.unwrap().objects {
            objects.push(self.cloud.ask(&scope, GetObject { key: object.key }).await.unwrap().unwrap());
        }
        objects
    }

    /// The reports in the outbox.
    pub(crate) async fn reports(&self, context: &Context) -> Vec<Parcel> {
        let objects = self.objects(context, "reports/").await;
        objects.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect()
    }

    /// How the deliveries ended whose marks' names begin so, sorted.
    pub(crate) async fn marks(&self, context: &Context, prefix: &str) -> Vec<String> {
        let objects = self.objects(context, prefix).await;
        let mark = |bytes: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        let mut ends: Vec<_> =
            objects.iter().map(|one| mark(one)["outcome"].as_str().unwrap().to_owned()).collect();
        ends.sort();
        ends
    }

    /// The records of jobs without a report.
    pub(crate) async fn outcomes(&self, context: &Context) -> Vec<Outcome> {
        let objects = self.objects(context, "outcomes/").await;
        objects.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect()
    }

    /// Nobody holds anything, and the queue is empty.
    pub(crate) async fn assert_clean(&self, context: &Context, what: &str) {
        let tally = context.ledger.tally().await.unwrap();
        assert_eq!((tally.held, tally.unresolved), (0, 0), "{what}: {tally:?}");
        let queue = self.queue(context).await;
        assert_eq!((queue.visible, queue.leased, queue.delayed), (0, 0, 0), "{what}");
        let spooled = std::fs::read_dir(context.config.state.join("spool")).unwrap().count();
        assert_eq!(spooled, 0, "{what}: the spool is not empty");
    }

    /// The folder with the bytes of the cloud.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("cloud")
    }
}

/// Works until nothing is left to do.
pub(crate) async fn until_idle(context: &Arc<Context>) {
    poll::run(context, Until::Idle).await.map_err(|failure| failure.what).unwrap();
}

/// A job for the instance.
pub(crate) fn message(id: &str) -> String {
    format!(
        r#"{{"schema_version":1,"id":"{id}","target":{{"kind":"instance","id":"{INSTANCE}"}},"account":"{TARGET}","region":"eu-west-1","profile":"os"}}"#
    )
}

/// An inspector that reads nothing and answers the same each time, after a while if it is told so.
#[derive(Default)]
pub(crate) struct Canned {
    /// How long a look takes.
    pub(crate) takes: Duration,
    /// How often it looked.
    pub(crate) looks: AtomicU32,
    /// Names of the volumes of each look.
    pub(crate) seen: Mutex<Vec<Vec<String>>>,
}

#[async_trait]
impl Inspector for Canned {
    async fn inspect(&self, context: &Context, look: Look) -> Result<Report, Stop> {
        use crate::agent::work::Opened;
        self.looks.fetch_add(1, Ordering::Relaxed);
        let names = match &look.opened {
            Opened::Files(files) => files.iter().map(|(name, _)| name.clone()).collect(),
            Opened::Served(disks) => disks.iter().map(|disk| disk.name.clone()).collect(),
            Opened::Folder { name, .. } => vec![name.clone()],
        };
        self.seen.lock().unwrap().push(names);
        tokio::select! {
            () = context.cloud.clock.sleep(self.takes) => {}
            () = look.cancel.cancelled() => return Err(Stop::fault("reading", "cancelled")),
        }
        let coverage = Coverage::complete(Level::Machine, "machine", "");
        Ok(Report {
            schema_version: SCHEMA_VERSION,
            header: Header::default(),
            findings: Vec::new(),
            coverage,
        })
    }

    async fn device(&self, _: &Context, _: &VolumeId) -> Result<File, Stop> {
        File::open("/dev/null").map_err(|error| Stop::fault("opening", error))
    }
}
