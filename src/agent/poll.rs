// SPDX-License-Identifier: Apache-2.0
//! The loop: leases messages while there is room for their jobs, and starts them.
//!
//! A start first finishes what a dead agent left: reports in its spool are handed over, its things are released (ring
//! 2). The scale-in protection is set before the first poll, and taken away after the last one.

use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::host::Protect;
use snapscan_cloud::queue::{CountMessages, Message, Receive};
use snapscan_schema::Job;
use tokio_util::task::TaskTracker;

use crate::agent::context::Context;
use crate::agent::drain::Stage;
use crate::agent::health::Health;
use crate::agent::lease::{Lease, Ticks};
use crate::agent::ledger::{JobRow, JobState, reap};
use crate::agent::running::Found;
use crate::agent::settle;
use crate::agent::sinks::Sinks;
use crate::agent::steps::lease::{self, Asked};
use crate::agent::work::Work;
use crate::agent::{job, leftovers};
use crate::error::Failure;

/// How long a poll waits for a message. Source: SQS API Reference, ReceiveMessage: at most 20 s.
const LONG: Duration = Duration::from_secs(20);
/// Messages in one answer, at most.
const MOST: usize = 10;
/// Between two tries when there is no room, or no queue.
const PAUSE: Duration = Duration::from_secs(10);
/// A message that is put back for later: at most so long at a time. Source: SQS, 12 h after it was received.
const PUT_BACK: Duration = Duration::from_secs(11 * 3600);

/// How long the agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until it is asked to stop.
    Stopped,
    /// Until the queue is empty, and all that was made is released.
    Idle,
    /// For one poll, and the jobs that it brought.
    Once,
}

/// Works until then; whatever runs is ended in order.
///
/// # Errors
/// What stands in the way of the start.
pub(crate) async fn run(context: &Arc<Context>, until: Until) -> Result<(), Failure> {
    let (tasks, health) = (TaskTracker::new(), Health::default());
    protect(context, true).await;
    recover(context, &tasks).await?;
    let sweeper = tokio::spawn({
        let context = Arc::clone(context);
        async move { leftovers::sweep(&context).await }
    });
    let watcher = tokio::spawn({
        let context = Arc::clone(context);
        let scope = context.own("");
        async move { context.drain.watch_host(&context.cloud, &scope, context.config.agent.drain).await }
    });
    let sinks = Sinks::start(context)?;
    health.ready();
    tracing::info!(epoch = context.ledger.epoch(), pending = context.pools.free(), "agent_started");
    while context.drain.stage() == Stage::Running {
        health.round();
        health.status(&format!("{} jobs under way", context.running.count()));
        let met = round(context, &tasks, until).await;
        if until == Until::Once || (until == Until::Idle && !met && is_idle(context, &tasks).await) {
            break;
        }
    }
    health.stopping();
    watcher.abort();
    tasks.close();
    tasks.wait().await;
    sweeper.abort();
    sinks.stop(until != Until::Stopped).await;
    protect(context, false).await;
    leftovers::observe(context).await;
    tracing::info!("agent_stopped");
    Ok(())
}

/// One round: leases what there is room for. Answers whether there was a message.
async fn round(context: &Arc<Context>, tasks: &TaskTracker, until: Until) -> bool {
    match context.spool.has_room() {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("no_room");
            pause(context).await;
            return false;
        }
        Err(error) => {
            tracing::error!(%error, "no_room");
            pause(context).await;
            return false;
        }
    }
    if context.pools.free() == 0 {
        tokio::select! {
            () = context.pools.until_free() => {}
            () = context.drain.reached(Stage::Asked) => {}
            // The watchdog wants to see that the loop goes round.
            () = context.cloud.clock.sleep(LONG) => {}
        }
        return true;
    }
    let most = u32::try_from(context.pools.free().min(MOST)).unwrap_or(1);
    let wait = if until == Until::Stopped { LONG } else { Duration::from_secs(1) };
    let sent = Ticks { clock: context.cloud.clock }.now();
    let request = Receive { most, wait, lease: context.config.agent.lease };
    let messages = match context.cloud.ask(&context.own(""), request).await {
        Ok(messages) => messages,
        Err(error) => {
            tracing::warn!(%error, "queue_unreachable");
            pause(context).await;
            return false;
        }
    };
    let met = !messages.is_empty();
    for message in messages {
        take(context, tasks, message, sent).await;
    }
    met
}

/// Starts the job of a message, or says at once what becomes of it.
async fn take(context: &Arc<Context>, tasks: &TaskTracker, message: Message, sent: u64) {
    let job = match lease::parse(context, &message.body) {
        Ok(Asked::Now(job)) => *job,
        Ok(Asked::Later(id, wait)) => {
            tracing::info!(job = id, seconds = wait.as_secs(), "message_early");
            return put_back(context, &id, message.receipt, wait.min(PUT_BACK)).await;
        }
        Err(reason) => return bury(context, "", message, reason).await,
    };
    if context.drain.stage() != Stage::Running {
        // The poll was under way when the stop was asked for.
        return put_back(context, &job.id, message.receipt, Duration::ZERO).await;
    }
    match context.running.find(&job, &message.receipt, sent, context.terms()) {
        Found::Nobody => {}
        Found::Adopted => {
            let now = context.cloud.clock.now();
            if let Err(error) = context.ledger.set_receipt(&job.id, &message.receipt, now).await {
                tracing::warn!(job = job.id, %error, "receipt_unwritten");
            }
            tracing::info!(job = job.id, "message_adopted");
            return;
        }
        Found::Other(reason) => return bury(context, &job.id, message, reason).await,
    }
    let Some(seat) = context.pools.wait() else {
        return put_back(context, &job.id, message.receipt, Duration::ZERO).await;
    };
    tracing::info!(job = job.id, attempt = job.attempt, target = job.target.name(), "job_leased");
    let lease = Lease::keep(&context.cloud, context.own(&job.id), context.terms(), message.receipt, sent);
    let work = Work::new(job, lease, seat, context.cloud.clock.now());
    start(context, tasks, work, "lease");
}

fn start(context: &Arc<Context>, tasks: &TaskTracker, work: Work, from: &'static str) {
    context.running.enter(&work.job, work.lease.handle());
    let context = Arc::clone(context);
    tasks.spawn(async move {
        let id = work.job.id.clone();
        // A task of its own, so that a fault of this program in one job is one job's end.
        let ended = tokio::spawn({
            let context = Arc::clone(&context);
            async move { job::run(&context, work, from).await }
        });
        if let Err(error) = ended.await {
            tracing::error!(job = id, %error, "job_fault");
            context.leftovers.note(&id);
        }
        context.running.leave(&id);
    });
}

/// Finishes what a dead agent left: reports in the spool go on, the rest is undone.
async fn recover(context: &Arc<Context>, tasks: &TaskTracker) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot take up what an earlier agent left: {error}"), "check the state folder")
    };
    let rows = context.ledger.jobs().await.map_err(|error| failed(&error))?;
    let is_safe = |row: &&JobRow| matches!(row.state, JobState::Spooled { .. } | JobState::HandedOver);
    let safe: Vec<&JobRow> = rows.iter().filter(is_safe).collect();
    let keep: Vec<String> = safe.iter().map(|row| row.id.clone()).collect();
    context.spool.sweep(&keep).map_err(|error| failed(&error))?;
    for row in safe {
        if let Some((work, from)) = revive(context, row) {
            tracing::info!(job = row.id, step = from, "job_taken_up");
            start(context, tasks, work, from);
        }
    }
    let context = Arc::clone(context);
    tasks.spawn(async move {
        match reap::reap(&context.resources, context.ledger.epoch()).await {
            Ok(released) => {
                // What is still held is tried again, as any leftover.
                let rows = context.ledger.open_before(context.ledger.epoch()).await.unwrap_or_default();
                rows.iter().for_each(|row| context.leftovers.note(&row.job));
                tracing::info!(released = released.released, held = released.held, "ring_2_done");
            }
            Err(error) => tracing::error!(%error, "ring_2_failed"),
        }
    });
    Ok(())
}

/// A job from the spool of a dead agent, and where it goes on. Its message comes again, if it is not acked now.
fn revive(context: &Context, row: &JobRow) -> Option<(Work, &'static str)> {
    let bytes = context.spool.find(&row.id).ok().flatten();
    let parcel = bytes.as_deref().map(serde_json::from_slice::<snapscan_schema::Parcel>);
    let Some(Ok(parcel)) = parcel else {
        tracing::error!(job = row.id, "spooled_report_missing");
        return None;
    };
    let delivery = parcel.delivery;
    let job = Job {
        schema_version: snapscan_schema::JOB_VERSION,
        id: row.id.clone(),
        target: delivery.target,
        account: delivery.account,
        region: delivery.region,
        profile: row.profile.clone(),
        exclude_volume_tags: Vec::new(),
        limits: snapscan_schema::JobLimits::default(),
        method: snapscan_schema::Method::default(),
        reader: None,
        attempt: delivery.attempt,
        not_before: None,
    };
    let lease = Lease::leftover(context.cloud.clock, row.receipt.clone());
    let mut work = Work::new(job, lease, crate::agent::pool::Seat::free(), context.cloud.clock.now());
    match &row.state {
        JobState::Spooled { digest } => {
            lease::resume(context, &mut work, digest).ok()?;
            work.is_committed().then_some((work, "release"))
        }
        JobState::HandedOver => {
            work.spooled = crate::agent::work::Spooled::of(bytes.as_deref()?).ok();
            Some((work, "ack"))
        }
        _ => None,
    }
}

/// True if nothing is left to do: no message, no job, nothing that is still to be released.
async fn is_idle(context: &Arc<Context>, tasks: &TaskTracker) -> bool {
    if !tasks.is_empty() || context.running.count() > 0 {
        return false;
    }
    if !context.leftovers.is_empty() {
        leftovers::round(context).await;
        if !context.leftovers.is_empty() {
            pause(context).await;
            return false;
        }
    }
    let left = context.cloud.ask(&context.own(""), CountMessages {}).await;
    left.is_ok_and(|left| left.visible + left.leased + left.delayed == 0)
}

async fn bury(context: &Context, job: &str, message: Message, reason: String) {
    let receipt = message.receipt;
    let buried = match settle::bury(context, job, message.body, reason).await {
        Ok(()) => settle::delete(context, job, receipt).await,
        Err(stop) => Err(stop),
    };
    if let Err(stop) = buried {
        // It comes again, and is buried then.
        tracing::warn!(job, %stop, "message_unsettled");
    }
}

async fn put_back(context: &Context, job: &str, receipt: String, wait: Duration) {
    if let Err(error) = settle::put_back(context, job, receipt, wait).await {
        tracing::warn!(job, %error, "message_unsettled");
    }
}

async fn pause(context: &Context) {
    tokio::select! {
        () = context.cloud.clock.sleep(PAUSE) => {}
        () = context.drain.reached(Stage::Asked) => {}
    }
}

/// Keeps the group from taking this instance away, or allows it again.
async fn protect(context: &Context, protect: bool) {
    let Some(group) = context.host.group.clone() else { return };
    let request = Protect { group, instance: context.host.instance.clone(), protect };
    if let Err(error) = context.cloud.ask(&context.own(""), request).await {
        tracing::warn!(%error, protect, "scale_in_protection_unset");
    }
}

#[cfg(test)]
mod tests;
