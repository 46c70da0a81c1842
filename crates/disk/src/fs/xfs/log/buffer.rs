// SPDX-License-Identifier: Apache-2.0
//! What was logged of a metadata block, by chunks of 128 bytes.
//!
//! Of each chunk only the newest logged bytes matter: whether they are applied depends on their transaction's sequence
//! number and on that of the block on the disk, and if the newest is too old then so are all before it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::bytes::{Bytes, index, wide};
use crate::error::SourceError;
use crate::source::BlockSource;

use super::item::{BufferFormat, CHUNK, Extent};
use super::live::{Live, Region, chunk_starts};
use super::record::Lsn;

/// Bytes at a block's start that tell its kind, UUID and sequence number.
const HEADER: usize = 264;
/// Bytes of a chunk.
const CHUNK_BYTES: u64 = 128;

/// The changes of one block.
#[derive(Default)]
pub(super) struct Buffer {
    /// The number of the newest transaction that changed it, counted from the tail.
    pub(super) newest: u32,
    /// For each chunk the newest logged bytes and their transaction's number.
    pub(super) chunks: BTreeMap<u32, (Region, u32)>,
    /// The sequence number on the disk, once it was read.
    on_disk: OnceLock<Option<Lsn>>,
}

/// The chunks that an item logged, each with the region that holds its bytes.
pub(super) fn logged_chunks(
    format: &BufferFormat,
    regions: &[Region],
    continued: &BTreeMap<u32, u32>,
) -> Vec<(u32, Region)> {
    let mut chunks = Vec::new();
    let mut regions = regions.iter().skip(1);
    for (first, count) in format.runs() {
        let mut done = 0;
        // A run that crosses a page of the writer's memory was logged as several regions.
        while done < count {
            let Some(region) = regions.next() else { return chunks };
            let whole = (region.len / CHUNK).min(count.saturating_sub(done));
            if whole == 0 {
                return chunks;
            }
            let starts = chunk_starts(continued, *region, whole, CHUNK);
            let numbers = first.saturating_add(done)..;
            chunks.extend(numbers.zip(starts.into_iter().map(|at| Region { at, len: CHUNK })));
            done = done.saturating_add(whole);
        }
    }
    chunks
}

impl Buffer {
    /// Applies the changes of the block at `extent` to `buf`, which holds the bytes from byte `start` of the source.
    ///
    /// # Errors
    /// What the source answers.
    pub(super) fn apply(
        &self,
        extent: Extent,
        context: &Context<'_>,
        start: u64,
        buf: &mut [u8],
    ) -> Result<(), SourceError> {
        let on_disk = self.on_disk(extent, context)?;
        let end = start.saturating_add(wide(buf.len()));
        let chunk_of = |at: u64| {
            let inside = at.saturating_sub(extent.start());
            u32::try_from(inside / CHUNK_BYTES).unwrap_or(u32::MAX)
        };
        let from = chunk_of(start);
        let to = chunk_of(end.saturating_add(CHUNK_BYTES).saturating_sub(1)).max(from);
        for (&chunk, &(region, transaction)) in self.chunks.range(from..to) {
            let lsn = context.lsn(transaction);
            if on_disk.is_some_and(|on_disk| on_disk >= lsn) {
                continue;
            }
            let at = extent.start().saturating_add(u64::from(chunk).saturating_mul(CHUNK_BYTES));
            let mut bytes = [0; 128];
            context.live.read(region, 0, &mut bytes)?;
            paste(buf, start, at, &bytes);
        }
        Ok(())
    }

    /// The sequence number of the block on the disk, read once.
    fn on_disk(&self, extent: Extent, context: &Context<'_>) -> Result<Option<Lsn>, SourceError> {
        if let Some(known) = self.on_disk.get() {
            return Ok(*known);
        }
        let mut header = [0; HEADER];
        context.base.read_at(extent.start(), &mut header)?;
        Ok(*self.on_disk.get_or_init(|| sequence_number(&header, context.meta_uuid)))
    }
}

/// What applying changes needs besides the changes.
pub(super) struct Context<'a> {
    /// The source as it lies on the disk.
    pub(super) base: &'a dyn BlockSource,
    pub(super) live: &'a Live,
    /// The sequence number of each transaction.
    pub(super) lsns: &'a [Lsn],
    pub(super) meta_uuid: &'a [u8; 16],
}

impl Context<'_> {
    /// The sequence number of a transaction.
    pub(super) fn lsn(&self, transaction: u32) -> Lsn {
        self.lsns.get(index(u64::from(transaction))).copied().unwrap_or(Lsn(0))
    }
}

/// Copies what of `bytes`, which belong at byte `at` of the source, falls into `buf`, which begins at byte `start`.
pub(super) fn paste(buf: &mut [u8], start: u64, at: u64, bytes: &[u8]) {
    let (skip_to, skip_from) = (at.saturating_sub(start), start.saturating_sub(at));
    let to = buf.get_mut(index(skip_to)..).unwrap_or_default();
    let from = bytes.get(index(skip_from)..).unwrap_or_default();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The sequence number of a block that has one and belongs to this filesystem; what has none is always replayed.
///
/// Source: xlog_recover_get_buf_lsn in Linux, fs/xfs/xfs_buf_item_recover.c; the places from xfs_format.h and
/// xfs_da_format.h.
pub(super) fn sequence_number(block: &[u8], meta_uuid: &[u8; 16]) -> Option<Lsn> {
    let bytes = Bytes(block);
    let (lsn, uuid) = match &bytes.array::<4>(0)? {
        b"AB3B" | b"AB3C" | b"RMB3" | b"R3FC" | b"FIB3" | b"IAB3" => (24, 32),
        b"BMA3" | b"MAPR" | b"CNTR" => (32, 40),
        b"XAGF" => (208, 64),
        b"XAFL" => (24, 8),
        b"XAGI" => (320, 296),
        b"XSLM" => (48, 16),
        b"XDB3" | b"XDD3" | b"XDF3" => (16, 24),
        b"XFSB" => (240, if bytes.be32(216)? & 4 != 0 { 248 } else { 32 }),
        // Values of attributes are written before they are logged, with no sequence number.
        b"XARM" => return None,
        _ => match bytes.be16(8)? {
            0x3df1 | 0x3dff | 0x3bee | 0x3ebe => (24, 32),
            _ => return None,
        },
    };
    if bytes.array::<16>(uuid).as_ref() != Some(meta_uuid) {
        return None;
    }
    // Neither 0 nor all ones is the number of a transaction.
    bytes.be64(lsn).filter(|lsn| !matches!(*lsn, 0 | u64::MAX)).map(Lsn)
}
