// SPDX-License-Identifier: Apache-2.0
//! Jobs whose things could not all be released at once, and who tries again.
//!
//! The ledger knows the things; this list only says which of its rows belong to no job that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use snapscan_cloud::Timestamp;

use crate::agent::context::Context;
use crate::agent::ledger::Kind;

/// Between two tries: the ledger's two lookups are at least a minute apart too.
const PAUSE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(86_400);
/// Seconds that a job is remembered: a day more than any message lives. Source: SQS, retention of at most 14 days.
const REMEMBERED: i64 = 15 * 86_400;

/// Jobs that ended, and left something that is still to be released.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<BTreeSet<String>>);

impl Leftovers {
    fn list(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of this job is left.
    pub(crate) fn note(&self, job: &str) {
        self.list().insert(job.to_owned());
    }

    /// Nothing of this job is left.
    pub(crate) fn forget(&self, job: &str) {
        self.list().remove(job);
    }

    /// True if nothing is left of any job.
    pub(crate) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }
}

/// Releases leftovers until the task is dropped, and once a day forgets what nobody asks for any more.
pub(crate) async fn sweep(context: &Context) {
    let mut forgot: Option<Timestamp> = None;
    loop {
        context.cloud.clock.sleep(PAUSE).await;
        round(context).await;
        observe(context).await;
        let now = context.cloud.clock.now();
        if forgot.is_none_or(|at| now.since(at) >= DAY) {
            forget(context, now).await;
            forgot = Some(now);
        }
    }
}

/// Forgets jobs whose messages the queue has forgotten.
async fn forget(context: &Context, now: Timestamp) {
    let before = Timestamp(now.0.saturating_sub(REMEMBERED));
    if let Err(error) = context.ledger.forget(before).await {
        tracing::warn!(%error, "ledger_unshortened");
    }
}

/// Counts what is held, and writes the metrics where the configuration wants them.
pub(crate) async fn observe(context: &Context) {
    let open = context.ledger.intents(false).await.unwrap_or_default();
    let mut held: BTreeMap<&str, u64> = Kind::ALL.iter().map(|kind| (kind.name(), 0)).collect();
    for row in &open {
        let things = u64::try_from(row.held().count()).unwrap_or(u64::MAX);
        held.entry(row.kind.name()).and_modify(|sum| *sum += things);
    }
    held.into_iter().for_each(|(kind, things)| context.metrics.held(kind, things));
    context.metrics.loud(open.iter().filter(|row| row.is_loud()).count() as u64);
    let oldest = open.iter().filter(|row| row.held().next().is_some()).map(|row| row.planned).min();
    let now = context.cloud.clock.now();
    context.metrics.oldest(oldest.map_or(Duration::ZERO, |planned| now.since(planned)));
    let (reports, bytes) = context.spool.size();
    context.metrics.spool(reports, bytes);
    if let Some(path) = &context.config.agent.metrics
        && let Err(error) = context.metrics.write(path)
    {
        tracing::warn!(path = %path.display(), %error, "metrics_unwritten");
    }
}

/// Tries once to release the leftovers of each job that does not run at this moment.
pub(crate) async fn round(context: &Context) {
    let jobs: Vec<String> = context.leftovers.list().iter().cloned().collect();
    for job in jobs.into_iter().filter(|job| !context.running.has(job)) {
        match context.resources.release(&job).await {
            Ok(released) if released.left.is_empty() => context.leftovers.forget(&job),
            Ok(_) => {}
            Err(error) => tracing::error!(job, %error, "resources_unreleased"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::{World, message, until_idle};

    #[tokio::test(start_paused = true)]
    async fn a_job_is_remembered_for_longer_than_its_message_lives_and_harms_nobody_when_it_comes_after_that()
    {
        // Source: SQS API Reference, SetQueueAttributes: MessageRetentionPeriod of at most 1,209,600 s.
        const LIVES: Duration = Duration::from_secs(1_209_600);
        let world = World::new();
        let (context, delivered) = world.agent_with_sink("state").await;
        world.send(&context, &message("job-1")).await;
        until_idle(&context).await;
        assert_eq!((world.reports(&context).await.len(), delivered()), (1, 1));
        let done = context.cloud.clock.now();
        let clock = context.cloud.clock;
        let later = async |after: Duration| clock.sleep(done.plus(after).since(clock.now())).await;
        later(LIVES).await;
        forget(&context, context.cloud.clock.now()).await;
        world.send(&context, &message("job-1")).await;
        until_idle(&context).await;
        assert_eq!(context.ledger.tally().await.unwrap().made, 2, "it is acked, and nothing is made");
        // That was its last message: its age counts from there.
        later(LIVES + DAY).await;
        forget(&context, context.cloud.clock.now()).await;
        assert_eq!(context.ledger.jobs().await.unwrap().len(), 1);
        later(LIVES + LIVES + DAY + Duration::from_secs(3600)).await;
        forget(&context, context.cloud.clock.now()).await;
        forget(&context, context.cloud.clock.now()).await;
        assert!(context.ledger.jobs().await.unwrap().is_empty());
        assert!(context.ledger.intents(true).await.unwrap().is_empty());
        world.send(&context, &message("job-1")).await;
        until_idle(&context).await;
        assert_eq!(context.ledger.tally().await.unwrap().made, 2, "a new job, a new set of two");
        assert_eq!(world.reports(&context).await.len(), 2);
        assert_eq!(delivered(), 1, "the sink has had this job's report");
        world.assert_clean(&context, "forgotten").await;
    }
}
