// SPDX-License-Identifier: Apache-2.0
//! The inspector of every agent but those of tests: the confined worker.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use snapscan_cloud::{Purpose, VolumeId};
use snapscan_sandbox::blocks::{Budget, Fetch};
use snapscan_sandbox::{Bytes, Error as Unread, Options, Require, Target, Volume, Watch};
use snapscan_schema::{Reason, Report};

use super::fallback::{Kernel, read};
use super::{Inspector, Look};
use crate::agent::boundary;
use crate::agent::context::Context;
use crate::agent::device::{self, Devices};
use crate::agent::direct::{Calls, Direct, Purse};
use crate::agent::ledger::Allowance;
use crate::agent::stop::Stop;
use crate::agent::work::{Opened, ServedDisk};
use crate::config::effective::Reader;

/// The confined worker.
pub(crate) struct Sandbox;

#[async_trait]
impl Inspector for Sandbox {
    async fn inspect(&self, context: &Context, mut look: Look) -> Result<Report, Stop> {
        let doing = "reading in the worker";
        if look.reader == Reader::Kernel && matches!(look.opened, Opened::Served(_)) {
            let detail =
                "the kernel reads attached volumes only: ask for the method `attach`, or the reader `own`";
            return Err(Stop::permanent(Reason::CloudRefused, detail));
        }
        let options = options(context, &look);
        let direct = match &look.opened {
            Opened::Served(disks) => Some(direct(context, &look, disks).await?),
            Opened::Files(_) | Opened::Folder { .. } => None,
        };
        let purse = direct.as_ref().map(|(_, purse)| Arc::clone(purse));
        let direct = direct.map(|(direct, _)| direct);
        let target = target(std::mem::replace(&mut look.opened, Opened::Files(Vec::new())));
        let watch = Arc::new(Watch::default());
        let theirs = Arc::clone(&watch);
        let fetch = direct.clone().map(|direct| direct as Arc<dyn Fetch>);
        // The worker is waited for on a thread of its own: no call that blocks sits on the runtime.
        let kernel = match (look.reader, context.config.agent.kernel_fallback) {
            (Reader::Kernel, _) => Kernel::First,
            (Reader::Own, true) => Kernel::Fallback,
            (Reader::Own, false) => Kernel::Never,
        };
        let read = tokio::task::spawn_blocking(move || read(target, &options, &theirs, fetch, kernel));
        tokio::pin!(read);
        let report = tokio::select! {
            read = &mut read => read,
            () = look.cancel.cancelled() => {
                watch.cancel();
                read.await
            }
        };
        if let (Some(purse), Some(direct)) = (purse, &direct) {
            let spent = purse.settle().await;
            let microdollars = spent.map_err(|error| Stop::fault("writing down what was spent", error))?;
            let Calls { gets, lists, throttled } = direct.calls();
            tracing::info!(job = look.job, gets, lists, throttled, microdollars, "blocks_read");
        }
        // A key or a right that is missing shows only when the first block is asked for: that is no damage of a disk.
        if let Some(error) = direct.and_then(|direct| direct.failed()) {
            return Err(Stop::call("reading blocks of the snapshots", &error));
        }
        let report = report.map_err(|error| Stop::fault(doing, error))?;
        let crashed = |report: &Report| {
            report.coverage.lines().iter().any(|line| line.code == Some(Reason::WorkerCrashed))
        };
        match &report {
            Ok(report) if crashed(report) => context.metrics.worker_died("part"),
            Err(Unread::Crashed { .. } | Unread::Worker { .. }) => context.metrics.worker_died("whole"),
            Ok(_) | Err(_) => {}
        }
        report.map_err(|error| match error {
            // Another attempt meets the same disks.
            error @ snapscan_sandbox::Error::Kernel { .. } => {
                Stop::permanent(Reason::UnsupportedFeature, format!("{doing}: {error}"))
            }
            error => Stop::fault(doing, error),
        })
    }

    async fn device(&self, context: &Context, volume: &VolumeId) -> Result<File, Stop> {
        let devices = Devices::of(&context.host);
        let device = devices.open(volume, &context.cloud.clock, APPEARS).await;
        // It may be one that another host sees, or that came late: the next attempt begins with a volume of its own.
        let unseen = |error: device::Error| Stop::retry(Reason::NoSlot, APPEARS, error.to_string());
        device.map(|device| device.file).map_err(unseen)
    }
}

/// Bytes of a block of a snapshot.
const BLOCK: u64 = 512 * 1024;
/// An attached volume has a device within so long.
const APPEARS: Duration = Duration::from_secs(60);
/// What the ledger counts of an account's day.
const MONEY: &str = "microdollars";

/// The blocks of these snapshots. What is not allowed, or has no key, is met here, before a worker starts.
async fn direct(
    context: &Context,
    look: &Look,
    disks: &[ServedDisk],
) -> Result<(Arc<Direct>, Arc<Purse>), Stop> {
    let doing = "listing the blocks of the snapshots";
    let place = look.place.as_ref().ok_or_else(|| Stop::fault(doing, "it is not known in which account"))?;
    let account = place.account.clone();
    let ceiling = context.config.limits.microdollars_a_day;
    let budget = Allowance { account, what: MONEY, ceiling };
    let purse = Arc::new(Purse::new(&context.ledger, context.cloud.clock, budget, &context.config.prices));
    let session = |disk: &ServedDisk| if disk.borrowed { Purpose::Borrow } else { Purpose::Read };
    let snapshots = disks.iter().map(|disk| (place.scope(session(disk)), disk.snapshot.clone())).collect();
    let direct = Direct::new(context.cloud.clone(), snapshots, Arc::clone(&purse), look.cancel.clone());
    let opened = match purse.is_empty().await {
        Ok(false) => direct.open().await.map(|_| ()).map_err(|error| Stop::call(doing, &error)),
        Ok(true) => {
            let detail = format!("account {} has spent its limit of today", place.account);
            Err(Stop::retry(Reason::Quota, Duration::from_secs(3600), detail))
        }
        Err(error) => Err(Stop::fault("writing down what will be spent", error)),
    };
    if let Err(stop) = opened {
        if let Err(error) = purse.settle().await {
            tracing::warn!(job = look.job, %error, "spending_unsettled");
        }
        return Err(stop);
    }
    Ok((Arc::new(direct), purse))
}

/// How the configuration wants this job read.
fn options(context: &Context, look: &Look) -> Options {
    let settings = &context.config.sandbox;
    let require = if settings.require_full { Require::Full } else { Require::Possible };
    let mut options = Options { threads: settings.threads, ..Options::new(look.profile, require) };
    options.limits.memory = settings.memory;
    if cfg!(feature = "crash-points") {
        options.hook = Some(Arc::new(boundary::pass));
    }
    let served: u64 = match &look.opened {
        Opened::Served(disks) => disks.iter().map(|disk| disk.bytes.div_ceil(BLOCK)).sum(),
        Opened::Files(_) | Opened::Folder { .. } => 0,
    };
    // Without a limit: all that there are.
    options.limits.budget = Budget::of_blocks(look.blocks.unwrap_or(served));
    options
}

fn target(opened: Opened) -> Target {
    match opened {
        Opened::Folder { name, folder } => Target::Directory { name: name.into_bytes(), folder },
        Opened::Files(files) => {
            let volume =
                |(name, file): (String, File)| Volume { name: name.into_bytes(), bytes: Bytes::File(file) };
            Target::Disks(files.into_iter().map(volume).collect())
        }
        Opened::Served(disks) => {
            let volume = |disk: ServedDisk| Volume {
                name: disk.name.into_bytes(),
                bytes: Bytes::Served { len: disk.bytes, sector: None },
            };
            Target::Disks(disks.into_iter().map(volume).collect())
        }
    }
}
