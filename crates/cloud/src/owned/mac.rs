// SPDX-License-Identifier: Apache-2.0
//! MACs over what a thing is made of.
//!
//! Shape: HMAC-SHA-256 (RFC 2104, FIPS 180-4) over fields, each led by its length in bytes as a big-endian `u64`, so that
//! no two lists of fields give the same bytes. The first field says what is signed, so that no MAC stands for another.
//! Written as base64 for URLs without padding (RFC 4648, section 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// A snapshot's volume.
    Snapshot,
    /// A copy's source snapshot.
    Copy,
    /// A volume's snapshot.
    Volume,
    /// A description of a snapshot.
    SnapshotDescription,
    /// A description of a copy.
    CopyDescription,
}

impl Signed {
    fn name(self) -> &'static str {
        match self {
            Signed::Snapshot => "snapshot",
            Signed::Copy => "copy",
            Signed::Volume => "volume",
            Signed::SnapshotDescription => "snapshot description",
            Signed::CopyDescription => "copy description",
        }
    }
}

/// The block of SHA-256: HMAC pads a shorter key to it with zeros.
const BLOCK: usize = 64;

/// All 256 bits of the MAC: 43 characters.
pub(super) fn full(key: &[u8; 32], signed: Signed, fields: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(digest(key, signed, fields))
}

/// The first 64 bits of the MAC: 11 characters. Enough where whoever guesses cannot try: each try is a resource of ours
/// that somebody else would have to make.
pub(super) fn short(key: &[u8; 32], signed: Signed, fields: &[&str]) -> String {
    let [a, b, c, d, e, f, g, h, ..] = digest(key, signed, fields);
    URL_SAFE_NO_PAD.encode([a, b, c, d, e, f, g, h])
}

fn digest(key: &[u8; 32], signed: Signed, fields: &[&str]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    let (head, _) = block.split_at_mut(key.len());
    head.copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for field in std::iter::once(&signed.name()).chain(fields) {
        mac.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(field.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_what_another_tool_computes() {
        // printf '\0\0\0\0\0\0\0\006volume\0\0\0\0\0\0\0\003abc' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…
        let mac = full(&[7; 32], Signed::Volume, &["abc"]);
        assert_eq!(mac, "qelvyoUULY_L3j5I_i7r7wqA4fyNlRJv3XWaPmPMv4E");
        assert_eq!(short(&[7; 32], Signed::Volume, &["abc"]).len(), 11);
    }

    #[test]
    fn moving_a_byte_from_one_field_to_the_next_gives_another_mac() {
        let mac = |fields: &[&str]| full(&[7; 32], Signed::Snapshot, fields);
        assert_ne!(mac(&["ab", "c"]), mac(&["a", "bc"]));
        assert_ne!(mac(&["ab"]), mac(&["ab", ""]));
        assert_ne!(mac(&["ab"]), full(&[7; 32], Signed::Copy, &["ab"]));
    }
}
