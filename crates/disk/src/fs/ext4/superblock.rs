// SPDX-License-Identifier: Apache-2.0
//! The superblock: sizes, features, and where everything else is reckoned from.

use super::csum::crc32c;
use super::features::{Features, compat, incompat, ro_compat};
use super::hash::Settings;
use crate::bytes::{Bytes, until_nul};
use crate::error::{Error, Result};
use crate::source::{BlockSource, read_vec};

/// Where the first superblock lies, in bytes from the start of the filesystem.
pub(super) const OFFSET: u64 = 1024;
/// Bytes of a superblock.
pub(super) const BYTES: usize = 1024;
/// `s_magic`, at 0x38 of the superblock.
pub(super) const MAGIC: [u8; 2] = [0x53, 0xef];
/// Groups whose copies are tried: those of `sparse_super` up to the eighth.
const BACKUP_GROUPS: [u64; 8] = [1, 3, 5, 7, 9, 25, 27, 49];

/// Where the journal is said to be.
#[derive(Debug, Clone, Default)]
pub(super) struct JournalPlace {
    /// The inode that holds it; 0 if it lies elsewhere.
    pub(super) inode: u32,
    /// The device it lies on if not here; 0 if none.
    pub(super) device: u32,
    /// A copy of the inode's 60 bytes of block map, with its size in bytes.
    pub(super) backup: Option<([u8; 60], u64)>,
}

/// What a superblock says, checked to be possible.
///
/// Shape:  1024 bytes, little-endian.
/// Source: kernel `struct ext4_super_block`, Documentation/filesystems/ext4/super.rst.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) features: Features,
    pub(super) uuid: [u8; 16],
    pub(super) label: Vec<u8>,
    /// Bytes of a block: 1024 to 65536.
    pub(super) block_size: u32,
    /// Bytes of a cluster; those of a block without `bigalloc`.
    pub(super) cluster_size: u64,
    /// Blocks of the filesystem.
    pub(super) blocks: u64,
    /// The block that group 0 begins with.
    pub(super) first_data_block: u64,
    pub(super) blocks_per_group: u64,
    pub(super) groups: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    /// Bytes of an inode.
    pub(super) inode_size: usize,
    /// Bytes of a group descriptor.
    pub(super) descriptor_size: usize,
    /// The first descriptor block that lies in its own groups, with `meta_bg`.
    pub(super) first_meta_bg: u64,
    /// The groups that have copies, with `sparse_super2`.
    pub(super) backup_groups: [u32; 2],
    /// The group whose copy this is; 0 for the first superblock.
    pub(super) group: u16,
    /// What checksums of metadata begin with.
    pub(super) checksum_seed: u32,
    /// How names are hashed.
    pub(super) hash: Settings,
    pub(super) journal: JournalPlace,
}

impl Superblock {
    /// Reads the first superblock, or a copy of it if that is damaged; then also says which.
    ///
    /// # Errors
    /// `Corrupt` if neither it nor a copy is valid; `Unsupported`; what the source answers.
    pub(super) fn read(source: &dyn BlockSource) -> Result<(Superblock, Option<String>)> {
        let damage = match Self::parse(&read_vec(source, OFFSET, BYTES)?) {
            Err(Error::Corrupt(damage)) => damage,
            other => return other.map(|superblock| (superblock, None)),
        };
        source.advise(
            &backup_offsets(source.len()).map(|(_, at)| at..at.saturating_add(1024)).collect::<Vec<_>>(),
        );
        for (group, offset) in backup_offsets(source.len()) {
            let copy = Self::parse(&read_vec(source, offset, BYTES)?);
            if let Ok(copy) = copy.and_then(|copy| copy.check_place(group, offset)) {
                return Ok((
                    copy,
                    Some(format!("superblock of group {group}, since the first is damaged: {}", damage.why)),
                ));
            }
        }
        Err(damage.into())
    }

    /// A copy must say where it lies, or it is a leftover of another filesystem.
    fn check_place(self, group: u64, offset: u64) -> Result<Superblock> {
        let first = self.group_start(group).saturating_mul(u64::from(self.block_size));
        if u64::from(self.group) == group && first == offset {
            return Ok(self);
        }
        Err(Error::whole("superblock copy", format!("says group {} in group {group}", self.group)))
    }

    /// Parses and checks 1024 bytes.
    ///
    /// # Errors
    /// `Corrupt` with the field that cannot be; `Unsupported` for unknown features.
    pub(super) fn parse(raw: &[u8]) -> Result<Superblock> {
        check_checksum(raw)?;
        Self::parse_unverified(raw)
    }

    /// The same for one that came out of the journal, whose checksum may be old.
    ///
    /// # Errors
    /// As [`Superblock::parse`].
    pub(super) fn parse_unverified(raw: &[u8]) -> Result<Superblock> {
        let bytes = Bytes(raw);
        if !bytes.has(0x38, &MAGIC) {
            return Err(bad("no magic"));
        }
        Self::fields(bytes).ok_or_else(|| bad("shorter than 1024 bytes"))?
    }

    /// `None` only if `bytes` is too short.
    fn fields(bytes: Bytes<'_>) -> Option<Result<Superblock>> {
        let features = features(bytes)?;
        if let Err(error) = features.check() {
            return Some(Err(error));
        }
        let block_size = match bytes.le32(0x18)? {
            log @ 0..=6 => 1024_u32.checked_shl(log).unwrap_or(0),
            log => return Some(Err(bad(format!("block size 2^{log} KiB")))),
        };
        let cluster_size = match bytes.le32(0x1c)? {
            log @ 0..=20 if features.ro_compat(ro_compat::BIGALLOC) => 1024_u64.checked_shl(log).unwrap_or(0),
            _ => u64::from(block_size),
        };
        let dynamic = bytes.le32(0x4c)? > 0;
        let wide = features.incompat(incompat::BITS_64);
        let blocks_high = if wide { bytes.le32(0x150)? } else { 0 };
        let uuid = bytes.array(0x68)?;
        let seed =
            if features.incompat(incompat::CSUM_SEED) { bytes.le32(0x270)? } else { crc32c(u32::MAX, &uuid) };
        let superblock = Superblock {
            features,
            uuid,
            label: until_nul(bytes.slice(0x78, 16)?).to_vec(),
            block_size,
            cluster_size,
            blocks: (u64::from(blocks_high) << 32) | u64::from(bytes.le32(0x4)?),
            first_data_block: u64::from(bytes.le32(0x14)?),
            blocks_per_group: u64::from(bytes.le32(0x20)?),
            groups: 0,
            inodes: bytes.le32(0)?,
            inodes_per_group: bytes.le32(0x28)?,
            inode_size: if dynamic { usize::from(bytes.le16(0x58)?) } else { 128 },
            descriptor_size: if wide { usize::from(bytes.le16(0xfe)?) } else { 32 },
            first_meta_bg: u64::from(bytes.le32(0x104)?),
            backup_groups: [bytes.le32(0x24c)?, bytes.le32(0x250)?],
            group: bytes.le16(0x5a)?,
            checksum_seed: seed,
            hash: Settings::parse(bytes)?,
            journal: journal(bytes)?,
        };
        Some(superblock.checked(bytes.u8(0x175)?))
    }

    /// Refuses sizes that cannot be, and reckons the number of groups.
    fn checked(mut self, checksum_type: u8) -> Result<Superblock> {
        let bits = u64::from(self.block_size).saturating_mul(8);
        let clusters = self.cluster_size.checked_div(u64::from(self.block_size)).unwrap_or(0);
        if clusters == 0 {
            return Err(bad(format!("clusters of {} bytes", self.cluster_size)));
        }
        if self.blocks_per_group == 0 || self.blocks_per_group > bits.saturating_mul(clusters) {
            return Err(bad(format!("{} blocks per group", self.blocks_per_group)));
        }
        if self.inodes_per_group == 0 || u64::from(self.inodes_per_group) > bits {
            return Err(bad(format!("{} inodes per group", self.inodes_per_group)));
        }
        if !self.inode_size.is_power_of_two() || self.inode_size < 128 || self.inode_size > self.block_bytes()
        {
            return Err(bad(format!("inodes of {} bytes", self.inode_size)));
        }
        let least = if self.features.incompat(incompat::BITS_64) { 64 } else { 32 };
        if !self.descriptor_size.is_power_of_two() || !(least..=1024).contains(&self.descriptor_size) {
            return Err(bad(format!("group descriptors of {} bytes", self.descriptor_size)));
        }
        if self.first_data_block > 1 || self.blocks <= self.first_data_block || self.blocks >> 48 != 0 {
            return Err(bad(format!("{} blocks, the first is {}", self.blocks, self.first_data_block)));
        }
        let data = self.blocks.saturating_sub(self.first_data_block);
        self.groups = data.div_ceil(self.blocks_per_group);
        if self.groups.saturating_mul(u64::from(self.inodes_per_group)) != u64::from(self.inodes) {
            return Err(bad(format!("{} inodes in {} groups", self.inodes, self.groups)));
        }
        if self.has_checksums() && checksum_type != 1 {
            return Err(Error::Unsupported(format!("ext4 checksum type {checksum_type}")));
        }
        Ok(self)
    }

    /// Bytes of a block, as an index.
    pub(super) fn block_bytes(&self) -> usize {
        crate::bytes::index(u64::from(self.block_size))
    }

    /// True if all metadata has a CRC-32C.
    pub(super) fn has_checksums(&self) -> bool {
        self.features.ro_compat(ro_compat::METADATA_CSUM)
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group.saturating_mul(self.blocks_per_group).saturating_add(self.first_data_block)
    }

    /// True if a group begins with a superblock, its own or a copy.
    ///
    /// Source: kernel `ext4_bg_has_super`.
    pub(super) fn group_has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.features.compat(compat::SPARSE_SUPER2) {
            return self.backup_groups.iter().any(|&backup| u64::from(backup) == group);
        }
        let power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power = power.saturating_mul(base);
            }
            power == group
        };
        group == 1 || !self.features.ro_compat(ro_compat::SPARSE_SUPER) || [3, 5, 7].into_iter().any(power_of)
    }
}

fn bad(why: impl Into<String>) -> Error {
    Error::whole("superblock", why)
}

fn features(bytes: Bytes<'_>) -> Option<Features> {
    if bytes.le32(0x4c)? == 0 {
        return Some(Features::default());
    }
    Some(Features { compat: bytes.le32(0x5c)?, incompat: bytes.le32(0x60)?, ro_compat: bytes.le32(0x64)? })
}

fn journal(bytes: Bytes<'_>) -> Option<JournalPlace> {
    let size = (u64::from(bytes.le32(0x148)?) << 32) | u64::from(bytes.le32(0x14c)?);
    // EXT3_JNL_BACKUP_BLOCKS
    let backup = (bytes.u8(0xfd)? == 1).then_some((bytes.array(0x10c)?, size));
    Some(JournalPlace { inode: bytes.le32(0xe0)?, device: bytes.le32(0xe4)?, backup })
}

/// Checks the CRC-32C of the superblock where there is one.
fn check_checksum(raw: &[u8]) -> Result<()> {
    let bytes = Bytes(raw);
    let has = features(bytes).is_some_and(|features| features.ro_compat(ro_compat::METADATA_CSUM));
    if !has || cfg!(fuzzing) || bytes.u8(0x175) != Some(1) {
        return Ok(());
    }
    let stored = bytes.le32(0x3fc).unwrap_or(0);
    let found = crc32c(u32::MAX, bytes.slice(0, 0x3fc).unwrap_or_default());
    if stored == found {
        return Ok(());
    }
    Err(bad(format!("checksum {found:#010x}, expected {stored:#010x}")))
}

/// Where copies lie with the usual sizes: blocks of 1, 2 and 4 KiB, eight times as many blocks in a group as bytes in
/// a block. Only those that lie wholly before `end`.
fn backup_offsets(end: u64) -> impl Iterator<Item = (u64, u64)> {
    [4096_u64, 1024, 2048].into_iter().flat_map(move |size| {
        BACKUP_GROUPS.into_iter().filter_map(move |group| {
            let first = u64::from(size == 1024);
            let block = group.checked_mul(size.checked_mul(8)?)?.checked_add(first)?;
            let offset = block.checked_mul(size)?;
            (offset.checked_add(1024)? <= end).then_some((group, offset))
        })
    })
}

/// True if the first copy of a superblock lies where it would with the usual sizes: for a filesystem whose first
/// superblock is gone. Costs up to three reads.
///
/// # Errors
/// What the source answers.
pub(super) fn probe_copies(source: &dyn BlockSource) -> Result<bool> {
    let first: Vec<_> = backup_offsets(source.len()).filter(|(group, _)| *group == 1).collect();
    source.advise(&first.iter().map(|(_, at)| *at..at.saturating_add(1024)).collect::<Vec<_>>());
    for (group, offset) in first {
        let copy = Superblock::parse(&read_vec(source, offset, BYTES)?);
        if copy.and_then(|copy| copy.check_place(group, offset)).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
