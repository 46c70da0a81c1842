// SPDX-License-Identifier: Apache-2.0
//! The same over a folder as a cloud, which answers as AWS does.

use std::fs::File;
use std::os::unix::fs::FileExt;

use snapscan_cloud::local::{Account, Builder, Local, Paging, Settings, SnapshotRecord};

use super::*;

const ACCOUNT: &str = "222222222222";
const BLOCK: u64 = BLOCK_BYTES as u64;

fn snapshot() -> SnapshotRecord {
    let record = serde_json::json!({ "id": "snap-0a", "account": ACCOUNT, "volume": "vol-0a" });
    serde_json::from_value(record).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_block_of_a_snapshot_is_that_of_its_image_however_the_list_is_cut_into_pages() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let file = File::create(&image).unwrap();
    file.set_len(1 << 30).unwrap();
    let written = [0, 1, 2, 7, 30, 31, 500, 1999, 2047];
    for index in written {
        file.write_all_at(&[u8::try_from(index % 251).unwrap() + 1; 3000], index * BLOCK + 100_000).unwrap();
    }
    let paging = Paging { blocks: 2, empty: true, ..Paging::default() };
    let builder = Builder::new()
        .settings(Settings { paging, ..Settings::default() })
        .account(Account::new(AccountId::parse(ACCOUNT).unwrap()))
        .snapshot(snapshot(), &image);
    builder.write(&folder.path().join("cloud")).unwrap();
    let local = Local::with_clock(&folder.path().join("cloud"), Clock::from(START)).unwrap();
    let cloud = Cloud { clock: local.clock(), service: Arc::new(local) };
    let scope = Scope {
        account: AccountId::parse(ACCOUNT).unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Read,
        job: "job-1".to_owned(),
    };
    let purse = Arc::new(purse(folder.path(), cloud.clock, 1_000_000));
    let direct = Direct::new(cloud, vec![(scope, snapshot().id)], purse, CancellationToken::new());
    assert_eq!(direct.open().await.unwrap(), [1 << 30]);
    let image = File::open(&image).unwrap();
    for index in (0..40).chain(490..510).chain(1990..2048) {
        let (tell, told) = oneshot::channel();
        direct.fetch(Wanted { volume: 0, index }, Box::new(move |fetched| tell.send(fetched).unwrap()));
        let mut wanted = vec![0; BLOCK_BYTES];
        image.read_exact_at(&mut wanted, index * BLOCK).unwrap();
        match told.await.unwrap() {
            Fetched::Bytes(bytes) => assert!(bytes == wanted && written.contains(&index), "{index}"),
            Fetched::Zero => assert!(!written.contains(&index), "{index}"),
            refused => panic!("{index}: {refused:?}"),
        }
    }
    assert_eq!(direct.calls().gets, 9);
}
