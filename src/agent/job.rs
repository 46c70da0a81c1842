// SPDX-License-Identifier: Apache-2.0
//! A job's life, from its message to its ack: [`STEPS`] is all of it.
//!
//! A job is a message on a queue. It names a target: an instance, a volume, a snapshot, an image of a machine; on a
//! local queue also files and folders of the scanner. The agent leases the message, takes snapshots of the target's
//! volumes, has them read by a confined worker, writes the report down, takes away everything that it made, hands the
//! report over to a store that outlives the scanner, and deletes the message. The steps are done in the order of the
//! table, one after the other, each in its own file.
//!
//! **The spool commit is the only point of no return.** Before it, whatever stops the job (an error, a lost lease, a
//! stop of the scanner, a crash) undoes it: each step that was begun is undone, the last one first, and the message is
//! settled ([`settle`]) by why it stopped. After a crash there is nobody to do so: then the start of the next agent
//! releases what the ledger holds, and the queue delivers the message again. From the commit on nothing is undone any
//! more: what is left is to release, to hand over and to ack, and whoever finds the report in the spool goes on there,
//! be it after a crash or in a redelivery. Lost leases do not matter any more: the report is delivered anyway.
//!
//! **Nothing is resumed before the commit.** A job that stops there begins again from the top, as a new message whose
//! `attempt` counts only if its target was touched.
//!
//! **Two pools.** A job that waits for its snapshots holds a seat among hundreds, and neither worker nor attachment.
//! One that is read holds one of a few. From the commit on it holds none.
//!
//! **Two scanners with one job** cost twice and do no harm: each has its own intents, nobody releases another's things,
//! and a report that is older than the last one delivered for its target is not delivered.
//!
//! [`settle`]: crate::agent::settle

use std::future::Future;
use std::pin::Pin;

use tracing::Instrument;

use crate::agent::boundary;
use crate::agent::context::Context;
use crate::agent::drain::Stage;
use crate::agent::pool::{Pool, Seat};
use crate::agent::settle::{self, Ended};
use crate::agent::steps;
use crate::agent::stop::Stop;
use crate::agent::work::Work;

/// One step of a job.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the words of the table are for its readers, and a test sees that none is missing"
    )
)]
pub(crate) struct Step {
    /// Its name, in logs, metrics and crash points.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) does: &'static str,
    /// What it writes to the ledger.
    pub(crate) writes: &'static str,
    /// What becomes of the job when it fails.
    pub(crate) fails: &'static str,
    /// How it is undone, twice as well as once.
    pub(crate) undone: &'static str,
    /// In which pool it runs.
    pub(crate) pool: Pool,
    /// Does it.
    pub(crate) run: for<'a> fn(&'a Context, &'a mut Work) -> Doing<'a, Result<Next, Stop>>,
    /// Undoes it; whatever cannot be undone now is in the ledger, and is tried again until it is gone.
    pub(crate) undo: for<'a> fn(&'a Context, &'a mut Work) -> Doing<'a, ()>,
}

/// What a step is doing.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// With the step after this one.
    On,
    /// With the step of this name: a message that came again, and whose job came farther before.
    To(&'static str),
}

/// All steps, in their order.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "lease",
        does: "write the message down; was it here before? It is hidden from others, and a heartbeat keeps it so",
        writes: "job seen, attempt, receipt",
        fails: "the same id with another target: dead-letter queue",
        undone: "nothing: the message is settled at the end",
        pool: Pool::Pending,
        run: steps::lease::run,
        undo: nothing,
    },
    Step {
        name: "resolve",
        does: "look at the target in its account: volumes, exclusions, encryption; choose method and reader",
        writes: "job is worked on",
        fails: "denied, gone, excluded, key unusable: permanent, each with its code",
        undone: "nothing: it only looks",
        pool: Pool::Pending,
        run: steps::resolve::run,
        undo: nothing,
    },
    Step {
        name: "snapshot",
        does: "make one crash-consistent set for all volumes of an instance, or one snapshot of a volume; wait for it",
        writes: "intent before, ids after",
        fails: "quota, or too soon after the last one: retry later; in error: retry",
        undone: "release: delete the snapshots",
        pool: Pool::Pending,
        run: steps::snapshot::run,
        undo: steps::release::undo,
    },
    Step {
        name: "transfer",
        does: "only to attach, and only from another account: share the snapshot, or a copy under a key that can be shared",
        writes: "intents before, ids after",
        fails: "no key that can be shared: permanent",
        undone: "release: take back the share, delete the copy",
        pool: Pool::Pending,
        run: steps::transfer::run,
        undo: steps::release::undo,
    },
    Step {
        name: "open",
        does: "direct: name the snapshots to be read. attach: make a volume in the scanner's zone, attach it, find its \
               device by serial, set it read-only and check that it is. Local: open the files",
        writes: "attach: intents before, ids after",
        fails: "no slot, or stuck: release and retry; a key that may not be used: permanent",
        undone: "close the descriptors; release: detach and delete the volumes",
        pool: Pool::Inspect,
        run: steps::open::run,
        undo: steps::open::undo,
    },
    Step {
        name: "inspect",
        does: "have it read by the confined worker; this process never looks at a byte of it",
        writes: "nothing",
        fails: "damage is coverage and fails nothing; a worker that cannot work: retry",
        undone: "drop the report",
        pool: Pool::Inspect,
        run: steps::inspect::run,
        undo: steps::inspect::undo,
    },
    Step {
        name: "spool",
        does: "write the report to disk: temporary name, fsync, rename, fsync the folder; then commit: \
               the point of no return",
        writes: "spooled, digest",
        fails: "no room, no ledger: retry",
        undone: "remove the file, if it was not committed",
        pool: Pool::Inspect,
        run: steps::spool::run,
        undo: steps::spool::undo,
    },
    Step {
        name: "release",
        does: "take away everything that the ledger holds for this job, newest first",
        writes: "releasing, gone, closed, for each",
        fails: "what cannot be released now is tried again later; the job goes on",
        undone: "never",
        pool: Pool::Free,
        run: steps::release::run,
        undo: nothing,
    },
    Step {
        name: "outbox",
        does: "put the report, if it is not there, where it outlives this scanner; not if a younger one was delivered",
        writes: "handed over",
        fails: "tried again until it works, or the scanner stops: then the next start goes on here",
        undone: "never",
        pool: Pool::Free,
        run: steps::outbox::run,
        undo: nothing,
    },
    Step {
        name: "ack",
        does: "delete the message, then the copy in the spool",
        writes: "done",
        fails: "the message comes again, is known as handed over, and is acked then",
        undone: "never",
        pool: Pool::Free,
        run: steps::ack::run,
        undo: nothing,
    },
];

/// Does a job, from the step of this name on, and settles its message.
pub(crate) async fn run(context: &Context, work: Work, from: &'static str) -> Ended {
    follow(context, work, from, STEPS).await
}

/// Does a job by a table.
async fn follow(context: &Context, mut work: Work, from: &'static str, steps: &[Step]) -> Ended {
    let mut at = place(from);
    while let Some(step) = steps.get(at) {
        if let Err(stop) = enter(context, &mut work, step).await {
            return give_up(context, work, steps.get(..at).unwrap_or_default(), &stop).await;
        }
        boundary::pass(&format!("step.{}", step.name));
        let span =
            tracing::info_span!("step", step = step.name, job = work.job.id, attempt = work.job.attempt);
        let begun = context.cloud.clock.now();
        let done = (step.run)(context, &mut work).instrument(span).await;
        let took = context.cloud.clock.now().since(begun);
        let seconds = took.as_secs();
        context.metrics.step(step.name, took);
        match done {
            Ok(next) => {
                tracing::info!(job = work.job.id, step = step.name, seconds, "step_done");
                at = match next {
                    Next::On => at + 1,
                    Next::To(name) => place(name),
                };
            }
            Err(stop) => {
                let code = stop.code();
                tracing::warn!(job = work.job.id, step = step.name, seconds, code, %stop, "step_stopped");
                return give_up(context, work, steps.get(..=at).unwrap_or_default(), &stop).await;
            }
        }
    }
    settle::finished(context, &work).await
}

/// May the job take this step? Takes a seat in its pool.
async fn enter(context: &Context, work: &mut Work, step: &Step) -> Result<(), Stop> {
    if work.is_committed() {
        work.seat = Seat::free();
        // What is in the spool waits there for the restart.
        return if context.drain.stage() == Stage::Over { Err(Stop::Drained) } else { Ok(()) };
    }
    work.may_go_on(context)?;
    if step.pool == Pool::Inspect && work.seat.pool != Some(Pool::Inspect) {
        work.seat = work.wait(context, context.pools.inspect()).await?;
    }
    Ok(())
}

/// Ends a job that cannot go on. Before the point of no return all steps that were begun are undone, the last one first.
async fn give_up(context: &Context, mut work: Work, begun: &[Step], stop: &Stop) -> Ended {
    if work.is_committed() {
        tracing::warn!(job = work.job.id, code = stop.code(), "job_left_in_spool");
        return Ended::Left;
    }
    for step in begun.iter().rev() {
        let span = tracing::info_span!("undo", step = step.name, job = work.job.id);
        (step.undo)(context, &mut work).instrument(span).await;
    }
    settle::stopped(context, &work, stop).await
}

/// The place of a step in the table; past its end for a name that is not there.
fn place(name: &str) -> usize {
    STEPS.iter().position(|step| step.name == name).unwrap_or(STEPS.len())
}

/// Undoes a step that leaves nothing.
fn nothing<'a>(_: &'a Context, _: &'a mut Work) -> Doing<'a, ()> {
    Box::pin(std::future::ready(()))
}

#[cfg(test)]
mod tests;
