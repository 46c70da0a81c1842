// SPDX-License-Identifier: Apache-2.0
//! What committed transactions changed, by place; filled in the order of the log.
//!
//! A buffer that was freed is cancelled: nothing that was logged of it before may be replayed, since its blocks may
//! hold something else by now that was never logged. What comes later in the log counts again. So a cancellation
//! simply drops what is known of exactly that buffer.

use std::collections::BTreeMap;
use std::ops::Range;

use super::buffer::{Buffer, logged_chunks};
use super::geometry::Geometry;
use super::icreate::{self, Chunk};
use super::inode::{Inode, Logged};
use super::item::{BufferFormat, CHUNK, CreateFormat, Extent, InodeFormat, MOST_SECTORS, fields};
use super::live::Region;
use super::transaction::Item;

/// What may be kept, counted in logged chunks of some 24 bytes: 48 MiB.
const MOST: usize = 2 << 20;
/// What a buffer or an inode takes besides, in the same unit.
const ENTRY: usize = 12;

/// All changes, by where they lie.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) buffers: BTreeMap<Extent, Buffer>,
    /// By the byte where the inode begins.
    pub(super) inodes: BTreeMap<u64, Inode>,
    /// By the byte where the chunk begins.
    pub(super) chunks: BTreeMap<u64, Chunk>,
    /// Inodes whose b+tree blocks changed hands, which was not followed.
    pub(super) moved: Vec<u64>,
    size: usize,
}

impl Changes {
    /// Takes a buffer's item.
    ///
    /// # Errors
    /// What is not valid, in words.
    pub(super) fn buffer(
        &mut self,
        item: &Item,
        transaction: u32,
        continued: &BTreeMap<u32, u32>,
        geometry: &Geometry,
    ) -> Result<(), String> {
        let invalid = || format!("a buffer's item of {} bytes is not valid", item.format.len());
        let format = BufferFormat::parse(&item.format).ok_or_else(invalid)?;
        if format.is_cancelled() {
            self.cancel(format.extent, geometry);
            return Ok(());
        }
        if format.holds_quotas() {
            return Ok(());
        }
        let within = |(chunk, _): &(u32, Region)| {
            u64::from(*chunk).saturating_mul(u64::from(CHUNK)) < format.extent.len()
        };
        let chunks = logged_chunks(&format, &item.regions, continued).into_iter().filter(within);
        if format.holds_inodes() {
            self.unlinked(format.extent, chunks, geometry);
            return self.within_bounds();
        }
        let size = &mut self.size;
        let buffer = self.buffers.entry(format.extent).or_insert_with(|| {
            *size = size.saturating_add(ENTRY);
            Buffer::default()
        });
        buffer.newest = transaction;
        for (chunk, region) in chunks {
            if buffer.chunks.insert(chunk, (region, transaction)).is_none() {
                *size = size.saturating_add(1);
            }
        }
        self.within_bounds()
    }

    /// Notes where the links between unlinked inodes were logged: all that counts in a buffer of inodes.
    fn unlinked(&mut self, extent: Extent, chunks: impl Iterator<Item = (u32, Region)>, geometry: &Geometry) {
        const LINK: u32 = 96;
        for (chunk, region) in chunks {
            let offset = chunk.saturating_mul(CHUNK);
            if offset & geometry.inode_size.saturating_sub(1) != 0 {
                continue;
            }
            let start = extent.start().saturating_add(u64::from(offset));
            let inode = self.inode_at(start);
            inode.buffer = Some(extent);
            inode.unlinked = Some(region.at.saturating_add(LINK));
        }
    }

    fn inode_at(&mut self, start: u64) -> &mut Inode {
        self.inodes.entry(start).or_insert_with(|| {
            self.size = self.size.saturating_add(ENTRY);
            Inode::default()
        })
    }

    /// Takes an inode's item.
    ///
    /// # Errors
    /// What is not valid, in words.
    pub(super) fn inode(&mut self, item: &Item, transaction: u32) -> Result<(), String> {
        let len = item.regions.first().map_or(0, |region| region.len);
        let invalid =
            || format!("an inode's item of {len} bytes and {} regions is not valid", item.regions.len());
        let format = InodeFormat::parse(&item.format, len).ok_or_else(invalid)?;
        let logged = Logged::new(&format, &item.regions, transaction).ok_or_else(invalid)?;
        if format.fields & fields::OWNER_CHANGED != 0 {
            self.moved.push(format.inode);
            self.size = self.size.saturating_add(1);
        }
        let inode = self.inode_at(format.start());
        inode.buffer = Some(format.buffer);
        inode.add(logged);
        self.within_bounds()
    }

    /// Takes the creation of a chunk of inodes, which hides all that was there before.
    ///
    /// # Errors
    /// What is not valid, in words.
    pub(super) fn create(&mut self, item: &Item, geometry: &Geometry) -> Result<(), String> {
        let format = CreateFormat::parse(&item.format);
        let chunk = format.and_then(|format| Chunk::new(&format, geometry));
        let chunk =
            chunk.ok_or_else(|| format!("a chunk of inodes does not fit the filesystem: {format:?}"))?;
        let range = chunk.start..chunk.start.saturating_add(chunk.len);
        self.remove_inodes(range, |_| true);
        self.chunks.insert(chunk.start, chunk);
        self.size = self.size.saturating_add(ENTRY);
        self.within_bounds()
    }

    /// Drops what was logged of a buffer.
    fn cancel(&mut self, extent: Extent, geometry: &Geometry) {
        if let Some(buffer) = self.buffers.remove(&extent) {
            self.size = self.size.saturating_sub(ENTRY.saturating_add(buffer.chunks.len()));
        }
        let start = extent.start();
        let range = start..start.saturating_add(extent.len());
        self.remove_inodes(range, |inode| inode.buffer == Some(extent));
        let lowest = start.saturating_sub(icreate::LARGEST);
        let mut chunks = self.chunks.range(lowest..=start).map(|(_, chunk)| *chunk);
        let hit = chunks.rfind(|chunk| chunk.buffers(geometry).any(|buffer| buffer == extent));
        if let Some(chunk) = hit {
            self.chunks.remove(&chunk.start);
        }
    }

    fn remove_inodes(&mut self, range: Range<u64>, matches: impl Fn(&Inode) -> bool) {
        let inodes = self.inodes.range(range);
        let gone: Vec<_> = inodes.filter(|(_, inode)| matches(inode)).map(|(&start, _)| start).collect();
        self.size = self.size.saturating_sub(gone.len().saturating_mul(ENTRY));
        for start in gone {
            self.inodes.remove(&start);
        }
    }

    fn within_bounds(&self) -> Result<(), String> {
        match self.size > MOST {
            true => Err("the live log holds more changes than fit in 48 MiB".to_owned()),
            false => Ok(()),
        }
    }

    /// The buffers that touch a range of bytes of the source.
    pub(super) fn buffers_in(&self, range: &Range<u64>) -> impl Iterator<Item = (Extent, &Buffer)> {
        let (start, end) = (range.start, range.end);
        let lowest = (start / 512).saturating_sub(u64::from(MOST_SECTORS));
        let from = Extent { sector: lowest, sectors: 0 };
        let to = Extent { sector: end.div_ceil(512), sectors: 0 };
        self.buffers.range(from..to.max(from)).map(|(extent, buffer)| (*extent, buffer)).filter(
            move |(extent, _)| extent.start() < end && extent.start().saturating_add(extent.len()) > start,
        )
    }

    /// The changed inodes that touch a range of bytes of the source.
    pub(super) fn inodes_in(&self, range: &Range<u64>, size: u64) -> impl Iterator<Item = (u64, &Inode)> {
        let lowest = range.start.saturating_sub(size.saturating_sub(1));
        self.inodes.range(lowest..range.end.max(lowest)).map(|(start, inode)| (*start, inode))
    }

    /// The created chunks that touch a range of bytes of the source.
    pub(super) fn chunks_in(&self, range: &Range<u64>) -> impl Iterator<Item = &Chunk> {
        let (start, end) = (range.start, range.end);
        let lowest = start.saturating_sub(icreate::LARGEST);
        let chunks = self.chunks.range(lowest..end.max(lowest)).map(|(_, chunk)| chunk);
        chunks.filter(move |chunk| chunk.start.saturating_add(chunk.len) > start)
    }
}
