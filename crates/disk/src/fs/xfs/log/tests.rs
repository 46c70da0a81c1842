// SPDX-License-Identifier: Apache-2.0
//! Logs made by hand: each rule of recovery by itself.

mod made;

use std::sync::Arc;

use super::Loaded;
use crate::fs::xfs::log::load;
use crate::source::{BlockSource, cache::Cache, count::Counting, read_vec, rounds::Rounds};
use made::{
    CONTINUED_END, CONTINUES, LOG, LOG_BYTES, Made, START, UNMOUNT, UUID, buffer, geometry, inode, whole,
};

/// Changes 128 bytes at byte 8192.
fn change(byte: u8) -> Vec<Vec<u8>> {
    vec![buffer(16, 8, 0, 1, 2), vec![byte; 128]]
}

fn lsn(cycle: u64, block: usize) -> [u8; 8] {
    (cycle << 32 | block as u64).to_be_bytes()
}

#[test]
fn log_that_was_never_written_is_clean() {
    assert!(matches!(Made::new().load(), Loaded::Clean));
}

#[test]
fn log_that_ends_with_an_unmount_is_clean() {
    for mut made in [Made::new(), Made::at(100)] {
        made.transaction(&change(1));
        made.record(&[(1, UNMOUNT, vec![0; 8])]);
        assert!(matches!(made.load(), Loaded::Clean));
    }
}

#[test]
fn changed_chunk_covers_only_its_own_bytes() {
    let mut made = Made::new();
    made.transaction(&[buffer(16, 8, 0, 0b110_0001, 3), vec![1; 128], vec![2; 256]]);
    let block = made.recovered(8192 - 64, 1024 + 64);
    let expected = [(64, 0), (128, 1), (512, 0), (256, 2), (128, 0)];
    let expected: Vec<u8> = expected.iter().flat_map(|&(len, byte)| vec![byte; len]).collect();
    assert_eq!(block, expected);
    assert_eq!(made.recovered(8192 + 640, 10), [2; 10], "a read from within a chunk");
}

#[test]
fn run_of_chunks_in_two_regions_is_joined() {
    let mut made = Made::new();
    made.transaction(&[buffer(16, 8, 0, 0b111, 3), vec![1; 128], vec![2; 256]]);
    assert_eq!(made.recovered(8192, 384), [vec![1; 128], vec![2; 256]].concat());
}

#[test]
fn words_that_the_cycle_displaced_come_back_beyond_the_first_header() {
    let mut made = Made { size: 256 << 10, ..Made::at(300) };
    // 16 blocks of 4 KiB: 64 KiB of changes need displaced words from three headers.
    let mut regions = Vec::new();
    for n in 0..16_u8 {
        regions.push(buffer(16 + 8 * u64::from(n), 8, 0, u32::MAX, 2));
        regions.push((0..4096_u32).map(|at| (at / 7) as u8 ^ n).collect());
    }
    made.transaction(&regions);
    assert_eq!(made.cycle, 2, "it does not wrap");
    for n in 0..16 {
        assert_eq!(made.recovered(8192 + 4096 * n as u64, 4096), regions[2 * n + 1], "block {n}");
    }
}

#[test]
fn record_that_wraps_is_read_on_from_the_start_of_the_log() {
    let last = LOG_BYTES / 512;
    for head in last - 12..last {
        let mut made = Made::at(head);
        made.transaction(&[buffer(16, 8, 0, u32::MAX, 2), (0..4096_u32).map(|at| (at / 5) as u8).collect()]);
        assert_eq!(made.recovered(8192, 4096), (0..4096_u32).map(|at| (at / 5) as u8).collect::<Vec<_>>());
    }
}

#[test]
fn torn_record_and_all_after_it_never_happened() {
    for start in [Made::new, || Made::at(40)] {
        let mut made = start();
        made.transaction(&change(1));
        let torn = made.transaction(&change(2));
        made.transaction(&change(3));
        assert_eq!(made.recovered(8192, 1), [3]);
        made.image[LOG + torn * 512 + 700] ^= 1;
        assert_eq!(made.recovered(8192, 1), [1]);
    }
}

#[test]
fn record_whose_last_blocks_were_never_written_never_happened() {
    let mut made = Made::at(40);
    made.transaction(&change(1));
    let torn = made.transaction(&[buffer(16, 8, 0, u32::MAX, 2), vec![2; 4096]]);
    let block = LOG + (torn + 5) * 512;
    made.image[block..][..4].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(made.recovered(8192, 1), [1]);
}

#[test]
fn transaction_without_commit_never_happened() {
    let mut made = Made::new();
    made.transaction(&change(1));
    let mut ops = whole(&change(2));
    ops.pop();
    made.record(&ops);
    assert_eq!(made.recovered(8192, 1), [1]);
}

#[test]
fn region_and_header_that_go_on_in_later_records_are_joined() {
    let mut made = Made::new();
    let content: Vec<u8> = (0..=255).collect();
    let mut ops = whole(&[buffer(16, 8, 0, 0b11, 2)]);
    let commit = ops.pop().unwrap();
    let header = std::mem::take(&mut ops[1].2);
    ops[1] = (9, CONTINUES, header[..6].to_vec());
    ops.insert(2, (9, CONTINUED_END, header[6..].to_vec()));
    ops.push((9, CONTINUES, content[..50].to_vec()));
    made.record(&ops);
    let other = (8, START, vec![]);
    made.record(&[other, (9, 0x0c, content[50..200].to_vec())]);
    made.record(&[(9, CONTINUED_END, content[200..].to_vec()), commit]);
    assert_eq!(made.recovered(8192, 256), content);
}

#[test]
fn cancelled_buffer_is_not_replayed_but_what_was_logged_of_it_later_is() {
    let mut made = Made::new();
    made.transaction(&change(1));
    made.transaction(&[buffer(16, 8, 2, 0, 1)]);
    assert_eq!(made.recovered(8192, 1), [0]);
    made.transaction(&[buffer(16, 8, 0, 2, 2), vec![3; 128]]);
    let block = made.recovered(8192, 256);
    assert_eq!((block[0], block[128]), (0, 3));
    made.transaction(&[buffer(16, 16, 2, 0, 1)]);
    assert_eq!(made.recovered(8320, 1), [3], "another length is another buffer");
}

#[test]
fn cancelled_buffer_drops_the_inodes_in_it() {
    let mut made = Made::new();
    made.transaction(&inode(16384, 0o100_644, 5));
    assert_eq!(made.recovered(16384, 4), [b'I', b'N', 0x81, 0xa4]);
    made.transaction(&[buffer(32, 32, 2, 0, 1)]);
    assert_eq!(made.recovered(16384, 4), [0; 4]);
}

#[test]
fn block_on_disk_that_is_as_new_as_the_transaction_stays() {
    for (number, replayed) in
        [(lsn(2, 39), true), (lsn(2, 40), false), (lsn(2, 41), false), (lsn(0, 0), true)]
    {
        let mut made = Made::at(40);
        made.image[8192..8196].copy_from_slice(b"XDD3");
        made.image[8208..8216].copy_from_slice(&number);
        made.image[8216..8232].copy_from_slice(&UUID);
        made.transaction(&[buffer(16, 8, 0, 2, 2), vec![9; 128]]);
        assert_eq!(made.recovered(8320, 1), [if replayed { 9 } else { 0 }], "{number:?}");
        made.image[8216] = 1;
        assert_eq!(made.recovered(8320, 1), [9], "a sequence number of another filesystem does not count");
    }
}

#[test]
fn inode_on_disk_stays_only_if_it_is_newer_than_the_transaction() {
    for (number, replayed) in [(lsn(2, 39), true), (lsn(2, 40), true), (lsn(2, 41), false)] {
        let mut made = Made::at(40);
        made.image[16384..16386].copy_from_slice(b"IN");
        made.image[16388] = 3;
        made.image[16384 + 112..][..8].copy_from_slice(&number);
        made.transaction(&inode(16384, 0o100_600, 0x1234));
        let size = if replayed { 0x1234_u64 } else { 0 };
        assert_eq!(made.recovered(16384 + 56, 8), size.to_be_bytes(), "{number:?}");
    }
}

#[test]
fn created_chunk_hides_what_was_there_and_later_inodes_lie_over_it() {
    let mut made = Made::at(40);
    made.image[32768..65536].fill(0xee);
    let mut create = vec![0x3f, 0x12, 1, 0];
    for number in [0_u32, 8, 64, 512, 8, 77] {
        create.extend(number.to_be_bytes());
    }
    made.transaction(&[create]);
    made.transaction(&inode(32768 + 512, 0o100_600, 3));
    let two = made.recovered(32768, 1024);
    assert_eq!(two[..6], [b'I', b'N', 0, 0, 3, 0]);
    assert_eq!(two[152..160], 64_u64.to_be_bytes());
    assert_eq!(two[92..96], 77_u32.to_be_bytes());
    assert_eq!(two[512 + 56..512 + 64], 3_u64.to_be_bytes());
    assert_eq!(made.recovered(65535, 2)[0], 0);
}

#[test]
fn unfinished_map_makes_its_inode_stale_until_it_is_done() {
    let mut announced = vec![0x44, 0x12, 1, 0, 1, 0, 0, 0];
    announced.extend([5_u64, 131, 0, 0, 0].iter().flat_map(|number| number.to_le_bytes()));
    let mut done = vec![0x45, 0x12, 1, 0, 0, 0, 0, 0];
    done.extend(5_u64.to_le_bytes());
    let mut made = Made::new();
    made.transaction(&[announced]);
    let stale = |made: &Made| match made.load() {
        Loaded::Replayed(replay) => replay.stale_inodes.into_iter().collect::<Vec<_>>(),
        _ => panic!("the log is not replayed"),
    };
    assert_eq!(stale(&made), [131]);
    made.transaction(&[done]);
    assert_eq!(stale(&made), [0; 0]);
}

#[test]
fn unknown_item_makes_the_filesystem_stale_and_the_rest_is_applied() {
    let mut made = Made::new();
    made.transaction(&change(4));
    made.transaction(&[vec![0x99, 0x12, 1, 0]]);
    let Loaded::Stale { why, replay: Some(replay) } = made.load() else { panic!("the log is not stale") };
    assert!(why.contains("0x1299"), "{why}");
    assert_eq!(read_vec(replay.overlay.as_ref(), 8192, 1).unwrap(), [4]);
}

#[test]
fn damage_before_the_last_writes_makes_the_filesystem_stale() {
    let mut made = Made { size: 4096, ..Made::new() };
    let damaged = made.transaction(&change(1));
    (0..20).for_each(|byte| _ = made.transaction(&change(byte)));
    made.image[LOG + damaged * 512 + 700] ^= 1;
    let Loaded::Stale { why, .. } = made.load() else { panic!("the log is not stale") };
    assert!(why.contains("checksum"), "{why}");
}

#[test]
fn dirty_version_4_and_external_logs_are_stale() {
    let mut made = Made::new();
    made.transaction(&change(1));
    let source: Arc<dyn BlockSource> = Arc::new(made.image);
    let v4 = super::Geometry { v5: false, ..geometry() };
    let external = super::Geometry { log_start: None, ..geometry() };
    for geometry in [v4, external] {
        assert!(matches!(load::load(&source, &geometry), Ok(Loaded::Stale { replay: None, .. })));
    }
}

/// Flips bits and mends the checksum's field to 0, which mkfs writes and nobody checks, so that the flips get far.
#[test]
fn flipped_bits_in_a_log_never_panic_or_hang() {
    let mut made = Made::at(480);
    let mut create = vec![0x3f, 0x12, 1, 0];
    for number in [0_u32, 8, 64, 512, 8, 77] {
        create.extend(number.to_be_bytes());
    }
    made.transaction(&[change(1), vec![create], inode(32768 + 512, 0o100_600, 3).to_vec()].concat());
    made.transaction(
        &[inode(16384, 0o100_600, 3).to_vec(), change(2), vec![buffer(64, 8, 2, 0, 1)]].concat(),
    );
    let is_head = |block: &usize| made.image[LOG + block * 512..].starts_with(&[0xfe, 0xed]);
    let heads: Vec<usize> = (0..LOG_BYTES / 512).filter(is_head).collect();
    heads.iter().for_each(|head| made.image[LOG + head * 512 + 32..][..4].fill(0));
    assert_eq!(made.recovered(8192, 1), [2]);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..3000 {
        let mut image = made.image.clone();
        for _ in 0..=random(4) {
            let block = (heads[random(heads.len())] + random(6)) % (LOG_BYTES / 512);
            image[LOG + block * 512 + random(512)] ^= 1 << random(8);
        }
        let source: Arc<dyn BlockSource> = Arc::new(image);
        let (Ok(Loaded::Replayed(replay)) | Ok(Loaded::Stale { replay: Some(replay), .. })) =
            load::load(&source, &geometry())
        else {
            continue;
        };
        for offset in [0, 8000, 16000, 32768, 40000] {
            // Damage may point beyond the source; that is an answer too.
            _ = read_vec(replay.overlay.as_ref(), offset, 9000);
        }
    }
}

#[test]
fn clean_log_of_64_mib_is_recognized_in_three_rounds_and_few_blocks() {
    const LOG_64: usize = 64 << 20;
    let mut made = Made::at(100);
    made.record(&[(1, UNMOUNT, vec![0; 8])]);
    let mut image = made.image;
    image.resize(LOG + LOG_64, 0);
    for block in LOG_BYTES / 512..LOG_64 / 512 {
        image[LOG + block * 512..][..4].copy_from_slice(&1_u32.to_be_bytes());
    }
    let counting = Arc::new(Counting::new(Arc::new(image)));
    let rounds = Arc::new(Rounds::default());
    let source: Arc<dyn BlockSource> = Cache::new(counting.clone(), &rounds, 64 << 20);
    let geometry = super::Geometry { log_bytes: LOG_64 as u64, ..geometry() };
    assert!(matches!(load::load(&source, &geometry), Ok(Loaded::Clean)));
    let large = counting.counts().blocks_512k;
    assert!(rounds.count() <= 4 && large <= 25, "{} rounds, {large} blocks of 512 KiB", rounds.count());
}
