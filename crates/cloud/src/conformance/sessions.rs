// SPDX-License-Identifier: Apache-2.0
//! Who the caller is, and what its session may not do.

use super::case::{Cases, Failure, refused, same};
use super::stage::{Set, Stage};
use crate::dry_run::DryRun;
use crate::ebs::ListSnapshotBlocks;
use crate::ec2::{CreateSnapshot, DeleteSnapshot, Find};
use crate::identity::WhoAmI;
use crate::secrets::GetSecret;
use crate::{Class, Purpose};

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases) {
    cases.add("the target's role is assumed in its account", "1.7", caller(stage).await);
    cases.add("the target's role needs its external id", "1.7", external_id(stage).await);
    cases.add("a session that reads or releases makes nothing", "1.9", makes_nothing(stage).await);
    cases.add("an unknown secret is not found", "1.7", secret(stage).await);
    cases.add("a dry run of what makes is answered to who may make", "1.5", rehearsed_making(stage).await);
}

async fn caller(stage: &Stage<'_>) -> Result<(), Failure> {
    for purpose in [Purpose::Create, Purpose::Read, Purpose::Release] {
        let caller = stage.ask(&stage.target(purpose), WhoAmI { without_external_id: false }).await?;
        same(&caller.account, &stage.world.account)?;
    }
    Ok(())
}

async fn external_id(stage: &Stage<'_>) -> Result<(), Failure> {
    let answer = stage.ask(&stage.target(Purpose::Read), WhoAmI { without_external_id: true }).await;
    refused(answer, Class::Denied, None)
}

async fn makes_nothing(stage: &Stage<'_>) -> Result<(), Failure> {
    let origin = stage.origin(&stage.world.account)?;
    let volume = stage.world.root.clone();
    let marks = stage.world.owner.snapshot_marks(&origin, std::slice::from_ref(&volume));
    let create = CreateSnapshot { volume, description: marks.description, tags: marks.tags };
    for purpose in [Purpose::Read, Purpose::Release] {
        refused(stage.ask(&stage.target(purpose), create.clone()).await, Class::Denied, None)?;
    }
    Ok(())
}

async fn rehearsed_making(stage: &Stage<'_>) -> Result<(), Failure> {
    let origin = stage.origin(&stage.world.account)?;
    let volume = stage.world.root.clone();
    let tags = stage.world.owner.snapshot_marks(&origin, std::slice::from_ref(&volume)).tags;
    let set = DryRun::CreateSnapshots { instance: stage.world.instance.clone(), tags: tags.clone() };
    let one = DryRun::CreateSnapshot { volume, tags };
    for dry in [set, one] {
        stage.ask(&stage.target(Purpose::Create), dry.clone()).await?;
        refused(stage.ask(&stage.target(Purpose::Read), dry).await, Class::Denied, None)?;
    }
    let find = Find::Intent(origin.intent);
    same(stage.snapshots(&stage.target(Purpose::Read), find).await?.len(), 0)
}

async fn secret(stage: &Stage<'_>) -> Result<(), Failure> {
    let name = "snapscan-conformance-unknown".to_owned();
    refused(stage.ask(&stage.service(Purpose::Scanner), GetSecret { name }).await, Class::NotFound, None)
}

/// What needs a set of snapshots.
pub(super) async fn of_a_set(stage: &Stage<'_>, cases: &mut Cases, set: &Set) {
    cases.add("a session that makes or reads deletes nothing", "1.9", deletes_nothing(stage, set).await);
    cases.add("a session that makes or releases reads no blocks", "1.9", reads_nothing(stage, set).await);
    cases.add("a dry run of a deletion deletes nothing", "1.5", rehearsed_deletion(stage, set).await);
}

async fn deletes_nothing(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let scope = stage.target(Purpose::Release);
    let snapshot = stage.world.owner.snapshot(stage.cloud, &scope, &set.expected, &set.root).await?;
    for purpose in [Purpose::Create, Purpose::Read] {
        let delete = DeleteSnapshot { snapshot: snapshot.clone() };
        refused(stage.ask(&stage.target(purpose), delete).await, Class::Denied, None)?;
    }
    Ok(())
}

async fn rehearsed_deletion(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let dry = DryRun::DeleteSnapshot { snapshot: set.root.clone() };
    stage.ask(&stage.target(Purpose::Release), dry.clone()).await?;
    refused(stage.ask(&stage.target(Purpose::Create), dry).await, Class::Denied, None)?;
    let find = Find::Ids(vec![set.root.clone()]);
    same(stage.snapshots(&stage.target(Purpose::Read), find).await?.len(), 1)
}

async fn reads_nothing(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    for purpose in [Purpose::Create, Purpose::Release] {
        let list = ListSnapshotBlocks { snapshot: set.root.clone(), start: 0, token: None, most: 100 };
        refused(stage.ask(&stage.target(purpose), list).await, Class::Denied, None)?;
    }
    Ok(())
}
