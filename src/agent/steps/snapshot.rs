// SPDX-License-Identifier: Apache-2.0
//! Snapshot: one crash-consistent set for all volumes of an instance, or one snapshot of a volume.
//!
//! What somebody else made and keeps is read as it is: nothing is made of it, so nothing is released.

use std::time::Duration;

use snapscan_cloud::VolumeId;
use snapscan_cloud::ec2::Snapshot;
use snapscan_schema::Reason;

use crate::agent::context::Context;
use crate::agent::job::{Doing, Next};
use crate::agent::resources::{Place, SetOf};
use crate::agent::stop::Stop;
use crate::agent::work::{DiskIs, Plan, Work};

/// A first snapshot of a large volume takes hours; the job's deadline comes first.
const LIMIT: Duration = Duration::from_secs(10 * 3600);

/// Makes the snapshots and waits until they are complete. Nothing but a seat among hundreds is held meanwhile.
pub(crate) fn run<'a>(context: &'a Context, work: &'a mut Work) -> Doing<'a, Result<Next, Stop>> {
    Box::pin(async move {
        let plan = work.plan()?;
        let Some(place) = plan.place.clone() else { return Ok(Next::On) };
        let volumes = volumes(plan);
        if volumes.is_empty() {
            return Ok(Next::On);
        }
        let made = make(context, work, &place, &volumes).await?;
        let ids: Vec<_> = made.iter().map(|one| one.id.clone()).collect();
        let waited = work.wait(context, context.resources.wait_completed(&place, &ids, LIMIT)).await?;
        let done = waited.map_err(|error| Stop::resources("waiting for the snapshots", &error))?;
        for disk in &mut work.plan_mut()?.disks {
            if let DiskIs::Volume(volume) = &disk.is {
                disk.snapshot = made
                    .iter()
                    .find(|one| one.volume == *volume)
                    .and_then(|one| done.iter().find(|done| done.id == one.id).cloned());
                if disk.snapshot.is_none() {
                    let detail = format!("the set has no snapshot of {volume}");
                    return Err(Stop::retry(Reason::SnapshotFailed, Duration::from_secs(60), detail));
                }
            }
        }
        Ok(Next::On)
    })
}

fn volumes(plan: &Plan) -> Vec<VolumeId> {
    let volume = |is: &DiskIs| match is {
        DiskIs::Volume(id) => Some(id.clone()),
        DiskIs::Borrowed(_) | DiskIs::File(_) => None,
    };
    plan.disks.iter().filter_map(|disk| volume(&disk.is)).collect()
}

async fn make(
    context: &Context,
    work: &mut Work,
    place: &Place,
    volumes: &[VolumeId],
) -> Result<Vec<Snapshot>, Stop> {
    let doing = "making the snapshots";
    let Some(instance) = work.plan()?.instance.clone() else {
        let mut made = Vec::new();
        for volume in volumes {
            let one = context.resources.snapshot_volume(place, volume).await;
            work.note(&one);
            made.push(one.map_err(|error| Stop::resources(doing, &error))?);
        }
        return Ok(made);
    };
    let root = instance.disks.get(&instance.root_device);
    let is_left_out = |id: &&VolumeId| !volumes.contains(id);
    let exclude: Vec<VolumeId> =
        instance.disks.values().filter(|id| Some(*id) != root).filter(is_left_out).cloned().collect();
    let set =
        SetOf { instance: &instance.id, volumes, root_left_out: root.filter(is_left_out), exclude: &exclude };
    let made = context.resources.snapshot_set(place, &set).await;
    work.note(&made);
    made.map_err(|error| Stop::resources(doing, &error))
}
