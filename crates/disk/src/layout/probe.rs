// SPDX-License-Identifier: Apache-2.0
//! Names what lies on a source by its magic numbers, readable or not.

mod details;
mod ext;
mod fat;
mod filesystems;
mod magics;
mod optical;
mod raid;
mod view;

use self::magics::{Known, MAGICS, Rank};
use self::view::View;
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

/// Bytes at the start that an ordinary filesystem shows itself in: btrfs, reiserfs and GFS2 stand at 64 KiB.
const HEAD: u64 = 72 << 10;
/// Bytes at the end where md 1.0, DDF, DRBD and most firmware RAIDs keep theirs.
const TAIL: u64 = 16 << 10;
/// Bytes at the start that are looked at where nothing was found: VMFS stands at 1 MiB.
const FAR_HEAD: u64 = (1 << 20) + (4 << 10);
/// Bytes at the end that are looked at where nothing was found: Promise RAIDs lie up to 991 sectors before it.
const FAR_TAIL: u64 = 512 << 10;

/// Names what lies on `source`, which is a whole disk, a partition, or a logical volume. Partition tables are not its
/// matter.
///
/// As in blkid, a member of a RAID or a volume manager, or an encrypted container, hides what its content shows: an md
/// 1.0 superblock at the end beats an ext4 at the start, which is the mirror's content. Other signatures that meet
/// contradict each other, but for FAT, UDF and ISO 9660, which boot media mix. Magic numbers of two bytes count only
/// where nothing better is found.
///
/// Cost: the first 72 KiB, the last 16 KiB, and 4 KiB up to 128 KiB before the end for md 0.90, announced at once. Only
/// where these show nothing, the first MiB and the last 512 KiB.
///
/// # Errors
/// What the source answers, but for places beyond its end, which hold no magic.
pub fn identify(source: &dyn BlockSource) -> Result<Content> {
    let len = source.len();
    let old_md = raid::old_md_place(len).map(|at| at..at.saturating_add(4096));
    let mut near = vec![0..HEAD.min(len), len.saturating_sub(TAIL)..len];
    near.extend(old_md);
    let mut view = View::new(len);
    view.load(source, &near)?;
    let found = signatures(&view, false);
    if !found.is_empty() {
        return Ok(decide(
            found.into_iter().map(|known| (known, details::signature(known, &view))).collect(),
        ));
    }
    view.load(source, &[0..FAR_HEAD.min(len), len.saturating_sub(FAR_TAIL)..len])?;
    let found = signatures(&view, true);
    if !found.is_empty() {
        return Ok(decide(
            found.into_iter().map(|known| (known, details::signature(known, &view))).collect(),
        ));
    }
    Ok(if view.is_zero() { Content::Blank } else { Content::Unknown })
}

/// The name of a signature in the first bytes of a disk that may have a partition table.
pub(super) fn name_of_start(head: &[u8]) -> Option<&'static str> {
    let view = View::of_start(head);
    MAGICS
        .iter()
        .filter(|known| known.rank != Rank::Weak)
        .find(|known| known.is_on(&view))
        .map(|known| known.name)
}

/// The signatures that do not hide each other, in the order of the table.
fn signatures(view: &View, weak: bool) -> Vec<&'static Known> {
    let mut found: Vec<&'static Known> = Vec::new();
    for known in MAGICS.iter().filter(|known| known.rank != Rank::Weak && known.is_on(view)) {
        found.push(known);
        if known.rank == Rank::Hides {
            return vec![known];
        }
    }
    if found.is_empty() && weak {
        found.extend(MAGICS.iter().find(|known| known.rank == Rank::Weak && known.is_on(view)));
    }
    found
}

/// What several signatures mean together.
fn decide(found: Vec<(&'static Known, Signature)>) -> Content {
    let only_mixed = found.iter().all(|(known, _)| known.rank == Rank::Mixes);
    let mut signatures: Vec<Signature> = found.into_iter().map(|(_, signature)| signature).collect();
    if signatures.len() == 1 || only_mixed {
        return Content::Known(signatures.swap_remove(0));
    }
    Content::Ambiguous(signatures)
}

#[cfg(test)]
mod tests;
