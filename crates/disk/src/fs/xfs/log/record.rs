// SPDX-License-Identifier: Apache-2.0
//! One record of the log: its header, its checksum, and the words that its cycle number displaced.
//!
//! A record is what one write put into the log. So that a torn write shows, the first four bytes of each of its
//! blocks are replaced by the cycle number, which counts how often the log was written around; the displaced words
//! stand in the header, and beyond 32 KiB in extended headers that follow it.

use crate::bytes::{Bytes, index, wide};

use super::ring::BLOCK;

/// The first word of each record's header.
const MAGIC: u32 = 0xfeed_babe;
/// Bytes of a record whose displaced words fit into one header.
const BYTES_PER_HEADER: u32 = 32 << 10;
/// Displaced words in one header.
const WORDS_PER_HEADER: usize = 64;
/// Bytes of the largest record.
pub(super) const LARGEST: u32 = 256 << 10;
/// Blocks of the largest record with its headers.
pub(super) const LARGEST_BLOCKS: u64 = 520;

/// A log sequence number: the cycle in the high half, the block in the low one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lsn(pub(super) u64);

impl Lsn {
    /// The block of the log, counted in 512 bytes.
    pub(super) fn block(self) -> u64 {
        self.0 & 0xffff_ffff
    }
}

/// A record's header.
///
/// Shape: 512 bytes, big-endian but for the checksum; the extended headers are blocks of the same size.
/// Source: `struct xlog_rec_header` and `xlog_rec_ext_header` in Linux, fs/xfs/libxfs/xfs_log_format.h.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Which turn around the log wrote it.
    pub(super) cycle: u32,
    /// Bytes after the headers.
    pub(super) len: u32,
    /// Where it stands.
    pub(super) lsn: Lsn,
    /// The oldest record that still mattered when it was written.
    pub(super) tail: Lsn,
    /// CRC-32C of headers and data; 0 if mkfs wrote it.
    crc: u32,
    /// Operations in it.
    pub(super) ops: u32,
    /// 1 if the machine that wrote it was little-endian.
    pub(super) format: u32,
    /// The filesystem's UUID.
    pub(super) uuid: [u8; 16],
    /// Bytes of the largest record of that mount.
    pub(super) size: u32,
    /// Blocks of all its headers.
    pub(super) header_blocks: u64,
}

impl Header {
    /// Reads the header in a log block; `None` if there is no valid one.
    pub(super) fn parse(block: &[u8]) -> Option<Header> {
        let bytes = Bytes(block);
        if bytes.be32(0)? != MAGIC {
            return None;
        }
        let version = bytes.be32(8)?;
        let len = bytes.be32(12)?;
        let ops = bytes.be32(40)?;
        let size = bytes.be32(320)?;
        let known = matches!(version, 1..=3);
        // mkfs wrote records of one operation whose size field is smaller than their length.
        if !known || len == 0 || len > LARGEST || (len > size && version >= 2 && ops != 1) {
            return None;
        }
        let header_blocks = match version & 2 {
            0 => 1,
            _ => u64::from(size.min(LARGEST).div_ceil(BYTES_PER_HEADER).max(1)),
        };
        Some(Header {
            cycle: bytes.be32(4)?,
            len,
            lsn: Lsn(bytes.be64(16)?),
            tail: Lsn(bytes.be64(24)?),
            crc: bytes.le32(32)?,
            ops,
            format: bytes.be32(300)?,
            uuid: bytes.array(304)?,
            size: size.min(LARGEST),
            header_blocks,
        })
    }

    /// Blocks of headers and data.
    pub(super) fn blocks(&self) -> u64 {
        self.header_blocks.saturating_add(u64::from(self.len).div_ceil(BLOCK))
    }

    /// True if the checksum of a whole record matches, or it has none.
    ///
    /// The sum goes over the fields of the first header, of as many extended headers as the data needs, and over
    /// the data as it lies on the disk. The header's length differs between machines: 328 bytes, but 324 where
    /// 64-bit numbers are aligned to four bytes.
    pub(super) fn checksum_matches(&self, record: &[u8]) -> bool {
        cfg!(fuzzing)
            || self.crc == 0
            || [328, 324].iter().any(|&len| self.checksum(record, len) == Some(self.crc))
    }

    fn checksum(&self, record: &[u8], header_len: usize) -> Option<u32> {
        const EXTENDED_LEN: usize = 260;
        let bytes = Bytes(record);
        let mut crc = crc32c::crc32c(bytes.slice(0, 32)?);
        crc = crc32c::crc32c_append(crc, &[0; 4]);
        crc = crc32c::crc32c_append(crc, bytes.slice(36, header_len.saturating_sub(36))?);
        let needed = u64::from(self.len.div_ceil(BYTES_PER_HEADER));
        for extended in 1..needed.min(self.header_blocks) {
            crc =
                crc32c::crc32c_append(crc, bytes.slice(index(extended.saturating_mul(BLOCK)), EXTENDED_LEN)?);
        }
        let data =
            bytes.slice(index(self.header_blocks.saturating_mul(BLOCK)), index(u64::from(self.len)))?;
        Some(crc32c::crc32c_append(crc, data))
    }

    /// The word that belongs at the start of each data block, in order.
    pub(super) fn displaced(&self, record: &[u8]) -> Vec<[u8; 4]> {
        let bytes = Bytes(record);
        let blocks = index(u64::from(self.len).div_ceil(BLOCK));
        let word = |block: usize| {
            let header = block / WORDS_PER_HEADER;
            let within = (block % WORDS_PER_HEADER).saturating_mul(4);
            let first = if header == 0 { 44 } else { 4 };
            bytes.array(header.saturating_mul(index(BLOCK)).saturating_add(first).saturating_add(within))
        };
        (0..blocks.min(index(self.header_blocks).saturating_mul(WORDS_PER_HEADER))).map_while(word).collect()
    }

    /// The data of a whole record with its displaced words back in place.
    pub(super) fn data(&self, record: &[u8]) -> Option<Vec<u8>> {
        let start = index(self.header_blocks.saturating_mul(BLOCK));
        let mut data = Bytes(record).slice(start, index(u64::from(self.len)))?.to_vec();
        for (block, word) in data.chunks_mut(index(BLOCK)).zip(self.displaced(record)) {
            for (to, from) in block.iter_mut().zip(word) {
                *to = from;
            }
        }
        Some(data)
    }
}

/// The cycle number in a log block, which in a header's block comes second.
pub(super) fn cycle(block: &[u8]) -> u32 {
    let bytes = Bytes(block);
    match bytes.be32(0) {
        Some(MAGIC) => bytes.be32(4).unwrap_or(0),
        other => other.unwrap_or(0),
    }
}

/// True if a log block begins a record.
pub(super) fn is_header(block: &[u8]) -> bool {
    Bytes(block).be32(0) == Some(MAGIC)
}

/// True if a whole record says that the filesystem was unmounted after it.
pub(super) fn is_unmount(header: &Header, record: &[u8]) -> bool {
    const UNMOUNT: u8 = 0x20;
    let first_op = header.header_blocks.saturating_mul(BLOCK);
    let flags = first_op.saturating_add(9);
    header.ops == 1
        && flags < wide(record.len())
        && Bytes(record).u8(index(flags)).is_some_and(|f| f & UNMOUNT != 0)
}
