// SPDX-License-Identifier: Apache-2.0
//! Whole agents over a cloud in a folder: messages that are no jobs, lost leases, two scanners, stops, no room.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use snapscan_cloud::local::dead_letters;
use snapscan_cloud::queue::Send;
use snapscan_cloud::{Answer, Call, Error, Scope, Service};
use snapscan_schema::{Disposition, Reason};
use tokio::sync::Notify;

use super::*;
use crate::agent::tests::{Canned, TARGET, World, instance, message, until_idle, volume};

#[tokio::test(start_paused = true)]
async fn a_job_is_delivered_with_its_instances_facts_and_leaves_nothing() {
    let world = World::new();
    let context = world.agent().await;
    world.send(&context, &message("job-1")).await;
    until_idle(&context).await;
    let reports = world.reports(&context).await;
    let [parcel] = reports.as_slice() else { panic!("{} reports", reports.len()) };
    let facts = parcel.delivery.instance.as_ref().unwrap();
    assert_eq!(facts.arn, format!("arn:aws:ec2:eu-west-1:{TARGET}:instance/i-0a"));
    assert_eq!(facts.hostnames, ["web-03.internal"]);
    assert_eq!(parcel.delivery.account.as_deref(), Some(TARGET));
    assert!(parcel.delivery.snapshot_started.is_some());
    assert_eq!(parcel.delivery.report_sha256, crate::agent::spool::sha256(&parcel.report.to_json().unwrap()));
    assert_eq!(parcel.report.header.run.method, "direct");
    let tally = context.ledger.tally().await.unwrap();
    assert_eq!((tally.made, tally.released), (2, 2));
    world.assert_clean(&context, "a job").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_can_use_is_buried_at_once_with_a_reason() {
    let world = World::new();
    let context = world.agent().await;
    let other = message("job-2").replace(TARGET, "999999999999");
    let file = |path: &str| {
        format!(
            r#"{{"schema_version":1,"id":"f","target":{{"kind":"image","paths":["{path}"]}},"profile":"os"}}"#
        )
    };
    let poison = [
        ("{".to_owned(), "no job"),
        (message("job-1").replace("\"schema_version\":1", "\"schema_version\":2"), "schema_version"),
        (message("job-1").replace("\"kind\":\"instance\"", "\"kind\":\"cluster\""), "kind"),
        (other, "not configured"),
        (file("/etc/shadow"), "agent.local_root"),
    ];
    for (body, _) in &poison {
        world.send(&context, body).await;
    }
    until_idle(&context).await;
    let mut dead = dead_letters(&world.path()).unwrap();
    assert_eq!(dead.len(), poison.len());
    for (body, words) in &poison {
        let at = dead.iter().position(|(met, _)| met == body).unwrap();
        let (_, reason) = dead.remove(at);
        assert!(reason.contains(words), "{reason}");
    }
    assert!(world.reports(&context).await.is_empty() && world.outcomes(&context).await.is_empty());
    assert_eq!(context.ledger.tally().await.unwrap().made, 0);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_leads_out_of_the_configured_folder_is_buried_and_one_beneath_it_is_read() {
    let world = World::new();
    let root = world.folder.path().join("images");
    std::fs::create_dir_all(root.join("web")).unwrap();
    std::fs::write(root.join("web/a.img"), b"bytes").unwrap();
    std::fs::write(world.folder.path().join("secret"), b"secret").unwrap();
    std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
    std::os::unix::fs::symlink("web/a.img", root.join("inside")).unwrap();
    let mut config = world.config();
    config.agent.local_root = Some(root);
    let context = world.agent_with(config, Arc::new(Canned::default()), Box::new(|_| None)).await;
    for (id, path) in [
        ("a", "web/a.img"),
        ("b", "link"),
        ("c", "../secret"),
        ("d", "/etc/passwd"),
        ("e", "inside"),
        ("f", "none"),
    ] {
        let body = format!(
            r#"{{"schema_version":1,"id":"{id}","target":{{"kind":"image","paths":["{path}"]}},"profile":"os"}}"#
        );
        world.send(&context, &body).await;
    }
    until_idle(&context).await;
    let dead = dead_letters(&world.path()).unwrap();
    let mut buried: Vec<String> = dead.iter().map(|(body, _)| Job::parse(body).unwrap().0.id).collect();
    buried.sort_unstable();
    assert_eq!(buried, ["b", "c", "d"]);
    assert_eq!(world.reports(&context).await.len(), 2);
    let outcomes = world.outcomes(&context).await;
    assert_eq!(outcomes[0].ended, Disposition::Permanent { code: Reason::TargetGone });
    world.assert_clean(&context, "files").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_id_with_another_target_is_buried_and_the_first_job_is_not_harmed() {
    let world = World::new();
    let context = world.agent().await;
    world.send(&context, &message("job-1")).await;
    until_idle(&context).await;
    world.send(&context, &message("job-1").replace("i-0a", "i-0b")).await;
    until_idle(&context).await;
    let dead = dead_letters(&world.path()).unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].1.contains("job-1"), "{}", dead[0].1);
    assert_eq!(world.reports(&context).await.len(), 1);
    world.assert_clean(&context, "twins").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_finished_job_is_acked_and_not_done_again() {
    let world = World::new();
    let inspector = Arc::new(Canned::default());
    let context = world.agent_with(world.config(), inspector.clone(), Box::new(|_| None)).await;
    for _ in 0..2 {
        world.send(&context, &message("job-1")).await;
        until_idle(&context).await;
    }
    assert_eq!(inspector.looks.load(Ordering::Relaxed), 1);
    world.assert_clean(&context, "again").await;
}

#[tokio::test(start_paused = true)]
async fn a_second_message_of_a_running_job_is_adopted() {
    let world = World::new();
    let inspector = Arc::new(Canned { takes: Duration::from_secs(120), ..Canned::default() });
    let context = world.agent_with(world.config(), inspector.clone(), Box::new(|_| None)).await;
    world.send(&context, &message("job-1")).await;
    let late = Send { body: message("job-1"), delay: Duration::from_secs(60) };
    context.cloud.ask(&context.own(""), late).await.unwrap();
    until_idle(&context).await;
    assert_eq!(inspector.looks.load(Ordering::Relaxed), 1);
    assert_eq!(world.reports(&context).await.len(), 1);
    world.assert_clean(&context, "adopted").await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_before_the_commit_stops_the_job_without_an_ack() {
    let world = World::new();
    let inspector = Arc::new(Canned { takes: Duration::from_secs(1000), ..Canned::default() });
    let lost = Arc::new(AtomicBool::new(false));
    let fault = {
        let lost = Arc::clone(&lost);
        move |call: &Call| {
            let is_first = matches!(call, Call::ExtendLease(_)) && !lost.swap(true, Ordering::Relaxed);
            is_first.then(|| Error::of("sqs:ChangeMessageVisibility", "MessageNotInflight", "gone"))
        }
    };
    let context = world.agent_with(world.config(), inspector.clone(), Box::new(fault)).await;
    world.send(&context, &message("job-1")).await;
    poll::run_once(&context).await;
    assert!(lost.load(Ordering::Relaxed));
    assert!(world.reports(&context).await.is_empty());
    let tally = context.ledger.tally().await.unwrap();
    assert_eq!((tally.made, tally.held), (2, 0));
    // The message is still on the queue: it comes again when its lease ends, and is done then.
    assert_eq!(world.queue(&context).await.leased, 1);
    until_idle(&context).await;
    assert_eq!(world.reports(&context).await.len(), 1);
    world.assert_clean(&context, "lost lease").await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_after_the_commit_does_not_keep_the_report_back() {
    let world = World::new();
    let refusals = Arc::new(AtomicU32::new(0));
    let fault = {
        let refusals = Arc::clone(&refusals);
        move |call: &Call| match call {
            // The outbox is away for longer than the lease lasts, and the lease cannot be extended any more.
            Call::PutObject(_) => (refusals.fetch_add(1, Ordering::Relaxed) < 10)
                .then(|| Error::of("s3:PutObject", "ServiceUnavailable", "away")),
            Call::ExtendLease(_) => (refusals.load(Ordering::Relaxed) > 0)
                .then(|| Error::of("sqs:ChangeMessageVisibility", "MessageNotInflight", "gone")),
            _ => None,
        }
    };
    let context = world.agent_with(world.config(), Arc::new(Canned::default()), Box::new(fault)).await;
    world.send(&context, &message("job-1")).await;
    until_idle(&context).await;
    assert_eq!(world.reports(&context).await.len(), 1);
    world.assert_clean(&context, "outbox away").await;
}

#[tokio::test(start_paused = true)]
async fn two_scanners_with_one_job_harm_nobody_and_release_their_own() {
    let world = World::new();
    let slow = || Arc::new(Canned { takes: Duration::from_secs(100), ..Canned::default() });
    let first = world.agent_with(world.config(), slow(), Box::new(|_| None)).await;
    let second = world.other_agent().await;
    world.send(&first, &message("job-1")).await;
    world.send(&first, &message("job-1")).await;
    let (one, two) = (Arc::clone(&first), Arc::clone(&second));
    tokio::join!(until_idle(&one), until_idle(&two));
    for context in [&first, &second] {
        world.assert_clean(context, "two scanners").await;
    }
    let made = first.ledger.tally().await.unwrap().made + second.ledger.tally().await.unwrap().made;
    assert!(made >= 2, "{made}");
    assert!(!world.reports(&first).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_report_older_than_the_last_one_delivered_for_its_target_is_not_delivered() {
    let world = World::new();
    let context = world.agent().await;
    let younger = snapscan_cloud::table::PutRow {
        key: format!("newest/{TARGET}/eu-west-1/i-0a"),
        value: "2100-01-01T00:00:00Z".to_owned(),
        expected: None,
        expires: None,
    };
    context.cloud.ask(&context.own(""), younger).await.unwrap();
    world.send(&context, &message("job-1")).await;
    until_idle(&context).await;
    assert!(world.reports(&context).await.is_empty());
    world.assert_clean(&context, "outdated").await;
}

/// Holds the first report back on its way to the outbox, until it is let go.
#[derive(Default)]
struct Gate {
    has_come: Notify,
    may_go: Notify,
    is_used: AtomicBool,
}

struct Gated(Arc<dyn Service>, Arc<Gate>);

#[async_trait::async_trait]
impl Service for Gated {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let is_report = matches!(&call, Call::PutObject(put) if put.key.starts_with("reports/"));
        if is_report && !self.1.is_used.swap(true, Ordering::Relaxed) {
            self.1.has_come.notify_one();
            self.1.may_go.notified().await;
        }
        self.0.call(scope, call).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_report_that_is_put_at_the_same_instant_as_a_newer_one_is_not_delivered() {
    let world = World::new();
    let gate = Arc::new(Gate::default());
    let through = Arc::clone(&gate);
    let older = world
        .agent_over(world.config(), Arc::new(Canned::default()), |service| Arc::new(Gated(service, through)))
        .await;
    let (newer, delivered) = world.agent_with_sink("newer").await;
    world.send(&older, &message("job-1")).await;
    let first = tokio::spawn({
        let older = Arc::clone(&older);
        async move { until_idle(&older).await }
    });
    // Its row says that it is the newest; its report is not in the outbox yet.
    gate.has_come.notified().await;
    world.send(&newer, &message("job-2")).await;
    let second = tokio::spawn({
        let newer = Arc::clone(&newer);
        async move { until_idle(&newer).await }
    });
    while delivered() == 0 {
        newer.cloud.clock.sleep(Duration::from_secs(1)).await;
    }
    gate.may_go.notify_one();
    first.await.unwrap();
    second.await.unwrap();
    until_idle(&newer).await;
    let reports = world.reports(&newer).await;
    let of =
        |job: &str| reports.iter().find(|one| one.delivery.job == job).unwrap().delivery.snapshot_started;
    assert!(of("job-1").unwrap() < of("job-2").unwrap(), "both are in the outbox");
    assert_eq!(delivered(), 1, "the older one is not delivered after the newer one");
    assert_eq!(world.marks(&newer, "delivered/").await, ["delivered", "superseded"]);
    world.assert_clean(&older, "older").await;
    world.assert_clean(&newer, "newer").await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_asked_to_stop_sends_back_what_it_has_no_time_for() {
    let world = World::new();
    let inspector = Arc::new(Canned { takes: Duration::from_secs(1000), ..Canned::default() });
    let context = world.agent_with(world.config(), inspector, Box::new(|_| None)).await;
    world.send(&context, &message("job-1")).await;
    let agent = tokio::spawn({
        let context = Arc::clone(&context);
        async move { run(&context, Until::Stopped).await.map_err(|failure| failure.what) }
    });
    context.cloud.clock.sleep(Duration::from_secs(120)).await;
    assert_eq!(context.running.count(), 1);
    let asked = context.cloud.clock.now();
    context.drain.ask("test", &context.cloud, context.config.agent.drain);
    agent.await.unwrap().unwrap();
    let took = context.cloud.clock.now().since(asked).as_secs();
    assert!((90..180).contains(&took), "{took} s");
    let queue = world.queue(&context).await;
    assert_eq!((queue.visible + queue.delayed, queue.leased), (1, 0));
    assert_eq!(context.ledger.tally().await.unwrap().held, 0);
    drop(context);
    let context = world.agent().await;
    until_idle(&context).await;
    let reports = world.reports(&context).await;
    assert_eq!((reports.len(), reports[0].delivery.attempt), (1, 1));
    world.assert_clean(&context, "drained").await;
}

#[tokio::test(start_paused = true)]
async fn a_spot_notice_drains_the_agent_and_nothing_is_lost() {
    let world = World::with(instance(), volume("vol-0a"), volume("vol-0b"), |mut builder| {
        builder.world.settings.latency.snapshot = 30;
        builder
    });
    let mut config = world.config();
    config.agent.inspect = 4;
    let inspector = Arc::new(Canned { takes: Duration::from_secs(180), ..Canned::default() });
    let context = world.agent_with(config, inspector.clone(), Box::new(|_| None)).await;
    let agent = tokio::spawn({
        let context = Arc::clone(&context);
        async move { run(&context, Until::Stopped).await.map_err(|failure| failure.what) }
    });
    let (clock, begun) = (context.cloud.clock, context.cloud.clock.now());
    let at = |seconds: u64| async move {
        let passed = clock.now().since(begun);
        clock.sleep(Duration::from_secs(seconds).saturating_sub(passed)).await;
    };
    // Read until 220 or so, until 300 or so, waiting for its snapshots when the notice comes, and sent after it.
    world.send(&context, &message("ends")).await;
    at(80).await;
    world.send(&context, &message("is-stopped")).await;
    at(150).await;
    world.send(&context, &message("waits")).await;
    at(156).await;
    assert_eq!((context.running.count(), inspector.looks.load(Ordering::Relaxed)), (3, 2));
    let state = snapscan_cloud::local::HostState {
        interruption: Some(clock.now().0 + 120),
        ..snapscan_cloud::local::HostState::default()
    };
    state.write(&world.path()).unwrap();
    at(164).await;
    assert_eq!(context.drain.stage(), Stage::Asked, "a notice is looked for each five seconds");
    world.send(&context, &message("comes-late")).await;
    at(170).await;
    let queue = world.queue(&context).await;
    assert_eq!(
        (queue.visible + queue.delayed, queue.leased),
        (2, 2),
        "what waited is back, nothing new is leased"
    );
    assert_eq!(context.running.count(), 2);
    // A set of two volumes each. That of the job which went back is deleted already: a pending snapshot goes once it
    // is complete.
    let open = context.ledger.intents(false).await.unwrap();
    let mut open: Vec<(&str, &str)> = open.iter().map(|row| (row.job.as_str(), row.word())).collect();
    open.sort_unstable();
    assert_eq!(open, [("ends", "bound"), ("is-stopped", "bound"), ("waits", "releasing")]);
    agent.await.unwrap().unwrap();
    // Noticed by 161, and 90 s to drain.
    let took = clock.now().since(begun).as_secs();
    assert!((246..276).contains(&took), "{took} s: before the instance goes at 276");
    let queue = world.queue(&context).await;
    assert_eq!((queue.visible + queue.delayed, queue.leased), (3, 0));
    let made = snapscan_cloud::local::spans(&snapscan_cloud::local::events(&world.path()).unwrap());
    assert!(made.len() == 6 && made.iter().all(|one| one.gone.is_some()), "{made:?}");
    assert_eq!(world.reports(&context).await.len(), 1);
    drop(context);
    // Another instance takes over.
    snapscan_cloud::local::HostState::default().write(&world.path()).unwrap();
    let context = world.agent().await;
    until_idle(&context).await;
    let mut done: Vec<String> =
        world.reports(&context).await.iter().map(|parcel| parcel.delivery.job.clone()).collect();
    done.sort_unstable();
    assert_eq!(done, ["comes-late", "ends", "is-stopped", "waits"]);
    world.assert_clean(&context, "after the notice").await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_takes_the_instance_away_stops_the_agent() {
    let world = World::new();
    let context = world.agent().await;
    let state = snapscan_cloud::local::HostState { terminating: true, ..Default::default() };
    state.write(&world.path()).unwrap();
    run(&context, Until::Stopped).await.map_err(|failure| failure.what).unwrap();
    assert!(context.drain.stage() >= Stage::Asked);
}

#[tokio::test(start_paused = true)]
async fn without_room_for_a_report_no_message_is_leased() {
    let world = World::new();
    let mut config = world.config();
    config.agent.report_room = u64::MAX / 8;
    let context = world.agent_with(config, Arc::new(Canned::default()), Box::new(|_| None)).await;
    world.send(&context, &message("job-1")).await;
    poll::run_once(&context).await;
    assert_eq!(world.queue(&context).await.visible, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_for_later_is_put_back_until_then() {
    let world = World::new();
    let inspector = Arc::new(Canned::default());
    let context = world.agent_with(world.config(), inspector.clone(), Box::new(|_| None)).await;
    let then = snapscan_schema::Time(context.cloud.clock.now().plus(Duration::from_secs(5000)).0).rfc3339();
    let body = message("job-1").replace("\"profile\"", &format!("\"not_before\":\"{then}\",\"profile\""));
    world.send(&context, &body).await;
    poll::run_once(&context).await;
    assert_eq!(inspector.looks.load(Ordering::Relaxed), 0);
    let begun = context.cloud.clock.now();
    until_idle(&context).await;
    assert_eq!(inspector.looks.load(Ordering::Relaxed), 1);
    assert!(context.cloud.clock.now().since(begun).as_secs() >= 4900);
}

mod poll {
    use super::*;

    pub(super) async fn run_once(context: &Arc<Context>) {
        run(context, Until::Once).await.map_err(|failure| failure.what).unwrap();
    }
}
