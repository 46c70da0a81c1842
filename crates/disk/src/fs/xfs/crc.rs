// SPDX-License-Identifier: Apache-2.0
//! What version 5 puts on every metadata block: checksum, own place, UUID, owner.

use crate::bytes::Bytes;

/// Where one kind of block keeps its proofs, in bytes from its start.
///
/// Source: `struct xfs_dir3_blk_hdr`, `xfs_da3_blkinfo`, `xfs_btree_block`, `xfs_dsymlink_hdr` and
/// `xfs_attr3_rmt_hdr` in Linux, fs/xfs/libxfs/xfs_da_format.h and xfs_format.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    /// CRC-32C of the block with this field as zeros; little-endian, as no other field.
    pub(super) crc: usize,
    /// The block's place in sectors of 512 bytes.
    pub(super) place: usize,
    /// The filesystem's UUID.
    pub(super) uuid: usize,
    /// The inode that owns the block.
    pub(super) owner: usize,
}

/// Data blocks of folders.
pub(super) const DIR_DATA: Proof = Proof { crc: 4, place: 8, uuid: 24, owner: 40 };
/// Leaf and node blocks of folders and attributes.
pub(super) const DA_BLOCK: Proof = Proof { crc: 12, place: 16, uuid: 32, owner: 48 };
/// Blocks of the b+tree of extents.
pub(super) const BMAP_BLOCK: Proof = Proof { crc: 64, place: 24, uuid: 40, owner: 56 };
/// Blocks of link targets and of large attribute values.
pub(super) const REMOTE: Proof = Proof { crc: 12, place: 40, uuid: 16, owner: 32 };
/// Bytes of the header of link targets and of large attribute values.
pub(super) const REMOTE_HEADER: usize = 56;

impl Proof {
    /// Checks place, UUID and owner; the checksum only if `with_crc`.
    ///
    /// # Errors
    /// What does not match, in words.
    pub(super) fn check(
        &self,
        block: &[u8],
        with_crc: bool,
        place: u64,
        uuid: &[u8; 16],
        owner: u64,
    ) -> Result<(), String> {
        if with_crc {
            check(block, self.crc)?;
        }
        let bytes = Bytes(block);
        let found = bytes.be64(self.place);
        if found.and_then(|sectors| sectors.checked_mul(512)) != Some(place) {
            return Err(format!("block at byte {place} says that it is sector {}", found.unwrap_or(0)));
        }
        if bytes.array::<16>(self.uuid).as_ref() != Some(uuid) {
            return Err(format!("block at byte {place} has another filesystem's UUID"));
        }
        let found = bytes.be64(self.owner);
        if found != Some(owner) {
            return Err(format!("block at byte {place} belongs to inode {}", found.unwrap_or(0)));
        }
        Ok(())
    }
}

/// Checks the CRC-32C that stands at byte `at` and was made with that field as zeros.
///
/// # Errors
/// Both numbers, in words.
pub(super) fn check(block: &[u8], at: usize) -> Result<(), String> {
    if cfg!(fuzzing) {
        return Ok(());
    }
    let Some(stored) = Bytes(block).le32(at) else {
        return Err("it has no room for a checksum".into());
    };
    let computed = compute(block, at);
    if stored == computed {
        return Ok(());
    }
    Err(format!("checksum {stored:#010x} is not {computed:#010x}"))
}

/// The checksum of `block` with the four bytes at `at` as zeros.
fn compute(block: &[u8], at: usize) -> u32 {
    let (before, rest) = block.split_at_checked(at).unwrap_or((block, &[]));
    let after = rest.get(4..).unwrap_or_default();
    let crc = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    crc32c::crc32c_append(crc, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_leaves_its_own_field_out() {
        let mut block = vec![7; 64];
        let crc = compute(&block, 12);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(check(&block, 12), Ok(()));
        block[63] ^= 1;
        assert!(check(&block, 12).unwrap_err().starts_with("checksum 0x"));
        assert!(check(&block[..14], 12).is_err());
    }

    #[test]
    fn each_proof_that_does_not_match_is_named() {
        let uuid = [9; 16];
        let mut block = vec![0; 72];
        block[8..16].copy_from_slice(&3_u64.to_be_bytes());
        block[24..40].copy_from_slice(&uuid);
        block[40..48].copy_from_slice(&131_u64.to_be_bytes());
        let why = |place, uuid, owner| DIR_DATA.check(&block, false, place, &uuid, owner);
        assert_eq!(why(1536, uuid, 131), Ok(()));
        assert!(why(2048, uuid, 131).unwrap_err().contains("says that it is sector 3"));
        assert!(why(1536, [8; 16], 131).unwrap_err().contains("UUID"));
        assert!(why(1536, uuid, 132).unwrap_err().contains("belongs to inode 131"));
    }
}
