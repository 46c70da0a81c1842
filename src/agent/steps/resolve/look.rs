// SPDX-License-Identifier: Apache-2.0
//! Looking at a target in its account.

use std::collections::BTreeMap;

use snapscan_cloud::ec2::{
    DescribeImages, DescribeInstances, DescribeSnapshots, DescribeVolumes, Find, Instance, Snapshot, Tags,
    Volume,
};
use snapscan_cloud::{ImageId, InstanceId, Purpose, SnapshotId, VolumeId};
use snapscan_schema::{JobTarget, Reason};

use crate::agent::context::Context;
use crate::agent::resources::Place;
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, DiskIs};

/// Ids in one request. Source: EC2 API Reference, DescribeVolumes and DescribeSnapshots: filters take 200 values.
const IDS: usize = 200;

/// What a target is made of.
pub(super) struct Found {
    /// The instance, where the target is one.
    pub(super) instance: Option<Instance>,
    /// Its volumes, with their tags.
    pub(super) disks: Vec<(Disk, Tags)>,
}

/// Looks at a target.
pub(super) async fn target(context: &Context, place: &Place, target: &JobTarget) -> Result<Found, Stop> {
    let malformed = || Stop::Poison(format!("{} is no id", target.name()));
    match target {
        JobTarget::Instance { id } => {
            instance(context, place, InstanceId::parse(id).ok_or_else(malformed)?).await
        }
        JobTarget::Volume { id } => {
            let id = VolumeId::parse(id).ok_or_else(malformed)?;
            let volumes = volumes(context, place, std::slice::from_ref(&id)).await?;
            Ok(Found { instance: None, disks: volumes.into_iter().map(|one| disk(one, true)).collect() })
        }
        JobTarget::Snapshot { id } => {
            let id = SnapshotId::parse(id).ok_or_else(malformed)?;
            let found = snapshots(context, place, std::slice::from_ref(&id)).await?;
            Ok(Found { instance: None, disks: found.into_iter().map(|one| borrowed(one, true)).collect() })
        }
        JobTarget::Ami { id } => image(context, place, ImageId::parse(id).ok_or_else(malformed)?).await,
        JobTarget::Image { .. } | JobTarget::Directory { .. } => Err(malformed()),
    }
}

async fn instance(context: &Context, place: &Place, id: InstanceId) -> Result<Found, Stop> {
    let scope = place.scope(Purpose::Read);
    let mut token = None;
    let found = loop {
        let request = DescribeInstances { ids: vec![id.clone()], token };
        let page = context.cloud.ask(&scope, request).await;
        let page = page.map_err(|error| Stop::call(&format!("looking at {id}"), &error))?;
        token = page.token;
        match (page.items.into_iter().find(|one| one.id == id), &token) {
            (None, Some(_)) => {}
            (found, _) => break found,
        }
    };
    let gone = |what: &str| Stop::permanent(Reason::TargetGone, format!("{id} {what}"));
    let instance = found.ok_or_else(|| gone("is not in this account and region"))?;
    match instance.state.as_str() {
        "terminated" | "shutting-down" => return Err(gone(&format!("is {}", instance.state))),
        "pending" => {
            let after = std::time::Duration::from_secs(60);
            return Err(Stop::retry(Reason::NotYet, after, format!("{id} is still pending")));
        }
        _ => {}
    }
    let root = instance.disks.get(&instance.root_device).cloned();
    let ids: Vec<VolumeId> = instance.disks.values().cloned().collect();
    let mut by_id: BTreeMap<VolumeId, Volume> =
        volumes(context, place, &ids).await?.into_iter().map(|one| (one.id.clone(), one)).collect();
    // In the order of device names, as the machine itself has them.
    let disks = ids.iter().filter_map(|id| by_id.remove(id));
    let disks = disks.map(|one| {
        let is_root = root.as_ref() == Some(&one.id);
        disk(one, is_root)
    });
    let mut disks: Vec<_> = disks.collect();
    for (disk, _) in &mut disks {
        // A code of the instance goes along with each of its volumes.
        disk.product_code = disk.product_code.take().or_else(|| instance.product_codes.first().cloned());
    }
    Ok(Found { instance: Some(instance), disks })
}

async fn image(context: &Context, place: &Place, id: ImageId) -> Result<Found, Stop> {
    let asked =
        context.cloud.ask(&place.scope(Purpose::Read), DescribeImages { ids: vec![id.clone()] }).await;
    let images = asked.map_err(|error| Stop::call(&format!("looking at {id}"), &error))?;
    let image = images.items.into_iter().find(|image| image.id == id).ok_or_else(|| {
        Stop::permanent(Reason::TargetGone, format!("{id} is not in this account and region"))
    })?;
    let ids: Vec<SnapshotId> = image.disks.values().cloned().collect();
    let root = image.disks.get(&image.root_device);
    let found = snapshots(context, place, &ids).await?;
    let disks = found.into_iter().map(|one| {
        let is_root = Some(&one.id) == root;
        borrowed(one, is_root)
    });
    Ok(Found { instance: None, disks: disks.collect() })
}

/// All of these volumes.
async fn volumes(context: &Context, place: &Place, ids: &[VolumeId]) -> Result<Vec<Volume>, Stop> {
    let scope = place.scope(Purpose::Read);
    let mut found: Vec<Volume> = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut token = None;
        loop {
            let request = DescribeVolumes { find: Find::Ids(ids.to_vec()), token };
            let page = context.cloud.ask(&scope, request).await;
            let page = page.map_err(|error| Stop::call("looking at the volumes", &error))?;
            found.extend(page.items);
            token = page.token;
            if token.is_none() {
                break;
            }
        }
    }
    match ids.iter().find(|id| found.iter().all(|one| one.id != **id)) {
        // Another account's volume that is shared with this one is not in the list either.
        Some(id) => Err(Stop::permanent(
            Reason::TargetGone,
            format!("{id} is not a volume of this account and region"),
        )),
        None => Ok(found),
    }
}

/// All of these snapshots, which are complete.
async fn snapshots(context: &Context, place: &Place, ids: &[SnapshotId]) -> Result<Vec<Snapshot>, Stop> {
    let scope = place.scope(Purpose::Read);
    let mut found: Vec<Snapshot> = Vec::new();
    for ids in ids.chunks(IDS) {
        let mut token = None;
        loop {
            let request = DescribeSnapshots { find: Find::Ids(ids.to_vec()), token };
            let page = context.cloud.ask(&scope, request).await;
            let page = page.map_err(|error| Stop::call("looking at the snapshots", &error))?;
            found.extend(page.items);
            token = page.token;
            if token.is_none() {
                break;
            }
        }
    }
    if let Some(id) = ids.iter().find(|id| found.iter().all(|one| one.id != **id)) {
        let detail = format!("{id} is not a snapshot that this account and region can see");
        return Err(Stop::permanent(Reason::TargetGone, detail));
    }
    for one in &found {
        match (one.state.as_str(), one.tier.as_str()) {
            ("completed", "archive") => {
                let detail = format!("{} is archived: restore it first", one.id);
                return Err(Stop::permanent(Reason::CloudRefused, detail));
            }
            ("completed", _) => {}
            ("error", _) => {
                let detail = format!("{} is in error: {}", one.id, one.state_message);
                return Err(Stop::permanent(Reason::SnapshotFailed, detail));
            }
            (state, _) => {
                let after = std::time::Duration::from_secs(300);
                return Err(Stop::retry(Reason::NotYet, after, format!("{} is {state}", one.id)));
            }
        }
    }
    Ok(found)
}

fn disk(volume: Volume, is_root: bool) -> (Disk, Tags) {
    let disk = Disk {
        name: volume.id.to_string(),
        is: DiskIs::Volume(volume.id),
        bytes: volume.size_gib.saturating_mul(1 << 30),
        is_root,
        key: volume.key,
        encrypted: volume.encrypted,
        default_key: false,
        product_code: volume.product_codes.into_iter().next(),
        snapshot: None,
        usable: None,
    };
    (disk, volume.tags)
}

fn borrowed(snapshot: Snapshot, is_root: bool) -> (Disk, Tags) {
    let disk = Disk {
        name: snapshot.id.to_string(),
        is: DiskIs::Borrowed(snapshot.id.clone()),
        bytes: snapshot.size_gib.saturating_mul(1 << 30),
        is_root,
        key: snapshot.key.clone(),
        encrypted: snapshot.encrypted,
        default_key: false,
        product_code: None,
        snapshot: Some(snapshot.clone()),
        usable: None,
    };
    (disk, snapshot.tags)
}
