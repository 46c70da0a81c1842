// SPDX-License-Identifier: Apache-2.0
//! How snapshots are made, found and deleted.

use super::case::{Cases, Failure, ensure, refused, same};
use super::stage::{Set, Stage};
use crate::ebs::ListSnapshotBlocks;
use crate::ec2::{CreateSnapshot, CreateSnapshots, DeleteSnapshot, Find, Snapshot};
use crate::owned::{Expected, NotOurs};
use crate::{Class, Purpose, SnapshotId, VolumeId};

/// Makes the set that all further cases are about.
pub(super) async fn make(stage: &Stage<'_>, cases: &mut Cases) -> Option<Set> {
    cases.add("a root among the excluded volumes is refused", "1.1", root_excluded(stage).await);
    let set = cases.add("a set has one snapshot of each volume", "1.1", make_set(stage).await)?;
    cases.add("a second snapshot of a volume within 15 seconds is refused", "1.1", too_early(stage).await);
    cases.add("tags and description are there from the beginning", "1.5", marked(stage, &set).await);
    cases.add("blocks of a pending snapshot cannot be listed", "1.3", pending(stage, &set).await);
    cases.add("a snapshot completes", "1.1", completes(stage, &set).await);
    cases.add("a member of the set is proved to be ours", "1.9", ours(stage, &set).await);
    cases.add("a set leaves out its root and what is excluded", "1.1", left_out(stage).await);
    Some(set)
}

fn request(stage: &Stage<'_>, expected: &Expected) -> CreateSnapshots {
    let volumes: Vec<VolumeId> = expected.sources.iter().filter_map(|id| VolumeId::parse(id)).collect();
    let marks = stage.world.owner.snapshot_marks(&expected.origin, &volumes);
    CreateSnapshots {
        instance: stage.world.instance.clone(),
        exclude_root: false,
        exclude: Vec::new(),
        description: marks.description,
        tags: marks.tags,
    }
}

fn expected(stage: &Stage<'_>, volumes: &[&VolumeId]) -> Result<Expected, Failure> {
    let volumes: Vec<&str> = volumes.iter().map(|volume| volume.as_str()).collect();
    Ok(stage.expected(stage.origin(&stage.world.account)?, &volumes))
}

async fn root_excluded(stage: &Stage<'_>) -> Result<(), Failure> {
    let world = stage.world;
    let expected = expected(stage, &[&world.data])?;
    let request = CreateSnapshots { exclude: vec![world.root.clone()], ..request(stage, &expected) };
    match stage.ask_patiently(&stage.target(Purpose::Create), request).await {
        Ok(made) => {
            release_all(stage, &expected, made.iter().map(|one| &one.id)).await?;
            Err(Failure("it was answered".to_owned()))
        }
        Err(error) => refused::<()>(Err(error), Class::Permanent, None),
    }
}

async fn make_set(stage: &Stage<'_>) -> Result<Set, Failure> {
    let world = stage.world;
    let expected = expected(stage, &[&world.root, &world.data])?;
    let all = stage.ask_patiently(&stage.target(Purpose::Create), request(stage, &expected)).await?;
    let of = |volume: &VolumeId| all.iter().find(|one| one.volume == *volume).map(|one| one.id.clone());
    let root =
        of(&world.root).ok_or_else(|| Failure("the answer names no snapshot of the root".to_owned()))?;
    ensure(of(&world.data).is_some(), || "the answer names no snapshot of the other volume".to_owned())?;
    same(all.len(), 2)?;
    Ok(Set { expected, root, all })
}

async fn found_by_intent(stage: &Stage<'_>, set: &Set) -> Result<Vec<Snapshot>, Failure> {
    let scope = stage.target(Purpose::Read);
    stage
        .until("found by their intent", async || {
            let find = Find::Intent(set.expected.origin.intent.clone());
            let found = stage.snapshots(&scope, find).await?;
            Ok((found.len() == set.all.len()).then_some(found))
        })
        .await
}

async fn marked(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let wanted = request(stage, &set.expected);
    for snapshot in found_by_intent(stage, set).await? {
        same(&snapshot.tags, &wanted.tags)?;
        same(&snapshot.description, &wanted.description)?;
        same(&snapshot.owner, &stage.world.account)?;
        let of = set.all.iter().find(|one| one.id == snapshot.id).map(|one| &one.volume);
        same(Some(&snapshot.volume), of)?;
    }
    let find = Find::Deployment(stage.world.owner.deployment().to_owned());
    let all = stage.snapshots(&stage.target(Purpose::Read), find).await?;
    let is_found = |id: &SnapshotId| all.iter().any(|one| one.id == *id);
    ensure(set.all.iter().all(|one| is_found(&one.id)), || "not found by their deployment".to_owned())
}

async fn too_early(stage: &Stage<'_>) -> Result<(), Failure> {
    let volume = stage.world.root.clone();
    let expected = expected(stage, &[&volume])?;
    let marks = stage.world.owner.snapshot_marks(&expected.origin, std::slice::from_ref(&volume));
    let create = CreateSnapshot { volume, description: marks.description, tags: marks.tags };
    match stage.ask(&stage.target(Purpose::Create), create).await {
        Ok(made) => {
            release_all(stage, &expected, [&made.id]).await?;
            Err(Failure("it was answered".to_owned()))
        }
        Err(error) => {
            refused::<()>(Err(error), Class::Throttled, Some("SnapshotCreationPerVolumeRateExceeded"))
        }
    }
}

async fn pending(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let scope = stage.target(Purpose::Read);
    let list = ListSnapshotBlocks { snapshot: set.root.clone(), start: 0, token: None, most: 100 };
    if stage.ask(&scope, list).await.is_err() {
        return Ok(());
    }
    let found = stage.snapshots(&scope, Find::Ids(vec![set.root.clone()])).await?;
    ensure(found.iter().all(|one| one.state == "completed"), || "listed while pending".to_owned())
}

async fn completes(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    for snapshot in &set.all {
        stage.snapshot_is(&stage.target(Purpose::Read), &snapshot.id, "completed").await?;
    }
    Ok(())
}

async fn ours(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let (owner, scope) = (&stage.world.owner, stage.target(Purpose::Release));
    for snapshot in &set.all {
        owner.snapshot(stage.cloud, &scope, &set.expected, &snapshot.id).await?;
        owner.abandoned_snapshot(stage.cloud, &scope, &snapshot.id, set.expected.until).await?;
        let early = owner.abandoned_snapshot(stage.cloud, &scope, &snapshot.id, set.expected.from).await;
        ensure(matches!(early, Err(NotOurs::Foreign { .. })), || format!("{early:?}"))?;
    }
    let another = expected(stage, &[&stage.world.root, &stage.world.data])?;
    let foreign = owner.snapshot(stage.cloud, &scope, &another, &set.root).await;
    ensure(matches!(foreign, Err(NotOurs::Foreign { .. })), || format!("under another intent: {foreign:?}"))
}

async fn left_out(stage: &Stage<'_>) -> Result<(), Failure> {
    let world = stage.world;
    let data_only = expected(stage, &[&world.data])?;
    let without_root = CreateSnapshots { exclude_root: true, ..request(stage, &data_only) };
    let root_only = expected(stage, &[&world.root])?;
    let without_data = CreateSnapshots { exclude: vec![world.data.clone()], ..request(stage, &root_only) };
    for (expected, request, volume) in
        [(data_only, without_root, &world.data), (root_only, without_data, &world.root)]
    {
        let made = stage.ask_patiently(&stage.target(Purpose::Create), request).await?;
        release_all(stage, &expected, made.iter().map(|one| &one.id)).await?;
        same(made.iter().map(|one| &one.volume).collect(), vec![volume])?;
    }
    Ok(())
}

/// Deletes the set, and sees that it is gone.
pub(super) async fn release(stage: &Stage<'_>, cases: &mut Cases, set: &Set) {
    let all = set.all.iter().map(|one| &one.id);
    cases.add("deleted snapshots vanish from lists", "1.1", release_all(stage, &set.expected, all).await);
    cases.add("a deleted snapshot is not found", "1.5", deleted(stage, set).await);
    cases.add("nothing of this run is left", "1.5", nothing_left(stage).await);
}

/// Deletes snapshots of ours, pending ones too, and waits until they are gone.
pub(super) async fn release_all<'s>(
    stage: &Stage<'_>,
    expected: &Expected,
    ids: impl IntoIterator<Item = &'s SnapshotId>,
) -> Result<(), Failure> {
    let scope = stage.target(Purpose::Release);
    for id in ids {
        stage.until("seen", async || seen(stage, &scope, id).await).await?;
        let snapshot = stage.world.owner.snapshot(stage.cloud, &scope, expected, id).await?;
        stage.ask_patiently(&scope, DeleteSnapshot { snapshot }).await?;
        stage
            .until(&format!("rid of {id}"), async || {
                Ok(seen(stage, &scope, id).await?.is_none().then_some(()))
            })
            .await?;
    }
    Ok(())
}

async fn seen(stage: &Stage<'_>, scope: &crate::Scope, id: &SnapshotId) -> Result<Option<()>, Failure> {
    let found = stage.snapshots(scope, Find::Ids(vec![id.clone()])).await?;
    Ok(found.iter().any(|one| one.id == *id).then_some(()))
}

async fn deleted(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let list = ListSnapshotBlocks { snapshot: set.root.clone(), start: 0, token: None, most: 100 };
    refused(stage.ask_patiently(&stage.target(Purpose::Read), list).await, Class::NotFound, None)?;
    let scope = stage.target(Purpose::Release);
    let again = stage.world.owner.snapshot(stage.cloud, &scope, &set.expected, &set.root).await;
    ensure(matches!(again, Err(NotOurs::Absent(_))), || format!("{again:?}"))
}

async fn nothing_left(stage: &Stage<'_>) -> Result<(), Failure> {
    let find = Find::Deployment(stage.world.owner.deployment().to_owned());
    let is_of_this_run =
        |tags: &crate::ec2::Tags| tags.get(crate::owned::TAG_JOB).is_some_and(|job| *job == stage.job());
    for scope in [stage.target(Purpose::Read), stage.service(Purpose::Read)] {
        let left = stage.snapshots(&scope, find.clone()).await?;
        ensure(!left.iter().any(|one| is_of_this_run(&one.tags)), || format!("snapshots: {left:?}"))?;
        let find = Find::Deployment(stage.world.owner.deployment().to_owned());
        let left = stage.volumes(&scope, find).await?;
        ensure(!left.iter().any(|one| is_of_this_run(&one.tags)), || format!("volumes: {left:?}"))?;
    }
    Ok(())
}
