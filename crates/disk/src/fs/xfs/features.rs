// SPDX-License-Identifier: Apache-2.0
//! What feature bits mean for a reader: known, harmless, or refused by name.

use crate::error::{Error, Result};

/// `sb_features_incompat` of version 5: whoever does not know a bit must not read.
///
/// Source: `XFS_SB_FEAT_INCOMPAT_*` in Linux, fs/xfs/libxfs/xfs_format.h; xfs(5) of xfsprogs.
pub(super) mod incompat {
    /// Folders keep the type of each entry.
    pub(crate) const FTYPE: u32 = 1;
    /// Inode chunks may have holes; inode numbers stay as they are.
    pub(crate) const SPARSE_INODES: u32 = 1 << 1;
    /// Metadata carries a UUID of its own, so that the visible one can change.
    pub(crate) const META_UUID: u32 = 1 << 2;
    /// Inodes may keep times as 64-bit nanoseconds.
    pub(crate) const BIGTIME: u32 = 1 << 3;
    /// xfs_repair has to run (or was interrupted).
    pub(crate) const NEEDS_REPAIR: u32 = 1 << 4;
    /// Inodes may have 64-bit counters of extents.
    pub(crate) const LARGE_COUNTERS: u32 = 1 << 5;
    /// Files may exchange ranges; only the log has new items.
    pub(crate) const EXCHANGE_RANGE: u32 = 1 << 6;
    /// Names are also kept as attributes of what they name.
    pub(crate) const PARENT: u32 = 1 << 7;
    /// Quota and realtime inodes live in a hidden tree, realtime space in groups.
    pub(crate) const METADIR: u32 = 1 << 8;
    /// The realtime part is zoned.
    pub(crate) const ZONED: u32 = 1 << 9;
    /// Zones of the realtime part have gaps in their addresses.
    pub(crate) const ZONE_GAPS: u32 = 1 << 10;

    /// Bits that a reader of the data part may meet. The last three change only the realtime part and the hidden
    /// tree, and the content of realtime files is refused file by file.
    pub(crate) const KNOWN: u32 = FTYPE
        | SPARSE_INODES
        | META_UUID
        | BIGTIME
        | NEEDS_REPAIR
        | LARGE_COUNTERS
        | EXCHANGE_RANGE
        | PARENT
        | METADIR
        | ZONED
        | ZONE_GAPS;
}

/// Bits of `sb_versionnum`; the lowest four are the version.
mod version {
    pub(super) const SHARED: u16 = 0x0200;
    pub(super) const EXTENT_FLAG: u16 = 0x1000;
    pub(super) const DIRECTORY_V2: u16 = 0x2000;
    pub(super) const ASCII_CI: u16 = 0x4000;
    pub(super) const MORE: u16 = 0x8000;
}

/// Bits of `sb_features2`.
mod features2 {
    /// Lazy counters, attribute format 2, 32-bit project ids, CRC, ftype: what the kernel knows.
    pub(super) const KNOWN: u32 = 0x2 | 0x8 | 0x80 | 0x100 | FTYPE;
    pub(super) const FTYPE: u32 = 0x200;
}

/// What of the feature bits matters to reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    /// Version 5: metadata has checksums, owners and UUIDs.
    pub(super) v5: bool,
    /// Entries of folders carry a type.
    pub(super) ftype: bool,
    /// Names are compared without regard to the case of ASCII (and Latin-1) letters.
    pub(super) ascii_ci: bool,
    /// Metadata carries `sb_meta_uuid`.
    pub(super) meta_uuid: bool,
    /// xfs_repair has to run.
    pub(super) needs_repair: bool,
    /// All bits of `sb_features_incompat`.
    pub(super) incompat: u32,
}

impl Features {
    /// Judges the raw bits.
    ///
    /// # Errors
    /// `Unsupported` with names and bits if any of them forbids reading.
    pub(super) fn new(versionnum: u16, features2: u32, incompat: u32) -> Result<Features> {
        let ascii_ci = versionnum & version::ASCII_CI != 0;
        match versionnum & 0xf {
            5 => {
                let unknown = incompat & !incompat::KNOWN;
                if unknown != 0 {
                    return Err(Error::Unsupported(format!("XFS incompatible feature bits {unknown:#x}")));
                }
                Ok(Features {
                    v5: true,
                    ftype: incompat & incompat::FTYPE != 0,
                    ascii_ci,
                    meta_uuid: incompat & incompat::META_UUID != 0,
                    needs_repair: incompat & incompat::NEEDS_REPAIR != 0,
                    incompat,
                })
            }
            4 => Features::new_v4(versionnum, features2, ascii_ci),
            other => Err(Error::Unsupported(format!("XFS version {other}"))),
        }
    }

    fn new_v4(versionnum: u16, features2: u32, ascii_ci: bool) -> Result<Features> {
        if versionnum & version::DIRECTORY_V2 == 0 {
            return Err(Error::Unsupported("XFS folders of version 1".into()));
        }
        if versionnum & version::EXTENT_FLAG == 0 {
            return Err(Error::Unsupported("XFS extents without the unwritten flag".into()));
        }
        if versionnum & version::SHARED != 0 {
            return Err(Error::Unsupported("XFS shared version number".into()));
        }
        let more = if versionnum & version::MORE != 0 { features2 } else { 0 };
        let unknown = more & !features2::KNOWN;
        if unknown != 0 {
            return Err(Error::Unsupported(format!("XFS features2 bits {unknown:#x}")));
        }
        Ok(Features {
            v5: false,
            ftype: more & features2::FTYPE != 0,
            ascii_ci,
            meta_uuid: false,
            needs_repair: false,
            incompat: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(versionnum: u16, features2: u32, incompat: u32) -> String {
        match Features::new(versionnum, features2, incompat) {
            Err(Error::Unsupported(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn known_features_of_v5_are_taken() {
        let features = Features::new(0xb4a5, 0x18a, 0x7ff).unwrap();
        assert!(features.v5 && features.ftype && features.meta_uuid && features.needs_repair);
        assert!(!Features::new(0xb4a5, 0x18a, 0).unwrap().ftype);
    }

    #[test]
    fn unknown_incompatible_bit_is_named() {
        assert_eq!(refusal(0xb4a5, 0x18a, 0x8000_0003), "XFS incompatible feature bits 0x80000000");
    }

    #[test]
    fn each_old_form_is_refused_by_name() {
        assert_eq!(refusal(0xb4a3, 0, 0), "XFS version 3");
        assert_eq!(refusal(0x94a4, 0, 0), "XFS folders of version 1");
        assert_eq!(refusal(0xa4a4, 0, 0), "XFS extents without the unwritten flag");
        assert_eq!(refusal(0xb6a4, 0, 0), "XFS shared version number");
        assert_eq!(refusal(0xb4a4, 0x400, 0), "XFS features2 bits 0x400");
    }

    #[test]
    fn v4_types_of_entries_need_the_more_bit() {
        assert!(Features::new(0xb4a4, 0x28a, 0).unwrap().ftype);
        assert!(!Features::new(0x34a4, 0x28a, 0).unwrap().ftype);
        assert!(Features::new(0xf4a4, 0x8a, 0).unwrap().ascii_ci);
    }
}
