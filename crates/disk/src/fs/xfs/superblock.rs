// SPDX-License-Identifier: Apache-2.0
//! The superblock: the first sector of every allocation group, the first of them in charge.

use super::crc;
use super::features::Features;
use super::geometry::Geometry;
use super::log;
use crate::bytes::{Bytes, index, until_nul};
use crate::error::{Error, Result};
use crate::fs::{Note, if_long_enough};
use crate::source::{BlockSource, read_vec};

/// The first four bytes.
pub(super) const MAGIC: &[u8] = b"XFSB";
/// Bytes that hold every field that is read.
const FIELDS: usize = 512;
/// Where the checksum of version 5 stands.
const CRC_AT: usize = 224;
/// An inode number that names none: `NULLFSINO`.
const NO_INODE: u64 = u64::MAX;

/// The fields of a superblock that a reader needs.
///
/// Shape:  one sector, big-endian but for the checksum.
/// Errors: `Corrupt` if sizes are not what mkfs.xfs can make or contradict each other; `Unsupported` for features.
/// Source: XFS Algorithms & Data Structures, 3rd edition, "Superblocks"; `struct xfs_dsb` in xfs_format.h.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    /// Sizes and counts.
    pub(super) geometry: Geometry,
    /// What the feature bits mean.
    pub(super) features: Features,
    /// The UUID that the world sees.
    pub(super) uuid: [u8; 16],
    /// The UUID that metadata blocks carry.
    pub(super) meta_uuid: [u8; 16],
    /// The label without padding.
    pub(super) label: Vec<u8>,
    /// Inode of the root folder.
    pub(super) root: u64,
    /// What the log's recovery needs.
    pub(super) log: log::Geometry,
}

impl Superblock {
    /// Reads the superblock at byte 0, or a copy in another group if the first is damaged.
    ///
    /// # Errors
    /// What is wrong with the first one, if no copy serves either; what the source answers.
    pub(super) fn read(source: &dyn BlockSource) -> Result<(Superblock, Option<Note>)> {
        let (damage, hint) = match Superblock::read_one(source, 0) {
            Ok(found) => return Ok((found, None)),
            Err(damage @ Error::Corrupt(_)) => (damage, Superblock::group_bytes_by_hint(source)),
            Err(other) => return Err(other),
        };
        for (group, bytes) in candidates(hint, source.len()) {
            let offset = bytes.saturating_mul(group);
            let copy = match Superblock::read_one(source, offset) {
                Ok(copy) => copy,
                Err(error) if error.is_not_resident() => return Err(error),
                Err(_) => continue,
            };
            // A copy vouches for itself only where its own sizes say a group begins.
            if copy.geometry.bytes(u64::from(copy.geometry.group_blocks)).saturating_mul(group) == offset {
                let note =
                    Note::BackupUsed(format!("superblock of group {group} at byte {offset}: {damage}"));
                return Ok((copy, Some(note)));
            }
        }
        Err(damage)
    }

    /// The superblock as the log leaves it: it may have grown the filesystem, or changed its label. A checksum is not
    /// expected to match.
    ///
    /// # Errors
    /// As [`Superblock::read`], but there is no copy to fall back to.
    pub(super) fn read_again(recovered: &dyn BlockSource) -> Result<Superblock> {
        Superblock::parse(&read_vec(recovered, 0, FIELDS)?, true)
    }

    /// Bytes of a group as a damaged first superblock says.
    fn group_bytes_by_hint(source: &dyn BlockSource) -> Option<u64> {
        let bytes = read_vec(source, 0, FIELDS).ok()?;
        let bytes = Bytes(&bytes);
        u64::from(bytes.be32(4)?).checked_mul(u64::from(bytes.be32(84)?)).filter(|&bytes| bytes > 0)
    }

    fn read_one(source: &dyn BlockSource, offset: u64) -> Result<Superblock> {
        let sector = read_vec(source, offset, FIELDS)?;
        let found = Superblock::parse(&sector, offset == 0)?;
        if found.features.v5 {
            let sector_size = index(u64::from(found.geometry.sector_size));
            let whole = if sector_size > FIELDS { read_vec(source, offset, sector_size)? } else { sector };
            crc::check(&whole, CRC_AT).map_err(|why| Error::whole("superblock", why))?;
        }
        Ok(found)
    }

    /// Reads the fields and checks them against each other.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    fn parse(sector: &[u8], primary: bool) -> Result<Superblock> {
        let raw = Raw(Bytes(sector));
        if !raw.0.has(0, MAGIC) {
            return Err(bad("the magic is not XFSB".into()));
        }
        let versionnum = raw.u16(100)?;
        // Some kernels wrote features2 four bytes late; both places count, as in the kernel.
        let features2 = raw.u32(200)? | raw.u32(204)?;
        let features = Features::new(versionnum, features2, raw.u32(216)?)?;
        let geometry = raw.geometry()?;
        if primary && raw.u8(126)? != 0 {
            return Err(Error::Unsupported("XFS that mkfs.xfs or xfs_growfs has not finished".into()));
        }
        let root = raw.u64(56)?;
        if root == NO_INODE || geometry.inode_offset(root).is_none() {
            return Err(bad(format!("the root folder's inode {root} lies outside")));
        }
        let array = |at| raw.0.array::<16>(at).ok_or_else(|| bad("it is too short".into()));
        let uuid = array(32)?;
        Ok(Superblock {
            geometry,
            features,
            uuid,
            meta_uuid: if features.meta_uuid { array(248)? } else { uuid },
            label: until_nul(raw.0.slice(108, 12).unwrap_or_default()).to_vec(),
            root,
            log: log::Geometry::parse(sector)?,
        })
    }
}

/// Groups to look for a copy in, each with the bytes of a group: by the damaged superblock's own word, and by what
/// mkfs.xfs makes of a source of this length (four groups, or one for each TiB). Only the middle and the last copy
/// name the root folder, so every group of a small number is tried.
fn candidates(hint: Option<u64>, len: u64) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let by_default = (len / 4096).div_ceil(4).saturating_mul(4096);
    for bytes in [hint.unwrap_or(by_default), by_default, 1 << 40] {
        let groups = len.div_ceil(bytes.max(1));
        let last = groups.saturating_sub(1);
        all.extend(
            (1..groups.min(16))
                .chain([groups / 2, last])
                .filter(|&group| group > 0)
                .map(|group| (group, bytes)),
        );
    }
    all
}

fn bad(why: String) -> Error {
    Error::whole("superblock", why)
}

struct Raw<'a>(Bytes<'a>);

impl Raw<'_> {
    fn u8(&self, at: usize) -> Result<u8> {
        self.0.u8(at).ok_or_else(|| bad("it is too short".into()))
    }
    fn u16(&self, at: usize) -> Result<u16> {
        self.0.be16(at).ok_or_else(|| bad("it is too short".into()))
    }
    fn u32(&self, at: usize) -> Result<u32> {
        self.0.be32(at).ok_or_else(|| bad("it is too short".into()))
    }
    fn u64(&self, at: usize) -> Result<u64> {
        self.0.be64(at).ok_or_else(|| bad("it is too short".into()))
    }

    fn geometry(&self) -> Result<Geometry> {
        let block_size = self.power_of_two("block size", self.u32(4)?, 120, 512..=65_536)?;
        let sector_size = self.power_of_two("sector size", u32::from(self.u16(102)?), 121, 512..=32_768)?;
        let inode_size = self.power_of_two("inode size", u32::from(self.u16(104)?), 122, 256..=2048)?;
        let inodes_per_block_log = u32::from(self.u8(123)?);
        let block_log = block_size.trailing_zeros();
        if inode_size > block_size
            || block_log.checked_sub(inode_size.trailing_zeros()) != Some(inodes_per_block_log)
        {
            return Err(bad(format!(
                "2^{inodes_per_block_log} inodes of {inode_size} bytes do not fill a block of {block_size}"
            )));
        }
        let (blocks, group_blocks, groups) = (self.u64(8)?, self.u32(84)?, self.u32(88)?);
        let group_log = u32::from(self.u8(124)?);
        let rounded = u64::from(group_blocks).checked_next_power_of_two().map(u64::trailing_zeros);
        if group_blocks == 0 || rounded != Some(group_log) {
            return Err(bad(format!("groups of {group_blocks} blocks do not need {group_log} bits")));
        }
        let most = u64::from(groups).saturating_mul(u64::from(group_blocks));
        let least = most.saturating_sub(u64::from(group_blocks));
        if groups == 0 || blocks > most || blocks <= least {
            return Err(bad(format!("{groups} groups of {group_blocks} blocks do not hold {blocks} blocks")));
        }
        if blocks.checked_mul(u64::from(block_size)).is_none() {
            return Err(bad(format!("{blocks} blocks of {block_size} bytes are too many")));
        }
        let dir_block_log = u32::from(self.u8(192)?);
        if block_log.saturating_add(dir_block_log) > 16 {
            return Err(bad(format!("blocks of folders are 2^{dir_block_log} blocks, more than 64 KiB")));
        }
        Ok(Geometry {
            block_size,
            block_log,
            sector_size,
            inode_size,
            inodes_per_block_log,
            blocks,
            group_blocks,
            group_log,
            groups,
            dir_block_log,
        })
    }

    /// A size that stands beside its own logarithm.
    fn power_of_two(
        &self,
        what: &str,
        size: u32,
        log_at: usize,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Result<u32> {
        let log = self.u8(log_at)?;
        if !size.is_power_of_two() || !allowed.contains(&size) || size.trailing_zeros() != u32::from(log) {
            return Err(bad(format!("{what} {size} with logarithm {log}")));
        }
        Ok(size)
    }
}

/// True if the source begins with the magic.
///
/// # Errors
/// What the source answers, but for its end.
pub(super) fn probe(source: &dyn BlockSource) -> Result<bool> {
    Ok(if_long_enough(read_vec(source, 0, MAGIC.len()))?.is_some_and(|bytes| bytes == MAGIC))
}

#[cfg(test)]
mod tests;
