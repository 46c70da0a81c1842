// SPDX-License-Identifier: Apache-2.0
//! Outbox: the report goes where it outlives this scanner, unless a younger one of its target is there already.
//!
//! A row of the conditional table says for each target when the snapshot of its last delivery was begun. The row is
//! written first, then the object is put: after a crash between the two the same report goes on, since only an *older*
//! one is held back.

use std::time::Duration;

use snapscan_cloud::outbox::PutObject;
use snapscan_cloud::table::{GetRow, PutRow};
use snapscan_schema::Time;

use crate::agent::context::Context;
use crate::agent::drain::Stage;
use crate::agent::job::{Doing, Next};
use crate::agent::stop::Stop;
use crate::agent::work::{Spooled, Work};

/// The pause between tries doubles from the one to the other.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// How long the row of a target is of use: an older snapshot cannot turn up later, since the queue forgets sooner.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Hands the report over, and tries until that works or the scanner stops.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let mut pause = PAUSES.0;
        loop {
            match hand_over(context, work).await {
                Ok(()) => break,
                Err(stop) => tracing::warn!(job = work.job.id, %stop, "outbox_unreachable"),
            }
            tokio::select! {
                () = context.cloud.clock.sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                () = context.drain.reached(Stage::Over) => return Err(Stop::Drained),
            }
        }
        let now = context.cloud.clock.now();
        let written = context.ledger.handed_over(&work.job.id, now).await;
        written.map_err(|error| Stop::fault("writing down that the report was handed over", error))?;
        Ok(Next::On)
    })
}

async fn hand_over(context: &Context, work: &Work) -> Result<(), Stop> {
    let doing = "reading the spooled report";
    let spooled = work.spooled.as_ref().ok_or_else(|| Stop::fault(doing, "there is none"))?;
    let (spool, job, digest) = (context.spool.clone(), work.job.id.clone(), spooled.digest.clone());
    let read = tokio::task::spawn_blocking(move || spool.read(&job, &digest)).await;
    let read = read.map_err(|error| Stop::fault(doing, error))?.map_err(|error| Stop::fault(doing, error))?;
    let bytes = read.ok_or_else(|| Stop::fault(doing, "it is not the one that was written"))?;
    if !is_youngest(context, work, spooled).await? {
        tracing::info!(job = work.job.id, "report_outdated");
        return Ok(());
    }
    let put = PutObject { key: spooled.key.clone(), bytes };
    let stored = context.cloud.ask(&context.own(&work.job.id), put).await;
    let stored = stored.map_err(|error| Stop::call("handing the report over", &error))?;
    tracing::info!(job = work.job.id, key = spooled.key, again = !stored, "report_handed_over");
    Ok(())
}

/// True if no report of a younger snapshot of this target was delivered; writes down that this one is.
async fn is_youngest(context: &Context, work: &Work, spooled: &Spooled) -> Result<bool, Stop> {
    let Some(started) = spooled.started else { return Ok(true) };
    let job = &work.job;
    let (account, region) = (job.account.as_deref(), job.region.as_deref());
    let place = format!("{}/{}", account.unwrap_or("-"), region.unwrap_or("-"));
    let key = format!("newest/{place}/{}", job.target.name());
    let scope = context.own(&job.id);
    loop {
        let row = context.cloud.ask(&scope, GetRow { key: key.clone() }).await;
        let row = row.map_err(|error| Stop::call("asking what was delivered last", &error))?;
        let last = row.as_ref().and_then(|row| Time::parse(&row.value));
        match last {
            Some(last) if last > started => return Ok(false),
            Some(last) if last == started => return Ok(true),
            _ => {}
        }
        let put = PutRow {
            key: key.clone(),
            value: started.rfc3339(),
            expected: row.map(|row| row.version),
            expires: Some(context.cloud.clock.now().plus(KEPT)),
        };
        let written = context.cloud.ask(&scope, put).await;
        if written.map_err(|error| Stop::call("writing what is delivered", &error))? {
            return Ok(true);
        }
        // Somebody else wrote it meanwhile: look again.
    }
}
