// SPDX-License-Identifier: Apache-2.0
//! Release: everything that the ledger holds for a job goes, newest first.
//!
//! What cannot go now (a snapshot that is still pending, a call whose answer was lost, an account that denies) stays in
//! the ledger and on the agent's list of leftovers, and is tried again each minute; the job goes on without it. After a
//! crash the next start does the same, and on an instance without an agent `snapscan reap`.

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::stop::Stop;
use crate::agent::work::Work;

/// Releases, after the point of no return. It never stops the job.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        release(context, work).await;
        Ok(Next::On)
    })
}

/// Releases what a job that stopped has made.
pub(crate) fn undo<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, ()> {
    Box::pin(release(context, work))
}

async fn release(context: &Context, work: &mut Work) {
    // A device that is open could not be detached.
    work.opened = None;
    let job = work.job.id.as_str();
    match context.resources.release(job).await {
        Ok(released) if released.left.is_empty() => {
            work.slots = None;
            context.leftovers.forget(job);
        }
        Ok(released) => {
            for left in &released.left {
                tracing::warn!(job, kind = left.kind, state = left.state, why = left.why, "resource_left");
            }
            context.leftovers.note(job);
            keep_slots(work);
        }
        Err(error) => {
            tracing::error!(job, %error, "resources_unreleased");
            context.leftovers.note(job);
            keep_slots(work);
        }
    }
}

/// A volume may still be attached: its name is not given to another one before the next start asks AWS.
fn keep_slots(work: &mut Work) {
    if let Some(slots) = work.slots.take() {
        std::mem::forget(slots);
    }
}
