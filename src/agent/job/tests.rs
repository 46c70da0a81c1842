// SPDX-License-Identifier: Apache-2.0
//! Each step of the table done twice, failing before and after its effect, and undone twice.

use super::*;
use crate::agent::lease::{Lease, Ticks};
use crate::agent::tests::{Canned, World, message, until_idle};
use snapscan_cloud::queue::Receive;
use snapscan_schema::{Disposition, Job, Reason};
use std::sync::Arc;
use std::time::Duration;

/// Steps in the table.
const N: usize = 10;

/// One entry for each step, by its place.
macro_rules! each {
    ($make:ident) => {
        [
            $make::<0>, $make::<1>, $make::<2>, $make::<3>, $make::<4>, $make::<5>, $make::<6>, $make::<7>,
            $make::<8>, $make::<9>,
        ]
    };
}

type Run = for<'a> fn(&'a Context, &'a mut Work) -> Doing<'a, Result<Next, Stop>>;
type Undo = for<'a> fn(&'a Context, &'a mut Work) -> Doing<'a, ()>;

fn twice<'a, const AT: usize>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        // What a step takes from the work is gone at its second time; a repeat has it all.
        let kept = (work.report.clone(), work.opened.is_some());
        (STEPS[AT].run)(context, work).await?;
        if AT == 5 {
            assert!(kept.1);
            return Ok(Next::On);
        }
        if AT == 6 {
            work.report = kept.0;
        }
        (STEPS[AT].run)(context, work).await
    })
}

fn stop() -> Stop {
    Stop::retry(Reason::NotYet, Duration::from_secs(60), "the test says so")
}

fn before<'a, const AT: usize>(_: &'a Context, _: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async { Err(stop()) })
}

fn after<'a, const AT: usize>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        (STEPS[AT].run)(context, work).await?;
        Err(stop())
    })
}

fn undo_twice<'a, const AT: usize>(context: &'a Context, work: &'a mut Work) -> Doing<'a, ()> {
    Box::pin(async move {
        (STEPS[AT].undo)(context, work).await;
        (STEPS[AT].undo)(context, work).await;
    })
}

/// Leases the one message there is.
async fn lease(context: &Arc<Context>) -> Work {
    let sent = Ticks { clock: context.cloud.clock }.now();
    let request = Receive { most: 1, wait: Duration::from_secs(20), lease: context.config.agent.lease };
    let message = context.cloud.ask(&context.own(""), request).await.unwrap().remove(0);
    let (job, _) = Job::parse(&message.body).unwrap();
    let lease = Lease::keep(&context.cloud, context.own(&job.id), context.terms(), message.receipt, sent);
    Work::new(job, lease, context.pools.wait().unwrap(), context.cloud.clock.now())
}

#[test]
fn the_table_says_of_each_step_what_it_does_and_how_it_is_undone() {
    assert_eq!(STEPS.len(), N);
    for step in STEPS {
        for text in [step.name, step.does, step.writes, step.fails, step.undone] {
            assert!(!text.is_empty(), "{}", step.name);
        }
    }
    let commit = place("spool");
    assert!(STEPS[commit + 1..].iter().all(|step| step.undone == "never" && step.pool == Pool::Free));
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_steps_are_done_twice_ends_as_if_they_were_done_once() {
    for (at, run) in (each!(twice) as [Run; N]).into_iter().enumerate() {
        let (world, name) = (World::new(), STEPS[at].name);
        let context = world.agent().await;
        world.send(&context, &message("job-1")).await;
        let mut table = STEPS.to_vec();
        table[at].run = run;
        let ended = follow(&context, lease(&context).await, "lease", &table).await;
        assert!(matches!(ended, Ended::Settled(_)), "{name}: {ended:?}");
        until_idle(&context).await;
        assert_eq!(world.reports(&context).await.len(), 1, "{name}");
        world.assert_clean(&context, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_at_a_step_before_the_commit_is_undone_and_done_again() {
    let failing = (each!(before) as [Run; N]).into_iter().zip(each!(after) as [Run; N]);
    for (at, (before, after)) in failing.enumerate().take(place("spool")) {
        for (run, when) in [(before, "before"), (after, "after")] {
            let (world, name) = (World::new(), format!("{when} {}", STEPS[at].name));
            let context = world.agent().await;
            world.send(&context, &message("job-1")).await;
            let mut table = STEPS.to_vec();
            table[at].run = run;
            for (step, undo) in table.iter_mut().zip(each!(undo_twice) as [Undo; N]) {
                step.undo = undo;
            }
            let ended = follow(&context, lease(&context).await, "lease", &table).await;
            let Ended::Settled(Disposition::Retry { touched, .. }) = ended else {
                panic!("{name}: {ended:?}");
            };
            let made = context.ledger.tally().await.unwrap().made;
            assert_eq!(touched, made > 0, "{name}: the attempt counts if something was made");
            assert!(world.reports(&context).await.is_empty(), "{name}");
            assert_eq!(world.queue(&context).await.delayed, 1, "{name}");
            until_idle(&context).await;
            let reports = world.reports(&context).await;
            assert_eq!(reports.len(), 1, "{name}");
            assert_eq!(reports[0].delivery.attempt, u32::from(touched), "{name}");
            world.assert_clean(&context, &name).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_after_the_commit_is_finished_by_the_next_start() {
    let failing = (each!(before) as [Run; N]).into_iter().zip(each!(after) as [Run; N]);
    for (at, (before, after)) in failing.enumerate().skip(place("spool") + 1) {
        for (run, when) in [(before, "before"), (after, "after")] {
            let (world, name) = (World::new(), format!("{when} {}", STEPS[at].name));
            let context = world.agent().await;
            world.send(&context, &message("job-1")).await;
            let mut table = STEPS.to_vec();
            table[at].run = run;
            let ended = follow(&context, lease(&context).await, "lease", &table).await;
            assert_eq!(ended, Ended::Left, "{name}");
            drop(context);
            let context = world.agent().await;
            until_idle(&context).await;
            assert_eq!(world.reports(&context).await.len(), 1, "{name}");
            world.assert_clean(&context, &name).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_dies_anywhere_before_the_commit_begins_again_after_a_restart() {
    for at in 0..=place("spool") {
        let (world, name) = (World::new(), STEPS[at].name);
        let context = world.agent().await;
        world.send(&context, &message("job-1")).await;
        let mut work = lease(&context).await;
        for step in &STEPS[..at] {
            (step.run)(&context, &mut work).await.unwrap();
        }
        // Neither undone nor settled: the process is gone.
        drop((work, context));
        let context = world.agent().await;
        until_idle(&context).await;
        assert_eq!(world.reports(&context).await.len(), 1, "{name}");
        world.assert_clean(&context, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_reads_longer_than_its_time_is_stopped_released_and_tried_later() {
    let world = World::new();
    let slow = Canned { takes: Duration::from_secs(7200), ..Canned::default() };
    let context = world.agent_with(world.config(), Arc::new(slow), Box::new(|_| None)).await;
    let message = message("job-1").replace(r#""os""#, r#""os","limits":{"seconds":600}"#);
    world.send(&context, &message).await;
    let begun = context.cloud.clock.now();
    let ended = follow(&context, lease(&context).await, "lease", STEPS).await;
    let code = Reason::DeadlineReached;
    let later = Disposition::Retry { after: 300, code, touched: true };
    assert_eq!(ended, Ended::Settled(later));
    let took = context.cloud.clock.now().since(begun);
    assert!((600..700).contains(&took.as_secs()), "{took:?}");
    assert_eq!(context.ledger.tally().await.unwrap().held, 0);
}

/// The table with a step that fails after it was done.
fn failing<const AT: usize>(run: Run) -> Vec<Step> {
    let mut table = STEPS.to_vec();
    table[AT].run = run;
    table
}

#[tokio::test(start_paused = true)]
async fn the_fifth_attempt_that_touched_the_target_is_the_last() {
    const RESOLVE: usize = 1;
    const SNAPSHOT: usize = 2;
    let world = World::new();
    let context = world.agent().await;
    world.send(&context, &message("job-1")).await;
    // What fails before anything is made may fail for ever.
    for _ in 0..7 {
        let ended =
            follow(&context, lease(&context).await, "lease", &failing::<RESOLVE>(after::<RESOLVE>)).await;
        let Ended::Settled(Disposition::Retry { touched: false, .. }) = ended else { panic!("{ended:?}") };
        context.cloud.clock.sleep(Duration::from_secs(61)).await;
    }
    let table = failing::<SNAPSHOT>(after::<SNAPSHOT>);
    for attempt in 1..=5 {
        let made = context.ledger.tally().await.unwrap().made;
        let ended = follow(&context, lease(&context).await, "lease", &table).await;
        assert_eq!(context.ledger.tally().await.unwrap().made, made + 2, "attempt {attempt}");
        let code = Reason::NotYet;
        match ended {
            Ended::Settled(Disposition::Retry { touched: true, .. }) if attempt < 5 => {}
            Ended::Settled(Disposition::Permanent { code: said }) if attempt == 5 => assert_eq!(said, code),
            other => panic!("attempt {attempt}: {other:?}"),
        }
        context.cloud.clock.sleep(Duration::from_secs(61)).await;
    }
    let outcomes = world.outcomes(&context).await;
    assert_eq!((outcomes.len(), outcomes[0].attempt), (1, 4), "counted from 0");
    assert!(outcomes[0].detail.contains("the test says so"), "{}", outcomes[0].detail);
    world.assert_clean(&context, "given up").await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_never_a_jobs_last_attempt() {
    fn drained<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
        Box::pin(async move {
            (STEPS[2].run)(context, work).await?;
            Err(Stop::Drained)
        })
    }
    let world = World::new();
    let context = world.agent().await;
    let last = message("job-1").replacen('{', r#"{"attempt":4,"#, 1);
    world.send(&context, &last).await;
    let ended = follow(&context, lease(&context).await, "lease", &failing::<2>(drained)).await;
    assert!(matches!(ended, Ended::Settled(Disposition::Retry { touched: true, .. })), "{ended:?}");
    until_idle(&context).await;
    assert_eq!(world.reports(&context).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_calls_are_refused_counts_for_nothing() {
    let world = World::new();
    let refuse = |call: &snapscan_cloud::Call| {
        let code = "SnapshotLimitExceeded";
        let is_set = matches!(call, snapscan_cloud::Call::CreateSnapshots(_));
        is_set.then(|| snapscan_cloud::Error::of("ec2:CreateSnapshots", code, "100,000 are there"))
    };
    let context = world.agent_with(world.config(), Arc::new(Canned::default()), Box::new(refuse)).await;
    world.send(&context, &message("job-1").replacen('{', r#"{"attempt":4,"#, 1)).await;
    for _ in 0..6 {
        let ended = follow(&context, lease(&context).await, "lease", STEPS).await;
        let code = Reason::Quota;
        assert_eq!(ended, Ended::Settled(Disposition::Retry { after: 300, code, touched: false }));
        context.cloud.clock.sleep(Duration::from_secs(301)).await;
    }
}
