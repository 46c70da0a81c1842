// SPDX-License-Identifier: Apache-2.0
//! Snapshots, copies, shares, and their blocks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::*;
use crate::dry_run::DryRun;
use crate::ebs::{GetSnapshotBlock, ListSnapshotBlocks};
use crate::ec2::{CopySnapshot, CreateSnapshots, DeleteSnapshot, ShareSnapshot, UnshareSnapshot};

fn set(exclude_root: bool, exclude: Vec<VolumeId>) -> CreateSnapshots {
    let (instance, description) = (id(INSTANCE), "d".to_owned());
    CreateSnapshots { instance, exclude_root, exclude, description, tags: tags() }
}

fn delete(snapshot: &SnapshotId) -> DeleteSnapshot {
    DeleteSnapshot { snapshot: ours(snapshot) }
}

fn list(snapshot: &SnapshotId, token: Option<String>) -> ListSnapshotBlocks {
    ListSnapshotBlocks { snapshot: snapshot.clone(), start: 0, token, most: 100 }
}

fn copy(source: &SnapshotId, key: Option<&str>) -> CopySnapshot {
    CopySnapshot {
        source: source.clone(),
        source_region: crate::Region::parse("eu-west-1").expect("a region"),
        key: key.map(str::to_owned),
        encrypted: key.is_some(),
        description: "c".to_owned(),
        tags: tags(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_pending_until_its_time_has_passed() {
    let world = World::new();
    let snapshot = world.snapshot(ROOT).await.expect("a snapshot");
    assert_eq!(snapshot.state, "pending");
    assert_eq!((snapshot.size_gib, snapshot.owner.as_str()), (1, TARGET));
    world.seconds(4).await;
    assert_eq!(world.state(&snapshot.id).await.as_deref(), Some("pending"));
    world.seconds(1).await;
    assert_eq!(world.state(&snapshot.id).await.as_deref(), Some("completed"));
}

#[tokio::test(start_paused = true)]
async fn a_new_id_is_unknown_for_a_while() {
    let world = World::with(|mut builder| {
        builder.world.settings.latency.late = 3;
        builder
    });
    let snapshot = world.snapshot(ROOT).await.expect("a snapshot").id;
    assert_eq!(world.state(&snapshot).await, None);
    let refused = world.ask(TARGET, Purpose::Release, delete(&snapshot)).await;
    assert_eq!(code(refused), "InvalidSnapshot.NotFound");
    let intent = IntentId::parse(INTENT).expect("an intent");
    assert_eq!(world.find(TARGET, Find::Intent(intent.clone())).await.len(), 0);
    world.seconds(3).await;
    assert_eq!(world.find(TARGET, Find::Intent(intent)).await.len(), 1);
    assert_eq!(world.find(TARGET, Find::Deployment("d1".to_owned())).await.len(), 1);
    assert_eq!(world.find(TARGET, Find::Deployment("d2".to_owned())).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_set_takes_all_volumes_but_those_left_out() {
    let world = World::new();
    let volumes =
        |set: Vec<Snapshot>| -> Vec<String> { set.iter().map(|it| it.volume.to_string()).collect() };
    let all = world.ask(TARGET, Purpose::Create, set(false, Vec::new())).await.expect("a set");
    assert_eq!(volumes(all), [ROOT, DATA]);
    world.seconds(15).await;
    let data = world.ask(TARGET, Purpose::Create, set(true, Vec::new())).await.expect("a set");
    assert_eq!(volumes(data), [DATA]);
    world.seconds(15).await;
    let root = world.ask(TARGET, Purpose::Create, set(false, vec![id(DATA)])).await.expect("a set");
    assert_eq!(volumes(root), [ROOT]);
    for wrong in [vec![id(ROOT)], vec![id("vol-0c")], vec![id(DATA); 41]] {
        let refused = world.ask(TARGET, Purpose::Create, set(false, wrong)).await;
        assert_eq!(code(refused), "InvalidParameterValue");
    }
    let nothing = world.ask(TARGET, Purpose::Create, set(true, vec![id(DATA)])).await;
    assert_eq!(code(nothing), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_set_of_which_one_fails_fails_altogether() {
    let world = World::with(|mut builder| {
        let volume = builder.world.volumes.get_mut(&id::<VolumeId>(DATA)).expect("a volume");
        volume.snapshots_fail = Some("it broke".to_owned());
        builder
    });
    let made = world.ask(TARGET, Purpose::Create, set(false, Vec::new())).await.expect("a set");
    world.seconds(5).await;
    let ids = made.iter().map(|it| it.id.clone()).collect();
    let found = world.find(TARGET, Find::Ids(ids)).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it.state == "error" && it.state_message == "it broke"));
}

#[tokio::test(start_paused = true)]
async fn snapshots_of_a_volume_keep_their_distance_and_their_number() {
    let world = World::with(|mut builder| {
        builder.world.settings.latency.snapshot = 1000;
        builder
    });
    world.snapshot(ROOT).await.expect("the first");
    world.seconds(14).await;
    assert_eq!(code(world.snapshot(ROOT).await), "SnapshotCreationPerVolumeRateExceeded");
    world.snapshot(DATA).await.expect("another volume");
    world.seconds(1).await;
    for _ in 0..4 {
        world.snapshot(ROOT).await.expect("up to five");
        world.seconds(15).await;
    }
    assert_eq!(code(world.snapshot(ROOT).await), "ConcurrentSnapshotLimitExceeded");
    let refused = world.events(EventKind::Refused, "ec2:CreateSnapshot");
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[1].code.as_deref(), Some("ConcurrentSnapshotLimitExceeded"));
    assert_eq!(refused[1].ids, [ROOT]);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_pending_snapshot_takes_effect_when_it_is_complete() {
    let world = World::new();
    let snapshot = world.snapshot(ROOT).await.expect("a snapshot").id;
    world.seconds(1).await;
    world.ask(TARGET, Purpose::Release, delete(&snapshot)).await.expect("it is accepted");
    assert_eq!(world.state(&snapshot).await.as_deref(), Some("pending"));
    assert!(world.path().join(format!("snapshots/{snapshot}.img")).exists());
    world.seconds(4).await;
    assert_eq!(world.state(&snapshot).await, None);
    assert!(!world.path().join(format!("snapshots/{snapshot}.img")).exists());
    let spans = spans(&events(&world.path()).expect("a log"));
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].seconds(0), spans[0].job.as_str(), spans[0].size_gib), (5, "job-1", 1));
    let again = world.ask(TARGET, Purpose::Release, delete(&snapshot)).await;
    assert_eq!(code(again), "InvalidSnapshot.NotFound");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_an_image_is_in_use() {
    let world = World::with(|builder| {
        let snapshot = SnapshotRecord::new(id("snap-0d"), id(TARGET), id(ROOT));
        let mut image = ImageRecord::new(id("ami-0d"), id(TARGET));
        image.disks.insert("/dev/xvda".to_owned(), id("snap-0d"));
        let bytes = std::env::current_exe().expect("some bytes");
        builder.snapshot(snapshot, &bytes).image(image)
    });
    assert_eq!(world.state(&id("snap-0d")).await.as_deref(), Some("completed"));
    let refused = world.ask(TARGET, Purpose::Release, delete(&id("snap-0d"))).await;
    assert_eq!(code(refused), "InvalidSnapshot.InUse");
}

#[tokio::test(start_paused = true)]
async fn another_account_sees_a_snapshot_while_it_is_shared() {
    let world = World::new();
    let snapshot = world.completed().await;
    let find = || Find::Ids(vec![snapshot.clone()]);
    assert!(world.find(SCANNER, find()).await.is_empty());
    let refused = world.ask(SCANNER, Purpose::Read, list(&snapshot, None)).await;
    assert_eq!(code(refused), "AccessDeniedException/UNAUTHORIZED_ACCOUNT");
    let share = ShareSnapshot { snapshot: ours(&snapshot), with: id(SCANNER) };
    world.ask(TARGET, Purpose::Share, share).await.expect("it is shared");
    let seen = world.find(SCANNER, find()).await;
    assert_eq!((seen.len(), seen[0].owner.as_str(), seen[0].tags.len()), (1, TARGET, 0));
    assert!(world.find(STRANGER, find()).await.is_empty());
    let refused = world.ask(SCANNER, Purpose::Release, delete(&snapshot)).await;
    assert_eq!(code(refused), "UnauthorizedOperation");
    let unshare = UnshareSnapshot { snapshot: ours(&snapshot), with: id(SCANNER) };
    world.ask(TARGET, Purpose::Release, unshare).await.expect("it is taken back");
    assert!(world.find(SCANNER, find()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_default_key_encrypts_cannot_be_shared_but_copied() {
    let world = World::with(|mut builder| {
        let mut managed = KeyRecord::new("arn:aws:kms:eu-west-1:222222222222:key/aws", id(TARGET));
        managed.managed = true;
        let volume = builder.world.volumes.get_mut(&id::<VolumeId>(ROOT)).expect("a volume");
        volume.key = Some(managed.arn.clone());
        builder.key(managed).key(KeyRecord::new(KEY, id(TARGET)))
    });
    let snapshot = world.completed().await;
    let share = |of: &SnapshotId| ShareSnapshot { snapshot: ours(of), with: id(SCANNER) };
    let refused = world.ask(TARGET, Purpose::Share, share(&snapshot)).await;
    assert_eq!(code(refused), "OperationNotPermitted");
    let copied = world.ask(TARGET, Purpose::Create, copy(&snapshot, Some(KEY))).await.expect("a copy");
    assert_eq!(world.state(&copied).await.as_deref(), Some("pending"));
    world.seconds(5).await;
    let found = world.find(TARGET, Find::Ids(vec![copied.clone()])).await;
    assert_eq!(found[0].key.as_deref(), Some(KEY));
    assert_eq!(found[0].volume.as_str(), "vol-ffffffff");
    world.ask(TARGET, Purpose::Share, share(&copied)).await.expect("a copy with an own key can be shared");
    let lost =
        world.ask(TARGET, Purpose::Create, copy(&snapshot, Some("arn:aws:kms:eu-west-1:3:key/9"))).await;
    world.seconds(5).await;
    assert_eq!(world.state(&lost.expect("accepted")).await.as_deref(), Some("error"));
}

#[tokio::test(start_paused = true)]
async fn twenty_copies_run_at_once_and_no_more() {
    let world = World::new();
    let snapshot = world.completed().await;
    for _ in 0..20 {
        world.ask(TARGET, Purpose::Create, copy(&snapshot, None)).await.expect("a copy");
    }
    let refused = world.ask(TARGET, Purpose::Create, copy(&snapshot, None)).await;
    assert_eq!(code(refused), "ResourceLimitExceeded");
    world.seconds(5).await;
    world.ask(TARGET, Purpose::Create, copy(&snapshot, None)).await.expect("the others have ended");
}

#[tokio::test(start_paused = true)]
async fn blocks_never_written_are_absent_and_the_others_have_their_bytes() {
    let world = World::new();
    let pending = world.snapshot(ROOT).await.expect("a snapshot").id;
    let refused = world.ask(TARGET, Purpose::Read, list(&pending, None)).await;
    assert_eq!(code(refused), "ValidationException/INVALID_SNAPSHOT_ID");
    world.seconds(5).await;
    let page = world.ask(TARGET, Purpose::Read, list(&pending, None)).await.expect("a page");
    assert_eq!(page.blocks.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 5]);
    assert_eq!((page.token, page.size_gib), (None, 1));
    let from_one = ListSnapshotBlocks { start: 1, ..list(&pending, None) };
    let rest = world.ask(TARGET, Purpose::Read, from_one).await.expect("a page");
    assert_eq!(rest.blocks.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [5]);
    let (index, token) = page.blocks[1].clone();
    let get = GetSnapshotBlock { snapshot: pending.clone(), index, token };
    let block = world.ask(TARGET, Purpose::Read, get.clone()).await.expect("a block");
    let mut expected = vec![0; 512 * 1024];
    expected[..4096].fill(9);
    assert_eq!(block.bytes, expected);
    assert_eq!(block.checksum, STANDARD.encode(Sha256::digest(&expected)));
    let wrong = GetSnapshotBlock { index: 0, ..get.clone() };
    let refused = world.ask(TARGET, Purpose::Read, wrong).await;
    assert_eq!(code(refused), "ValidationException/INVALID_BLOCK_TOKEN");
    world.seconds(7 * 24 * 3600).await;
    let late = world.ask(TARGET, Purpose::Read, get).await;
    assert_eq!(code(late), "ValidationException/INVALID_BLOCK_TOKEN");
    let counts = counts(&world.path()).expect("counts");
    let blocks = counts.iter().find(|count| count.action == "ebs:GetSnapshotBlock").expect("a count");
    assert_eq!((blocks.calls, blocks.job.as_str()), (3, "job-1"));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_blocks_comes_in_short_and_empty_pages_whose_tokens_end() {
    let world = World::with(|mut builder| {
        builder.world.settings.paging = Paging { items: 1, blocks: 1, empty: true };
        builder
    });
    let snapshot = world.completed().await;
    let (mut token, mut sizes, mut indices) = (None, Vec::new(), Vec::new());
    loop {
        let page = world.ask(TARGET, Purpose::Read, list(&snapshot, token)).await.expect("a page");
        sizes.push(page.blocks.len());
        indices.extend(page.blocks.iter().map(|(index, _)| *index));
        token = page.token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((sizes, indices), (vec![0, 1, 0, 1], vec![0, 5]));
    let page = world.ask(TARGET, Purpose::Read, list(&snapshot, None)).await.expect("a page");
    world.seconds(3600).await;
    let late = world.ask(TARGET, Purpose::Read, list(&snapshot, page.token)).await;
    assert_eq!(code(late), "ValidationException/INVALID_PAGE_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn blocks_under_a_key_that_cannot_be_used_are_refused_by_the_reason() {
    for (state, denied, expected) in [
        ("Disabled", false, "ValidationException/INVALID_CUSTOMER_KEY"),
        ("Enabled", true, "AccessDeniedException/DEPENDENCY_ACCESS_DENIED"),
    ] {
        let world = World::with(|mut builder| {
            let volume = builder.world.volumes.get_mut(&id::<VolumeId>(ROOT)).expect("a volume");
            volume.key = Some(KEY.to_owned());
            let mut key = KeyRecord::new(KEY, id(TARGET));
            key.state = state.to_owned();
            key.denied.extend(denied.then(|| id::<AccountId>(TARGET)));
            builder.key(key)
        });
        let snapshot = world.completed().await;
        let refused = world.ask(TARGET, Purpose::Read, list(&snapshot, None)).await;
        assert_eq!(code(refused), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_may_only_do_what_it_is_for() {
    let world = World::new();
    let snapshot = world.completed().await;
    let refused = world.ask(TARGET, Purpose::Read, delete(&snapshot)).await;
    assert_eq!(code(refused), "UnauthorizedOperation");
    let refused = world.ask(TARGET, Purpose::Create, list(&snapshot, None)).await;
    assert_eq!(code(refused), "AccessDeniedException/UNAUTHORIZED_ACCOUNT");
    let refused = world.ask("444444444444", Purpose::Release, delete(&snapshot)).await;
    assert_eq!(code(refused), "AccessDenied");
    let refused =
        world.ask(TARGET, Purpose::Scanner, DescribeSnapshots { find: Find::Ids(Vec::new()), token: None });
    assert_eq!(code(refused.await), "AccessDenied");
    assert_eq!(world.events(EventKind::Refused, "ec2:DeleteSnapshot").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn long_lists_come_in_pages() {
    let world = World::with(|mut builder| {
        builder.world.settings.paging = Paging { items: 1, blocks: 0, empty: true };
        builder
    });
    world.ask(TARGET, Purpose::Create, set(false, Vec::new())).await.expect("a set");
    let (mut token, mut sizes) = (None, Vec::new());
    loop {
        let request = DescribeSnapshots { find: Find::Deployment("d1".to_owned()), token };
        let page = world.ask(TARGET, Purpose::Read, request).await.expect("a page");
        sizes.push(page.items.len());
        token = page.token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [0, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_was_made_is_there_after_the_cloud_is_opened_again() {
    let world = World::new();
    let snapshot = world.completed().await;
    let left = world.path().join(format!("snapshots/{}.img", super::super::call::numbered_id("snap-", 2)));
    let kept = world.path().join("snapshots/snap-0ffffffffffffffff.img");
    File::create(&left).expect("what a call left behind");
    File::create(&kept).expect("what somebody put there");
    let clock = world.cloud.clock;
    let again = Local::with_clock(&world.path(), clock).expect("it opens");
    let cloud = Cloud { service: Arc::new(again), clock };
    let request = DescribeSnapshots { find: Find::Ids(vec![snapshot]), token: None };
    let found = cloud.ask(&scope(TARGET, Purpose::Read), request).await.expect("a page");
    assert_eq!(found.items.len(), 1);
    assert!(!left.exists() && kept.exists());
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_may_be_written_is_copied_and_one_that_may_not_is_linked() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let world = World::new();
    let path = |kind: &str, id: &str| world.path().join(kind).join(format!("{id}.img"));
    let writable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path("volumes", DATA), writable).expect("permissions");
    let linked = world.completed().await;
    let copied = world.snapshot(DATA).await.expect("a snapshot").id;
    world.seconds(5).await;
    let inode = |path: std::path::PathBuf| std::fs::metadata(path).expect("a file").ino();
    assert_eq!(inode(path("volumes", ROOT)), inode(path("snapshots", linked.as_str())));
    assert_ne!(inode(path("volumes", DATA)), inode(path("snapshots", copied.as_str())));
    let file = File::options().write(true).open(path("volumes", DATA)).expect("a volume");
    file.write_all_at(&[1; 512], 3 * 512 * 1024).expect("what comes after the snapshot");
    let page = world.ask(TARGET, Purpose::Read, list(&copied, None)).await.expect("a page");
    assert_eq!(page.blocks.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_answered_as_the_real_call_would_be_permitted_and_leaves_no_event() {
    let world = World::new();
    let snapshot = world.completed().await;
    let before = events(&world.path()).expect("a log");
    let dry = || DryRun::DeleteSnapshot { snapshot: snapshot.clone() };
    world.ask(TARGET, Purpose::Release, dry()).await.expect("it may");
    assert_eq!(code(world.ask(TARGET, Purpose::Create, dry()).await), "UnauthorizedOperation");
    assert_eq!(code(world.ask("444444444444", Purpose::Release, dry()).await), "AccessDenied");
    assert_eq!(events(&world.path()).expect("a log"), before);
    assert_eq!(world.state(&snapshot).await.as_deref(), Some("completed"));
}
