// SPDX-License-Identifier: Apache-2.0
//! Volumes and devices.

use super::*;
use crate::ec2::{
    AttachVolume, Attachment, CreateVolume, DeleteVolume, DescribeInstances, DescribeVolumes, DetachVolume,
    ShareSnapshot, Volume,
};

fn create(snapshot: &SnapshotId, token: &str) -> CreateVolume {
    CreateVolume {
        snapshot: snapshot.clone(),
        zone: "eu-west-1a".to_owned(),
        key: None,
        token: token.to_owned(),
        tags: tags(),
    }
}

fn attach(volume: &VolumeId, device: &str) -> AttachVolume {
    AttachVolume { volume: ours(volume), instance: id(HOST), device: device.to_owned() }
}

fn detach(volume: &VolumeId, force: bool) -> DetachVolume {
    let attachment = Attachment {
        volume: volume.clone(),
        instance: id(HOST),
        device: "/dev/sdf".to_owned(),
        state: "attached".to_owned(),
    };
    let value = serde_json::to_value(attachment).expect("a value");
    DetachVolume { attachment: serde_json::from_value(value).expect("the same"), force }
}

async fn look(world: &World, volume: &VolumeId) -> Option<Volume> {
    let request = DescribeVolumes { find: Find::Ids(vec![volume.clone()]), token: None };
    let page = world.ask(SCANNER, Purpose::Read, request).await.expect("a page");
    page.items.into_iter().next()
}

async fn state(world: &World, volume: &VolumeId) -> Option<(String, Option<String>)> {
    let volume = look(world, volume).await?;
    Some((volume.state, volume.attachments.first().map(|at| at.state.clone())))
}

/// A snapshot that is shared with the scanner's account.
async fn shared(world: &World) -> SnapshotId {
    let snapshot = world.completed().await;
    let share = ShareSnapshot { snapshot: ours(&snapshot), with: id(SCANNER) };
    world.ask(TARGET, Purpose::Share, share).await.expect("it is shared");
    snapshot
}

/// An available volume of a shared snapshot.
async fn available(world: &World) -> VolumeId {
    let snapshot = shared(world).await;
    let volume = world.ask(SCANNER, Purpose::Create, create(&snapshot, "t")).await.expect("a volume");
    world.seconds(1).await;
    volume
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_made_of_a_shared_snapshot_in_a_zone_that_exists() {
    let world = World::new();
    let snapshot = world.completed().await;
    let foreign = world.ask(SCANNER, Purpose::Create, create(&snapshot, "t")).await;
    assert_eq!(code(foreign), "InvalidSnapshot.NotFound");
    let snapshot = {
        let share = ShareSnapshot { snapshot: ours(&snapshot), with: id(SCANNER) };
        world.ask(TARGET, Purpose::Share, share).await.expect("it is shared");
        snapshot
    };
    let nowhere = CreateVolume { zone: "eu-west-1x".to_owned(), ..create(&snapshot, "t") };
    assert_eq!(code(world.ask(SCANNER, Purpose::Create, nowhere).await), "InvalidZone.NotFound");
    let volume = world.ask(SCANNER, Purpose::Create, create(&snapshot, "t")).await.expect("a volume");
    assert_eq!(state(&world, &volume).await, Some(("creating".to_owned(), None)));
    let early = world.ask(SCANNER, Purpose::Create, attach(&volume, "/dev/sdf")).await;
    assert_eq!(code(early), "IncorrectState");
    world.seconds(1).await;
    assert_eq!(state(&world, &volume).await, Some(("available".to_owned(), None)));
    assert_eq!(look(&world, &volume).await.and_then(|it| it.snapshot), Some(snapshot));
}

#[tokio::test(start_paused = true)]
async fn a_token_makes_one_volume() {
    let world = World::new();
    let snapshot = shared(&world).await;
    let make = |request| world.ask(SCANNER, Purpose::Create, request);
    let volume = make(create(&snapshot, "t")).await.expect("a volume");
    assert_eq!(make(create(&snapshot, "t")).await.expect("the same"), volume);
    let other = CreateVolume { zone: "eu-west-1b".to_owned(), ..create(&snapshot, "t") };
    assert_eq!(code(make(other).await), "IdempotentParameterMismatch");
    assert_ne!(make(create(&snapshot, "u")).await.expect("another"), volume);
    world.seconds(1).await;
    let delete = DeleteVolume { volume: ours(&volume) };
    world.ask(SCANNER, Purpose::Release, delete).await.expect("it is deleted");
    assert_eq!(state(&world, &volume).await, Some(("deleting".to_owned(), None)));
    world.seconds(1).await;
    assert_eq!(state(&world, &volume).await, None);
    assert_eq!(code(make(create(&snapshot, "t")).await), "IdempotentParameterMismatch");
}

#[tokio::test(start_paused = true)]
async fn a_volume_whose_key_cannot_be_used_is_made_and_vanishes() {
    let world = World::with(|mut builder| {
        let volume = builder.world.volumes.get_mut(&id::<VolumeId>(ROOT)).expect("a volume");
        volume.key = Some(KEY.to_owned());
        builder.key(KeyRecord::new(KEY, id(TARGET)))
    });
    let snapshot = shared(&world).await;
    let volume = world.ask(SCANNER, Purpose::Create, create(&snapshot, "t")).await.expect("an answer");
    world.seconds(9).await;
    assert_eq!(state(&world, &volume).await, Some(("creating".to_owned(), None)));
    world.seconds(1).await;
    assert_eq!(state(&world, &volume).await, None);
    let again = world.ask(SCANNER, Purpose::Create, create(&snapshot, "t")).await;
    assert_eq!(code(again), "IdempotentParameterMismatch");
    let gone = world.events(EventKind::Gone, "kms:Decrypt");
    assert_eq!((gone.len(), gone[0].ids.clone()), (1, vec![volume.to_string()]));
}

#[tokio::test(start_paused = true)]
async fn an_attached_volume_appears_by_its_serial_and_goes_with_its_detachment() {
    let world = World::new();
    let volume = available(&world).await;
    let device = world.path().join("devices").join(volume.serial());
    world.ask(SCANNER, Purpose::Create, attach(&volume, "/dev/sdf")).await.expect("it is attached");
    assert_eq!(state(&world, &volume).await, Some(("in-use".to_owned(), Some("attaching".to_owned()))));
    assert!(!device.exists());
    world.seconds(2).await;
    assert!(device.exists(), "without another call");
    assert_eq!(std::fs::metadata(&device).expect("a device").len(), 1 << 30);
    assert_eq!(state(&world, &volume).await, Some(("in-use".to_owned(), Some("attached".to_owned()))));
    let again = world.ask(SCANNER, Purpose::Create, attach(&volume, "/dev/sdg")).await;
    assert_eq!(code(again), "VolumeInUse");
    let early = world.ask(SCANNER, Purpose::Release, DeleteVolume { volume: ours(&volume) }).await;
    assert_eq!(code(early), "VolumeInUse");
    world.ask(SCANNER, Purpose::Release, detach(&volume, false)).await.expect("it is detached");
    assert_eq!(state(&world, &volume).await, Some(("in-use".to_owned(), Some("detaching".to_owned()))));
    world.seconds(2).await;
    assert!(!device.exists(), "without another call");
    assert_eq!(state(&world, &volume).await, Some(("available".to_owned(), None)));
    assert_eq!(code(world.ask(SCANNER, Purpose::Release, detach(&volume, false)).await), "IncorrectState");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_the_instance_holds_stays_busy_until_forced() {
    let world = World::new();
    let volume = available(&world).await;
    world.ask(SCANNER, Purpose::Create, attach(&volume, "/dev/sdf")).await.expect("it is attached");
    world.seconds(1).await;
    let host = HostState { busy: [volume.clone()].into(), ..HostState::default() };
    host.write(&world.path()).expect("a file");
    world.ask(SCANNER, Purpose::Release, detach(&volume, false)).await.expect("it is accepted");
    world.seconds(5).await;
    assert_eq!(state(&world, &volume).await, Some(("in-use".to_owned(), Some("busy".to_owned()))));
    world.ask(SCANNER, Purpose::Release, detach(&volume, true)).await.expect("it is accepted");
    world.seconds(1).await;
    assert_eq!(state(&world, &volume).await, Some(("available".to_owned(), None)));
}

#[tokio::test(start_paused = true)]
async fn attaching_is_refused_by_zone_name_number_and_marketplace_code() {
    let world = World::with(|mut builder| {
        let kind = crate::ec2::InstanceType {
            kind: "tiny".to_owned(),
            attachments: 3,
            shared: true,
            instance_disks: 1,
        };
        builder.world.settings.types.push(kind);
        let host = builder.world.instances.get_mut(&id::<InstanceId>(HOST)).expect("the host");
        host.kind = "tiny".to_owned();
        let volume = builder.world.volumes.get_mut(&id::<VolumeId>(DATA)).expect("a volume");
        volume.product_codes.push("abc".to_owned());
        builder
    });
    let snapshot = shared(&world).await;
    let make = |request| world.ask(SCANNER, Purpose::Create, request);
    let one = make(create(&snapshot, "1")).await.expect("a volume");
    let two = make(create(&snapshot, "2")).await.expect("a volume");
    let far = CreateVolume { zone: "eu-west-1b".to_owned(), ..create(&snapshot, "3") };
    let far = make(far).await.expect("a volume");
    world.seconds(1).await;
    let attaching =
        |volume: &VolumeId, device: &str| world.ask(SCANNER, Purpose::Create, attach(volume, device));
    assert_eq!(code(attaching(&far, "/dev/sdf").await), "InvalidVolume.ZoneMismatch");
    assert_eq!(code(attaching(&one, "/dev/nvme1n1").await), "InvalidParameterValue");
    attaching(&one, "/dev/sdf").await.expect("the only slot: three less a card and a disk");
    assert_eq!(code(attaching(&two, "/dev/sdf").await), "InvalidParameterValue");
    assert_eq!(code(attaching(&two, "/dev/xvdbc").await), "AttachmentLimitExceeded");
    let data = world.snapshot(DATA).await.expect("a snapshot").id;
    world.seconds(5).await;
    let share = ShareSnapshot { snapshot: ours(&data), with: id(SCANNER) };
    world.ask(TARGET, Purpose::Share, share).await.expect("it is shared");
    let coded = make(create(&data, "4")).await.expect("a volume");
    world.seconds(1).await;
    assert_eq!(code(attaching(&coded, "/dev/sdg").await), "IncorrectInstanceState");
}

#[tokio::test(start_paused = true)]
async fn an_instance_shows_the_volumes_that_are_attached_to_it() {
    let world = World::new();
    let ids = vec![id(INSTANCE), id("i-0dead")];
    let request = DescribeInstances { ids, token: None };
    let page = world.ask(TARGET, Purpose::Read, request.clone()).await.expect("a page");
    assert_eq!(page.items.len(), 1, "an unknown id is missing and no error");
    assert_eq!(page.items[0].disks.len(), 2);
    let foreign = world.ask(STRANGER, Purpose::Read, request).await.expect("a page");
    assert!(foreign.items.is_empty());
    let request = DescribeVolumes { find: Find::AttachedTo(id(INSTANCE)), token: None };
    let volumes = world.ask(TARGET, Purpose::Read, request).await.expect("a page").items;
    assert_eq!(volumes.len(), 2);
    assert!(volumes.iter().all(|volume| volume.state == "in-use" && volume.size_gib == 1));
}
