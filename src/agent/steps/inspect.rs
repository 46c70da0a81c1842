// SPDX-License-Identifier: Apache-2.0
//! Inspect: what was opened is read by the confined worker. This process never looks at a byte of it.

use snapscan_sandbox::Profile;
use snapscan_schema::{Coverage, Level, Reason, Report, Time, Tool};
use tokio_util::sync::CancellationToken;

use crate::agent::context::Context;
use crate::agent::inspector::Look;
use crate::agent::job::{Doing, Next};
use crate::agent::stop::Stop;
use crate::agent::work::{Plan, Work};

/// Has it read, and adds to the report what only the agent knows.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let opened = work.opened.take().ok_or_else(|| Stop::fault("reading", "nothing was opened"))?;
        let plan = work.plan()?.clone();
        let profile = if work.job.profile == "full" { Profile::Full } else { Profile::Os };
        let begun = context.cloud.clock.now();
        let cancel = CancellationToken::new();
        let look = Look {
            job: work.job.id.clone(),
            place: plan.place.clone(),
            opened,
            profile,
            reader: plan.reader,
            blocks: blocks(context, work, profile),
            cancel: cancel.clone(),
        };
        let mut reading = context.inspector.inspect(context, look);
        let mut report = match work.wait(context, &mut reading).await {
            Ok(report) => report?,
            Err(stop) => {
                // The worker is stopped, and not merely forgotten: it holds descriptors of what is to be released.
                cancel.cancel();
                let _report = reading.await;
                return Err(stop);
            }
        };
        let ended = context.cloud.clock.now();
        complete(&mut report, &plan);
        report.header.run.started = Some(Time(begun.0));
        report.header.run.milliseconds = u64::try_from(ended.since(begun).as_millis()).unwrap_or(u64::MAX);
        report.header.run.cost = plan.place.is_some().then(|| context.costs.of(&work.job.id));
        report.seal();
        tracing::info!(
            job = work.job.id,
            findings = report.findings.len(),
            incomplete = report.coverage.is_incomplete(),
            "target_inspected"
        );
        work.report = Some(report);
        Ok(Next::On)
    })
}

/// Drops what was opened, and the report.
pub(crate) fn undo<'a>(_: &'a Context, work: &'a mut Work) -> Doing<'a, ()> {
    work.opened = None;
    work.report = None;
    Box::pin(std::future::ready(()))
}

/// The smaller one of what the configuration allows and what the job asks for.
fn blocks(context: &Context, work: &Work, profile: Profile) -> Option<u64> {
    let limits = &context.config.limits;
    let allowed = match profile {
        Profile::Os => Some(limits.blocks_os),
        Profile::Full => limits.blocks_full,
    };
    match (allowed, work.job.limits.blocks) {
        (Some(allowed), Some(wanted)) => Some(allowed.min(wanted)),
        (one, other) => one.or(other),
    }
}

/// What the worker does not know: who asked, how the bytes were had, and what was left out by tag.
fn complete(report: &mut Report, plan: &Plan) {
    report.header.tool =
        Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    if plan.place.is_some() {
        report.header.run.method = plan.way.name().to_owned();
    }
    report.header.run.choice.clone_from(&plan.choice);
    for (name, tag) in &plan.excluded {
        let line = Coverage::because(Level::Volume, name.as_str(), Reason::ByChoice, format!("tagged {tag}"));
        report.coverage.children.push(line);
    }
}
