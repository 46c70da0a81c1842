// SPDX-License-Identifier: Apache-2.0
//! The inspector of every agent but those of tests: the confined worker.

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use snapscan_cloud::VolumeId;
use snapscan_sandbox::blocks::Budget;
use snapscan_sandbox::{Bytes, Options, Require, Target, Volume, Watch};
use snapscan_schema::{Reason, Report};

use super::{Inspector, Look};
use crate::agent::context::Context;
use crate::agent::stop::Stop;
use crate::agent::work::Opened;

/// The confined worker.
pub(crate) struct Sandbox;

#[async_trait]
impl Inspector for Sandbox {
    async fn inspect(&self, context: &Context, look: Look) -> Result<Report, Stop> {
        let doing = "reading in the worker";
        let options = options(context, &look);
        let target = target(look.opened)?;
        let watch = Arc::new(Watch::default());
        let theirs = Arc::clone(&watch);
        // The worker is waited for on a thread of its own: no call that blocks sits on the runtime.
        let read =
            tokio::task::spawn_blocking(move || snapscan_sandbox::inspect(target, &options, &theirs, None));
        tokio::pin!(read);
        let report = tokio::select! {
            read = &mut read => read,
            () = look.cancel.cancelled() => {
                watch.cancel();
                read.await
            }
        };
        let report = report.map_err(|error| Stop::fault(doing, error))?;
        report.map_err(|error| Stop::fault(doing, error))
    }

    async fn device(&self, _: &Context, volume: &VolumeId) -> Result<File, Stop> {
        Err(Stop::permanent(Reason::CloudRefused, format!("{volume}: devices cannot be found yet")))
    }
}

/// How the configuration wants this job read.
fn options(context: &Context, look: &Look) -> Options {
    let settings = &context.config.sandbox;
    let require = if settings.require_full { Require::Full } else { Require::Possible };
    let mut options = Options { threads: settings.threads, ..Options::new(look.profile, require) };
    options.limits.memory = settings.memory;
    if let Some(blocks) = look.blocks {
        options.limits.budget = Budget::of_blocks(blocks);
    }
    options
}

fn target(opened: Opened) -> Result<Target, Stop> {
    match opened {
        Opened::Folder { name, folder } => Ok(Target::Directory { name: name.into_bytes(), folder }),
        Opened::Files(files) => {
            let volume =
                |(name, file): (String, File)| Volume { name: name.into_bytes(), bytes: Bytes::File(file) };
            Ok(Target::Disks(files.into_iter().map(volume).collect()))
        }
        Opened::Served(_) => Err(Stop::fault("reading block by block", "there is no broker yet")),
    }
}
