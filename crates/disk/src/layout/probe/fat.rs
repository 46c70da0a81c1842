// SPDX-License-Identifier: Apache-2.0
//! Boot sectors of the FAT family, which a lone 0x55 0xAA does not prove.

use super::view::View;
use crate::bytes::Bytes;

/// Clusters that a FAT with entries of 12, 16 and 32 bits can have at most.
const CLUSTERS: [u64; 3] = [0xff4, 0xfff4, 0x0fff_fff6];
/// What a BitLocker To Go header has at 424.
const BITLOCKER_TO_GO: &[u8] = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";

/// True for BitLocker: its name at 3, or a FAT32 boot sector in disguise with its GUID.
pub(super) fn is_bitlocker(view: &View) -> bool {
    view.has(3, b"-FVE-FS-") || view.has(424, BITLOCKER_TO_GO)
}

/// True if an NTFS boot sector has a sane cluster size and no FATs.
pub(super) fn is_ntfs(view: &View) -> bool {
    let boot = view.at(0, 512);
    let sector = boot.le16(11).unwrap_or(0);
    (256..=4096).contains(&sector) && sector.is_power_of_two() && boot.u8(16) == Some(0)
}

/// True for FAT12, FAT16 and FAT32.
///
/// Shape:  the BIOS parameter block, little-endian: bytes a sector at 11, sectors a cluster at 13, reserved sectors at
///         14, FATs at 16, root entries at 17, sectors at 19 (or 32), media at 21, sectors a FAT at 22 (or 36).
/// Source: Microsoft FAT specification, section 3; libblkid's checks.
pub(super) fn is_fat(view: &View) -> bool {
    let boot = view.at(0, 512);
    let named = boot.has(0x52, b"MSWIN")
        || boot.has(0x52, b"FAT32   ")
        || boot.has(0x36, b"MSDOS")
        || boot.has(0x36, b"FAT16   ")
        || boot.has(0x36, b"FAT12   ")
        || boot.has(0x36, b"FAT     ");
    let jumps = matches!(boot.u8(0), Some(0xeb | 0xe9)) && boot.has(510, &[0x55, 0xaa]);
    // JFS and HPFS volumes of OS/2 begin with something like a FAT boot sector.
    let disguised = boot.has(0x36, b"JFS     ") || boot.has(0x36, b"HPFS    ");
    (named || (jumps && !disguised)) && is_sane(boot).unwrap_or(false)
}

fn is_sane(boot: Bytes<'_>) -> Option<bool> {
    let sector = u64::from(boot.le16(11)?);
    let cluster = u64::from(boot.u8(13)?);
    let reserved = u64::from(boot.le16(14)?);
    let fats = u64::from(boot.u8(16)?);
    let media = boot.u8(21)?;
    if fats == 0 || reserved == 0 || !(media >= 0xf8 || media == 0xf0) {
        return Some(false);
    }
    if !cluster.is_power_of_two() || !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
        return Some(false);
    }
    let sectors = match boot.le16(19)? {
        0 => u64::from(boot.le32(32)?),
        few => u64::from(few),
    };
    let (fat_sectors, wide) = match boot.le16(22)? {
        0 => (u64::from(boot.le32(36)?), true),
        few => (u64::from(few), false),
    };
    let root = u64::from(boot.le16(17)?).checked_mul(32)?.div_ceil(sector);
    let before = reserved.checked_add(fat_sectors.checked_mul(fats)?)?.checked_add(root)?;
    let Some(clusters) = sectors.checked_sub(before).and_then(|data| data.checked_div(cluster)) else {
        return Some(false);
    };
    let [small, medium, large] = CLUSTERS;
    let most = match (wide, clusters > small) {
        (true, _) => large,
        (false, true) => medium,
        (false, false) => small,
    };
    Some(fat_sectors > 0 && clusters <= most)
}

/// The serial number as `UUID=` in fstab has it.
pub(super) fn serial(view: &View) -> Option<String> {
    let boot = view.at(0, 512);
    let at: usize = if boot.le16(22)? == 0 { 0x43 } else { 0x27 };
    let signed = matches!(boot.u8(at.checked_sub(1)?)?, 0x28 | 0x29);
    let [a, b, c, d] = boot.array::<4>(at)?;
    (signed && [a, b, c, d] != [0; 4]).then(|| format!("{d:02X}{c:02X}-{b:02X}{a:02X}"))
}
