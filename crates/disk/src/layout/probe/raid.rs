// SPDX-License-Identifier: Apache-2.0
//! Members of RAIDs and volume managers, most of which keep their superblock near the end.

use super::magics::At;
use super::view::View;
use crate::bytes::Bytes;

/// The magic of md, as its number.
const MD: u32 = 0xa92b_4efc;
/// Sectors before the end where a Promise RAID may stand.
const PROMISE: [u64; 12] = [63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951];

/// Where an md 0.90 superblock lies: 64 KiB before the end, rounded down to 64 KiB.
pub(super) fn old_md_place(len: u64) -> Option<u64> {
    (len / 65_536).checked_sub(1)?.checked_mul(65_536)
}

/// True for a member of md: version 0.90 or 1.0 near the end, 1.1 at the start, 1.2 at 4 KiB.
///
/// Shape:  little-endian magic and major version; a superblock of version 1 also says where it stands itself, in
///         sectors at 144. A big-endian host wrote 0.90 the other way round.
/// Source: include/uapi/linux/raid/md_p.h of the kernel; md(4).
pub(super) fn is_md(view: &View) -> bool {
    let old = old_md_place(view.len).is_some_and(|at| {
        let block = view.at(at, 8);
        (block.le32(0) == Some(MD) && block.le32(4) == Some(0))
            || (block.be32(0) == Some(MD) && block.be32(4) == Some(0))
    });
    let last = (view.len / 512).checked_sub(16).map(|sector| sector / 8).and_then(|n| n.checked_mul(8));
    old || [Some(0), Some(8), last].into_iter().flatten().any(|sector| {
        let block = view.at(sector.saturating_mul(512), 256);
        block.le32(0) == Some(MD) && block.le32(4) == Some(1) && block.le64(144) == Some(sector)
    })
}

/// The `back`th last sector.
fn sector(view: &View, back: u64) -> Bytes<'_> {
    At::Sector(back).offset(view.len).map_or(Bytes(&[]), |at| view.at(at, 512))
}

/// True if VIA's last sector has a checksum that holds: the sum of its first 50 bytes.
pub(super) fn is_via(view: &View) -> bool {
    let last = sector(view, 1);
    let sum = last.slice(0, 50).map(|bytes| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    sum.is_some() && sum == last.u8(50) && last.u8(2).is_some_and(|version| version <= 1)
}

/// True for Silicon Image: a magic at 96 of the last sector, and words of it that add up to zero.
pub(super) fn is_silicon(view: &View) -> bool {
    let last = sector(view, 1);
    last.le32(96) == Some(0x2f00_0000) && {
        let words = (0..160_usize).filter_map(|word| last.le16(word.saturating_mul(2)));
        let sum = words.fold(0_u16, u16::wrapping_add);
        let stored = last.le16(318).unwrap_or(0);
        sum.wrapping_sub(stored).wrapping_neg() == stored
    }
}

/// True for Promise.
pub(super) fn is_promise(view: &View) -> bool {
    PROMISE.iter().any(|back| sector(view, *back).has(0, b"Promise Technology, Inc."))
}

/// True for Adaptec: a second magic beside the first.
pub(super) fn is_adaptec(view: &View) -> bool {
    sector(view, 1).be32(20) == Some(0x37fc_4d1e)
}

/// True if JMicron's 128 bytes add up to zero or one, as 16-bit words.
pub(super) fn is_jmicron(view: &View) -> bool {
    let last = sector(view, 1);
    let words = (0..64_usize).filter_map(|word| last.le16(word.saturating_mul(2)));
    matches!(words.fold(0_u16, u16::wrapping_add), 0 | 1)
}

/// True for DRBD's internal metadata, 4 KiB before the end: magic of version 8.3, 8.4 or 9 at 60.
pub(super) fn is_drbd(view: &View) -> bool {
    let place = view.len.checked_sub(4096);
    place.is_some_and(|at| matches!(view.at(at, 64).be32(60), Some(0x8374_0267 | 0x8374_026b | 0x8374_026d)))
}

/// True if a label of LVM says that it is of version 2.
pub(super) fn is_lvm2(view: &View) -> bool {
    (0..4_u64).any(|sector| {
        let label = view.at(sector.saturating_mul(512), 32);
        label.has(0, b"LABELONE") && label.has(24, b"LVM2 001")
    })
}
