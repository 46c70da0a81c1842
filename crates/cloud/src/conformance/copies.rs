// SPDX-License-Identifier: Apache-2.0
//! How snapshots are shared and copied.

use super::case::{Cases, Failure, ensure, same};
use super::stage::{Set, Stage};
use crate::ec2::{CopySnapshot, DeleteSnapshot, DescribeShares, Find, ShareSnapshot, UnshareSnapshot};
use crate::owned::NotOurs;
use crate::{Purpose, SnapshotId};

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases, set: &Set) {
    cases.add("a share is listed until it is taken back", "1.1", share(stage, set).await);
    cases.add("a copy has its own tags and is proved by its source", "1.1", copy(stage, set).await);
}

async fn share(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let (owner, with) = (&stage.world.owner, &stage.world.other);
    let scope = stage.target(Purpose::Share);
    let snapshot = owner.snapshot(stage.cloud, &scope, &set.expected, &set.root).await?;
    let missing = owner.shared(stage.cloud, &scope, &set.expected, &set.root, with).await;
    ensure(matches!(missing, Err(NotOurs::Absent(_))), || format!("before: {missing:?}"))?;
    stage.ask_patiently(&scope, ShareSnapshot { snapshot, with: with.clone() }).await?;
    let ask = DescribeShares { snapshot: set.root.clone() };
    same(stage.ask_patiently(&scope, ask.clone()).await?, vec![with.clone()])?;
    let release = stage.target(Purpose::Release);
    let snapshot = owner.shared(stage.cloud, &release, &set.expected, &set.root, with).await?;
    stage.ask_patiently(&release, UnshareSnapshot { snapshot, with: with.clone() }).await?;
    same(stage.ask_patiently(&release, ask).await?, vec![])
}

async fn copy(stage: &Stage<'_>, set: &Set) -> Result<(), Failure> {
    let world = stage.world;
    let origin = stage.origin(&world.account)?;
    let marks = world.owner.copy_marks(&origin, &set.root);
    let expected = stage.expected(origin, &[set.root.as_str()]);
    let request = CopySnapshot {
        source: set.root.clone(),
        source_region: world.region.clone(),
        key: None,
        encrypted: false,
        description: marks.description.clone(),
        tags: marks.tags.clone(),
    };
    let id = stage.ask_patiently(&stage.target(Purpose::Create), request).await?;
    let result = copied(stage, &expected, &id, &marks).await;
    let scope = stage.target(Purpose::Release);
    let snapshot = world.owner.copy(stage.cloud, &scope, &expected, &id).await?;
    stage.ask_patiently(&scope, DeleteSnapshot { snapshot }).await?;
    stage
        .until(&format!("rid of {id}"), async || {
            let found = stage.snapshots(&scope, Find::Ids(vec![id.clone()])).await?;
            Ok(found.is_empty().then_some(()))
        })
        .await?;
    result
}

async fn copied(
    stage: &Stage<'_>,
    expected: &crate::owned::Expected,
    id: &SnapshotId,
    marks: &crate::owned::Marks,
) -> Result<(), Failure> {
    let scope = stage.target(Purpose::Read);
    stage.snapshot_is(&scope, id, "completed").await?;
    let found = stage.snapshots(&scope, Find::Intent(expected.origin.intent.clone())).await?;
    let [copy] = found.as_slice() else { return Err(Failure(format!("{} of its intent", found.len()))) };
    same((&copy.id, &copy.tags, &copy.description), (id, &marks.tags, &marks.description))?;
    stage.world.owner.abandoned_snapshot(stage.cloud, &scope, id, expected.until).await?;
    Ok(())
}
