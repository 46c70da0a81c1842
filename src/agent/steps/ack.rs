// SPDX-License-Identifier: Apache-2.0
//! Ack: the message goes, then the copy in the spool.
//!
//! Only a job that was handed over comes here. A receipt that is not ours any more is no error: the message comes again
//! and is known as handed over.

use snapscan_schema::Disposition;

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::ledger::JobState;
use crate::agent::settle;
use crate::agent::stop::Stop;
use crate::agent::work::{Spooled, Work};

/// Deletes the message, writes down that the job is done, drops the spooled copy.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let job = work.job.id.as_str();
        settle::delete(context, job, work.lease.receipt()).await?;
        let ledger = |error| Stop::fault("writing the job's end to the ledger", error);
        let row = context.ledger.job(job).await.map_err(ledger)?;
        if !row.is_some_and(|row| matches!(row.state, JobState::Done(_))) {
            let ends = work.spooled.as_ref().map(|spooled| spooled.ends.clone());
            let ends = ends.unwrap_or_else(|| of_spool(context, job));
            context.ledger.done(job, &ends, context.cloud.clock.now()).await.map_err(ledger)?;
        }
        context.spool.remove(job).map_err(|error| Stop::fault("dropping the spooled report", error))?;
        Ok(Next::On)
    })
}

/// How a job ended that was handed over before a restart. Its copy is dropped only after that is written down.
fn of_spool(context: &Context, job: &str) -> Disposition {
    let found = context.spool.find(job).ok().flatten();
    let spooled = found.and_then(|bytes| Spooled::of(&bytes).ok());
    spooled.map_or(Disposition::Complete, |spooled| spooled.ends)
}
