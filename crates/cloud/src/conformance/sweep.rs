// SPDX-License-Identifier: Apache-2.0
//! Takes away what a run made, whatever became of the run: found by its tags, proved by its MACs.
//!
//! The cases take away what they make themselves; this is for those that failed, were refused, or were interrupted.
//! Messages are not looked for: they cost nothing and the queue forgets them.

use std::time::Duration;

use super::case::Failure;
use super::stage::Stage;
use crate::ec2::{DeleteSnapshot, DeleteVolume, DetachVolume, Find, Tags, Volume};
use crate::outbox::{DeleteObject, ListObjects};
use crate::owned::{Expected, NotOurs, Origin, TAG_INTENT, TAG_JOB};
use crate::table::{DeleteRow, ListRows};
use crate::{IntentId, Purpose, Scope, Timestamp};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// Looks in a row that find nothing, after which nothing is there.
const EMPTY: u32 = 3;

/// Whose things are taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of this run, all of them.
    This,
    /// Of runs that are long over.
    Earlier,
}

/// How long what earlier runs left is waited for.
const SHORT: Duration = Duration::from_secs(60);
/// A run that is an hour old has ended.
const OVER: i64 = 3_600;

/// Takes away until nothing is there, or patience ends; answers what is left then. With `late` it looks for as long as
/// something may show that nobody was told of.
pub(super) async fn sweep(stage: &Stage<'_>, of: Of, late: bool) -> Vec<String> {
    let begun = stage.cloud.clock.now();
    // What earlier runs left is not worth waiting for: this run looks once more.
    let patience = if of == Of::This { stage.world.patience } else { SHORT };
    let (mut empty, mut papers) = (0, of == Of::This);
    loop {
        let mut left = look(stage, of).await;
        if papers {
            match take_papers(stage).await {
                Ok(taken) if taken.is_empty() => papers = false,
                Ok(taken) => left.extend(taken),
                Err(Failure(why)) => left.push(why),
            }
        }
        empty = if left.is_empty() { empty + 1 } else { 0 };
        let is_over = stage.cloud.clock.now().since(begun) >= patience;
        if is_over || (empty >= EMPTY && !late) {
            return left;
        }
        stage.cloud.clock.sleep(PAUSE).await;
    }
}

/// One look, and one step towards an end for each thing that it finds.
async fn look(stage: &Stage<'_>, of: Of) -> Vec<String> {
    let mut left = Vec::new();
    let mut scopes = vec![stage.target(Purpose::Release)];
    if stage.world.account != stage.world.service {
        scopes.push(stage.service(Purpose::Release));
    }
    for scope in &scopes {
        for result in
            [volumes(stage, scope, of, &mut left).await, snapshots(stage, scope, of, &mut left).await]
        {
            if let Err(Failure(why)) = result {
                left.push(format!("account {}: {why}", scope.account));
            }
        }
    }
    left
}

/// True for a thing of the wanted runs; earlier ones are told by when it was made.
fn is_meant(stage: &Stage<'_>, of: Of, tags: &Tags, made: Timestamp) -> bool {
    match of {
        Of::This => tags.get(TAG_JOB).is_some_and(|job| *job == stage.job()),
        Of::Earlier => made.0 < before(stage, of).0,
    }
}

/// Before when it was made.
fn before(stage: &Stage<'_>, of: Of) -> Timestamp {
    let now = stage.cloud.clock.now().0;
    Timestamp(if of == Of::This { now.saturating_add(OVER) } else { now.saturating_sub(OVER) })
}

async fn snapshots(stage: &Stage<'_>, scope: &Scope, of: Of, left: &mut Vec<String>) -> Result<(), Failure> {
    let owner = &stage.world.owner;
    for one in stage.snapshots(scope, Find::Deployment(owner.deployment().to_owned())).await? {
        if !is_meant(stage, of, &one.tags, one.started) {
            continue;
        }
        let said = match owner.abandoned_snapshot(stage.cloud, scope, &one.id, before(stage, of)).await {
            Ok(snapshot) => answered(stage.ask_patiently(scope, DeleteSnapshot { snapshot }).await),
            Err(NotOurs::Absent(_)) => continue,
            Err(error) => error.to_string(),
        };
        left.push(format!("{} in account {}: {said}", one.id, scope.account));
    }
    Ok(())
}

async fn volumes(stage: &Stage<'_>, scope: &Scope, of: Of, left: &mut Vec<String>) -> Result<(), Failure> {
    let owner = &stage.world.owner;
    for one in stage.volumes(scope, Find::Deployment(owner.deployment().to_owned())).await? {
        if one.state == "deleted" || !is_meant(stage, of, &one.tags, one.created) {
            continue;
        }
        let is_attached = one.attachments.iter().any(|held| held.state != "detached");
        let said = match is_attached {
            true => detach(stage, scope, of, &one).await,
            false => match owner.abandoned_volume(stage.cloud, scope, &one.id, before(stage, of)).await {
                Ok(volume) => answered(stage.ask_patiently(scope, DeleteVolume { volume }).await),
                Err(NotOurs::Absent(_)) => continue,
                Err(error) => error.to_string(),
            },
        };
        left.push(format!("{} in account {}: {said}", one.id, scope.account));
    }
    Ok(())
}

async fn detach(stage: &Stage<'_>, scope: &Scope, of: Of, volume: &Volume) -> String {
    let Some(expected) = expected(scope, volume, before(stage, of)) else {
        return "it is attached, and its tags name nothing".to_owned();
    };
    let (owner, scanner) = (&stage.world.owner, &stage.world.scanner);
    match owner.attachment(stage.cloud, scope, &expected, &volume.id, scanner).await {
        Ok(attachment) => {
            answered(stage.ask_patiently(scope, DetachVolume { attachment, force: false }).await)
        }
        Err(error) => error.to_string(),
    }
}

/// What a volume's own tags say of it; its MAC shows whether that is so.
fn expected(scope: &Scope, volume: &Volume, until: Timestamp) -> Option<Expected> {
    let origin = Origin {
        account: scope.account.clone(),
        region: scope.region.clone(),
        job: volume.tags.get(TAG_JOB)?.clone(),
        intent: IntentId::parse(volume.tags.get(TAG_INTENT)?)?,
    };
    let sources = vec![volume.snapshot.as_ref()?.to_string()];
    Some(Expected { origin, sources, from: Timestamp(i64::MIN), until, answered: Vec::new() })
}

fn answered(answer: Result<(), crate::Error>) -> String {
    answer.err().map_or_else(|| "it is being taken away".to_owned(), |error| error.to_string())
}

/// Takes away objects and rows of this run; answers which. They are listed as they are, not late.
async fn take_papers(stage: &Stage<'_>) -> Result<Vec<String>, Failure> {
    let (scope, prefix) = (stage.service(Purpose::Scanner), format!("{}/", stage.job()));
    let list = ListObjects { prefix: prefix.clone(), after: None, most: 1_000 };
    let mut taken = Vec::new();
    for object in stage.ask(&scope, list).await?.objects {
        stage.ask(&scope, DeleteObject { key: object.key.clone() }).await?;
        taken.push(format!("object {}", object.key));
    }
    for row in stage.ask(&scope, ListRows { prefix, token: None }).await?.items {
        stage.ask(&scope, DeleteRow { key: row.key.clone(), expected: row.version }).await?;
        taken.push(format!("row {}", row.key));
    }
    Ok(taken)
}
