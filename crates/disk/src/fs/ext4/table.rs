// SPDX-License-Identifier: Apache-2.0
//! Inode tables: where an inode lies, and reading one or many.

use std::borrow::Cow;
use std::ops::Range;

use super::csum::{crc32c, inode_seed};
use super::inode::{Inode, bad};
use super::volume::Volume;
use crate::bytes::{Bytes, wide};
use crate::error::{Error, Result};
use crate::fs::{Metadata, Node};

impl Volume {
    /// The number of an inode in a node, if there can be one of that number.
    pub(super) fn number(&self, node: Node) -> Result<u32> {
        match u32::try_from(node.0) {
            Ok(number) if number > 0 && number <= self.superblock.inodes => Ok(number),
            _ => Err(Error::node("inode", format!("number {} of {}", node.0, self.superblock.inodes))),
        }
    }

    /// The bytes of the filesystem that hold an inode.
    ///
    /// # Errors
    /// As [`super::group::Groups::inode_table`].
    pub(super) fn inode_place(&self, number: u32) -> Result<Range<u64>> {
        let (group, within) = self.split(number);
        let table = self.groups.inode_table(self, u64::from(group))?;
        let size = wide(self.superblock.inode_size);
        let start = self.offset(table.block).saturating_add(u64::from(within).saturating_mul(size));
        Ok(start..start.saturating_add(size))
    }

    /// The group of an inode, and its place in the group's table.
    fn split(&self, number: u32) -> (u32, u32) {
        let from_zero = number.saturating_sub(1);
        let per_group = self.superblock.inodes_per_group;
        (from_zero.checked_div(per_group).unwrap_or(0), from_zero.checked_rem(per_group).unwrap_or(0))
    }

    /// Reads one inode.
    ///
    /// # Errors
    /// `Corrupt` with scope `Node` if it is not in use or not valid; what the source answers.
    pub(super) fn inode(&self, node: Node) -> Result<Inode<'static>> {
        let number = self.number(node)?;
        let place = self.inode_place(number)?;
        let mut raw = vec![0; self.superblock.inode_size];
        self.source.read_at(place.start, &mut raw)?;
        self.check_inode(number, &raw, place)?;
        Inode::parse(&self.superblock, number, Cow::Owned(raw))
    }

    /// Parses an inode out of bytes that were read from `place`.
    pub(super) fn inode_in<'a>(&self, number: u32, raw: &'a [u8], place: Range<u64>) -> Result<Inode<'a>> {
        self.check_inode(number, raw, place)?;
        Inode::parse(&self.superblock, number, Cow::Borrowed(raw))
    }

    /// Checks the CRC-32C of an inode: its lower half at 0x7c, its upper at 0x82 where there is room.
    ///
    /// Source: kernel `ext4_inode_csum`.
    fn check_inode(&self, number: u32, raw: &[u8], place: Range<u64>) -> Result<()> {
        if !self.verifies(place) {
            return Ok(());
        }
        let bytes = Bytes(raw);
        let has_high = raw.len() > 128 && bytes.le16(0x80).is_some_and(|extra| extra >= 4);
        let mut crc = inode_seed(self.superblock.checksum_seed, number, bytes.le32(0x64).unwrap_or(0));
        let part = |from: usize, to: usize| raw.get(from..to).unwrap_or_default();
        crc = crc32c(crc, part(0, 0x7c));
        crc = crc32c(crc, &[0, 0]);
        crc = crc32c(crc, part(0x7e, 0x80));
        if has_high {
            crc = crc32c(crc, part(0x80, 0x82));
            crc = crc32c(crc, &[0, 0]);
            crc = crc32c(crc, part(0x84, raw.len()));
        } else {
            crc = crc32c(crc, part(0x80, raw.len()));
        }
        let low = u32::from(bytes.le16(0x7c).unwrap_or(0));
        let high = if has_high { u32::from(bytes.le16(0x82).unwrap_or(0)) << 16 } else { crc & 0xffff_0000 };
        if crc == high | low {
            return Ok(());
        }
        if raw.iter().all(|&byte| byte == 0) {
            return Err(bad(number, "not in use"));
        }
        Err(bad(number, format!("checksum {crc:#010x}, expected {:#010x}", high | low)))
    }

    /// Metadata of many, reading the blocks of inode tables in the order of the disk, each once.
    pub(super) fn many(
        &self,
        nodes: &[Node],
        each: impl Fn(Inode<'_>) -> Result<Metadata>,
    ) -> Vec<Result<Metadata>> {
        let places: Vec<Result<(u32, Range<u64>)>> = nodes
            .iter()
            .map(|&node| {
                let number = self.number(node)?;
                Ok((number, self.inode_place(number)?))
            })
            .collect();
        let mut order: Vec<(u64, usize)> = places
            .iter()
            .enumerate()
            .filter_map(|(n, place)| place.as_ref().ok().map(|(_, place)| (place.start, n)))
            .collect();
        order.sort_unstable();
        self.advise_inodes(order.iter().map(|(start, _)| *start));
        let mut results: Vec<Option<Result<Metadata>>> = nodes.iter().map(|_| None).collect();
        let (mut held, mut block) = (None, Vec::new());
        for (start, n) in order {
            let Some((Ok((number, place)), slot)) = places.get(n).zip(results.get_mut(n)) else { continue };
            let at = self.blocks_of(start..start).start;
            if held != Some(at) {
                held = match self.read_block("inode table", at, &mut block) {
                    Ok(()) => Some(at),
                    Err(error) => {
                        *slot = Some(Err(error));
                        continue;
                    }
                };
            }
            let raw = Bytes(&block).slice(self.index_in_block(start), self.superblock.inode_size);
            let inode = self.inode_in(*number, raw.unwrap_or_default(), place.clone());
            *slot = Some(inode.and_then(&each));
        }
        let found = results.into_iter().zip(places).map(|(result, place)| match (result, place) {
            (Some(result), _) => result,
            (None, Err(error)) => Err(error),
            (None, Ok((number, _))) => Err(bad(number, "was not read")),
        });
        found.collect()
    }

    /// Says that the inodes at these bytes, which ascend, will be read soon.
    pub(super) fn advise_inodes(&self, starts: impl Iterator<Item = u64>) {
        let size = u64::from(self.superblock.block_size);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for start in starts {
            let block = self.offset(self.blocks_of(start..start).start);
            match ranges.last_mut() {
                Some(range) if block < range.end => {}
                Some(range) if block == range.end => range.end = block.saturating_add(size),
                _ => ranges.push(block..block.saturating_add(size)),
            }
        }
        if !ranges.is_empty() {
            self.source.advise(&ranges);
        }
    }

    /// Says that these nodes will be read soon. Numbers that cannot be, and damaged groups, are met when they are read.
    pub(super) fn advise_nodes(&self, nodes: &[Node]) {
        let place = |&node: &Node| self.inode_place(self.number(node).ok()?).ok();
        let mut starts: Vec<u64> = nodes.iter().filter_map(place).map(|place| place.start).collect();
        starts.sort_unstable();
        self.advise_inodes(starts.into_iter());
    }
}
