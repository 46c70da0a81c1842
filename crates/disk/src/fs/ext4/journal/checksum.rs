// SPDX-License-Identifier: Apache-2.0
//! The two checksums of jbd2.
//!
//! Source: `jbd2_chksum` in the kernel's `include/linux/jbd2.h`; `crc32_be` in `lib/crc`.

use std::sync::LazyLock;

/// CRC-32C continued from `seed`, without the usual inversion at either end.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !::crc32c::crc32c_append(!seed, bytes)
}

/// The same over a block whose four bytes at `at` count as zeros: where the checksum itself stands.
pub(super) fn crc32c_but(seed: u32, block: &[u8], at: usize) -> u32 {
    let (head, rest) = block.split_at_checked(at).unwrap_or((block, &[]));
    let tail = rest.get(4..).unwrap_or(&[]);
    crc32c(crc32c(crc32c(seed, head), &[0; 4]), tail)
}

/// CRC-32 with the highest bit first, continued from `seed`, without inversion: the sum over a transaction in
/// journals with checksums of the first version.
pub(super) fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    static TABLE: LazyLock<[u32; 256]> = LazyLock::new(|| {
        std::array::from_fn(|at| {
            let start = u32::try_from(at).unwrap_or(0) << 24;
            (0..8).fold(start, |crc, _| if crc >> 31 == 1 { (crc << 1) ^ 0x04c1_1db7 } else { crc << 1 })
        })
    });
    bytes.iter().fold(seed, |crc, byte| {
        let [top, ..] = crc.to_be_bytes();
        (crc << 8) ^ TABLE.get(usize::from(top ^ byte)).copied().unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The check values of the CRC catalogue (reveng): CRC-32/MPEG-2 is the second, CRC-32/ISCSI inverted the first.
    #[test]
    fn checksums_of_the_digits_are_the_catalogue_s() {
        assert_eq!(crc32_be(!0, b"123456789"), 0x0376_e6e7);
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(crc32c_but(!0, b"1234XXXX9", 4), crc32c(!0, b"1234\0\0\0\x009"));
    }
}
