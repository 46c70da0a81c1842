// SPDX-License-Identifier: Apache-2.0
//! The hashes by which large folders are indexed.

use crate::bytes::Bytes;

/// How a filesystem hashes names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// What the hash begins with; all zeros mean the numbers of MD4.
    pub(super) seed: [u32; 4],
    /// The version for folders that have no index to say theirs.
    pub(super) default_version: u8,
    /// Names are of unsigned bytes, whatever a folder's version says.
    pub(super) unsigned: bool,
}

impl Settings {
    /// Reads the fields of a superblock; `None` if it is too short.
    pub(super) fn parse(superblock: Bytes<'_>) -> Option<Settings> {
        let mut seed = [0; 4];
        for (n, word) in seed.iter_mut().enumerate() {
            *word = superblock.le32(n.checked_mul(4)?.checked_add(0xec)?)?;
        }
        // EXT2_FLAGS_UNSIGNED_HASH
        let unsigned = superblock.le32(0x160)? & 2 != 0;
        Some(Settings { seed, default_version: superblock.u8(0xfc)?, unsigned })
    }

    /// The hash function for a version on the disk; `None` for those that need a key, or are unknown.
    pub(super) fn function(&self, version: u8) -> Option<Function> {
        let (kind, unsigned) = match version {
            0 => (Kind::Legacy, self.unsigned),
            1 => (Kind::HalfMd4, self.unsigned),
            2 => (Kind::Tea, self.unsigned),
            3 => (Kind::Legacy, true),
            4 => (Kind::HalfMd4, true),
            5 => (Kind::Tea, true),
            _ => return None,
        };
        let md4 = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        let seed = if self.seed == [0; 4] { md4 } else { self.seed };
        Some(Function { kind, unsigned, seed })
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Legacy,
    HalfMd4,
    Tea,
}

/// One hash function with its seed.
///
/// Source: kernel `fs/ext4/hash.c`; checked against `debugfs -R dx_hash`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    kind: Kind,
    unsigned: bool,
    seed: [u32; 4],
}

impl Function {
    /// The hash that the index is sorted by, with its lowest bit clear, and the minor hash.
    pub(super) fn hash(&self, name: &[u8]) -> (u32, u32) {
        let (major, minor) = match self.kind {
            Kind::Legacy => (self.legacy(name), 0),
            Kind::HalfMd4 => {
                let mut state = self.seed;
                for (chunk, left) in chunks(name, 32) {
                    half_md4(&mut state, self.words::<8>(chunk, left));
                }
                (state[1], state[2])
            }
            Kind::Tea => {
                let mut state = self.seed;
                for (chunk, left) in chunks(name, 16) {
                    tea(&mut state, self.words::<4>(chunk, left));
                }
                (state[0], state[1])
            }
        };
        // The largest hash means "end of folder" to the kernel.
        let major = match major & !1 {
            0xffff_fffe => 0xffff_fffc,
            other => other,
        };
        (major, minor)
    }

    fn byte(&self, byte: u8) -> u32 {
        if self.unsigned { u32::from(byte) } else { i32::from(byte.cast_signed()).cast_unsigned() }
    }

    fn legacy(&self, name: &[u8]) -> u32 {
        let (mut last, mut before) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
        for &byte in name {
            let mut hash = before.wrapping_add(last ^ self.byte(byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7fff_ffff);
            }
            before = last;
            last = hash;
        }
        last << 1
    }

    /// The bytes of `chunk` as words, filled up with a pad made of the `left` bytes that remain of the name.
    fn words<const N: usize>(&self, chunk: &[u8], left: usize) -> [u32; N] {
        let len = u32::try_from(left).unwrap_or(u32::MAX);
        let pad = len | (len << 8);
        let pad = pad | (pad << 16);
        let mut words = [pad; N];
        for (word, bytes) in words.iter_mut().zip(chunk.chunks(4)) {
            *word = bytes.iter().fold(pad, |word, &byte| self.byte(byte).wrapping_add(word << 8));
        }
        words
    }
}

/// Pieces of `name`, each with the number of bytes left from its start on.
fn chunks(name: &[u8], size: usize) -> impl Iterator<Item = (&[u8], usize)> {
    let mut left = name.len();
    name.chunks(size).map(move |chunk| {
        let now = left;
        left = left.saturating_sub(chunk.len());
        (chunk, now)
    })
}

fn tea(state: &mut [u32; 4], words: [u32; 4]) {
    let [mut left, mut right, ..] = *state;
    let [a, b, c, d] = words;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        let mix = (right << 4).wrapping_add(a) ^ right.wrapping_add(sum) ^ (right >> 5).wrapping_add(b);
        left = left.wrapping_add(mix);
        let mix = (left << 4).wrapping_add(c) ^ left.wrapping_add(sum) ^ (left >> 5).wrapping_add(d);
        right = right.wrapping_add(mix);
    }
    state[0] = state[0].wrapping_add(left);
    state[1] = state[1].wrapping_add(right);
}

fn half_md4(state: &mut [u32; 4], words: [u32; 8]) {
    const ROUND_1: [(usize, u32); 8] = [(0, 3), (1, 7), (2, 11), (3, 19), (4, 3), (5, 7), (6, 11), (7, 19)];
    const ROUND_2: [(usize, u32); 8] = [(1, 3), (3, 5), (5, 9), (7, 13), (0, 3), (2, 5), (4, 9), (6, 13)];
    const ROUND_3: [(usize, u32); 8] = [(3, 3), (7, 9), (2, 11), (6, 15), (1, 3), (5, 9), (0, 11), (4, 15)];
    let choose = |x: u32, y: u32, z: u32| z ^ (x & (y ^ z));
    let majority = |x: u32, y: u32, z: u32| (x & y).wrapping_add((x ^ y) & z);
    let parity = |x: u32, y: u32, z: u32| x ^ y ^ z;
    let mut abcd = *state;
    round(&mut abcd, words, ROUND_1, 0, choose);
    round(&mut abcd, words, ROUND_2, 0x5a82_7999, majority);
    round(&mut abcd, words, ROUND_3, 0x6ed9_eba1, parity);
    for (sum, word) in state.iter_mut().zip(abcd) {
        *sum = sum.wrapping_add(word);
    }
}

/// Eight steps; after each the four words turn by one place.
fn round(
    abcd: &mut [u32; 4],
    words: [u32; 8],
    steps: [(usize, u32); 8],
    constant: u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) {
    for (word, turn) in steps {
        let [a, b, c, d] = *abcd;
        let word = words.get(word).copied().unwrap_or(0);
        let sum = a.wrapping_add(mix(b, c, d)).wrapping_add(word).wrapping_add(constant);
        *abcd = [d, sum.rotate_left(turn), b, c];
    }
}

#[cfg(test)]
mod tests;
