// SPDX-License-Identifier: Apache-2.0
//! Encrypted names and link targets as the kernel shows them to those who have no key.

use sha2::{Digest, Sha256};

use crate::bytes::Bytes;

/// Bytes of an encrypted name that are shown as they are; the rest is shown by its SHA-256.
const SHOWN: usize = 149;
/// Bytes of the shortest encrypted name (FSCRYPT_FNAME_MIN_MSG_LEN).
const SHORTEST: usize = 16;

/// The name for an encrypted one that has these hashes in its folder.
///
/// Shape:  base64url without padding of: both hashes (32 bits each), up to 149 bytes, SHA-256 of what is beyond.
/// Source: kernel `fs/crypto/fname.c`, `struct fscrypt_nokey_name`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn name(encrypted: &[u8], hashes: (u32, u32)) -> Result<Vec<u8>, String> {
    if encrypted.len() < SHORTEST {
        return Err(format!("encrypted name of {} bytes", encrypted.len()));
    }
    let mut shape = Vec::with_capacity(8 + SHOWN + 32);
    shape.extend_from_slice(&hashes.0.to_le_bytes());
    shape.extend_from_slice(&hashes.1.to_le_bytes());
    let (shown, beyond) = encrypted.split_at(encrypted.len().min(SHOWN));
    shape.extend_from_slice(shown);
    if !beyond.is_empty() {
        shape.extend_from_slice(&Sha256::digest(beyond));
    }
    Ok(base64url(&shape))
}

/// The target for an encrypted one.
///
/// Shape:  length (16 bits), then the encrypted bytes.
/// Source: kernel `fs/crypto/hooks.c`, `fscrypt_get_symlink`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn link_target(stored: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = Bytes(stored);
    let len = usize::from(bytes.le16(0).unwrap_or(0));
    let encrypted = bytes.slice(2, len).ok_or_else(|| format!("encrypted target of {len} bytes"))?;
    name(encrypted, (0, 0))
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = Vec::with_capacity(bytes.len().saturating_mul(4).div_ceil(3));
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, n| (bits << 8) | chunk.get(n).map_or(0, |&byte| u32::from(byte)));
        let shifts = [18, 12, 6, 0].into_iter().take(chunk.len().saturating_add(1));
        text.extend(shifts.filter_map(|shift: u32| {
            let sextet = bits.checked_shr(shift)? & 63;
            ALPHABET.get(crate::bytes::index(u64::from(sextet))).copied()
        }));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_agrees_with_the_test_vectors_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64url(bytes.as_bytes()), text.as_bytes());
        }
        assert_eq!(base64url(&[0xfb, 0xff]), b"-_8");
    }

    #[test]
    fn the_longest_name_is_no_longer_than_a_name_may_be() {
        assert_eq!(name(&[7; 255], (1, 2)).unwrap().len(), 252);
        assert!(name(&[7; 15], (1, 2)).is_err());
    }

    #[test]
    fn a_target_beyond_its_link_is_refused() {
        assert!(link_target(&[]).is_err());
        assert!(link_target(&[17, 0, 1, 2, 3]).is_err());
        assert!(link_target(&[&[16, 0][..], &[9; 16]].concat()).is_ok());
    }
}
