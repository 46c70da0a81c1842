// SPDX-License-Identifier: Apache-2.0
//! Names what lies on a source by its magic numbers, readable or not.

use crate::error::Result;
use crate::source::BlockSource;

/// What lies on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Exactly one signature, or one that rightly hides the others.
    Known(Signature),
    /// Several live signatures that contradict each other.
    Ambiguous(Vec<Signature>),
    /// The first MiB, the last 64 KiB and all places of a known magic are zeros.
    Blank,
    /// Something is there, and no known magic says what.
    Unknown,
}

/// One recognized signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name that blkid gives it: `ext4`, `xfs`, `crypto_LUKS`, `LVM2_member`, `swap`, `linux_raid_member` …
    pub name: &'static str,
    /// What follows from it.
    pub class: Class,
    /// The UUID as blkid prints it, where cheaply known.
    pub uuid: Option<String>,
    /// The label, where cheaply known.
    pub label: Option<Vec<u8>>,
}

/// What follows from a signature for coverage; the sandbox maps each to its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A filesystem that one of our readers opens.
    Readable,
    /// A physical volume of LVM2.
    LvmMember,
    /// Swap space or a suspend image: nothing to inventory.
    Swap,
    /// FAT12, FAT16, FAT32.
    Vfat,
    /// LUKS of any version, BitLocker and other encryption containers.
    Luks,
    /// btrfs.
    Btrfs,
    /// NTFS.
    Ntfs,
    /// A member of a ZFS pool.
    Zfs,
    /// A member of a software or firmware RAID.
    Raid,
    /// bcache.
    Bcache,
    /// VDO.
    Vdo,
    /// Any other filesystem or container with a name.
    Other,
}

/// Names what lies on `source`, which is a whole disk, a partition, or a logical volume. Partition tables are not its
/// matter.
///
/// # Errors
/// What the source answers, but for places beyond its end, which hold no magic.
pub fn identify(source: &dyn BlockSource) -> Result<Content> {
    let _ = source;
    Ok(Content::Unknown)
}
