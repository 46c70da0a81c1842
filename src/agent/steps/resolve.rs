// SPDX-License-Identifier: Apache-2.0
//! Resolve: what is the target made of, what of it may be read, and how?
//!
//! It only looks: nothing is made before every question that can be asked beforehand has its answer.

mod exclude;
mod keys;
mod local;
mod look;

use snapscan_cloud::{AccountId, Region};
use snapscan_schema::{Job, JobReader, JobTarget, Method, MethodChoice, Reason};

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::method::{self, Known};
use crate::agent::resources::Place;
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, Plan, Way, Work};
use crate::config::effective::{MethodChoice as Configured, Reader};

pub(crate) use local::open;

/// Blocks a second that may be read of an account: half of its quota, since it is the customer's.
/// Source: EBS service quotas, GetSnapshotBlock requests per account: 1,000 a second in the smaller regions.
const BLOCKS_A_SECOND: u64 = 500;

/// Makes the plan.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let now = context.cloud.clock.now();
        let written = context.ledger.working(&work.job.id, now).await;
        written.map_err(|error| Stop::fault("writing down that the job is worked on", error))?;
        let mut plan = match &work.job.target {
            JobTarget::Image { .. } | JobTarget::Directory { .. } => local::plan(context, &work.job)?,
            _ => work.wait(context, remote(context, &work.job)).await??,
        };
        plan.reader = reader(context, &work.job);
        tracing::info!(
            job = work.job.id,
            method = plan.way.name(),
            volumes = plan.disks.len(),
            excluded = plan.excluded.len(),
            why = plan.why,
            "job_resolved"
        );
        work.plan = Some(plan);
        Ok(Next::On)
    })
}

/// Whose readers the job wants.
fn reader(context: &Context, job: &Job) -> Reader {
    match job.reader {
        Some(JobReader::Own) => Reader::Own,
        Some(JobReader::Kernel) => Reader::Kernel,
        None => context.config.agent.reader,
    }
}

/// The plan for a target in a cloud.
async fn remote(context: &Context, job: &Job) -> Result<Plan, Stop> {
    let account = job.account.as_deref().and_then(AccountId::parse);
    let region = job.region.as_deref().and_then(Region::parse);
    let (Some(account), Some(region)) = (account, region) else {
        return Err(Stop::Poison("account or region is malformed".to_owned()));
    };
    let place = Place { account, region, job: job.id.clone() };
    let found = look::target(context, &place, &job.target).await?;
    let (mut disks, excluded) = exclude::apply(&context.config, job, found.instance.as_ref(), found.disks)?;
    if disks.is_empty() {
        return Err(Stop::permanent(Reason::NoEbs, format!("{} has no EBS volume", job.target.name())));
    }
    disks.sort_by_key(|disk| !disk.is_root);
    keys::check(context, &place, &mut disks).await?;
    let choice = choose(context, job, &place, &disks)?;
    Ok(Plan {
        place: Some(place),
        instance: found.instance,
        disks,
        excluded,
        folder: None,
        way: if choice.method == Method::Attach { Way::Attach } else { Way::Direct },
        why: method::in_words(&choice),
        choice: Some(choice),
        reader: Reader::Own,
    })
}

/// Direct or attach: as asked for, or by the estimate. What stands against attaching has a code of its own.
fn choose(context: &Context, job: &Job, place: &Place, disks: &[Disk]) -> Result<MethodChoice, Stop> {
    let asked = match (job.method, context.config.agent.method) {
        (Method::Auto, Configured::Auto) => Method::Auto,
        (Method::Auto, Configured::Direct) => Method::Direct,
        (Method::Auto, Configured::Attach) => Method::Attach,
        (asked, _) => asked,
    };
    let against = against_attaching(context, place, disks);
    if let (Method::Attach, Some((code, detail))) = (asked, &against) {
        return Err(Stop::permanent(*code, detail.clone()));
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let full_bytes = |disk: &Disk| disk.snapshot.as_ref().and_then(|snapshot| snapshot.full_bytes);
    let is_mounted = reader(context, job) == Reader::Kernel;
    let known = Known {
        full: job.profile == "full",
        volume_bytes: disks.iter().map(|disk| disk.bytes).sum(),
        written_bytes: disks.iter().map(full_bytes).sum(),
        volumes: count(disks.len()),
        earlier_blocks: None,
        quota: BLOCKS_A_SECOND / u64::from(context.config.agent.scanners.max(1)),
        slots_free: count(context.slots.free()),
        copy: place.account != context.host.account && disks.iter().any(|disk| disk.default_key),
        no_direct: is_mounted.then_some("the kernel reads attached volumes only"),
        no_attach: against.as_ref().map(|(_, detail)| detail.as_str()),
        prices: &context.config.prices,
    };
    method::choose(asked, &known).map_err(|why| Stop::permanent(Reason::CloudRefused, why))
}

/// Why volumes of this target cannot be attached.
fn against_attaching(context: &Context, place: &Place, disks: &[Disk]) -> Option<(Reason, String)> {
    if let Some(disk) = disks.iter().find(|disk| disk.product_code.is_some()) {
        let code = disk.product_code.as_deref().unwrap_or_default();
        return Some((Reason::MarketplaceCode, format!("{} has product code {code}", disk.name)));
    }
    if place.region != context.host.region {
        let there = format!("the target is in {}, the scanner in {}", place.region, context.host.region);
        return Some((Reason::CloudRefused, there));
    }
    let is_foreign = place.account != context.host.account;
    let copy_key = context.config.accounts.get(&place.account).and_then(|account| account.copy_key.as_ref());
    let disk = disks.iter().find(|disk| disk.default_key)?;
    (is_foreign && copy_key.is_none()).then(|| {
        let detail =
            format!("{} is encrypted with the account's default key, which cannot be shared", disk.name);
        (Reason::KmsKeyNotShareable, detail)
    })
}

#[cfg(test)]
mod tests;
