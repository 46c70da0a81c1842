// SPDX-License-Identifier: Apache-2.0
//! What a doctor says of good and bad worlds, and that it changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use snapscan_cloud::identity::Caller;
use snapscan_cloud::queue::Backlog;
use snapscan_cloud::{AccountId, Answer, Call, Clock, Cloud, Error, Purpose, Region, Scope, Service};
use snapscan_sandbox::policy::{BARRIERS, Barrier, Name, State as Stands};

use super::*;
use crate::config::effective::{Account, SecretFrom};
use crate::config::{Config, Flags, Surroundings};
use crate::secret::Vault;

/// A cloud in which a session may do everything, but for what is listed.
#[derive(Default)]
struct World {
    denied: Vec<&'static str>,
    open: bool,
    asked: Mutex<Vec<(Purpose, String, bool)>>,
}

#[async_trait::async_trait]
impl Service for World {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action();
        self.asked.lock().unwrap().push((scope.purpose, action.name().to_owned(), action.changes()));
        if self.denied.contains(&action.name()) {
            return Err(Error::of(action.name(), "UnauthorizedOperation", "no"));
        }
        match call {
            Call::WhoAmI(who) if who.without_external_id && !self.open => {
                Err(Error::of(action.name(), "AccessDenied", "no"))
            }
            Call::WhoAmI(_) => {
                Ok(Answer::WhoAmI(Caller { account: scope.account.clone(), arn: "arn".to_owned() }))
            }
            Call::CountMessages(_) => Ok(Answer::CountMessages(Backlog { dead: 2, ..Backlog::default() })),
            Call::ListObjects(_) => Ok(Answer::ListObjects(snapscan_cloud::outbox::Objects::default())),
            Call::GetRow(_) => Ok(Answer::GetRow(None)),
            _ => Err(Error::of(action.name(), "InvalidSnapshot.NotFound", "no such thing")),
        }
    }
}

fn config() -> Config {
    let empty = tempfile::tempdir().unwrap();
    let flags = Flags { config: vec![empty.path().to_owned()], set: Vec::new() };
    let around = Surroundings { environment: BTreeMap::new(), root: false };
    let (mut config, _) = Config::load_in(&flags, &around).unwrap();
    let entry = Account {
        role: "snapscan".to_owned(),
        external_id: SecretFrom::Environment("ID".to_owned()),
        copy_key: None,
    };
    config.accounts.insert(AccountId::parse("111122223333").unwrap(), entry);
    config
}

async fn examine_world(world: World) -> (Vec<Check>, Vec<(Purpose, String, bool)>) {
    let world = Arc::new(world);
    let scope = Scope {
        account: AccountId::parse("999988887777").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Scanner,
        job: String::new(),
    };
    let cloud = Cloud { service: world.clone(), clock: Clock::real() };
    let checks = cloud::checks(&cloud, &scope, &config()).await;
    let asked = world.asked.lock().unwrap().clone();
    (checks, asked)
}

fn find<'a>(checks: &'a [Check], subject: &str) -> &'a Check {
    checks.iter().find(|check| check.subject == subject).unwrap_or_else(|| panic!("{subject}: {checks:?}"))
}

#[tokio::test]
async fn a_good_cloud_is_in_order_and_nothing_that_changes_it_is_asked() {
    let (checks, asked) = examine_world(World::default()).await;
    assert!(checks.iter().all(|check| check.state != State::Bad), "{checks:?}");
    assert!(!asked.is_empty() && asked.iter().all(|(.., changes)| !changes), "{asked:?}");
    let read = find(&checks, "111122223333 read");
    assert!(read.detail.contains("ebs:ListSnapshotBlocks"), "{}", read.detail);
    let create = find(&checks, "111122223333 create");
    assert!(
        create.detail.contains("not tried") && create.detail.contains("ec2:CreateSnapshots"),
        "{}",
        create.detail
    );
    assert_eq!(find(&checks, "queue").state, State::Note, "somebody should look at dead letters");
}

#[tokio::test]
async fn a_missing_permission_is_named_for_each_session_that_needs_it() {
    let (checks, _) = examine_world(World { denied: vec!["ec2:DescribeVolumes"], ..World::default() }).await;
    for session in ["create", "read", "release", "share"] {
        let check = find(&checks, &format!("111122223333 {session} ec2:DescribeVolumes"));
        assert!(check.state == State::Bad && check.detail.contains("policy"), "{check:?}");
    }
}

#[tokio::test]
async fn a_role_that_opens_without_its_external_id_is_bad() {
    let (checks, _) = examine_world(World { open: true, ..World::default() }).await;
    let check = find(&checks, "111122223333 without external id");
    assert!(check.state == State::Bad && check.detail.contains("sts:ExternalId"), "{check:?}");
}

#[tokio::test]
async fn secrets_are_set_or_not_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let set = [
        "sinks.q.kind=csam",
        "sinks.q.pod=US1",
        "sinks.q.connector=c",
        "sinks.q.user=env:U",
        "sinks.q.password=env:P",
    ];
    let state = format!("state={}", folder.path().display());
    let set = set.iter().map(|set| (*set).to_owned()).chain([state]).collect();
    let flags = Flags { config: vec![folder.path().to_owned()], set };
    let (config, origins) = Config::load_in(&flags, &Surroundings::default()).unwrap();
    let vault = Vault {
        cloud: None,
        credentials: None,
        variable: |name| (name == "U").then(|| "hunter2".to_owned()),
    };
    let checks = settings::checks(&config, &origins, &vault).await;
    assert_eq!(find(&checks, "sinks.q.user").detail, "set, from environment U");
    assert_eq!(find(&checks, "sinks.q.password").state, State::Bad);
    assert_eq!(find(&checks, "key").state, State::Note, "it is made at the first start");
    let told = show::table(&origins, &checks) + &show::document(&origins, &checks);
    assert!(!told.contains("hunter2") && told.contains("flag --set"), "{told}");
}

#[tokio::test]
async fn a_gateway_that_answers_anything_is_reached_and_a_closed_port_is_not() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}", listener.local_addr().unwrap());
    let answer = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 512];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    };
    let (check, request) = tokio::join!(qualys::reach("q", &gateway), answer);
    assert_eq!(check.state, State::Good, "{check:?}");
    assert!(request.starts_with("GET / ") && !request.to_lowercase().contains("authorization"), "{request}");
    drop(listener);
    assert_eq!(qualys::reach("q", &gateway).await.state, State::Bad);
}

#[test]
fn a_demanded_barrier_that_does_not_stand_is_bad_and_a_welcome_one_is_noted() {
    let barrier = |name| Barrier { name, state: Stands::NotApplied("no such kernel".to_owned()) };
    assert_eq!(host::judge(&barrier(Name::SystemCalls), true).state, State::Bad);
    assert_eq!(host::judge(&barrier(Name::SystemCalls), false).state, State::Note);
    assert_eq!(host::judge(&barrier(Name::LandlockScopes), true).state, State::Note);
    let all = BARRIERS.iter().map(|rule| Barrier { name: rule.name, state: Stands::InForce });
    assert!(all.into_iter().all(|barrier| host::judge(&barrier, true).state == State::Good));
}
