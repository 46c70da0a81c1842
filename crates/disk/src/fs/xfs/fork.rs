// SPDX-License-Identifier: Apache-2.0
//! A fork of an inode as a map from its blocks to the disk's.

use std::ops::Range;

use super::btree::{self, Root};
use super::extent::{self, Mapping, RECORD};
use super::geometry::FileBlock;
use super::inode::{Format, Inode};
use super::volume::Volume;
use crate::bytes::{Bytes, index, wide};
use crate::error::{Error, Result};

/// Where the blocks of a fork lie.
#[derive(Debug, Clone)]
pub(super) enum Fork {
    /// All extents, in order.
    Extents(Vec<Mapping>),
    /// The root of the tree that has them.
    Tree(Root),
}

impl Fork {
    /// The data fork of an inode that keeps no data in itself.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn data(volume: &Volume, inode: &Inode) -> Result<Fork> {
        Fork::parse(volume, inode.core.format, inode.data_fork(), inode.core.extents)
            .map_err(|why| inode.corrupt("extents", why))
    }

    /// The attribute fork of an inode that keeps no attributes in itself.
    ///
    /// # Errors
    /// `Corrupt` with scope `Node`.
    pub(super) fn attr(volume: &Volume, inode: &Inode) -> Result<Fork> {
        Fork::parse(volume, inode.core.attr_format, inode.attr_fork(), inode.core.attr_extents)
            .map_err(|why| Error::node("attribute extents", format!("inode {}: {why}", inode.number)))
    }

    fn parse(volume: &Volume, format: Format, bytes: &[u8], count: u64) -> Result<Fork, String> {
        match format {
            Format::Extents => {
                let room = bytes.len() / RECORD;
                if count > wide(room) {
                    return Err(format!("{count} extents in a fork with room for {room}"));
                }
                let mut all = Vec::with_capacity(index(count));
                for at in (0..room).map(|n| n.saturating_mul(RECORD)).take(index(count)) {
                    let mapping = Mapping::parse(Bytes(bytes), at, &volume.superblock.geometry)?;
                    extent::push_in_order(&mut all, mapping)?;
                }
                Ok(Fork::Extents(all))
            }
            Format::Tree => Root::parse(bytes).map(Fork::Tree),
            Format::Local | Format::Device => Err("no blocks where blocks were expected".into()),
        }
    }

    /// The extents that hold blocks of `range`, in order and cut to it; what lies between them is a hole.
    ///
    /// # Errors
    /// `Corrupt`; `Limit`; what the source answers.
    pub(super) fn map(
        &self,
        volume: &Volume,
        inode: &Inode,
        range: Range<FileBlock>,
    ) -> Result<Vec<Mapping>> {
        let geometry = &volume.superblock.geometry;
        let clip = |mapping: &Mapping| mapping.clip(range.start, range.end, geometry);
        match self {
            Fork::Extents(all) => {
                let first = all.partition_point(|mapping| mapping.end() <= range.start);
                let from_first = all.get(first..).unwrap_or_default();
                Ok(from_first.iter().map_while(clip).collect())
            }
            Fork::Tree(root) => {
                let all = btree::find(volume, inode, root, &range)?;
                Ok(all.iter().filter_map(clip).collect())
            }
        }
    }

    /// All extents, if they are known without a read.
    pub(super) fn known(&self) -> Option<&[Mapping]> {
        match self {
            Fork::Extents(all) => Some(all),
            Fork::Tree(_) => None,
        }
    }
}
