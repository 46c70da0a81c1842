// SPDX-License-Identifier: Apache-2.0
//! How things are listed.

use super::case::{Cases, Failure, ensure, same};
use super::stage::Stage;
use crate::ec2::{DescribeImages, DescribeInstanceTypes, DescribeInstances, Find, Instance};
use crate::host::Describe;
use crate::{ImageId, InstanceId, Purpose, SnapshotId, VolumeId};

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases) {
    cases.add("an instance names its root and its volumes", "1.2", instance(stage).await);
    cases.add("volumes are found by their instance", "1.2", attached(stage).await);
    cases.add("lists leave out what they do not know", "1.4", unknown(stage).await);
    cases.add("the type of the host says how many volumes it takes", "1.0", types(stage).await);
}

async fn instances(stage: &Stage<'_>, ids: Vec<InstanceId>) -> Result<Vec<Instance>, Failure> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let ask = DescribeInstances { ids: ids.clone(), token };
        let page = stage.ask_patiently(&stage.target(Purpose::Read), ask).await?;
        all.extend(page.items);
        token = page.token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

async fn instance(stage: &Stage<'_>) -> Result<(), Failure> {
    let world = stage.world;
    let found = instances(stage, vec![world.instance.clone()]).await?;
    let [instance] = found.as_slice() else { return Err(Failure(format!("{} instances", found.len()))) };
    same(&instance.id, &world.instance)?;
    ensure(instance.root_is_ebs, || "its root is no EBS volume".to_owned())?;
    same(instance.disks.get(&instance.root_device), Some(&world.root))?;
    same(instance.disks.len(), 2)?;
    ensure(instance.disks.values().any(|volume| *volume == world.data), || {
        "its data volume is missing".to_owned()
    })
}

async fn attached(stage: &Stage<'_>) -> Result<(), Failure> {
    let world = stage.world;
    let find = Find::AttachedTo(world.instance.clone());
    let found = stage.volumes(&stage.target(Purpose::Read), find).await?;
    let mut ids: Vec<&VolumeId> = found.iter().map(|volume| &volume.id).collect();
    ids.sort();
    let mut wanted = [&world.root, &world.data];
    wanted.sort();
    same(ids, wanted.to_vec())?;
    let is_there = |volume: &crate::ec2::Volume| {
        volume.state == "in-use" && volume.attachments.iter().any(|one| one.instance == world.instance)
    };
    ensure(found.iter().all(is_there), || "one of them is not in use there".to_owned())
}

async fn unknown(stage: &Stage<'_>) -> Result<(), Failure> {
    let scope = stage.target(Purpose::Read);
    let none = |what: &str| Failure(format!("no id of {what} can be made"));
    let known = stage.world.instance.clone();
    let id = InstanceId::parse("i-0aaaaaaaaaaaaaaaa").ok_or_else(|| none("an instance"))?;
    same(instances(stage, vec![id, known]).await?.len(), 1)?;
    let id = VolumeId::parse("vol-0aaaaaaaaaaaaaaaa").ok_or_else(|| none("a volume"))?;
    same(stage.volumes(&scope, Find::Ids(vec![id, stage.world.root.clone()])).await?.len(), 1)?;
    let id = SnapshotId::parse("snap-0aaaaaaaaaaaaaaaa").ok_or_else(|| none("a snapshot"))?;
    same(stage.snapshots(&scope, Find::Ids(vec![id])).await?.len(), 0)?;
    let intent = stage.origin(&scope.account)?.intent;
    same(stage.snapshots(&scope, Find::Intent(intent)).await?.len(), 0)?;
    let id = ImageId::parse("ami-0aaaaaaaaaaaaaaaa").ok_or_else(|| none("an image"))?;
    same(stage.ask_patiently(&scope, DescribeImages { ids: vec![id] }).await?.items.len(), 0)
}

async fn types(stage: &Stage<'_>) -> Result<(), Failure> {
    let scope = stage.service(Purpose::Scanner);
    let host = stage.ask(&scope, Describe {}).await?;
    same((&host.account, &host.region), (&stage.world.service, &stage.world.region))?;
    same((&host.instance, &host.zone), (&stage.world.scanner, &stage.world.zone))?;
    let kinds = vec![host.kind.clone()];
    let types = stage.ask_patiently(&scope, DescribeInstanceTypes { kinds }).await?;
    ensure(types.iter().any(|kind| kind.kind == host.kind && kind.attachments > 0), || format!("{types:?}"))
}
