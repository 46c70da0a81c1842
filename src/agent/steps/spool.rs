// SPDX-License-Identifier: Apache-2.0
//! Spool: the report becomes durable on this machine, then the ledger says so: the point of no return.

use snapscan_schema::{Delivery, InstanceFacts, Time};

use crate::agent::boundary;
use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::settle;
use crate::agent::spool::sha256;
use crate::agent::stop::Stop;
use crate::agent::work::{Plan, Spooled, Work};

/// Writes the parcel, and commits.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        if boundary::sabotaged("ack-before-spool") {
            settle::delete(context, &work.job.id, work.lease.receipt()).await?;
        }
        let bytes = parcel(work)?;
        let spooled = Spooled::of(&bytes).map_err(|error| Stop::fault("reading the parcel back", error))?;
        let (spool, job) = (context.spool.clone(), work.job.id.clone());
        let written = tokio::task::spawn_blocking(move || spool.write(&job, &bytes)).await;
        let doing = "writing the report to the spool";
        written.map_err(|error| Stop::fault(doing, error))?.map_err(|error| Stop::fault(doing, error))?;
        let now = context.cloud.clock.now();
        let committed = context.ledger.spooled(&work.job.id, &spooled.digest, now).await;
        committed.map_err(|error| Stop::fault("committing the spooled report", error))?;
        tracing::info!(job = work.job.id, digest = spooled.digest, "report_spooled");
        work.spooled = Some(spooled);
        work.report = None;
        Ok(Next::On)
    })
}

/// Removes what was written and never committed.
pub(crate) fn undo<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, ()> {
    Box::pin(async move {
        if !work.is_committed()
            && let Err(error) = context.spool.remove(&work.job.id)
        {
            // The next start sweeps what the ledger does not name.
            tracing::warn!(job = work.job.id, %error, "spool_unswept");
        }
    })
}

/// The parcel's bytes.
fn parcel(work: &Work) -> Result<Vec<u8>, Stop> {
    let doing = "writing the parcel";
    let report = work.report.as_ref().ok_or_else(|| Stop::fault(doing, "there is no report"))?;
    let report = report.to_json().map_err(|error| Stop::fault(doing, error))?;
    let plan = work.plan()?;
    let started = plan.disks.iter().filter_map(|disk| disk.snapshot.as_ref()).map(|one| one.started.0).min();
    let job = &work.job;
    let delivery = Delivery {
        job: job.id.clone(),
        attempt: job.attempt,
        account: job.account.clone(),
        region: job.region.clone(),
        target: job.target.clone(),
        instance: facts(plan),
        snapshot_started: started.map(Time),
        report_sha256: sha256(&report),
    };
    snapscan_schema::Parcel::wrap(&delivery, &report).map_err(|error| Stop::fault(doing, error))
}

/// What the cloud says of the instance.
fn facts(plan: &Plan) -> Option<InstanceFacts> {
    let (instance, place) = (plan.instance.as_ref()?, plan.place.as_ref()?);
    let (account, region, id) = (&place.account, &place.region, &instance.id);
    let partition = match region.as_str() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    Some(InstanceFacts {
        arn: format!("arn:{partition}:ec2:{region}:{account}:instance/{id}"),
        id: id.to_string(),
        hostnames: Some(instance.dns.clone()).filter(|dns| !dns.is_empty()).into_iter().collect(),
        addresses: instance.addresses.clone(),
        macs: instance.macs.clone(),
        tags: instance.tags.clone(),
    })
}
