// SPDX-License-Identifier: Apache-2.0
//! Checks beside the magic of filesystems, swap space and disk labels.

use std::ops::Range;

use super::view::View;

/// Sizes of a page on the machines that Linux runs on.
const PAGES: [u64; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// True for swap space without a suspended system: its name in the last bytes of the first page, for version 2 with a sane header.
///
/// Source: include/linux/swap.h of the kernel, `union swap_header`.
pub(super) fn is_swap(view: &View) -> bool {
    let header = view.at(1024, 16);
    let sane = header.le32(0) == Some(1) || header.be32(0) == Some(1);
    let pages = header.le32(4).is_some_and(|last| last != 0);
    !is_suspend(view)
        && PAGES.iter().any(|page| {
            let at = page.saturating_sub(10);
            view.has(at, b"SWAP-SPACE") || (view.has(at, b"SWAPSPACE2") && sane && pages)
        })
}

/// True for swap space with a suspended system.
pub(super) fn is_suspend(view: &View) -> bool {
    let names: [&[u8]; 4] = [b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001"];
    view.has(0, b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c")
        || PAGES.iter().any(|page| names.iter().any(|name| view.has(page.saturating_sub(10), name)))
}

/// True if the first record of an XFS log has a known version and a length.
pub(super) fn is_xfs_log(view: &View) -> bool {
    let record = view.at(0, 512);
    matches!(record.be32(8), Some(1 | 2)) && record.be32(12).is_some_and(|len| len > 0)
}

/// True for FileVault 2: block type, checksum algorithm and version of its header.
pub(super) fn is_fvault2(view: &View) -> bool {
    let header = view.at(0, 100);
    header.le16(8) == Some(1) && header.le16(10) == Some(0x10)
}

/// True for a ZFS vdev label: the list of names at 16 KiB begins with `version`.
///
/// Source: ZFS On-Disk Specification, section 1.3.3; the list is XDR, big-endian.
pub(super) fn is_zfs(view: &View) -> bool {
    let list = view.at(0x4000, 64);
    list.u8(0) == Some(1) && list.be32(4) == Some(0) && list.be32(8) == Some(1) && list.has(24, b"version\0")
}

/// True for HFS+ and HFSX, also in the wrapper of an old HFS.
pub(super) fn is_hfsplus(view: &View) -> bool {
    let header = view.at(1024, 512);
    let plain = header.has(0, b"H+") || header.has(0, b"HX");
    let sane =
        matches!(header.be16(2), Some(4 | 5)) && header.be32(40).is_some_and(|size| size.is_power_of_two());
    (plain && sane) || (header.has(0, b"BD") && header.has(124, b"H+"))
}

/// True for HFS that wraps no HFS+: allocation blocks are multiples of 512 bytes.
pub(super) fn is_hfs(view: &View) -> bool {
    let header = view.at(1024, 512);
    header.be32(20).is_some_and(|size| size != 0 && size.is_multiple_of(512)) && !header.has(124, b"H+")
}

/// True for UFS 1 and 2 of either byte order.
pub(super) fn is_ufs(view: &View) -> bool {
    [0_u64, 8 << 10, 64 << 10, 256 << 10].iter().any(|place| {
        let magic = view.at(place.saturating_add(0x55c), 4);
        [magic.le32(0), magic.be32(0)].iter().any(|found| matches!(found, Some(0x0001_1954 | 0x1954_0119)))
    })
}

/// True for GFS of a format.
pub(super) fn is_gfs(view: &View, formats: Range<u32>) -> bool {
    view.at(0x10000, 32).be32(24).is_some_and(|format| formats.contains(&format))
}

/// True for a squashfs before version 4, of either byte order.
pub(super) fn is_squashfs3(view: &View) -> bool {
    let version = view.at(28, 2);
    version.le16(0).is_some_and(|major| major < 4) || version.be16(0).is_some_and(|major| major < 4)
}

/// True for NILFS2: revision 2 and a sane superblock size.
pub(super) fn is_nilfs2(view: &View) -> bool {
    let block = view.at(1024, 1024);
    block.le32(0) == Some(2) && block.le16(8).is_some_and(|bytes| (64..=1024).contains(&bytes))
}

/// True for the metadata (1) or data (0) device of a scoutfs.
pub(super) fn is_scoutfs(view: &View, metadata: u64) -> bool {
    view.at(0x10000, 64).le64(48).is_some_and(|flags| flags & 1 == metadata)
}

/// True for minix of versions 1 to 3: its magic, zones and a sane number of inodes.
pub(super) fn is_minix(view: &View) -> bool {
    let block = view.at(1024, 32);
    let old = matches!(block.le16(16), Some(0x137f | 0x138f | 0x2468 | 0x2478)) && block.le16(0) != Some(0);
    let third = block.le16(24) == Some(0x4d5a) && block.le32(0) != Some(0);
    old || third
}

/// True for a Sun disk label: its sector is the exclusive or of nothing.
pub(super) fn is_sun_label(view: &View) -> bool {
    let sector = view.at(0, 512);
    let words: Vec<u16> = (0..256_usize).filter_map(|word| sector.be16(word.saturating_mul(2))).collect();
    words.len() == 256 && words.iter().fold(0, |all, word| all ^ word) == 0
}

/// True for an Atari root sector: an existing partition within the disk, with an id of letters and digits.
///
/// Shape:  size of the disk at 0x1c2, four entries of 12 bytes at 0x1c6: flag, three letters, first sector, sectors;
///         big-endian.
pub(super) fn is_atari_label(view: &View) -> bool {
    let sector = view.at(0, 512);
    let sectors = u64::from(sector.be32(0x1c2).unwrap_or(0));
    let entry = |at: usize| -> Option<bool> {
        let flag = sector.u8(at)?;
        let id = sector.slice(at.checked_add(1)?, 3)?;
        let first = u64::from(sector.be32(at.checked_add(4)?)?);
        let count = u64::from(sector.be32(at.checked_add(8)?)?);
        let named = id.iter().all(u8::is_ascii_alphanumeric);
        Some(flag & 1 == 1 && named && first > 0 && count > 0 && first.saturating_add(count) <= sectors)
    };
    sectors > 0 && sectors <= view.len / 512 && entry(0x1c6) == Some(true)
}
