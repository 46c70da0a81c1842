// SPDX-License-Identifier: Apache-2.0
//! What a superblock says a reader must know.

use crate::error::{Error, Result};

/// Features that a reader may ignore.
pub(super) mod compat {
    /// A journal.
    pub(in super::super) const HAS_JOURNAL: u32 = 0x4;
    /// Folders may have a hash index.
    pub(in super::super) const DIR_INDEX: u32 = 0x20;
    /// Copies of the superblock in at most two groups, which it names.
    pub(in super::super) const SPARSE_SUPER2: u32 = 0x200;
}

/// Features that a reader must know.
pub(super) mod incompat {
    /// Files compressed by e2compr.
    pub(super) const COMPRESSION: u32 = 0x1;
    /// Folder entries keep the type.
    pub(in super::super) const FILETYPE: u32 = 0x2;
    /// The journal must be applied.
    pub(in super::super) const RECOVER: u32 = 0x4;
    /// This is a journal for another device.
    pub(super) const JOURNAL_DEV: u32 = 0x8;
    /// Group descriptors are spread over the groups.
    pub(in super::super) const META_BG: u32 = 0x10;
    /// Files may be mapped by extents.
    pub(super) const EXTENTS: u32 = 0x40;
    /// Block numbers of 64 bits.
    pub(in super::super) const BITS_64: u32 = 0x80;
    /// A block that guards against two mounts.
    pub(super) const MMP: u32 = 0x100;
    /// Inode tables of several groups lie together.
    pub(super) const FLEX_BG: u32 = 0x200;
    /// Large attribute values have inodes of their own.
    pub(in super::super) const EA_INODE: u32 = 0x400;
    /// Data in folder entries (Lustre).
    pub(super) const DIRDATA: u32 = 0x1000;
    /// The seed of checksums stands in the superblock.
    pub(in super::super) const CSUM_SEED: u32 = 0x2000;
    /// Folders over 2 GiB, indexes of three levels.
    pub(in super::super) const LARGEDIR: u32 = 0x4000;
    /// Small files inside the inode.
    pub(super) const INLINE_DATA: u32 = 0x8000;
    /// Encrypted files.
    pub(super) const ENCRYPT: u32 = 0x1_0000;
    /// Folders that do not tell upper from lower case.
    pub(super) const CASEFOLD: u32 = 0x2_0000;

    /// What this reader knows.
    pub(super) const KNOWN: u32 = FILETYPE
        | RECOVER
        | META_BG
        | EXTENTS
        | BITS_64
        | MMP
        | FLEX_BG
        | EA_INODE
        | CSUM_SEED
        | LARGEDIR
        | INLINE_DATA
        | ENCRYPT
        | CASEFOLD;
}

/// Features that a writer must know.
pub(super) mod ro_compat {
    /// Copies of the superblock only in groups that are powers of 3, 5 and 7.
    pub(in super::super) const SPARSE_SUPER: u32 = 0x1;
    /// Files over 2 GiB.
    pub(super) const LARGE_FILE: u32 = 0x2;
    /// Never used by Linux.
    pub(super) const BTREE_DIR: u32 = 0x4;
    /// Group descriptors have a CRC-16.
    pub(in super::super) const GDT_CSUM: u32 = 0x10;
    /// Space is given out in clusters of blocks.
    pub(in super::super) const BIGALLOC: u32 = 0x200;
    /// All metadata has a CRC-32C.
    pub(in super::super) const METADATA_CSUM: u32 = 0x400;
}

/// The three sets of a superblock, at 0x5c, 0x60 and 0x64 of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Features {
    /// May be ignored.
    pub(super) compat: u32,
    /// Must be known to read.
    pub(super) incompat: u32,
    /// Must be known to write.
    pub(super) ro_compat: u32,
}

impl Features {
    /// True if a feature of [`compat`] is set.
    pub(super) fn compat(self, bit: u32) -> bool {
        self.compat & bit != 0
    }

    /// True if a feature of [`incompat`] is set.
    pub(super) fn incompat(self, bit: u32) -> bool {
        self.incompat & bit != 0
    }

    /// True if a feature of [`ro_compat`] is set.
    pub(super) fn ro_compat(self, bit: u32) -> bool {
        self.ro_compat & bit != 0
    }

    /// Refuses what a reader must know and this one does not.
    ///
    /// # Errors
    /// `Unsupported`, with the features' names or bits.
    pub(super) fn check(self) -> Result<()> {
        let refused = self.incompat & !incompat::KNOWN;
        if refused == 0 {
            return Ok(());
        }
        let names = [
            (incompat::COMPRESSION, "compression"),
            (incompat::JOURNAL_DEV, "journal_dev"),
            (incompat::DIRDATA, "dirdata"),
        ];
        let mut words: Vec<String> =
            names.iter().filter(|(bit, _)| refused & bit != 0).map(|(_, name)| (*name).to_string()).collect();
        let nameless = names.iter().fold(refused, |left, (bit, _)| left & !bit);
        if nameless != 0 {
            words.push(format!("incompatible bits {nameless:#x}"));
        }
        Err(Error::Unsupported(format!("ext4 {}", words.join(", "))))
    }

    /// The name that blkid gives a filesystem with these features.
    ///
    /// Source: util-linux `libblkid/src/superblocks/ext.c`.
    pub(super) fn type_name(self) -> &'static str {
        let ext3_ro = ro_compat::SPARSE_SUPER | ro_compat::LARGE_FILE | ro_compat::BTREE_DIR;
        let ext3_in = incompat::FILETYPE | incompat::RECOVER | incompat::META_BG;
        let journal = self.compat(compat::HAS_JOURNAL);
        if self.ro_compat & !ext3_ro != 0 || self.incompat & !ext3_in != 0 {
            "ext4"
        } else if journal {
            "ext3"
        } else {
            "ext2"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(incompat: u32) -> String {
        Features { incompat, ..Features::default() }.check().unwrap_err().to_string()
    }

    #[test]
    fn features_that_change_the_meaning_of_bytes_are_refused_by_name() {
        assert!(refusal(0x1).contains("compression"));
        assert!(refusal(0x8).contains("journal_dev"));
        assert!(refusal(0x1002).contains("dirdata"));
        assert!(refusal(0x8000_0002).contains("0x80000000"));
    }

    #[test]
    fn every_feature_that_the_kernel_reads_opens() {
        // Kernel 6.18, EXT4_FEATURE_INCOMPAT_SUPP.
        let incompat =
            0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x3_0000;
        Features { incompat, ..Features::default() }.check().unwrap();
    }
}
