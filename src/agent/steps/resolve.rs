// SPDX-License-Identifier: Apache-2.0
//! Resolve: what is the target made of, what of it may be read, and how?
//!
//! It only looks: nothing is made before every question that can be asked beforehand has its answer.

mod exclude;
mod keys;
mod local;
mod look;

use snapscan_cloud::{AccountId, Region};
use snapscan_schema::{Job, JobReader, JobTarget, Method, Reason};

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::resources::Place;
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, Plan, Way, Work};
use crate::config::effective::{MethodChoice, Reader};

pub(crate) use local::open;

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
        plan.reader = match work.job.reader {
            Some(JobReader::Own) => Reader::Own,
            Some(JobReader::Kernel) => Reader::Kernel,
            None => context.config.agent.reader,
        };
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
    let (way, why) = choose(context, job, &place, &disks)?;
    Ok(Plan {
        place: Some(place),
        instance: found.instance,
        disks,
        excluded,
        folder: None,
        way,
        why,
        reader: Reader::Own,
    })
}

/// Direct or attach. What stands against attaching decides first, where the job leaves the choice.
fn choose(context: &Context, job: &Job, place: &Place, disks: &[Disk]) -> Result<(Way, String), Stop> {
    let wanted = match job.method {
        Method::Auto => context.config.agent.method,
        Method::Direct => MethodChoice::Direct,
        Method::Attach => MethodChoice::Attach,
    };
    if wanted == MethodChoice::Direct {
        return Ok((Way::Direct, "asked for".to_owned()));
    }
    match (against_attaching(context, place, disks), wanted) {
        (Some((code, detail)), MethodChoice::Attach) => Err(Stop::permanent(code, detail)),
        (Some((_, detail)), _) => Ok((Way::Direct, detail)),
        (None, MethodChoice::Attach) => Ok((Way::Attach, "asked for".to_owned())),
        (None, _) => Ok((Way::Direct, "needs no volume and no slot".to_owned())),
    }
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
