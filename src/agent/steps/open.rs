// SPDX-License-Identifier: Apache-2.0
//! Open: the target's volumes become something that a worker can be handed.
//!
//! Direct names the snapshots; their blocks are fetched as the worker asks. Attach makes a volume of each in the
//! scanner's zone, attaches it, and finds its device by serial, which is set read-only and checked before anybody gets a
//! descriptor. Files are opened beneath the configured folder.

use std::fs::File;
use std::time::Duration;

use snapscan_schema::Reason;

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::steps::{release, resolve};
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, DiskIs, Opened, Plan, ServedDisk, Way, Work};

/// A volume is usable, and attached, within minutes or not at all.
const LIMIT: Duration = Duration::from_secs(300);
/// So long is waited for others to give a slot back.
const PATIENCE: Duration = Duration::from_secs(600);

/// Opens.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let plan = work.plan()?.clone();
        let opened = match plan.way {
            Way::File => files(context, &plan)?,
            Way::Direct => served(&plan)?,
            Way::Attach => attached(context, work, &plan).await?,
        };
        work.opened = Some(opened);
        Ok(Next::On)
    })
}

/// Closes, then releases what was attached.
pub(crate) fn undo<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, ()> {
    work.opened = None;
    release::undo(context, work)
}

fn files(context: &Context, plan: &Plan) -> Result<Opened, Stop> {
    if let Some(path) = &plan.folder {
        let name = std::path::Path::new(path).file_name();
        let name = name.map_or_else(|| path.clone(), |name| name.to_string_lossy().into_owned());
        return Ok(Opened::Folder { name, folder: resolve::open(context, path)? });
    }
    let mut files = Vec::new();
    for disk in &plan.disks {
        if let DiskIs::File(path) = &disk.is {
            files.push((disk.name.clone(), File::from(resolve::open(context, path)?)));
        }
    }
    Ok(Opened::Files(files))
}

fn served(plan: &Plan) -> Result<Opened, Stop> {
    let serve = |disk: &Disk| {
        let none = || Stop::fault(&format!("opening {}", disk.name), "it has no snapshot");
        let snapshot = disk.snapshot.as_ref().ok_or_else(none)?;
        let borrowed = matches!(disk.is, DiskIs::Borrowed(_));
        Ok(ServedDisk { name: disk.name.clone(), snapshot: snapshot.id.clone(), borrowed, bytes: disk.bytes })
    };
    plan.disks.iter().map(serve).collect::<Result<_, Stop>>().map(Opened::Served)
}

async fn attached(context: &Context, work: &mut Work, plan: &Plan) -> Result<Opened, Stop> {
    let wanted = plan.disks.len();
    let clock = context.cloud.clock;
    let slots = async {
        tokio::select! {
            slots = context.slots.take(wanted) => slots,
            () = clock.sleep(PATIENCE) => None,
        }
    };
    let Some(slots) = work.wait(context, slots).await? else {
        let detail = format!("{wanted} volumes are to be attached, {} slots are free", context.slots.free());
        return Err(Stop::retry(Reason::NoSlot, Duration::from_secs(300), detail));
    };
    let names = slots.names.clone();
    work.slots = Some(slots);
    work.touched = true;
    let home = context.resources.home(&work.job.id);
    let mut files = Vec::new();
    for (disk, name) in plan.disks.iter().zip(names) {
        let doing = format!("attaching {}", disk.name);
        let made = |error| Stop::resources(&doing, &error);
        let usable = disk.usable.as_ref().ok_or_else(|| Stop::fault(&doing, "it was not transferred"))?;
        work.may_go_on(context)?;
        let zone = &context.host.zone;
        let volume = context.resources.volume(&home, usable, zone, None, LIMIT).await.map_err(made)?;
        context.resources.attach(&home, &volume.id, &name, LIMIT).await.map_err(made)?;
        let file = context.inspector.device(context, &volume.id).await?;
        files.push((disk.name.clone(), file));
    }
    Ok(Opened::Files(files))
}
