// SPDX-License-Identifier: Apache-2.0
//! Journals made by hand: each rule of recovery, with all layouts of records.

use std::sync::{Arc, Mutex};

use super::super::{Loaded, Overlay};
use super::maker::*;
use crate::error::SourceError;
use crate::source::count::Counting;
use crate::source::{BlockSource, read_vec};

fn block(overlay: &Overlay, number: u64) -> Content {
    Content(read_vec(overlay, number * 1024, BLOCK).unwrap())
}

fn replayed(loaded: Loaded) -> (Arc<Overlay>, u64) {
    match loaded {
        Loaded::Replayed { overlay, journal_bytes } => (overlay, journal_bytes),
        Loaded::Clean => panic!("clean"),
        Loaded::Stale { why, .. } => panic!("stale: {why}"),
    }
}

fn stale(loaded: Loaded) -> (String, Option<Arc<Overlay>>) {
    match loaded {
        Loaded::Stale { why, overlay } => (why, overlay),
        Loaded::Clean => panic!("clean"),
        Loaded::Replayed { .. } => panic!("replayed"),
    }
}

/// Two transactions: 50 and 51, then 51 and 52.
fn two(features: Features) -> Maker {
    let mut journal = Maker::new(features);
    journal.write(&[(50, new(1)), (51, new(1))]);
    journal.commit();
    journal.write(&[(51, new(2)), (52, new(2))]);
    journal.commit();
    journal
}

#[test]
fn the_newest_version_of_each_block_is_read_in_all_layouts() {
    for features in ALL {
        let (overlay, bytes) = replayed(two(features).load());
        for (number, content) in [(49, old(49)), (50, new(1)), (51, new(2)), (52, new(2)), (53, old(53))] {
            assert_eq!(block(&overlay, number), content, "{features:?}, block {number}");
        }
        assert_eq!((bytes, overlay.blocks()), (8 * 1024, 3), "{features:?}");
        let counts = overlay.counts();
        assert_eq!((counts.transactions, counts.descriptors, counts.tags, counts.uuids), (2, 2, 4, 2));
    }
}

#[test]
fn a_block_number_of_more_than_32_bits_is_beyond_the_end_and_refused() {
    for features in [PLAIN64, V2_64, V3_64] {
        let mut journal = two(features);
        journal.write(&[(54, new(3)), ((1 << 32) + 50, new(3))]);
        journal.commit();
        let (why, overlay) = stale(journal.load());
        assert!(why.contains("4294967346, beyond the end"), "{why}");
        let overlay = overlay.unwrap();
        assert_eq!((block(&overlay, 50), block(&overlay, 54)), (new(1), new(3)));
    }
}

#[test]
fn a_block_that_started_with_the_magic_has_it_again() {
    for features in ALL {
        let mut journal = Maker::new(features);
        journal.write(&[(50, magical()), (51, new(1))]);
        journal.commit();
        let (overlay, _) = replayed(journal.load());
        assert_eq!(block(&overlay, 50), magical(), "{features:?}");
        assert_eq!(overlay.counts().escaped, 1);
        for (from, len) in [(-3_i64, 5), (1, 2), (2, 100), (-1000, 3000)] {
            let around = [old(48), old(49), magical(), new(1), old(52)].map(|content| content.0).concat();
            let at = usize::try_from(2 * 1024 + from).unwrap();
            let read = read_vec(overlay.as_ref(), u64::try_from(50 * 1024 + from).unwrap(), len).unwrap();
            assert_eq!(read, around[at..at + len]);
        }
    }
}

#[test]
fn a_revoked_block_stays_as_it_is_until_it_is_written_again() {
    for features in ALL {
        let mut journal = Maker::new(features);
        journal.write(&[(50, new(1)), (51, new(1)), (52, new(1))]);
        journal.commit();
        journal.revoke(&[50, 51, 1999]);
        journal.write(&[(53, new(2))]);
        journal.commit();
        journal.write(&[(51, new(3))]);
        journal.commit();
        let (overlay, _) = replayed(journal.load());
        for (number, content) in [(50, old(50)), (51, new(3)), (52, new(1)), (53, new(2))] {
            assert_eq!(block(&overlay, number), content, "{features:?}, block {number}");
        }
        let counts = overlay.counts();
        assert_eq!((counts.revoke_blocks, counts.revokes, counts.revoked), (1, 3, 1));
    }
}

#[test]
fn a_revoke_counts_for_its_own_transaction_and_not_without_a_commit() {
    let mut journal = Maker::new(V3_64);
    journal.write(&[(50, new(1)), (51, new(1))]);
    journal.revoke(&[50]);
    journal.commit();
    journal.revoke(&[51]);
    let (overlay, bytes) = replayed(journal.load());
    assert_eq!((block(&overlay, 50), block(&overlay, 51), bytes), (old(50), new(1), 5 * 1024));
}

#[test]
fn the_log_goes_round_at_the_end_of_the_ring_and_numbers_go_round_too() {
    for features in ALL {
        for start in [58, 60, 61, 62, 63] {
            let mut journal = Maker::placed(features, 64, start, u32::MAX);
            journal.write(&[(50, new(1)), (51, new(1)), (52, new(1))]);
            journal.commit();
            journal.revoke(&[51]);
            journal.write(&[(50, new(2))]);
            journal.commit();
            let (overlay, bytes) = replayed(journal.load());
            assert_eq!(block(&overlay, 50), new(2), "{features:?} from {start}");
            assert_eq!((block(&overlay, 51), block(&overlay, 52), bytes), (old(51), new(1), 9 * 1024));
            assert_eq!(overlay.counts().wraps, 1);
        }
    }
}

#[test]
fn a_transaction_without_a_commit_block_is_not_applied() {
    for features in ALL {
        let mut journal = two(features);
        journal.write(&[(50, new(3))]);
        let (overlay, _) = replayed(journal.load());
        assert_eq!(block(&overlay, 50), new(1), "{features:?}");
    }
}

#[test]
fn the_log_ends_at_an_older_sequence_number() {
    let mut journal = two(V3_64);
    journal.sequence -= 2;
    journal.write(&[(50, new(3))]);
    journal.commit();
    assert_eq!(block(&replayed(journal.load()).0, 50), new(1));
}

#[test]
fn a_log_without_a_complete_transaction_is_clean() {
    let mut journal = Maker::new(V3_64);
    journal.write(&[(50, new(1))]);
    assert!(matches!(journal.load(), Loaded::Clean));
    journal.commit();
    journal.start = 0;
    assert!(matches!(journal.load(), Loaded::Clean));
}

#[test]
fn a_logged_block_with_a_wrong_checksum_is_left_out_and_the_rest_applied() {
    for features in [V2, V2_64, V3, V3_64, V3_ASYNC] {
        let mut journal = two(features);
        let at = journal.write(&[(51, new(3)), (52, new(3))]);
        journal.commit();
        journal.log[at + 1][500] ^= 1;
        let (why, overlay) = stale(journal.load());
        assert!(why.contains("checksum of block 51 in transaction 9"), "{why}");
        let overlay = overlay.unwrap();
        assert_eq!((block(&overlay, 51), block(&overlay, 52)), (new(2), new(3)), "{features:?}");
        // The kernel does not look at the checksum of what is revoked anyway.
        journal.revoke(&[51]);
        journal.commit();
        assert_eq!(block(&replayed(journal.load()).0, 51), old(51));
    }
}

#[test]
fn a_wrong_commit_block_ends_the_log_and_is_damage_unless_commits_are_asynchronous() {
    for features in [V1, V2, V3_64, V1_ASYNC, V3_ASYNC] {
        let mut journal = two(features);
        journal.write(&[(50, new(3))]);
        journal.commit_bent(|block| block[17] ^= 1);
        let overlay = if features == V1_ASYNC || features == V3_ASYNC {
            replayed(journal.load()).0
        } else {
            let (why, overlay) = stale(journal.load());
            assert!(why.contains("commit block of transaction 9"), "{why}");
            overlay.unwrap()
        };
        assert_eq!((block(&overlay, 50), block(&overlay, 52)), (new(1), new(2)), "{features:?}");
    }
}

#[test]
fn an_asynchronous_commit_before_its_data_is_damage_only_if_another_one_follows() {
    let mut journal = two(V1_ASYNC);
    let at = journal.write(&[(50, new(3))]);
    journal.commit();
    journal.log[at + 1].fill(0);
    assert_eq!(block(&replayed(journal.load()).0, 50), new(1));
    journal.write(&[(50, new(4))]);
    journal.commit();
    let (why, overlay) = stale(journal.load());
    assert!(why.contains("checksum of a transaction before 10"), "{why}");
    assert_eq!(block(&overlay.unwrap(), 50), new(1));
}

#[test]
fn a_transaction_of_the_first_checksum_version_may_have_none() {
    let mut journal = two(V1);
    journal.write(&[(50, new(3))]);
    journal.commit_bent(|block| block[12..20].fill(0));
    assert_eq!(block(&replayed(journal.load()).0, 50), new(3));
}

#[test]
fn a_wrong_record_ends_the_log_and_is_damage_if_its_commit_is_not_older() {
    for (features, is_revoke) in [(V2_64, true), (V3, true), (V2, false), (V3_64, false)] {
        let mut journal = two(features);
        let at = if is_revoke { journal.revoke(&[50]) } else { journal.write(&[(50, new(3))]) };
        journal.log[at][900] ^= 1;
        assert_eq!(block(&replayed(journal.load()).0, 50), new(1), "no commit block follows");
        let seconds = journal.seconds;
        journal.seconds = 10;
        let commit = journal.commit();
        assert_eq!(block(&replayed(journal.load()).0, 50), new(1), "the commit block is an older log's");
        journal.at = commit;
        journal.sequence -= 1;
        journal.seconds = seconds;
        journal.commit();
        let (why, overlay) = stale(journal.load());
        assert!(why.contains(&format!("block at {at}, transaction 9")), "{why}");
        assert_eq!(block(&overlay.unwrap(), 50), new(1));
    }
}

#[test]
fn a_wrong_commit_block_that_is_older_than_the_one_before_ends_the_log_quietly() {
    let mut journal = two(V3_64);
    journal.write(&[(50, new(3))]);
    journal.seconds = 10;
    journal.commit_bent(|block| block[17] ^= 1);
    assert_eq!(block(&replayed(journal.load()).0, 50), new(1));
}

#[test]
fn a_commit_block_of_which_only_the_first_sector_was_written_counts() {
    let mut journal = two(V3_64);
    journal.write(&[(50, new(3))]);
    journal.commit_bent(|block| block[512..].fill(0xaa));
    assert_eq!(block(&replayed(journal.load()).0, 50), new(3));
}

#[test]
fn a_revoke_block_with_an_impossible_length_is_damage() {
    let mut journal = two(PLAIN);
    let at = journal.revoke(&[50]);
    journal.log[at][12..16].copy_from_slice(&1025_u32.to_be_bytes());
    journal.commit();
    let (why, overlay) = stale(journal.load());
    assert!(why.contains("length of the revoke block"), "{why}");
    assert_eq!(block(&overlay.unwrap(), 50), new(1));
}

#[test]
fn a_transaction_that_never_ends_is_damage_and_no_endless_loop() {
    let mut journal = Maker::new(PLAIN);
    for _ in 0..21 {
        journal.write(&[(50, new(1)), (51, new(1))]);
    }
    assert_eq!(journal.at, 1);
    let (why, overlay) = stale(journal.load());
    assert!(why.contains("transaction 7 has no end") && overlay.is_none(), "{why}");
}

#[test]
fn fast_commits_after_the_last_transaction_are_not_passed_over() {
    let fast_commit = |kind: u16, sequence: u32| {
        let mut block = [kind.to_le_bytes(), 8_u16.to_le_bytes()].concat();
        block.extend(0_u32.to_le_bytes());
        block.extend(sequence.to_le_bytes());
        block.resize(BLOCK, 0);
        block
    };
    for (kind, sequence, is_stale) in [(9, 9, true), (9, 8, false), (8, 9, false), (0, 0, false)] {
        let mut journal = Maker::placed(Features(0, 3 | 16 | 32), 1100, 1, 7);
        (journal.fast, journal.ring_end) = (50, 1050);
        journal.write(&[(50, new(1))]);
        journal.commit();
        journal.write(&[(51, new(2))]);
        journal.commit();
        journal.log[1051] = fast_commit(kind, sequence);
        let overlay = if is_stale {
            let (why, overlay) = stale(journal.load());
            assert!(why.contains("fast commits"), "{why}");
            overlay.unwrap()
        } else {
            replayed(journal.load()).0
        };
        assert_eq!((block(&overlay, 50), block(&overlay, 51)), (new(1), new(2)));
    }
}

#[test]
fn a_superblock_that_the_kernel_refuses_makes_the_filesystem_stale() {
    type Bend = fn(&mut Vec<u8>);
    let cases: [(Features, Bend, &str); 8] = [
        (PLAIN, |block| block[0] = 0, "magic is missing"),
        (PLAIN, |block| block[7] = 1, "its type is 1"),
        (PLAIN, |block| block[0x2b] |= 64, "unsupported feature: journal features 0x41"),
        (PLAIN, |block| block[0xe] = 8, "blocks of 2048 bytes"),
        (PLAIN, |block| block[0x12] = 1, "log from 1 to 320 in a journal of 64 blocks"),
        (PLAIN, |block| block[0x1f] = 64, "log starts at 64"),
        (V3, |block| block[0x1f] = 2, "checksum 0x"),
        (PLAIN, |block| block[0x2b] |= 24, "checksums of two versions"),
    ];
    for (features, bend, part) in cases {
        let (mut disk, area) = two(features).disk();
        let mut superblock = disk[300 * BLOCK..301 * BLOCK].to_vec();
        bend(&mut superblock);
        disk[300 * BLOCK..301 * BLOCK].copy_from_slice(&superblock);
        let (why, overlay) = stale(load_from(Arc::new(disk), &area));
        assert!(why.contains(part) && overlay.is_none(), "{why}");
    }
}

#[test]
fn a_source_that_ends_within_the_log_gives_the_transactions_before() {
    let mut journal = two(V3_64);
    journal.write(&[(50, new(3))]);
    journal.commit();
    let (mut disk, area) = journal.disk();
    disk.truncate(400 * BLOCK);
    let (why, overlay) = stale(load_from(Arc::new(disk), &area));
    assert!(why.contains("beyond the end of the source"), "{why}");
    assert_eq!(block(&overlay.unwrap(), 51), new(2));
}

#[test]
fn what_the_source_cannot_answer_now_is_its_error() {
    struct Absent;
    impl BlockSource for Absent {
        fn len(&self) -> u64 {
            1 << 30
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> Result<(), SourceError> {
            Err(SourceError::NotResident)
        }
    }
    let (_, area) = two(V3).disk();
    let source: Arc<dyn BlockSource> = Arc::new(Absent);
    let error = super::super::load(&source, &area, &super::super::Expect { blocks_count: 9 }).err().unwrap();
    assert!(error.is_not_resident());
}

#[test]
fn a_short_log_is_read_once_in_one_piece_a_run() {
    let (disk, area) = two(V3_64).disk();
    let counting = Arc::new(Counting::new(Arc::new(disk)));
    let (overlay, _) = replayed(load_from(counting.clone(), &area));
    assert_eq!(counting.counts().bytes, 10 * 1024, "the superblock and the nine blocks of the first run");
    read_vec(overlay.as_ref(), 48 * 1024, 6 * 1024).unwrap();
    assert_eq!(counting.counts().bytes, 16 * 1024);
}

/// A source that remembers what was announced.
struct Listening(Vec<u8>, Mutex<Vec<std::ops::Range<u64>>>);

impl BlockSource for Listening {
    fn len(&self) -> u64 {
        BlockSource::len(&self.0)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.0.read_at(offset, buf)
    }
    fn is_hole(&self, _: std::ops::Range<u64>) -> bool {
        true
    }
    fn advise(&self, ranges: &[std::ops::Range<u64>]) {
        self.1.lock().unwrap().extend_from_slice(ranges);
    }
}

#[test]
fn announcements_holes_and_bounds_are_those_of_the_blocks_that_are_read() {
    let (disk, area) = two(V3_64).disk();
    let source = Arc::new(Listening(disk, Mutex::default()));
    let (overlay, _) = replayed(load_from(source.clone(), &area));
    let kib = |from: u64, to: u64| from * 1024..to * 1024;
    assert_eq!(*source.1.lock().unwrap(), [kib(301, 310), kib(400, 454)], "both runs of the ring at once");
    source.1.lock().unwrap().clear();
    overlay.advise(&[kib(49, 51), kib(51, 54)]);
    // Block 50 stands in block 2 of the journal, 51 in 6, 52 in 7.
    assert_eq!(*source.1.lock().unwrap(), [kib(49, 50), kib(302, 303), kib(306, 308), kib(53, 54)]);
    assert!(overlay.is_hole(kib(40, 50)) && !overlay.is_hole(kib(40, 51)) && overlay.is_hole(kib(53, 54)));
    assert!(overlay.covers(50 * 1024 - 1..50 * 1024 + 1) && !overlay.covers(50 * 1024 - 1..50 * 1024));
    assert!(matches!(overlay.read_at(FS_BLOCKS * 1024 - 1, &mut [0; 2]), Err(SourceError::PastEnd { .. })));
}
