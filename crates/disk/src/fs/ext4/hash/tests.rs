// SPDX-License-Identifier: Apache-2.0
use super::*;

/// The seed as `debugfs -R 'dx_hash -s UUID'` takes it.
const SEED: [u32; 4] = [
    u32::from_le_bytes([0x61, 0x26, 0x89, 0x08]),
    u32::from_le_bytes([0x8b, 0x97, 0x43, 0xf5]),
    u32::from_le_bytes([0x9c, 0x86, 0x9a, 0xd3]),
    u32::from_le_bytes([0x15, 0xf9, 0x96, 0x95]),
];

fn hash(version: u8, seed: [u32; 4], name: &[u8]) -> (u32, u32) {
    Settings { seed, default_version: 1, unsigned: false }.function(version).unwrap().hash(name)
}

#[test]
fn hashes_of_all_lengths_agree_with_debugfs() {
    // debugfs -R 'dx_hash -h legacy|half_md4|tea NAME', e2fsprogs 1.47.0
    let (forty, long) = ("x".repeat(40), "y".repeat(200));
    let expected: [(&str, [(u32, u32); 3]); 6] = [
        ("a", [(0xe74b_53e2, 0), (0xd5fa_7d7a, 0xacb4_8187), (0x6d0e_a4c0, 0xc189_22df)]),
        ("hello", [(0x3225_2546, 0), (0x1746_da32, 0x4200_13b5), (0x6f5b_b1a8, 0x2319_17c2)]),
        ("status", [(0x5fb3_4366, 0), (0xc91d_c0dc, 0x4705_7f9e), (0x6b04_6a70, 0xe437_a06a)]),
        ("libstdc++6:amd64.list", [(0x0248_12d0, 0), (0x08e8_4594, 0x457b_292b), (0xb55e_539c, 0x1c44_b082)]),
        (&forty, [(0x382d_277e, 0), (0xa583_68b6, 0x7a9f_8ab7), (0xb3f4_bbfc, 0xbfd5_48a9)]),
        (&long, [(0xf830_558e, 0), (0x7e35_68ac, 0xa9c0_2b53), (0x1e62_eec2, 0x32b4_6b26)]),
    ];
    for (name, hashes) in expected {
        for (version, expected) in (0..).zip(hashes) {
            assert_eq!(hash(version, [0; 4], name.as_bytes()), expected, "{name}, version {version}");
        }
    }
}

#[test]
fn hashes_with_a_seed_agree_with_debugfs() {
    let name = b"libstdc++6:amd64.list";
    assert_eq!(hash(0, SEED, name), (0x0248_12d0, 0));
    assert_eq!(hash(1, SEED, name), (0xca62_bf22, 0x0337_9d07));
    assert_eq!(hash(2, SEED, name), (0xae8e_ad0c, 0xf7d3_5636));
}

#[test]
fn hashes_of_signed_bytes_agree_with_debugfs() {
    let name = b"caf\xc3\xa9-\xff\x80";
    assert_eq!(hash(0, [0; 4], name).0, 0x2973_0c82);
    assert_eq!(hash(1, [0; 4], name), (0xf894_9282, 0x27fe_ace7));
    assert_eq!(hash(2, [0; 4], name), (0x4004_da98, 0x32a7_cece));
}

#[test]
fn unsigned_bytes_hash_otherwise_only_above_127() {
    for (signed, unsigned) in [(0, 3), (1, 4), (2, 5)] {
        assert_eq!(hash(signed, SEED, b"plain"), hash(unsigned, SEED, b"plain"));
        assert_ne!(hash(signed, SEED, b"caf\xc3\xa9"), hash(unsigned, SEED, b"caf\xc3\xa9"));
    }
}

#[test]
fn hashes_that_need_a_key_or_are_unknown_have_no_function() {
    let settings = Settings { seed: SEED, default_version: 1, unsigned: true };
    assert!(settings.function(6).is_none() && settings.function(7).is_none());
}
