// SPDX-License-Identifier: Apache-2.0
//! The hash by which folders and attributes are indexed.

/// The hash of a name.
///
/// Source: `xfs_da_hashname` in Linux, fs/xfs/libxfs/xfs_da_btree.c; xfs_db's command `hash` prints it.
pub(in crate::fs::xfs) fn hash(name: &[u8]) -> u32 {
    let mut hash = 0_u32;
    let mut chunks = name.chunks_exact(4);
    for chunk in &mut chunks {
        hash = mix(chunk) ^ hash.rotate_left(28);
    }
    let rest = chunks.remainder();
    match rest.len() {
        3 => mix(rest) ^ hash.rotate_left(21),
        2 => mix(rest) ^ hash.rotate_left(14),
        1 => mix(rest) ^ hash.rotate_left(7),
        _ => hash,
    }
}

/// Up to four bytes side by side, each seven bits from the next.
fn mix(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |mixed, &byte| mixed << 7 ^ u32::from(byte))
}

/// The hash of a name in a filesystem that does not regard case.
///
/// Source: `xfs_ascii_ci_hashname` in xfs_dir2.c.
pub(super) fn hash_ascii_ci(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| u32::from(lower(byte)) ^ hash.rotate_left(7))
}

/// True if two names are one in a filesystem that does not regard case.
pub(super) fn equal_ascii_ci(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(&one, &other)| lower(one) == lower(other))
}

/// A letter of ASCII or Latin-1 in lower case (`xfs_ascii_ci_xfrm`).
fn lower(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte | 0x20,
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_what_xfs_db_prints() {
        // xfs_db -c 'hash NAME' of xfsprogs 6.1.
        for (name, expected) in HASHES {
            assert_eq!(hash(name.as_bytes()), expected, "{name}");
        }
    }

    const HASHES: [(&str, u32); 11] = [
        ("README", 0x5831_2451),
        ("dpkg", 0x0c9c_35e7),
        ("status", 0x4c3d_396c),
        ("a", 0x61),
        ("ab", 0x30e2),
        ("abc", 0x0018_7163),
        ("abcd", 0x0c38_b1e4),
        ("abcde", 0x1c58_f263),
        ("libc6:amd64.list", 0x1664_b741),
        (".bashrc", 0x1e7a_8275),
        ("x86_64-linux-gnu", 0xdc9c_712d),
    ];

    #[test]
    fn names_that_differ_in_case_are_one_only_without_case() {
        assert_eq!(hash_ascii_ci(b"ReadMe\xc9"), hash_ascii_ci(b"readme\xe9"));
        assert!(equal_ascii_ci(b"ReadMe\xc9", b"readme\xe9"));
        assert!(!equal_ascii_ci(b"\xd7", b"\xf7"), "multiplication and division signs are no letters");
        assert_ne!(hash(b"ReadMe"), hash(b"readme"));
    }
}
