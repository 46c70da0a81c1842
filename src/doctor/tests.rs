// SPDX-License-Identifier: Apache-2.0
//! What a doctor says of good and bad worlds, and that it changes nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use snapscan_cloud::ec2::Page;
use snapscan_cloud::host::{HostFacts, Notice};
use snapscan_cloud::identity::Caller;
use snapscan_cloud::queue::Backlog;
use snapscan_cloud::{
    AccountId, Answer, Call, Clock, Cloud, Error, InstanceId, Purpose, Region, Scope, Service, Timestamp,
    VolumeId, local,
};
use snapscan_sandbox::policy::{BARRIERS, Barrier, Name, State as Stands};

use super::*;
use crate::agent::context;
use crate::agent::resources::Place;
use crate::agent::tests::{self as agent, TARGET};
use crate::config::effective::{Account, CloudChoice, MethodChoice, SecretFrom, StandIn};
use crate::config::{Config, Flags, Surroundings};
use crate::secret::Vault;

/// A cloud in which a session may do everything, but for what is listed.
#[derive(Default)]
struct World {
    denied: Vec<&'static str>,
    open: bool,
    /// How many seconds its clock is ahead of ours.
    ahead: i64,
    asked: Mutex<Vec<(Purpose, Call)>>,
}

#[async_trait::async_trait]
impl Service for World {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.permission();
        self.asked.lock().unwrap().push((scope.purpose, call.clone()));
        if self.denied.contains(&action.name()) {
            return Err(Error::of(action.name(), "UnauthorizedOperation", "no"));
        }
        match call {
            Call::WhoAmI(who) if who.without_external_id && !self.open => {
                Err(Error::of(action.name(), "AccessDenied", "no"))
            }
            Call::WhoAmI(_) => Ok(Answer::WhoAmI(Caller {
                account: scope.account.clone(),
                arn: "arn".to_owned(),
                date: Some(Timestamp(NOW + self.ahead)),
            })),
            Call::CountMessages(_) => Ok(Answer::CountMessages(Backlog { dead: 2, ..Backlog::default() })),
            Call::ListObjects(_) => Ok(Answer::ListObjects(snapscan_cloud::outbox::Objects::default())),
            Call::GetRow(_) => Ok(Answer::GetRow(None)),
            Call::GetObject(_) => Ok(Answer::GetObject(None)),
            Call::ListRows(_) => Ok(Answer::ListRows(Page::default())),
            Call::Watch(_) => Ok(Answer::Watch(Notice::default())),
            Call::DescribeVolumes(_) => Ok(Answer::DescribeVolumes(Page::default())),
            Call::DescribeInstanceTypes(_) => Ok(Answer::DescribeInstanceTypes(Vec::new())),
            Call::DryRun(_) => Ok(Answer::DryRun(())),
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

/// When all this happens, in seconds since 1970.
const NOW: i64 = 1_800_000_000;

fn host_facts() -> HostFacts {
    HostFacts {
        account: AccountId::parse("999988887777").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        zone: "eu-west-1a".to_owned(),
        instance: InstanceId::parse("i-0123456789abcdef0").unwrap(),
        kind: "c7i.large".to_owned(),
        group: None,
        devices: None,
    }
}

async fn examine_world(world: World) -> (Vec<Check>, Vec<(Purpose, Call)>) {
    examine_world_as(world, &config()).await
}

async fn examine_world_as(world: World, config: &Config) -> (Vec<Check>, Vec<(Purpose, Call)>) {
    let (world, host) = (Arc::new(world), host_facts());
    let cloud = Cloud { service: world.clone(), clock: Clock::from(Timestamp(NOW)) };
    let checks = cloud::checks(&cloud, &context::own(&host, ""), &host, config).await;
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
    assert!(!asked.is_empty() && asked.iter().all(|(_, call)| !call.action().changes()), "{asked:?}");
    let writes = asked.iter().map(|(_, call)| call.action().name());
    let writes = writes
        .filter(|name| ["Put", "Send", "Delete", "Change", "Receive"].iter().any(|it| name.contains(it)));
    assert_eq!(writes.collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(find(&checks, "queue").state, State::Note, "somebody should look at dead letters");
}

#[tokio::test]
async fn each_action_that_changes_something_is_asked_by_a_dry_run_where_it_is_done() {
    let (checks, asked) = examine_world(World::default()).await;
    let dry = |purpose| {
        let of = asked.iter().filter(|(asked, _)| *asked == purpose);
        let mut names: Vec<_> = of
            .filter(|(_, call)| matches!(call, Call::DryRun(_)))
            .map(|(_, call)| call.permission().name().trim_start_matches("ec2:"))
            .collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(dry(Purpose::Create), "AttachVolume CopySnapshot CreateSnapshot CreateSnapshots CreateVolume");
    assert_eq!(dry(Purpose::Release), "DeleteSnapshot DeleteVolume DetachVolume ModifySnapshotAttribute");
    assert_eq!(dry(Purpose::Share), "ModifySnapshotAttribute");
    assert_eq!(dry(Purpose::Read), "");
    for (session, action) in [
        ("111122223333 create", "ec2:CreateSnapshots"),
        ("111122223333 read", "ebs:ListSnapshotBlocks"),
        ("111122223333 release", "ec2:DeleteSnapshot"),
        ("own create", "ec2:CreateVolume"),
        ("own release", "ec2:DeleteVolume"),
    ] {
        let detail = &find(&checks, session).detail;
        let may = detail.split("; not").next().unwrap();
        assert!(may.starts_with("may ") && may.contains(action), "{session}: {detail}");
    }
    let read = &find(&checks, "111122223333 read").detail;
    assert!(read.contains("not tried, because") && read.contains("ebs:GetSnapshotBlock"), "{read}");
    assert!(find(&checks, "own role").detail.contains("sqs:ReceiveMessage"));
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
async fn a_denied_change_is_shown_as_denied_with_what_to_do() {
    let (checks, _) = examine_world(World { denied: vec!["ec2:CreateSnapshots"], ..World::default() }).await;
    let check = find(&checks, "111122223333 create ec2:CreateSnapshots");
    assert_eq!(check.state, State::Bad);
    assert!(
        check.detail.starts_with("denied: allow ec2:CreateSnapshots in a policy of the role snapscan"),
        "{check:?}"
    );
    assert!(!find(&checks, "111122223333 create").detail.contains("ec2:CreateSnapshots"));
}

#[tokio::test]
async fn what_only_attaching_needs_is_bad_only_where_attaching_is_wanted() {
    for (method, state) in [(MethodChoice::Direct, State::Note), (MethodChoice::Attach, State::Bad)] {
        let mut config = config();
        config.agent.method = method;
        let denied = vec!["ec2:CreateVolume", "ec2:CopySnapshot"];
        let (checks, _) = examine_world_as(World { denied, ..World::default() }, &config).await;
        for subject in ["own create ec2:CreateVolume", "111122223333 create ec2:CopySnapshot"] {
            let check = find(&checks, subject);
            assert!(check.state == state && check.detail.contains("attach"), "{check:?}");
        }
    }
}

#[tokio::test]
async fn a_denial_that_a_policy_bound_to_our_tag_explains_is_no_fault_on_aws() {
    let mut config = config();
    let denied = || vec!["ec2:DeleteSnapshot", "ec2:CreateSnapshot"];
    let (here, _) = examine_world_as(World { denied: denied(), ..World::default() }, &config).await;
    assert_eq!(find(&here, "111122223333 release ec2:DeleteSnapshot").state, State::Bad);
    config.cloud = CloudChoice::Aws {
        region: None,
        endpoint: None,
        queue: String::new(),
        dead: String::new(),
        bucket: String::new(),
        table: String::new(),
        stand_in: StandIn { speed: 1, devices: None },
    };
    let (aws, _) = examine_world_as(World { denied: denied(), ..World::default() }, &config).await;
    let open = find(&aws, "111122223333 release ec2:DeleteSnapshot");
    assert!(open.state == State::Note && open.detail.contains("while a job holds"), "{open:?}");
    assert_eq!(
        find(&aws, "111122223333 create ec2:CreateSnapshot").state,
        State::Bad,
        "no tag is asked for here"
    );
}

#[tokio::test]
async fn a_clock_that_goes_wrong_by_more_than_five_minutes_is_bad() {
    for (ahead, state, words) in [
        (0, State::Good, "within some seconds"),
        (-200, State::Note, "200 s ahead of"),
        (400, State::Bad, "400 s behind"),
    ] {
        let (checks, _) = examine_world(World { ahead, ..World::default() }).await;
        let check = find(&checks, "clock");
        assert!(check.state == state && check.detail.contains(words), "{check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cloud_and_its_log_are_after_an_examination_as_before() {
    let denied = ["ec2:DeleteSnapshot".to_owned(), "ec2:CreateSnapshots".to_owned()];
    let mut account = local::Account::new(AccountId::parse(TARGET).unwrap());
    let world =
        agent::World::with(agent::instance(), agent::volume("vol-0a"), agent::volume("vol-0b"), |builder| {
            account.denied = denied.into();
            builder.account(account)
        });
    let context = world.agent().await;
    let (account, region) = (AccountId::parse(TARGET).unwrap(), context.host.region.clone());
    let place = Place { account, region, job: "job-1".to_owned() };
    let made = context.resources.snapshot_volume(&place, &VolumeId::parse("vol-0a").unwrap()).await.unwrap();
    context.cloud.clock.sleep(std::time::Duration::from_secs(7_300)).await;
    let held = held::check(&context.config, context.cloud.clock.now()).await;
    assert_eq!(held.state, State::Note);
    assert!(held.detail.contains(made.id.as_str()) && held.detail.contains("since 2 h 1 min"), "{held:?}");
    // What is due by the clock is settled by the next call, whoever makes it.
    let _settled = world.queue(&context).await;
    let before = local::events(&world.path()).unwrap();
    let checks = cloud::checks(world.cloud(), &context.own(""), &context.host, &context.config).await;
    assert_eq!(local::events(&world.path()).unwrap(), before);
    let denied = find(&checks, "222222222222 release ec2:DeleteSnapshot");
    assert!(denied.state == State::Bad && denied.detail.starts_with("denied: allow"), "{denied:?}");
    assert_eq!(find(&checks, "222222222222 create ec2:CreateSnapshots").state, State::Bad);
    assert_eq!(checks.iter().filter(|check| check.state == State::Bad).count(), 2, "{checks:?}");
    let read = &find(&checks, "222222222222 read").detail;
    assert!(
        read.contains("ebs:GetSnapshotBlock") && !read.contains("not tried, because it needs a block"),
        "{read}"
    );
    assert_eq!(find(&checks, "clock").state, State::Good);
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
