// SPDX-License-Identifier: Apache-2.0
//! An outbox in memory with parcels in it, a stand-in for Qualys, and uploaders between them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use snapscan_cloud::outbox::{Object, Objects};
use snapscan_cloud::table::Row;
use snapscan_cloud::{
    AccountId, Answer, Call, Clock, Cloud, Error as CloudError, Purpose, Region, Scope, Service, Timestamp,
};
use snapscan_schema::outcome::{Delivery, InstanceFacts, Parcel};
use snapscan_schema::{
    Coverage, Evidence, Fact, Finding, Header, JobTarget, Level, Package, Report, SCHEMA_VERSION, System,
    Time,
};

use super::super::{Error, Round, Store, Times, Uploader};
use super::standin::{CLIENT, CLIENT_SECRET, CONNECTOR, PASSWORD, StandIn, USER};
use crate::config::effective::{Csam, Login, SecretFrom, Sink};
use crate::render::hex;
use crate::secret::Vault;

/// How much faster time runs: 60 s are 0.6 s.
const SPEED: u32 = 100;

/// Outbox and table in memory.
#[derive(Default)]
pub(super) struct Shelf {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    deleted: Mutex<BTreeMap<String, Vec<u8>>>,
    rows: Mutex<BTreeMap<String, Row>>,
    clock: Option<Clock>,
}

impl Shelf {
    fn now(&self) -> Timestamp {
        self.clock.unwrap().now()
    }

    fn alive(&self, key: &str) -> Option<Row> {
        let row = self.rows.lock().unwrap().get(key).cloned()?;
        row.expires.is_none_or(|end| end > self.now()).then_some(row)
    }
}

#[async_trait::async_trait]
impl Service for Shelf {
    async fn call(&self, _: &Scope, call: Call) -> Result<Answer, CloudError> {
        tokio::task::yield_now().await;
        Ok(match call {
            Call::PutObject(put) => {
                let mut objects = self.objects.lock().unwrap();
                let new = !objects.contains_key(&put.key);
                objects.entry(put.key).or_insert(put.bytes);
                Answer::PutObject(new)
            }
            Call::GetObject(get) => Answer::GetObject(self.objects.lock().unwrap().get(&get.key).cloned()),
            Call::DeleteObject(delete) => {
                if let Some(bytes) = self.objects.lock().unwrap().remove(&delete.key) {
                    self.deleted.lock().unwrap().insert(delete.key, bytes);
                }
                Answer::DeleteObject(())
            }
            Call::ListObjects(list) => {
                let objects = self.objects.lock().unwrap();
                let after = list.after.unwrap_or_default();
                let mut found =
                    objects.iter().filter(|(key, _)| key.starts_with(&list.prefix) && **key > after);
                // Pages of three, so that there is always more than one.
                let page = found.by_ref().take(3).map(|(key, bytes)| Object {
                    key: key.clone(),
                    size: bytes.len() as u64,
                    stored: Timestamp(0),
                });
                let page = page.collect();
                Answer::ListObjects(Objects { objects: page, more: found.next().is_some() })
            }
            Call::GetRow(get) => Answer::GetRow(self.alive(&get.key)),
            Call::PutRow(put) => {
                let known = self.alive(&put.key).map(|row| row.version);
                if known != put.expected {
                    return Ok(Answer::PutRow(false));
                }
                let version = known.unwrap_or(0) + 1;
                let row = Row { key: put.key.clone(), version, value: put.value, expires: put.expires };
                self.rows.lock().unwrap().insert(put.key, row);
                Answer::PutRow(true)
            }
            Call::DeleteRow(delete) => {
                let same = self.alive(&delete.key).is_some_and(|row| row.version == delete.expected);
                if same {
                    self.rows.lock().unwrap().remove(&delete.key);
                }
                Answer::DeleteRow(same)
            }
            other => return Err(CloudError::of(other.action().name(), "AccessDenied", "not here")),
        })
    }
}

/// Everything that a test needs.
pub(super) struct World {
    pub(super) standin: StandIn,
    pub(super) shelf: Arc<Shelf>,
    pub(super) clock: Clock,
    pub(super) csam: Csam,
}

impl World {
    pub(super) async fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let clock = Clock::fast(u64::try_from(wall.as_millis()).unwrap(), SPEED);
        let standin = StandIn::start().await;
        let csam = Csam {
            subscription: "acme".to_owned(),
            gateway: standin.url.clone(),
            connector: CONNECTOR.to_owned(),
            login: Login::Password { user: variable("USER"), password: variable("PASSWORD") },
            batch_assets: 50,
            batch_bytes: 4 << 20,
        };
        Self { standin, shelf: Arc::new(Shelf { clock: Some(clock), ..Shelf::default() }), clock, csam }
    }

    pub(super) fn store(&self) -> Store {
        let scope = Scope {
            account: AccountId::parse("999988887777").unwrap(),
            region: Region::parse("eu-west-1").unwrap(),
            purpose: Purpose::Scanner,
            job: String::new(),
        };
        Store { cloud: Cloud { service: self.shelf.clone(), clock: self.clock }, scope }
    }

    /// A scanner's uploader, as after a start of its process.
    pub(super) fn uploader(&self, holder: &str) -> Uploader {
        self.uploader_to(&Sink::Csam(Box::new(self.csam.clone())), holder)
    }

    pub(super) fn uploader_to(&self, sink: &Sink, holder: &str) -> Uploader {
        let vault = Vault { cloud: None, credentials: None, variable: secrets };
        let times = Times { connect: Duration::from_secs(2), request: Duration::from_millis(400) };
        Uploader::new(self.store(), sink, holder, vault, times).unwrap()
    }

    /// A round of a fresh process, after the lease of one before it ran out.
    pub(super) async fn round(&self) -> Result<Round, Error> {
        drive(&self.uploader("scanner-1")).await
    }

    /// Puts reports of instances `i-0a01` … into the outbox.
    pub(super) fn fill(&self, machines: u32) {
        (1..=machines).for_each(|n| self.put(&parcel(n, "job", 1_000)));
    }

    pub(super) fn put(&self, parcel: &Parcel) {
        let bytes = Parcel::wrap(&parcel.delivery, &parcel.report.to_json().unwrap()).unwrap();
        self.put_bytes(&parcel.delivery.key(Time(1_000)), bytes);
    }

    pub(super) fn put_bytes(&self, key: &str, bytes: Vec<u8>) {
        self.shelf.objects.lock().unwrap().insert(key.to_owned(), bytes);
    }

    /// Names in the outbox that begin so.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        let objects = self.shelf.objects.lock().unwrap();
        objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// What the objects say whose names begin so.
    pub(super) fn texts(&self, prefix: &str) -> Vec<String> {
        let objects = self.shelf.objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        found.map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    /// Takes an object away, as if it had never been written.
    pub(super) fn forget(&self, name: &str) {
        self.shelf.objects.lock().unwrap().remove(name);
    }

    /// Brings back what uploaders deleted, as if they had died before that.
    pub(super) fn restore(&self) {
        self.shelf.objects.lock().unwrap().append(&mut self.shelf.deleted.lock().unwrap());
    }

    /// Deliveries that were taken, refused, and batches that wait.
    pub(super) fn ends(&self) -> (usize, usize, usize) {
        let count = |prefix: &str| self.names(prefix).len();
        (count("delivered/csam-acme/"), count("refused/csam-acme/"), count("batches/csam-acme/"))
    }
}

/// A round that is ours; one whose lease was lost on a busy machine is done again.
pub(super) async fn drive(uploader: &Uploader) -> Result<Round, Error> {
    loop {
        match uploader.round().await {
            Err(Error::LeaseLost(_)) => {}
            Ok(round) if !round.ours => tokio::time::sleep(Duration::from_millis(20)).await,
            ended => return ended,
        }
    }
}

pub(super) fn variable(name: &str) -> SecretFrom {
    SecretFrom::Environment(name.to_owned())
}

fn secrets(name: &str) -> Option<String> {
    let known = [
        ("USER", USER),
        ("PASSWORD", PASSWORD),
        ("CLIENT", CLIENT),
        ("CLIENT_SECRET", CLIENT_SECRET),
        ("TOKEN", "eyJhbGciOiJnaXZlbi.eyJzdWIiOiJhZGEifQ.Z2l2ZW4tdG9rZW4"),
        ("WRONG", "wrong-password-of-all"),
    ];
    known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

/// The ARN of a machine.
pub(super) fn arn(n: u32) -> String {
    format!("arn:aws:ec2:eu-west-1:111122223333:instance/i-0a{n:02}")
}

/// A small report of instance number `n`.
pub(super) fn parcel(n: u32, job: &str, snapshot: i64) -> Parcel {
    let package = |name: &str, version: &str, status: &str| {
        Finding::Package(Package {
            ecosystem: "deb".into(),
            name: name.into(),
            version: version.into(),
            status: Some(status.into()),
            ..Package::default()
        })
    };
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        header: Header {
            hostname: Some(format!("web-{n}").as_str().into()),
            architecture: Some("x86_64".to_owned()),
            system: Some(System {
                id: "debian".into(),
                version_id: Some("12".into()),
                pretty_name: Some("Debian GNU/Linux 12 (bookworm)".into()),
                ..System::default()
            }),
            ..Header::default()
        },
        findings: vec![
            package("openssl", "3.0.15-1~deb12u1", "install ok installed"),
            package("gone", "1.0", "deinstall ok config-files"),
            Finding::Fact(Fact {
                topic: "sshd".into(),
                subject: "PermitRootLogin".into(),
                evidence: Evidence::default(),
                ..Fact::default()
            }),
        ],
        coverage: Coverage::complete(Level::Machine, "machine", ""),
    };
    report.seal();
    let sha256 = hex(&Sha256::digest(report.to_json().unwrap()));
    let delivery = Delivery {
        job: format!("{job}-{n}"),
        attempt: 1,
        account: Some("111122223333".to_owned()),
        region: Some("eu-west-1".to_owned()),
        target: JobTarget::Instance { id: format!("i-0a{n:02}") },
        instance: Some(InstanceFacts {
            arn: arn(n),
            id: format!("i-0a{n:02}"),
            hostnames: vec![format!("ip-10-0-0-{n}.internal")],
            addresses: vec![format!("10.0.0.{n}")],
            macs: vec![format!("02:00:00:00:00:{n:02x}")],
            ..InstanceFacts::default()
        }),
        snapshot_started: Some(Time(snapshot)),
        report_sha256: sha256,
    };
    Parcel { schema_version: 1, delivery, report }
}
