// SPDX-License-Identifier: Apache-2.0
//! What becomes of a message when its job has ended: the one place that deletes, resends, records or buries it.
//!
//! | fate | first | then |
//! |---|---|---|
//! | deliver | the step `outbox` | the step `ack` |
//! | record | the outcome goes to the outbox | the message is deleted |
//! | resend | a new message is sent | the old one is deleted; a duplicate is harmless |
//! | bury | it goes to the dead-letter queue | the old one is deleted |
//!
//! Always in this order, so that a crash between the two costs a duplicate and never a job. A message whose lease is
//! lost is not touched: the queue gives it to somebody, and that may already have happened.

use std::time::Duration;

use snapscan_cloud::outbox::PutObject;
use snapscan_cloud::queue::{Bury, DeleteMessage, ExtendLease, Send};
use snapscan_cloud::{Class, Error};
use snapscan_schema::{Disposition, Job, OUTCOME_VERSION, Outcome, Time};

use crate::agent::context::Context;
use crate::agent::ledger::{self, JobState};
use crate::agent::spool::sha256;
use crate::agent::stop::Stop;
use crate::agent::work::Work;

/// The longest delay that the queue itself offers. Source: SQS quotas, "Message timers".
const LONGEST_DELAY: u64 = 900;
/// Attempts that touched the target, after which its last failure counts as final.
const ATTEMPTS: u32 = 5;
/// Between two tries to settle a message.
const PAUSE: Duration = Duration::from_secs(5);

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its message is off the queue.
    Settled(Disposition),
    /// Its message is not ours any more, or could not be settled: the queue delivers it again.
    Left,
}

/// A job that went through all steps.
pub(crate) async fn finished(context: &Context, work: &Work) -> Ended {
    let row = context.ledger.job(&work.job.id).await;
    match row {
        Ok(Some(row)) => match row.state {
            JobState::Done(disposition) => {
                account(context, &work.job.id, &disposition);
                tracing::info!(job = work.job.id, disposition = disposition.name(), "job_ended");
                Ended::Settled(disposition)
            }
            _ => Ended::Left,
        },
        _ => Ended::Left,
    }
}

/// A job that stopped before the point of no return, and was undone.
pub(crate) async fn stopped(context: &Context, work: &Work, stop: &Stop) -> Ended {
    let Some(mut ends) = stop.disposition(work.touched) else {
        tracing::warn!(job = work.job.id, code = stop.code(), "job_left");
        return Ended::Left;
    };
    if let Disposition::Retry { code, touched: true, .. } = ends
        && *stop != Stop::Drained
        && work.job.attempt + 1 >= ATTEMPTS
    {
        ends = Disposition::Permanent { code };
    }
    loop {
        if work.lease.is_lost() {
            tracing::warn!(job = work.job.id, code = stop.code(), "job_left");
            return Ended::Left;
        }
        match settle(context, work, &ends, stop).await {
            Ok(()) => break,
            Err(Stop::LeaseLost) => return Ended::Left,
            Err(error) => tracing::warn!(job = work.job.id, %error, "message_unsettled"),
        }
        tokio::select! {
            () = context.cloud.clock.sleep(PAUSE) => {}
            () = work.lease.lost() => {}
        }
    }
    let code = stop.code();
    account(context, &work.job.id, &ends);
    tracing::info!(job = work.job.id, disposition = ends.name(), code, %stop, "job_ended");
    Ended::Settled(ends)
}

/// Counts a job that ended, and charges what it cost.
fn account(context: &Context, job: &str, ends: &Disposition) {
    context.metrics.job_ended(ends);
    let cost = context.costs.settle(job);
    tracing::info!(
        job,
        calls = cost.calls.values().sum::<u64>(),
        blocks = cost.get_blocks,
        lists = cost.list_pages,
        bytes = cost.bytes,
        snapshot_seconds = cost.snapshot_seconds,
        volume_seconds = cost.volume_seconds,
        microdollars = cost.microdollars,
        "job_charged"
    );
}

async fn settle(context: &Context, work: &Work, ends: &Disposition, stop: &Stop) -> Result<(), Stop> {
    let now = context.cloud.clock.now();
    let unwritten = |error: ledger::Error| Stop::fault("writing the job's end to the ledger", error);
    match ends {
        Disposition::Retry { after, touched, .. } => {
            resend(context, &work.job, *touched, Duration::from_secs(*after)).await?;
        }
        Disposition::Permanent { .. } => {
            record(context, &work.job, ends, stop).await?;
        }
        Disposition::Poison { reason } => {
            let body =
                serde_json::to_string(&work.job).map_err(|error| Stop::fault("writing a job", error))?;
            bury(context, &work.job.id, body, reason.clone()).await?;
        }
        // Only a job that went through all steps ends like this.
        Disposition::Complete | Disposition::Partial => {}
    }
    // A job that is poison because another one has its id has no row of its own to end.
    if !matches!(ends, Disposition::Poison { .. }) {
        match context.ledger.done(&work.job.id, ends, now).await {
            // It stopped before it was written down.
            Ok(()) | Err(ledger::Error::NoRow(_)) => {}
            Err(error) => return Err(unwritten(error)),
        }
    }
    delete(context, &work.job.id, work.lease.receipt()).await
}

/// Sends the job again. A longer wait than the queue offers is written into the message.
async fn resend(context: &Context, job: &Job, touched: bool, after: Duration) -> Result<(), Stop> {
    let now = context.cloud.clock.now();
    let is_long = after.as_secs() > LONGEST_DELAY;
    let not_before = is_long.then(|| Time(now.plus(after).0));
    let again = job.again(touched, not_before);
    let body = serde_json::to_string(&again).map_err(|error| Stop::fault("writing a job", error))?;
    let delay = after.min(Duration::from_secs(LONGEST_DELAY));
    let sent = context.cloud.ask(&context.own(&job.id), Send { body, delay }).await;
    sent.map_err(|error| Stop::call("sending the job again", &error))
}

/// Puts the record of a job without a report into the outbox.
async fn record(context: &Context, job: &Job, ends: &Disposition, stop: &Stop) -> Result<(), Stop> {
    let outcome = Outcome {
        schema_version: OUTCOME_VERSION,
        job: job.id.clone(),
        attempt: job.attempt,
        account: job.account.clone(),
        region: job.region.clone(),
        target: job.target.clone(),
        ended: ends.clone(),
        detail: stop.to_string(),
        at: Time(context.cloud.clock.now().0),
    };
    let bytes = serde_json::to_vec(&outcome).map_err(|error| Stop::fault("writing an outcome", error))?;
    let key = outcome.key(&sha256(&bytes));
    let put = context.cloud.ask(&context.own(&job.id), PutObject { key, bytes }).await;
    put.map(|_| ()).map_err(|error| Stop::call("recording the outcome", &error))
}

/// Puts a message that nobody can use onto the dead-letter queue.
///
/// # Errors
/// What the queue says.
pub(crate) async fn bury(context: &Context, job: &str, body: String, reason: String) -> Result<(), Stop> {
    tracing::error!(job, reason, "message_buried");
    let buried = context.cloud.ask(&context.own(job), Bury { body, reason }).await;
    buried.map_err(|error| Stop::call("burying a message", &error))
}

/// Deletes a message. One that is not ours any more comes again, and is known then.
///
/// # Errors
/// What the queue says; `LeaseLost` is none.
pub(crate) async fn delete(context: &Context, job: &str, receipt: String) -> Result<(), Stop> {
    match context.cloud.ask(&context.own(job), DeleteMessage { receipt }).await {
        Err(error) if error.class == Class::LeaseLost => {
            tracing::info!(job, "message_not_ours");
            Ok(())
        }
        deleted => deleted.map_err(|error| Stop::call("deleting a message", &error)),
    }
}

/// Puts a message back for so long, at once if for no time.
///
/// # Errors
/// What the queue says.
pub(crate) async fn put_back(
    context: &Context,
    job: &str,
    receipt: String,
    time: Duration,
) -> Result<(), Error> {
    context.cloud.ask(&context.own(job), ExtendLease { receipt, lease: time }).await
}
