// SPDX-License-Identifier: Apache-2.0
//! Makes journals block by block, as the kernel's documentation of jbd2 describes them.

use std::sync::Arc;

use super::super::{Area, Expect, Loaded, load};
use crate::source::BlockSource;

pub(super) const BLOCK: usize = 1024;
pub(super) const FS_BLOCKS: u64 = 2000;
const MAGIC: u32 = 0xc03b_3998;
const UUID: [u8; 16] = *b"journal's-uuid-0";

/// The features of a journal: compatible, incompatible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features(pub(super) u32, pub(super) u32);
pub(super) const PLAIN: Features = Features(0, 1);
pub(super) const PLAIN64: Features = Features(0, 3);
pub(super) const V1: Features = Features(1, 1);
pub(super) const V1_ASYNC: Features = Features(1, 1 | 4);
pub(super) const V2: Features = Features(0, 1 | 8);
pub(super) const V2_64: Features = Features(0, 3 | 8);
pub(super) const V3: Features = Features(0, 1 | 16);
pub(super) const V3_64: Features = Features(0, 3 | 16);
pub(super) const V3_ASYNC: Features = Features(0, 3 | 4 | 16);
pub(super) const ALL: [Features; 9] = [PLAIN, PLAIN64, V1, V1_ASYNC, V2, V2_64, V3, V3_64, V3_ASYNC];

pub(super) fn raw(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    })
}

fn be(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |crc, byte| {
        (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
            if crc >> 31 == 1 { (crc << 1) ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

/// A journal in the making: its ring is blocks 1 to `len`, and what is written goes round in it.
pub(super) struct Maker {
    pub(super) features: Features,
    pub(super) log: Vec<Vec<u8>>,
    pub(super) ring_end: usize,
    pub(super) at: usize,
    pub(super) start: usize,
    pub(super) sequence: u32,
    pub(super) first_sequence: u32,
    pub(super) seconds: u64,
    pub(super) fast: u32,
    sum: u32,
}

impl Maker {
    pub(super) fn new(features: Features) -> Maker {
        Maker::placed(features, 64, 1, 7)
    }

    /// A journal of `len` blocks whose log starts at block `start` with transaction `sequence`.
    pub(super) fn placed(features: Features, len: usize, start: usize, sequence: u32) -> Maker {
        Maker {
            features,
            log: vec![vec![0; BLOCK]; len],
            ring_end: len,
            at: start,
            start,
            sequence,
            first_sequence: sequence,
            seconds: 1000,
            fast: 0,
            sum: !0,
        }
    }

    fn seed(&self) -> u32 {
        raw(!0, &UUID)
    }

    pub(super) fn wide(&self) -> bool {
        self.features.1 & 2 != 0
    }

    fn tailed(&self) -> bool {
        self.features.1 & 24 != 0
    }

    fn put(&mut self, block: Vec<u8>) -> usize {
        let at = self.at;
        self.log[at] = block;
        self.at = if at + 1 == self.ring_end { 1 } else { at + 1 };
        at
    }

    fn header(&self, kind: u32) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..4].copy_from_slice(&MAGIC.to_be_bytes());
        block[4..8].copy_from_slice(&kind.to_be_bytes());
        block[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        block
    }

    fn close(&self, block: &mut [u8]) {
        if self.tailed() {
            let sum = raw(self.seed(), block);
            block[BLOCK - 4..].copy_from_slice(&sum.to_be_bytes());
        }
    }

    /// A descriptor with its data: home block and content. Answers the place of the descriptor.
    pub(super) fn write(&mut self, blocks: &[(u64, Content)]) -> usize {
        let mut descriptor = self.header(1);
        let mut at = 12;
        let mut data = Vec::new();
        for (number, (home, content)) in blocks.iter().enumerate() {
            let mut content = content.0.clone();
            let mut flags = if number > 0 { 2 } else { 0 } | if number + 1 == blocks.len() { 8 } else { 0 };
            if content[..4] == MAGIC.to_be_bytes() {
                content[..4].fill(0);
                flags |= 1;
            }
            let sum = raw(raw(self.seed(), &self.sequence.to_be_bytes()), &content);
            let (low, high) = (home.to_be_bytes(), u32::try_from(home >> 32).unwrap());
            let mut tag = low[4..].to_vec();
            if self.features.1 & 16 != 0 {
                tag.extend(u32::to_be_bytes(flags));
                tag.extend(high.to_be_bytes());
                tag.extend(sum.to_be_bytes());
            } else {
                let short = if self.features.1 & 8 != 0 { sum & 0xffff } else { 0 };
                tag.extend(u16::try_from(short).unwrap().to_be_bytes());
                tag.extend(u16::try_from(flags).unwrap().to_be_bytes());
                if self.wide() {
                    tag.extend(high.to_be_bytes());
                }
                tag.extend(if self.features.1 & 8 != 0 { vec![0; 2] } else { vec![] });
            }
            if flags & 2 == 0 {
                tag.extend(UUID);
            }
            descriptor[at..at + tag.len()].copy_from_slice(&tag);
            at += tag.len();
            data.push(content);
        }
        self.close(&mut descriptor);
        self.sum = be(self.sum, &descriptor);
        let place = self.put(descriptor);
        for content in data {
            self.sum = be(self.sum, &content);
            self.put(content);
        }
        place
    }

    /// A revoke block.
    pub(super) fn revoke(&mut self, blocks: &[u64]) -> usize {
        let mut block = self.header(5);
        let each = if self.wide() { 8 } else { 4 };
        block[12..16].copy_from_slice(&u32::try_from(16 + each * blocks.len()).unwrap().to_be_bytes());
        for (number, home) in blocks.iter().enumerate() {
            let at = 16 + number * each;
            block[at..at + each].copy_from_slice(&home.to_be_bytes()[8 - each..]);
        }
        self.close(&mut block);
        self.put(block)
    }

    /// A commit block; the next transaction follows. `bend` may spoil it after its checksum was made.
    pub(super) fn commit_bent(&mut self, bend: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut block = self.header(2);
        block[48..56].copy_from_slice(&self.seconds.to_be_bytes());
        if self.features.0 & 1 == 1 {
            block[12..14].copy_from_slice(&[1, 4]);
            block[16..20].copy_from_slice(&self.sum.to_be_bytes());
        }
        if self.tailed() {
            let sum = raw(self.seed(), &block);
            block[16..20].copy_from_slice(&sum.to_be_bytes());
        }
        bend(&mut block);
        self.sum = !0;
        self.sequence = self.sequence.wrapping_add(1);
        self.seconds += 5;
        self.put(block)
    }

    pub(super) fn commit(&mut self) -> usize {
        self.commit_bent(|_| ())
    }

    pub(super) fn superblock(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        let mut word = |at: usize, value: u32| block[at..at + 4].copy_from_slice(&value.to_be_bytes());
        word(0, MAGIC);
        word(4, 4);
        word(0xc, u32::try_from(BLOCK).unwrap());
        word(0x10, u32::try_from(self.log.len()).unwrap());
        word(0x14, 1);
        word(0x18, self.first_sequence);
        word(0x1c, u32::try_from(self.start).unwrap());
        word(0x24, self.features.0);
        word(0x28, self.features.1);
        word(0x54, self.fast);
        block[0x30..0x40].copy_from_slice(&UUID);
        if self.tailed() {
            block[0x50] = 4;
            let sum = raw(!0, &block);
            block[0xfc..0x100].copy_from_slice(&sum.to_be_bytes());
        }
        block
    }

    /// The filesystem: each block is full of [`old`], and the journal lies in two runs.
    pub(super) fn disk(&self) -> (Vec<u8>, Area) {
        let len = u64::try_from(self.log.len()).unwrap();
        let area = Area { block_size: 1024, runs: vec![(300, 10), (400, len - 10)] };
        let mut disk: Vec<u8> = (0..FS_BLOCKS).flat_map(|block| old(block).0).collect();
        let mut log = self.log.clone();
        log[0] = self.superblock();
        for (number, block) in log.iter().enumerate() {
            let at = if number < 10 { 300 + number } else { 390 + number };
            disk[at * BLOCK..(at + 1) * BLOCK].copy_from_slice(block);
        }
        (disk, area)
    }

    pub(super) fn load(&self) -> Loaded {
        let (disk, area) = self.disk();
        load_from(Arc::new(disk), &area)
    }
}

pub(super) fn load_from(source: Arc<dyn BlockSource>, area: &Area) -> Loaded {
    load(&source, area, &Expect { blocks_count: FS_BLOCKS }).unwrap()
}

/// The content of a block, which a failed test shows in short.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content(pub(super) Vec<u8>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}..{:?}", &self.0[..4], self.0[BLOCK - 1])
    }
}

/// What a block held before.
pub(super) fn old(block: u64) -> Content {
    Content(vec![u8::try_from(block % 200).unwrap(); BLOCK])
}

/// What a transaction writes: bytes above those of [`old`].
pub(super) fn new(value: u8) -> Content {
    Content(vec![200 + value; BLOCK])
}

/// Content that starts with the journal's own magic.
pub(super) fn magical() -> Content {
    let mut content = new(9);
    content.0[..4].copy_from_slice(&MAGIC.to_be_bytes());
    content
}
