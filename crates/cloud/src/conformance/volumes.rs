// SPDX-License-Identifier: Apache-2.0
//! How volumes are made, attached, detached and deleted.

use super::case::{Cases, Failure, ensure, refused, same};
use super::stage::{Set, Stage};
use crate::ec2::{
    AttachVolume, CreateVolume, DeleteVolume, DetachVolume, Find, ShareSnapshot, UnshareSnapshot,
};
use crate::owned::{Expected, NotOurs};
use crate::{Class, Purpose, VolumeId};

/// A volume of the set's root, and what is known of it.
struct Made {
    id: VolumeId,
    expected: Expected,
    request: CreateVolume,
}

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases, set: &Set) {
    if let Err(failure) = share(stage, set, true).await {
        cases.add::<()>("a volume is made of a snapshot", "1.2", Err(failure));
        return;
    }
    let one = cases.add("a volume is made of a snapshot", "1.2", make(stage, set).await);
    let other = make(stage, set).await;
    match (&one, &other) {
        (Some(one), Ok(other)) => of_two(stage, cases, one, other).await,
        // All cases of two would be missing, and nobody would know.
        (Some(_), Err(Failure(why))) => {
            cases.add::<()>("a second volume is made of a snapshot", "1.2", Err(Failure(why.clone())));
        }
        (None, _) => {}
    }
    let made: Vec<Made> = one.into_iter().chain(other.ok()).collect();
    cases.add("deleted volumes vanish from lists", "1.2", delete(stage, &made).await);
    cases.add("a share with the scanner is taken back", "1.1", share(stage, set, false).await);
}

async fn of_two(stage: &Stage<'_>, cases: &mut Cases, one: &Made, other: &Made) {
    cases.add("the same token makes no second volume", "1.5", same_token(stage, one).await);
    cases.add("the same token with other parameters is refused", "1.5", mismatch(stage, one).await);
    cases.add("a volume is attached", "1.2", attach(stage, one).await);
    cases.add("a volume that is attached cannot be attached again", "1.5", attach_again(stage, one).await);
    cases.add("a device name in use is refused", "1.2", device_in_use(stage, other).await);
    cases.add("a volume that is attached cannot be deleted", "1.2", delete_attached(stage, one).await);
    cases.add("a detached volume is available again", "1.2", detach(stage, one).await);
}

/// Shares the root's snapshot with the scanner's account, where that is another, or takes it back.
async fn share(stage: &Stage<'_>, set: &Set, give: bool) -> Result<(), Failure> {
    let world = stage.world;
    if world.account == world.service {
        return Ok(());
    }
    let with = world.service.clone();
    if give {
        let scope = stage.target(Purpose::Share);
        let snapshot = world.owner.snapshot(stage.cloud, &scope, &set.expected, &set.root).await?;
        stage.ask_patiently(&scope, ShareSnapshot { snapshot, with }).await?;
    } else {
        let scope = stage.target(Purpose::Release);
        let snapshot = world.owner.shared(stage.cloud, &scope, &set.expected, &set.root, &with).await?;
        stage.ask_patiently(&scope, UnshareSnapshot { snapshot, with }).await?;
    }
    Ok(())
}

async fn make(stage: &Stage<'_>, set: &Set) -> Result<Made, Failure> {
    let world = stage.world;
    let origin = stage.origin(&world.service)?;
    let request = CreateVolume {
        snapshot: set.root.clone(),
        zone: world.zone.clone(),
        key: None,
        token: origin.intent.to_string(),
        tags: world.owner.volume_marks(&origin, &set.root).tags,
    };
    let expected = stage.expected(origin, &[set.root.as_str()]);
    let id = stage.ask_patiently(&stage.service(Purpose::Create), request.clone()).await?;
    let scope = stage.service(Purpose::Release);
    stage.volume_is(&scope, &id, "available").await?;
    world.owner.volume(stage.cloud, &scope, &expected, &id).await?;
    world.owner.abandoned_volume(stage.cloud, &scope, &id, expected.until).await?;
    Ok(Made { id, expected, request })
}

async fn same_token(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let again = stage.ask_patiently(&stage.service(Purpose::Create), made.request.clone()).await?;
    same(&again, &made.id)?;
    let find = Find::Intent(made.expected.origin.intent.clone());
    same(stage.volumes(&stage.service(Purpose::Read), find).await?.len(), 1)
}

async fn mismatch(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let mut request = made.request.clone();
    request.zone = match request.zone.strip_suffix('a') {
        Some(region) => format!("{region}b"),
        None => format!("{}a", stage.world.region),
    };
    let answer = stage.ask_patiently(&stage.service(Purpose::Create), request).await;
    refused(answer, Class::Permanent, Some("IdempotentParameterMismatch"))
}

async fn attach_request(stage: &Stage<'_>, made: &Made) -> Result<AttachVolume, Failure> {
    let scope = stage.service(Purpose::Create);
    let volume = stage.world.owner.volume(stage.cloud, &scope, &made.expected, &made.id).await?;
    Ok(AttachVolume { volume, instance: stage.world.scanner.clone(), device: "/dev/sdp".to_owned() })
}

async fn attach(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let scope = stage.service(Purpose::Create);
    let nowhere =
        stage.world.owner.attachment(stage.cloud, &scope, &made.expected, &made.id, &stage.world.scanner);
    let nowhere = nowhere.await;
    ensure(matches!(nowhere, Err(NotOurs::Absent(_))), || format!("before: {nowhere:?}"))?;
    stage.ask_patiently(&scope, attach_request(stage, made).await?).await?;
    stage
        .until("attached", async || {
            let found = stage.volumes(&scope, Find::Ids(vec![made.id.clone()])).await?;
            let is_attached = |volume: &crate::ec2::Volume| {
                volume.state == "in-use" && volume.attachments.iter().all(|one| one.state == "attached")
            };
            Ok(found.iter().any(is_attached).then_some(()))
        })
        .await?;
    let scanner = &stage.world.scanner;
    let found = stage.volumes(&scope, Find::AttachedTo(scanner.clone())).await?;
    ensure(found.iter().any(|volume| volume.id == made.id), || "not found by its instance".to_owned())
}

async fn attach_again(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let request = attach_request(stage, made).await?;
    let answer = stage.ask_patiently(&stage.service(Purpose::Create), request).await;
    refused(answer, Class::State, Some("VolumeInUse"))
}

async fn device_in_use(stage: &Stage<'_>, other: &Made) -> Result<(), Failure> {
    let request = attach_request(stage, other).await?;
    let answer = stage.ask_patiently(&stage.service(Purpose::Create), request).await;
    refused(answer, Class::Permanent, Some("InvalidParameterValue"))
}

async fn delete_attached(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let scope = stage.service(Purpose::Release);
    let volume = stage.world.owner.volume(stage.cloud, &scope, &made.expected, &made.id).await?;
    let answer = stage.ask_patiently(&scope, DeleteVolume { volume }).await;
    refused(answer, Class::State, Some("VolumeInUse"))
}

async fn detach(stage: &Stage<'_>, made: &Made) -> Result<(), Failure> {
    let (owner, scope) = (&stage.world.owner, stage.service(Purpose::Release));
    let scanner = &stage.world.scanner;
    let attachment = owner.attachment(stage.cloud, &scope, &made.expected, &made.id, scanner).await?;
    stage.ask_patiently(&scope, DetachVolume { attachment, force: false }).await?;
    stage.volume_is(&scope, &made.id, "available").await
}

async fn delete(stage: &Stage<'_>, all: &[Made]) -> Result<(), Failure> {
    let scope = stage.service(Purpose::Release);
    for made in all {
        let volume = stage.world.owner.volume(stage.cloud, &scope, &made.expected, &made.id).await?;
        stage.ask_patiently(&scope, DeleteVolume { volume }).await?;
        stage
            .until(&format!("rid of {}", made.id), async || {
                let found = stage.volumes(&scope, Find::Ids(vec![made.id.clone()])).await?;
                Ok(found.iter().all(|volume| volume.state == "deleted").then_some(()))
            })
            .await?;
    }
    Ok(())
}
