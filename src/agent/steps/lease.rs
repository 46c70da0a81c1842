// SPDX-License-Identifier: Apache-2.0
//! Lease: a message is parsed, checked against what this agent may scan, and written down.
//!
//! Messages are not trusted. Whatever one names must be configured here: the account with its role, and for files and
//! folders of the scanner itself a local queue and a folder beneath which they lie. A message that disagrees is poison.

use std::path::{Component, Path};
use std::time::Duration;

use snapscan_cloud::{AccountId, Region};
use snapscan_schema::{Job, JobTarget, Time};

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::ledger::{JobState, Seen};
use crate::agent::stop::Stop;
use crate::agent::work::{Spooled, Work};

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A job, now.
    Now(Box<Job>),
    /// A job of that id, in so long: the message is put back until then.
    Later(String, Duration),
}

/// Reads a message.
///
/// # Errors
/// Why nobody can use it.
pub(crate) fn parse(context: &Context, body: &str) -> Result<Asked, String> {
    let (job, notes) = Job::parse(body).map_err(|error| error.to_string())?;
    for note in &notes {
        tracing::warn!(job = job.id, code = note.code.code(), field = %note.detail.to_json(), "job_noted");
    }
    check(context, &job)?;
    let now = Time(context.cloud.clock.now().0);
    Ok(match job.not_before {
        Some(Time(then)) if then > now.0 => Asked::Later(job.id, Duration::from_secs(then.abs_diff(now.0))),
        _ => Asked::Now(Box::new(job)),
    })
}

/// May this agent do this job?
fn check(context: &Context, job: &Job) -> Result<(), String> {
    if job.target.is_local() {
        return check_local(context, &job.target);
    }
    let account = job.account.as_deref().and_then(AccountId::parse).ok_or("the account is malformed")?;
    job.region.as_deref().and_then(Region::parse).ok_or("the region is malformed")?;
    if !context.config.accounts.contains_key(&account) {
        return Err(format!("account {account} is not configured here"));
    }
    Ok(())
}

fn check_local(context: &Context, target: &JobTarget) -> Result<(), String> {
    if !context.is_local() {
        return Err("files of the scanner are targets only on a local queue".to_owned());
    }
    if context.config.agent.local_root.is_none() {
        return Err(
            "files of the scanner are targets only beneath `agent.local_root`, which is not set".to_owned()
        );
    }
    let paths = match target {
        JobTarget::Image { paths } => paths.as_slice(),
        JobTarget::Directory { path } => std::slice::from_ref(path),
        _ => &[],
    };
    let is_plain = |path: &&String| {
        Path::new(path.as_str())
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    };
    match paths.iter().find(|path| !is_plain(path)) {
        Some(path) => Err(format!("{path:?} is not a path beneath `agent.local_root`")),
        None => Ok(()),
    }
}

/// Writes the message down, and finds where its job goes on.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let unwritten = |error| Stop::fault("writing the message down", error);
        let now = context.cloud.clock.now();
        let seen = context.ledger.job_seen(&work.job, &work.lease.receipt(), now).await.map_err(unwritten)?;
        let digest = match seen {
            Seen::New | Seen::PermanentBefore => return Ok(Next::On),
            Seen::HandedOver => return Ok(Next::To("ack")),
            Seen::Poison { reason } => return Err(Stop::Poison(reason)),
            Seen::Spooled { digest } => digest,
            // The row is this agent's, but no task of it has this job any more: it stopped without its lease.
            Seen::Alive => {
                match context.ledger.job(&work.job.id).await.map_err(unwritten)?.map(|row| row.state) {
                    Some(JobState::Spooled { digest }) => digest,
                    _ => return Ok(Next::On),
                }
            }
        };
        resume(context, work, &digest)
    })
}

/// Goes on after the point of no return, if what the ledger names is in the spool.
pub(crate) fn resume(context: &Context, work: &mut Work, digest: &str) -> Result<Next, Stop> {
    let doing = "reading the spooled report";
    let bytes = context.spool.read(&work.job.id, digest).map_err(|error| Stop::fault(doing, error))?;
    let Some(bytes) = bytes else {
        tracing::error!(job = work.job.id, digest, "spooled_report_missing");
        return Ok(Next::On);
    };
    work.spooled = Some(Spooled::of(&bytes).map_err(|error| Stop::fault(doing, error))?);
    Ok(Next::To("release"))
}
