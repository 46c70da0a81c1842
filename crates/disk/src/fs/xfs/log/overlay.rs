// SPDX-License-Identifier: Apache-2.0
//! The source as it will be after log recovery.
//!
//! Nothing is written and little is copied: a read fetches the bytes from the disk, and puts over them what the log
//! has for just that place.

use std::ops::Range;
use std::sync::Arc;

use crate::bytes::{index, wide};
use crate::error::SourceError;
use crate::source::BlockSource;

use super::buffer::{Context, paste};
use super::changes::Changes;
use super::inode::Inode;
use super::live::Live;
use super::record::Lsn;

/// A source with the log's changes over it.
pub struct Overlay {
    pub(super) base: Arc<dyn BlockSource>,
    pub(super) live: Live,
    pub(super) changes: Changes,
    /// The sequence number of each transaction, counted from the tail.
    pub(super) lsns: Vec<Lsn>,
    pub(super) meta_uuid: [u8; 16],
    /// Bytes of an inode.
    pub(super) inode_size: u64,
}

impl Overlay {
    /// True if the log has anything for these bytes. Checksums there need not match: the log has them as they were
    /// when the change was logged.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let changes = &self.changes;
        changes.buffers_in(&range).next().is_some()
            || changes.chunks_in(&range).next().is_some()
            || changes.inodes_in(&range, self.inode_size).next().is_some()
    }

    fn context(&self) -> Context<'_> {
        Context { base: self.base.as_ref(), live: &self.live, lsns: &self.lsns, meta_uuid: &self.meta_uuid }
    }

    /// Puts the log's changes over `buf`, which holds the bytes from byte `start`.
    fn apply(&self, start: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let range = start..start.saturating_add(wide(buf.len()));
        let context = self.context();
        let mut buffers: Vec<_> = self.changes.buffers_in(&range).collect();
        buffers.sort_by_key(|(_, buffer)| buffer.newest);
        for (extent, buffer) in buffers {
            buffer.apply(extent, &context, start, buf)?;
        }
        for chunk in self.changes.chunks_in(&range) {
            let first = chunk.start.max(self.inode_start(chunk.start, range.start));
            let end = chunk.start.saturating_add(chunk.len).min(range.end);
            let mut at = first;
            while at < end {
                paste(buf, start, at, &chunk.inode(at));
                at = at.saturating_add(self.inode_size.max(256));
            }
        }
        for (at, inode) in self.changes.inodes_in(&range, self.inode_size) {
            let bytes = self.inode(at, inode, &context)?;
            paste(buf, start, at, &bytes);
        }
        Ok(())
    }

    /// The byte where the inode begins in which byte `at` lies, if inodes begin at `first`.
    fn inode_start(&self, first: u64, at: u64) -> u64 {
        let within = at.saturating_sub(first).checked_rem(self.inode_size).unwrap_or(0);
        at.saturating_sub(within)
    }

    fn inode(&self, at: u64, inode: &Inode, context: &Context<'_>) -> Result<Vec<u8>, SourceError> {
        let whole = at..at.saturating_add(self.inode_size);
        let mut bytes = match self.changes.chunks_in(&whole).find(|chunk| chunk.contains(at)) {
            Some(chunk) => chunk.inode(at),
            None => {
                let mut bytes = vec![0; index(self.inode_size)];
                self.base.read_at(at, &mut bytes)?;
                bytes
            }
        };
        inode.apply(&mut bytes, context)?;
        Ok(bytes)
    }

    /// Where the log holds the changes of a range, if it must be read again.
    fn places(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let of_buffers = self
            .changes
            .buffers_in(range)
            .flat_map(|(_, buffer)| buffer.chunks.values().flat_map(|(region, _)| self.live.places(*region)));
        let inodes = self.changes.inodes_in(range, self.inode_size);
        let of_inodes =
            inodes.flat_map(|(_, inode)| inode.regions().flat_map(|region| self.live.places(region)));
        of_buffers.chain(of_inodes).collect()
    }
}

impl BlockSource for Overlay {
    fn len(&self) -> u64 {
        self.base.len()
    }

    fn sector_size(&self) -> Option<u32> {
        self.base.sector_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.base.read_at(offset, buf)?;
        self.apply(offset, buf)
    }

    fn read_once(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.base.read_once(offset, buf)?;
        self.apply(offset, buf)
    }

    fn is_hole(&self, range: Range<u64>) -> bool {
        self.base.is_hole(range.clone()) && !self.covers(range)
    }

    fn advise(&self, ranges: &[Range<u64>]) {
        let mut all = ranges.to_vec();
        for range in ranges {
            all.extend(self.places(range));
        }
        self.base.advise(&all);
    }
}
