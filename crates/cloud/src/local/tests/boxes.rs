// SPDX-License-Identifier: Apache-2.0
//! Queue, outbox, table, secrets, host and callers.

use super::*;
use crate::ec2::Page;
use crate::host::{Describe, Notice, Protect, Watch};
use crate::identity::WhoAmI;
use crate::outbox::{DeleteObject, GetObject, ListObjects, PutObject};
use crate::queue::{Backlog, Bury, CountMessages, DeleteMessage, ExtendLease, Message, Receive, Send};
use crate::secrets::GetSecret;
use crate::table::{DeleteRow, GetRow, ListRows, PutRow, Row};

async fn own<R: Request>(world: &World, request: R) -> Result<R::Answer, Error> {
    world.ask(SCANNER, Purpose::Scanner, request).await
}

fn receive(wait: u64) -> Receive {
    Receive { most: 10, wait: Duration::from_secs(wait), lease: Duration::from_secs(30) }
}

fn extend(message: &Message, seconds: u64) -> ExtendLease {
    ExtendLease { receipt: message.receipt.clone(), lease: Duration::from_secs(seconds) }
}

async fn send(world: &World, body: &str, delay: u64) -> Result<(), Error> {
    own(world, Send { body: body.to_owned(), delay: Duration::from_secs(delay) }).await
}

async fn one(world: &World, wait: u64) -> Message {
    own(world, receive(wait)).await.expect("an answer").pop().expect("a message")
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_for_its_lease_and_then_delivered_again() {
    let world = World::new();
    send(&world, "job", 0).await.expect("it is sent");
    let first = one(&world, 0).await;
    assert_eq!((first.body.as_str(), first.deliveries, first.sent), ("job", 1, Timestamp(1_800_000_000)));
    assert!(own(&world, receive(20)).await.expect("an answer").is_empty(), "20 s of 30 have passed");
    own(&world, extend(&first, 60)).await.expect("it is extended");
    world.seconds(59).await;
    assert!(own(&world, receive(0)).await.expect("an answer").is_empty());
    world.seconds(1).await;
    assert_eq!(code(own(&world, extend(&first, 60)).await), "MessageNotInflight");
    let second = one(&world, 0).await;
    assert_eq!((second.id.as_str(), second.deliveries), (first.id.as_str(), 2));
    assert_eq!(code(own(&world, extend(&first, 60)).await), "ReceiptHandleIsInvalid");
    let stale = DeleteMessage { receipt: first.receipt };
    assert_eq!(code(own(&world, stale).await), "ReceiptHandleIsInvalid");
    own(&world, extend(&second, 0)).await.expect("it is shown at once");
    let third = one(&world, 0).await;
    own(&world, DeleteMessage { receipt: third.receipt.clone() }).await.expect("it is deleted");
    assert_eq!(code(own(&world, DeleteMessage { receipt: third.receipt }).await), "ReceiptHandleIsInvalid");
    assert_eq!(own(&world, CountMessages {}).await.expect("a count"), Backlog::default());
    assert_eq!(world.events(EventKind::Gone, "sqs:DeleteMessage").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_twelve_hours_after_the_message_was_received() {
    let world = World::new();
    send(&world, "job", 0).await.expect("it is sent");
    let message = one(&world, 0).await;
    own(&world, extend(&message, 12 * 3600)).await.expect("twelve hours from the receipt");
    world.seconds(1).await;
    assert_eq!(code(own(&world, extend(&message, 12 * 3600)).await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_answers_as_soon_as_a_message_can_be_seen() {
    let world = World::new();
    send(&world, "later", 7).await.expect("it is sent");
    let begun = world.cloud.clock.now();
    assert_eq!(one(&world, 20).await.body, "later");
    assert_eq!(world.cloud.clock.now().since(begun).as_secs(), 7);
    let (message, ()) = tokio::join!(one(&world, 20), async {
        world.seconds(3).await;
        send(&world, "now", 0).await.expect("it is sent");
    });
    assert_eq!(message.body, "now");
    assert_eq!(world.cloud.clock.now().since(begun).as_secs(), 10);
    assert_eq!(code(send(&world, "too late", 901).await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn what_is_delivered_too_often_or_buried_is_dead() {
    let world = World::with(|mut builder| {
        builder.world.settings.deliveries = 2;
        builder
    });
    send(&world, "poison", 0).await.expect("it is sent");
    for _ in 0..2 {
        one(&world, 0).await;
        world.seconds(30).await;
    }
    assert!(own(&world, receive(0)).await.expect("an answer").is_empty());
    own(&world, Bury { body: "junk".to_owned(), reason: "no job".to_owned() }).await.expect("it is buried");
    let dead = dead_letters(&world.path()).expect("a list");
    let expected = [("poison", "delivered 2 times"), ("junk", "no job")];
    assert_eq!(dead, expected.map(|(body, why)| (body.to_owned(), why.to_owned())));
    assert_eq!(own(&world, CountMessages {}).await.expect("a count").dead, 2);
}

#[tokio::test(start_paused = true)]
async fn two_processes_never_get_the_same_message() {
    let world = World::new();
    let other = Local::with_clock(&world.path(), world.cloud.clock).expect("it opens");
    let other = Cloud { service: Arc::new(other), clock: world.cloud.clock };
    for number in 0..20 {
        send(&world, &number.to_string(), 0).await.expect("it is sent");
    }
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let scanner = scope(SCANNER, Purpose::Scanner);
        let request = || Receive { most: 5, ..receive(0) };
        let (mine, theirs) = tokio::join!(own(&world, request()), other.ask(&scanner, request()));
        bodies
            .extend(mine.expect("an answer").into_iter().chain(theirs.expect("an answer")).map(|it| it.body));
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_stored_once_and_never_outside_the_folder() {
    let world = World::new();
    let put = |key: &str, bytes: &[u8]| PutObject { key: key.to_owned(), bytes: bytes.to_vec() };
    assert!(own(&world, put("reports/a.json", b"one")).await.expect("an answer"));
    assert!(!own(&world, put("reports/a.json", b"two")).await.expect("an answer"));
    assert!(own(&world, put("reports/b.json", b"three")).await.expect("an answer"));
    let get = |key: &str| GetObject { key: key.to_owned() };
    assert_eq!(own(&world, get("reports/a.json")).await.expect("an answer").as_deref(), Some(&b"one"[..]));
    assert_eq!(own(&world, get("reports/c.json")).await.expect("an answer"), None);
    let list = |after: Option<&str>| ListObjects {
        prefix: "reports/".to_owned(),
        after: after.map(str::to_owned),
        most: 1,
    };
    let first = own(&world, list(None)).await.expect("a list");
    assert_eq!(
        (first.objects[0].key.as_str(), first.objects[0].size, first.more),
        ("reports/a.json", 3, true)
    );
    let second = own(&world, list(Some("reports/a.json"))).await.expect("a list");
    assert_eq!((second.objects[0].key.as_str(), second.more), ("reports/b.json", false));
    for wrong in ["", "/etc/x", "../x", "a/../x", "a//b", ".x", "a/.x", "a b", "a/", "a\0b", "ä"] {
        assert_eq!(code(own(&world, put(wrong, b"")).await), "InvalidParameterValue", "{wrong:?}");
    }
    for _ in 0..2 {
        own(&world, DeleteObject { key: "reports/a.json".to_owned() }).await.expect("none is no error");
    }
    assert_eq!(own(&world, get("reports/a.json")).await.expect("an answer"), None);
    assert!(!world.path().join("outbox/reports/a.json").exists());
}

#[tokio::test(start_paused = true)]
async fn a_row_is_written_only_over_the_version_that_the_writer_saw() {
    let world = World::new();
    let expires = Some(Timestamp(1_800_000_060));
    let put = |expected| PutRow { key: "lease/a".to_owned(), value: "me".to_owned(), expected, expires };
    assert!(own(&world, put(None)).await.expect("an answer"));
    assert!(!own(&world, put(None)).await.expect("an answer"));
    assert!(!own(&world, put(Some(2))).await.expect("an answer"));
    assert!(own(&world, put(Some(1))).await.expect("an answer"));
    let row = Row { key: "lease/a".to_owned(), version: 2, value: "me".to_owned(), expires };
    let get = || GetRow { key: "lease/a".to_owned() };
    assert_eq!(own(&world, get()).await.expect("an answer"), Some(row.clone()));
    let list = || ListRows { prefix: "lease/".to_owned(), token: None };
    assert_eq!(own(&world, list()).await.expect("a page"), Page { items: vec![row], token: None });
    world.seconds(60).await;
    assert_eq!(own(&world, get()).await.expect("an answer"), None);
    assert!(own(&world, list()).await.expect("a page").items.is_empty());
    let delete = |expected| DeleteRow { key: "lease/a".to_owned(), expected };
    assert!(!own(&world, delete(2)).await.expect("an answer"), "an expired row counts as gone");
    assert!(own(&world, PutRow { expires: None, ..put(None) }).await.expect("an answer"));
    assert!(!own(&world, delete(1)).await.expect("an answer"));
    assert!(own(&world, delete(3)).await.expect("an answer"), "versions go on");
}

#[tokio::test(start_paused = true)]
async fn the_host_tells_what_it_is_and_what_will_become_of_it() {
    let world = World::with(|mut builder| {
        builder.world.settings.host.group = Some("scanners".to_owned());
        builder.secret("qualys/token", "s3cret")
    });
    let facts = own(&world, Describe {}).await.expect("facts");
    assert_eq!((facts.instance.as_str(), facts.zone.as_str()), (HOST, "eu-west-1a"));
    assert!(std::path::Path::new(&facts.devices.expect("a folder")).is_dir());
    assert_eq!(own(&world, Watch {}).await.expect("a notice"), Notice::default());
    let state = HostState { interruption: Some(1_800_000_120), terminating: true, ..HostState::default() };
    state.write(&world.path()).expect("a file");
    let expected = Notice { interruption: Some(Timestamp(1_800_000_120)), terminating: true };
    assert_eq!(own(&world, Watch {}).await.expect("a notice"), expected);
    let protect = |group: &str| Protect { group: group.to_owned(), instance: id(HOST), protect: true };
    own(&world, protect("scanners")).await.expect("it is protected");
    assert_eq!(code(own(&world, protect("others")).await), "ValidationError");
    let secret = own(&world, GetSecret { name: "qualys/token".to_owned() }).await.expect("a secret");
    assert_eq!(format!("{secret:?} {}", secret.clone().reveal()), "Secret(…) s3cret");
    let unknown = own(&world, GetSecret { name: "other".to_owned() }).await;
    assert_eq!(code(unknown), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_role_is_not_assumed_without_its_external_id() {
    let world = World::new();
    let ask = |without| world.ask(TARGET, Purpose::Read, WhoAmI { without_external_id: without });
    assert_eq!(ask(false).await.expect("a caller").account.as_str(), TARGET);
    assert_eq!(code(ask(true).await), "AccessDenied");
    let stranger = world.ask("444444444444", Purpose::Read, WhoAmI { without_external_id: false }).await;
    assert_eq!(code(stranger), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn an_empty_folder_is_an_empty_cloud() {
    let folder = tempfile::tempdir().expect("a folder");
    let local = Local::open(&folder.path().join("new")).expect("it opens");
    let clock = local.clock();
    let cloud = Cloud { service: Arc::new(local), clock };
    let messages = cloud.ask(&scope(SCANNER, Purpose::Scanner), receive(0)).await.expect("an answer");
    assert!(messages.is_empty());
}

#[tokio::test]
async fn many_may_open_a_new_folder_at_once_and_work_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let workers = (0..8).map(|_| {
        let path = folder.path().join("new");
        tokio::task::spawn_blocking(move || Local::open(&path))
    });
    let mut sending = tokio::task::JoinSet::new();
    for worker in workers.collect::<Vec<_>>() {
        let local = worker.await.expect("it ends").expect("it opens");
        sending.spawn(async move {
            let clock = local.clock();
            let cloud = Cloud { service: Arc::new(local), clock };
            for _ in 0..5 {
                let message = Send { body: "job".to_owned(), delay: Duration::ZERO };
                cloud.ask(&scope(SCANNER, Purpose::Scanner), message).await.expect("it is sent");
            }
        });
    }
    sending.join_all().await;
    let sent = events(&folder.path().join("new")).expect("a log");
    assert_eq!(sent.iter().filter(|event| event.kind == EventKind::Made).count(), 40);
}
