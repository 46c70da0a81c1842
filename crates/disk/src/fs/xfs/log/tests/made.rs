// SPDX-License-Identifier: Apache-2.0
//! Writes logs by hand, as `xfs_log_format.h` and the kernel's log code describe them.

use std::sync::Arc;

use super::super::{Geometry, Loaded, load};
use crate::source::BlockSource;

/// Where the log begins in the image, and its length.
pub(super) const LOG: usize = 1 << 20;
pub(super) const LOG_BYTES: usize = 256 << 10;
pub(super) const UUID: [u8; 16] = [7; 16];

pub(super) const START: u8 = 1;
pub(super) const COMMIT: u8 = 2;
pub(super) const CONTINUES: u8 = 4;
pub(super) const CONTINUED_END: u8 = 0x18;
pub(super) const UNMOUNT: u8 = 0x20;

/// Transaction, flags, bytes.
pub(super) type Op = (u32, u8, Vec<u8>);

pub(super) struct Made {
    pub(super) image: Vec<u8>,
    pub(super) cycle: u32,
    /// The block where the next record begins.
    pub(super) head: usize,
    pub(super) tail: u64,
    /// Bytes of the largest record: sets how many headers a record has.
    pub(super) size: usize,
}

pub(super) fn geometry() -> Geometry {
    Geometry {
        block_log: 12,
        group_blocks: 256,
        groups: 1,
        group_log: 8,
        inode_size: 512,
        inodes_per_block_log: 3,
        cluster_blocks: 4,
        log_start: Some(LOG as u64),
        log_bytes: LOG_BYTES as u64,
        uuid: UUID,
        meta_uuid: UUID,
        v5: true,
    }
}

impl Made {
    /// An image whose log is at the first block of its first turn.
    pub(super) fn new() -> Made {
        Made { image: vec![0; LOG + LOG_BYTES], cycle: 1, head: 0, tail: 1 << 32, size: 32 << 10 }
    }

    /// An image whose log was written around once and goes on at this block.
    pub(super) fn at(head: usize) -> Made {
        let mut made = Made { cycle: 2, head, tail: 2 << 32 | head as u64, ..Made::new() };
        for block in 0..LOG_BYTES / 512 {
            let cycle: u32 = if block < head { 2 } else { 1 };
            made.image[LOG + block * 512..][..4].copy_from_slice(&cycle.to_be_bytes());
        }
        made
    }

    /// Writes a record at the head; gives its first block.
    pub(super) fn record(&mut self, ops: &[Op]) -> usize {
        let mut data = Vec::new();
        for (transaction, flags, bytes) in ops {
            data.extend(transaction.to_be_bytes());
            data.extend((bytes.len() as u32).to_be_bytes());
            data.extend([0x69, *flags, 0, 0]);
            data.extend(bytes);
        }
        data.resize(data.len().next_multiple_of(512), 0);
        let headers = self.size.div_ceil(32 << 10);
        let mut record = vec![0; headers * 512];
        let put = |record: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            record[at..][..bytes.len()].copy_from_slice(bytes)
        };
        put(&mut record, 0, &0xfeed_babe_u32.to_be_bytes());
        put(&mut record, 4, &self.cycle.to_be_bytes());
        put(&mut record, 8, &2_u32.to_be_bytes());
        put(&mut record, 12, &(data.len() as u32).to_be_bytes());
        put(&mut record, 16, &(u64::from(self.cycle) << 32 | self.head as u64).to_be_bytes());
        put(&mut record, 24, &self.tail.to_be_bytes());
        put(&mut record, 40, &(ops.len() as u32).to_be_bytes());
        put(&mut record, 300, &1_u32.to_be_bytes());
        put(&mut record, 304, &UUID);
        put(&mut record, 320, &(self.size as u32).to_be_bytes());
        for (n, block) in data.chunks_mut(512).enumerate() {
            let at = if n < 64 { 44 } else { (n / 64) * 512 + 4 } + (n % 64) * 4;
            put(&mut record, at, &block[..4]);
            block[..4].copy_from_slice(&self.cycle.to_be_bytes());
        }
        for header in 1..headers {
            put(&mut record, header * 512, &self.cycle.to_be_bytes());
        }
        record.extend(data);
        self.write(record, headers)
    }

    /// Gives blocks past the end of the log their own cycle number, then the checksum, then writes all.
    fn write(&mut self, mut record: Vec<u8>, headers: usize) -> usize {
        let (first, blocks) = (self.head, LOG_BYTES / 512);
        for (n, block) in record.chunks_mut(512).enumerate().skip(1) {
            if first + n >= blocks {
                block[..4].copy_from_slice(&(self.cycle + 1).to_be_bytes());
            }
        }
        let data = &record[headers * 512..];
        let mut summed = record[..328].to_vec();
        (1..data.len().div_ceil(32 << 10)).for_each(|n| summed.extend(&record[n * 512..][..260]));
        summed.extend(data);
        let crc = crc32c::crc32c(&summed);
        record[32..36].copy_from_slice(&crc.to_le_bytes());
        for (n, block) in record.chunks(512).enumerate() {
            self.image[LOG + (first + n) % blocks * 512..][..512].copy_from_slice(block);
        }
        self.head = first + record.len() / 512;
        if self.head >= blocks {
            (self.head, self.cycle) = (self.head - blocks, self.cycle + 1);
        }
        first
    }

    /// Writes a record with one whole transaction of these regions.
    pub(super) fn transaction(&mut self, regions: &[Vec<u8>]) -> usize {
        let ops = whole(regions);
        self.record(&ops)
    }

    pub(super) fn load(&self) -> Loaded {
        let source: Arc<dyn BlockSource> = Arc::new(self.image.clone());
        load(&source, &geometry()).unwrap()
    }

    /// The bytes that the overlay gives; the log must be replayable.
    pub(super) fn recovered(&self, offset: u64, len: usize) -> Vec<u8> {
        let Loaded::Replayed(replay) = self.load() else { panic!("the log is not replayed") };
        crate::source::read_vec(replay.overlay.as_ref(), offset, len).unwrap()
    }
}

/// The operations of one transaction.
pub(super) fn whole(regions: &[Vec<u8>]) -> Vec<Op> {
    let mut header = 0x5452_414e_u32.to_le_bytes().to_vec();
    header.resize(16, 0);
    let mut ops = vec![(9, START, vec![]), (9, 0, header)];
    ops.extend(regions.iter().map(|region| (9, 0, region.clone())));
    ops.push((9, COMMIT, vec![]));
    ops
}

/// The format of a buffer's item: `sector` and `sectors` of 512 bytes, the chunks' bits.
pub(super) fn buffer(sector: u64, sectors: u16, flags: u16, chunks: u32, regions: u16) -> Vec<u8> {
    let mut format = Vec::new();
    for half in [0x123c, regions, flags, sectors] {
        format.extend(half.to_le_bytes());
    }
    format.extend(sector.to_le_bytes());
    format.extend(1_u32.to_le_bytes());
    format.extend(chunks.to_le_bytes());
    format
}

/// An inode's item with its core only: mode and size.
pub(super) fn inode(start: u64, mode: u16, size: u64) -> [Vec<u8>; 2] {
    let mut format = vec![0; 56];
    format[..4].copy_from_slice(&[0x3b, 0x12, 2, 0]);
    format[4] = 1;
    format[16..24].copy_from_slice(&(start / 512).to_le_bytes());
    format[40..48].copy_from_slice(&(start / 512 / 32 * 32).to_le_bytes());
    format[48..52].copy_from_slice(&32_u32.to_le_bytes());
    format[52..56].copy_from_slice(&((start % (32 * 512)) as u32).to_le_bytes());
    let mut core = vec![0; 176];
    core[..2].copy_from_slice(b"NI");
    core[2..4].copy_from_slice(&mode.to_le_bytes());
    core[4] = 3;
    core[56..64].copy_from_slice(&size.to_le_bytes());
    [format, core]
}
