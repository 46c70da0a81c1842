// SPDX-License-Identifier: Apache-2.0
//! The table of magic numbers.
//!
//! Source: the superblock probes of util-linux (libblkid), whose names and order are kept, since the first of several
//! is what blkid prints; the structures themselves where a check reads more than the magic.

use super::view::View;
use super::{Class, ext, fat, filesystems, optical, raid};

/// What a signature means for others on the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// It hides all that come later in the table: they are its content.
    Hides,
    /// It contradicts others.
    Stands,
    /// Boot media mix it with its kind.
    Mixes,
    /// Its magic is so short that it counts only where nothing else does.
    Weak,
}

/// Where a magic stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// Bytes from the start.
    Start(u64),
    /// Sectors of 512 bytes before the end, the last one being 1.
    Sector(u64),
}

impl At {
    /// The byte on a source of `len` bytes.
    pub(super) fn offset(self, len: u64) -> Option<u64> {
        match self {
            At::Start(offset) => Some(offset),
            At::Sector(back) => (len / 512).checked_sub(back)?.checked_mul(512),
        }
    }
}

/// One known signature.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) rank: Rank,
    /// Any of these bytes at any of these places; none if the check alone decides.
    places: &'static [(At, &'static [u8])],
    /// What must hold besides.
    check: fn(&View) -> bool,
}

impl Known {
    /// True if the signature is on the source.
    pub(super) fn is_on(&self, view: &View) -> bool {
        let magic = |(at, bytes): &(At, &[u8])| at.offset(view.len).is_some_and(|at| view.has(at, bytes));
        (self.places.is_empty() || self.places.iter().any(magic)) && (self.check)(view)
    }
}

type Places = &'static [(At, &'static [u8])];

/// Whose magic says enough.
fn enough(_: &View) -> bool {
    true
}

const fn hides(name: &'static str, class: Class, places: Places, check: fn(&View) -> bool) -> Known {
    Known { name, class, rank: Rank::Hides, places, check }
}

const fn stands(name: &'static str, class: Class, places: Places, check: fn(&View) -> bool) -> Known {
    Known { name, class, rank: Rank::Stands, places, check }
}

const fn mixes(name: &'static str, class: Class, places: Places, check: fn(&View) -> bool) -> Known {
    Known { name, class, rank: Rank::Mixes, places, check }
}

const fn weak(name: &'static str, places: Places, check: fn(&View) -> bool) -> Known {
    Known { name, class: Class::Other, rank: Rank::Weak, places, check }
}

use At::{Sector, Start};
use Class::{Bcache, Btrfs, Luks, LvmMember, Ntfs, Other, Raid, Readable, Swap, Vdo, Vfat, Zfs};

/// All known signatures: members of RAIDs, volumes and containers first, since they hide the rest.
pub(super) const MAGICS: &[Known] = &[
    hides("linux_raid_member", Raid, &[], raid::is_md),
    hides(
        "ddf_raid_member",
        Raid,
        &[(Sector(1), b"\xde\x11\xde\x11"), (Sector(257), b"\xde\x11\xde\x11")],
        enough,
    ),
    hides("isw_raid_member", Raid, &[(Sector(2), b"Intel Raid ISM Cfg Sig. ")], enough),
    hides("lsi_mega_raid_member", Raid, &[(Sector(1), b"$XIDE$")], enough),
    hides("via_raid_member", Raid, &[(Sector(1), b"\x55\xaa")], raid::is_via),
    hides("silicon_medley_raid_member", Raid, &[], raid::is_silicon),
    hides("nvidia_raid_member", Raid, &[(Sector(2), b"NVIDIA")], enough),
    hides("promise_fasttrack_raid_member", Raid, &[], raid::is_promise),
    hides(
        "hpt45x_raid_member",
        Raid,
        &[(Sector(11), b"\xf3\x16\x78\x5a"), (Sector(11), b"\xfd\x16\x78\x5a")],
        enough,
    ),
    hides(
        "hpt37x_raid_member",
        Raid,
        &[(Start(4640), b"\xf0\x16\x78\x5a"), (Start(4640), b"\xfd\x16\x78\x5a")],
        enough,
    ),
    hides("adaptec_raid_member", Raid, &[(Sector(1), b"DPTM")], raid::is_adaptec),
    hides("jmicron_raid_member", Raid, &[(Sector(1), b"JM")], raid::is_jmicron),
    hides(
        "bcache",
        Bcache,
        &[(Start(4120), b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81")],
        enough,
    ),
    stands(
        "bcachefs",
        Other,
        &[
            (Start(4120), b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
            (Start(4120), b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x82"),
        ],
        enough,
    ),
    hides("ceph_bluestore", Other, &[(Start(0), b"bluestore block device")], enough),
    hides("drbd", Raid, &[], raid::is_drbd),
    hides("drbdmanage_control_volume", Other, &[(Start(0), b"$DRBDmgr=q")], enough),
    hides("drbdproxy_datalog", Other, &[(Start(16), b"DRBDdlh*")], enough),
    hides(
        "LVM2_member",
        LvmMember,
        &[
            (Start(0), b"LABELONE"),
            (Start(512), b"LABELONE"),
            (Start(1024), b"LABELONE"),
            (Start(1536), b"LABELONE"),
        ],
        raid::is_lvm2,
    ),
    hides("LVM1_member", Other, &[(Start(0), b"HM\x01\0"), (Start(0), b"HM\x02\0")], enough),
    hides("DM_snapshot_cow", Other, &[(Start(0), b"SnAp")], enough),
    hides("DM_verity_hash", Other, &[(Start(0), b"verity\0\0")], enough),
    hides("DM_integrity", Other, &[(Start(0), b"integrt\0")], enough),
    hides("crypto_LUKS", Luks, &[(Start(0), b"LUKS\xba\xbe")], enough),
    hides("VMFS_volume_member", Other, &[(Start(1 << 20), b"\x0d\xd0\x01\xc0")], enough),
    hides("ubi", Other, &[(Start(0), b"UBI#")], enough),
    hides("vdo", Vdo, &[(Start(0), b"dmvdo001")], enough),
    hides(
        "stratis",
        Other,
        &[(Start(516), b"!Stra0tis\x86\xff\x02^\x41rh"), (Start(4612), b"!Stra0tis\x86\xff\x02^\x41rh")],
        enough,
    ),
    hides("BitLocker", Luks, &[(Start(3), b"-FVE-FS-"), (Start(3), b"MSWIN4.1")], fat::is_bitlocker),
    hides("cs_fvault2", Luks, &[(Start(88), b"CS\x01\0")], filesystems::is_fvault2),
    mixes("vfat", Vfat, &[], fat::is_fat),
    stands("swsuspend", Swap, &[], filesystems::is_suspend),
    stands("swap", Swap, &[], filesystems::is_swap),
    stands("xfs", Readable, &[(Start(0), b"XFSB")], enough),
    stands("xfs_external_log", Other, &[(Start(0), b"\xfe\xed\xba\xbe")], filesystems::is_xfs_log),
    stands("exfs", Other, &[(Start(0), b"EXFS")], enough),
    stands("ext4dev", Readable, &[], |view| ext::kind(view) == Some("ext4dev")),
    stands("ext4", Readable, &[], |view| ext::kind(view) == Some("ext4")),
    stands("ext3", Readable, &[], |view| ext::kind(view) == Some("ext3")),
    stands("ext2", Readable, &[], |view| ext::kind(view) == Some("ext2")),
    stands("jbd", Other, &[], |view| ext::kind(view) == Some("jbd")),
    stands(
        "reiserfs",
        Other,
        &[
            (Start(0x2034), b"ReIsErFs"),
            (Start(0x10034), b"ReIsErFs"),
            (Start(0x10034), b"ReIsEr2Fs"),
            (Start(0x10034), b"ReIsEr3Fs"),
        ],
        enough,
    ),
    stands("reiser4", Other, &[(Start(0x10000), b"ReIsEr4")], enough),
    stands("jfs", Other, &[(Start(0x8000), b"JFS1")], enough),
    mixes("udf", Other, &[], optical::is_udf),
    mixes("iso9660", Other, &[(Start(0x8001), b"CD001"), (Start(0x8009), b"CDROM")], enough),
    stands("zfs_member", Zfs, &[], filesystems::is_zfs),
    stands("hfsplus", Other, &[], filesystems::is_hfsplus),
    stands("hfs", Other, &[(Start(1024), b"BD")], filesystems::is_hfs),
    stands("ufs", Other, &[], filesystems::is_ufs),
    stands("hpfs", Other, &[(Start(0x2000), b"\x49\xe8\x95\xf9")], enough),
    stands("ntfs", Ntfs, &[(Start(3), b"NTFS    ")], fat::is_ntfs),
    stands("ReFS", Other, &[(Start(0), b"\0\0\0ReFS\0")], enough),
    stands("cramfs", Other, &[(Start(16), b"Compressed ROMFS"), (Start(528), b"Compressed ROMFS")], enough),
    stands("romfs", Other, &[(Start(0), b"-rom1fs-")], enough),
    stands("gfs", Other, &[(Start(0x10000), b"\x01\x16\x19\x70")], |view| {
        filesystems::is_gfs(view, 1309..1800)
    }),
    stands("gfs2", Other, &[(Start(0x10000), b"\x01\x16\x19\x70")], |view| {
        filesystems::is_gfs(view, 1800..1900)
    }),
    stands("ocfs", Other, &[(Start(8), b"OracleCFS")], enough),
    stands(
        "ocfs2",
        Other,
        &[
            (Start(1024), b"OCFSV2"),
            (Start(2048), b"OCFSV2"),
            (Start(4096), b"OCFSV2"),
            (Start(8192), b"OCFSV2"),
        ],
        enough,
    ),
    stands("oracleasm", Other, &[(Start(32), b"ORCLDISK")], enough),
    stands("vxfs", Other, &[(Start(1024), b"\xf5\xfc\x01\xa5"), (Start(8192), b"\xa5\x01\xfc\xf5")], enough),
    stands("squashfs", Other, &[(Start(0), b"hsqs")], |view| {
        view.at(28, 2).le16(0).is_some_and(|major| major >= 4)
    }),
    stands("squashfs3", Other, &[(Start(0), b"sqsh"), (Start(0), b"hsqs")], filesystems::is_squashfs3),
    stands("nss", Other, &[(Start(4096), b"SPB5")], enough),
    stands("btrfs", Btrfs, &[(Start(0x10040), b"_BHRfS_M")], enough),
    stands("ubifs", Other, &[(Start(0), b"\x31\x18\x10\x06")], enough),
    stands("bfs", Other, &[(Start(0), b"\xce\xfa\xad\x1b")], enough),
    stands("VMFS", Other, &[(Start(0x20_0000), b"\x5e\xf1\xab\x2f")], enough),
    stands("befs", Other, &[(Start(544), b"BFS1"), (Start(544), b"1SFB"), (Start(32), b"BFS1")], enough),
    stands("nilfs2", Other, &[(Start(1030), b"\x34\x34")], filesystems::is_nilfs2),
    stands("exfat", Other, &[(Start(3), b"EXFAT   ")], enough),
    stands("f2fs", Other, &[(Start(1024), b"\x10\x20\xf5\xf2")], enough),
    stands("mpool", Other, &[(Start(0), b"mpoolDev")], enough),
    stands("apfs", Other, &[(Start(32), b"NXSB")], enough),
    stands("zonefs", Other, &[(Start(0), b"SFOZ")], enough),
    stands("erofs", Other, &[(Start(1024), b"\xe2\xe1\xf5\xe0")], enough),
    stands("scoutfs_meta", Other, &[(Start(0x10004), b"\x8b\x42\x3c\x10")], |view| {
        filesystems::is_scoutfs(view, 1)
    }),
    stands("scoutfs_data", Other, &[(Start(0x10004), b"\x8b\x42\x3c\x10")], |view| {
        filesystems::is_scoutfs(view, 0)
    }),
    weak("minix", &[], filesystems::is_minix),
    weak("sgi", &[(Start(0), b"\x0b\xe5\xa9\x41")], enough),
    weak("sun", &[(Start(508), b"\xda\xbe")], filesystems::is_sun_label),
    weak("dasd", &[(Start(8192), b"\xe5\xd6\xd3\xf1")], enough),
    weak("mac", &[(Start(0), b"ER"), (Start(512), b"PM\0\0")], |view| {
        view.has(0, b"ER") && view.has(512, b"PM\0\0")
    }),
    weak("atari", &[], filesystems::is_atari_label),
];
