// SPDX-License-Identifier: Apache-2.0
//! The same job over the folder that stands in for a cloud.

use std::fs::File;
use std::path::Path;

use snapscan_cloud::Purpose;
use snapscan_cloud::ec2::{DescribeSnapshots, DescribeVolumes, Find};
use snapscan_cloud::host::Describe;
use snapscan_cloud::local::{Account, Builder, InstanceRecord, Local, VolumeRecord};

use super::*;

/// A target in an account of its own, with two disks.
fn build(folder: &Path) {
    let image = folder.join("image");
    File::create(&image).unwrap().set_len(1 << 20).unwrap();
    let mut instance = InstanceRecord::new(target(), account(3), "eu-west-1a");
    let volumes = volumes_of(&target());
    instance.disks = ["/dev/xvda", "/dev/sdf"].map(str::to_owned).into_iter().zip(volumes.clone()).collect();
    let mut builder = Builder::new().account(Account::new(account(3))).instance(instance);
    for volume in volumes {
        builder = builder.volume(VolumeRecord::new(volume, account(3), "eu-west-1a"), &image);
    }
    builder.write(&folder.join("cloud")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_over_a_folder_leaves_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path());
    let clock = Clock::from(Timestamp(1_800_000_000));
    let service = Arc::new(Local::with_clock(&folder.path().join("cloud"), clock).unwrap());
    let cloud = Cloud { service, clock };
    let there = Place { account: account(3), region: region(), job: JOB.to_owned() };
    let own = Place { account: account(1), ..there.clone() };
    let host = cloud.ask(&own.scope(Purpose::Scanner), Describe {}).await.unwrap();
    let ledger = Ledger::open(folder.path(), Opening::Agent).unwrap();
    let owner = Arc::new(Owner::new("test".to_owned(), [7; 32]));
    let agent = Resources::new(cloud.clone(), owner, ledger, host.clone());

    let (instance, volumes) = (target(), volumes_of(&target()));
    let set = SetOf { instance: &instance, volumes: &volumes, root_left_out: None, exclude: &[] };
    let set = agent.snapshot_set(&there, &set).await.unwrap();
    let ids: Vec<_> = set.iter().map(|one| one.id.clone()).collect();
    let set = agent.wait_completed(&there, &ids, MINUTES).await.unwrap();
    agent.share(&there, &ids[0], &host.account).await.unwrap();
    let home = agent.home(JOB);
    let volume = agent.volume(&home, &set[0], &host.zone, None, MINUTES).await.unwrap();
    agent.attach(&home, &volume.id, "/dev/sdf", MINUTES).await.unwrap();

    let released = agent.release(JOB).await.unwrap();
    assert_eq!((released.released, released.held, released.loud), (5, 0, 0), "{released:#?}");
    let find = Find::Deployment("test".to_owned());
    let snapshots = DescribeSnapshots { find, token: None };
    let snapshots = cloud.ask(&there.scope(Purpose::Read), snapshots).await.unwrap();
    assert_eq!((snapshots.items, snapshots.token), (vec![], None));
    let find = Find::Deployment("test".to_owned());
    let volumes = cloud.ask(&home.scope(Purpose::Read), DescribeVolumes { find, token: None }).await.unwrap();
    assert!(volumes.items.iter().all(|one| one.state == "deleted"), "{volumes:?}");
}
