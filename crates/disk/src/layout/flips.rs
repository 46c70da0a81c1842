// SPDX-License-Identifier: Apache-2.0
//! Flips of bits in test images, the same in every run.

/// A generator of places (xorshift64, Marsaglia 2003).
pub(crate) struct Flips(u64);

impl Flips {
    /// A generator with a seed that is not zero.
    pub(crate) fn new(seed: u64) -> Self {
        Flips(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Flips `count` bits of `bytes`.
    pub(crate) fn flip(&mut self, bytes: &mut [u8], count: u32) {
        for _ in 0..count {
            let place = self.next();
            let byte = (place >> 3) as usize % bytes.len();
            bytes[byte] ^= 1 << (place & 7);
        }
    }
}
