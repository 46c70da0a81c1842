// SPDX-License-Identifier: Apache-2.0
//! The two checksums of ext4's metadata, without the inversions of their textbook forms.

/// CRC-32C continued from `seed`, neither inverted before nor after.
///
/// Source: kernel `ext4_chksum`, which is `crc32c_le`.
pub(super) fn crc32c(seed: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, data)
}

/// CRC-16 with the reflected polynomial 0xA001, continued from `seed`: group descriptors of `uninit_bg`.
///
/// Source: kernel `lib/crc/crc16.c`.
pub(super) fn crc16(seed: u16, data: &[u8]) -> u16 {
    data.iter().fold(seed, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xa001 } else { crc >> 1 })
    })
}

/// The CRC-32C of one inode's own blocks is continued from this.
///
/// Shape: over the inode number, then the generation, both little-endian.
pub(super) fn inode_seed(seed: u32, number: u32, generation: u32) -> u32 {
    crc32c(crc32c(seed, &number.to_le_bytes()), &generation.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_agree_with_the_check_values_of_the_catalogue() {
        // Catalogue of parametrised CRC algorithms: CRC-32/ISCSI and CRC-16/ARC over "123456789".
        assert_eq!(!crc32c(u32::MAX, b"123456789"), 0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
    }
}
