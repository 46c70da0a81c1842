// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::error::Scope;

/// A superblock of 4096 blocks of 1 KiB in one group, without checksums.
fn plain() -> Vec<u8> {
    let mut raw = vec![0; BYTES];
    for (at, value) in
        [(0x0, 512_u32), (0x4, 4097), (0x14, 1), (0x20, 8192), (0x28, 512), (0x4c, 1), (0x60, 0x2)]
    {
        put(&mut raw, at, &value.to_le_bytes());
    }
    put(&mut raw, 0x38, &MAGIC);
    put(&mut raw, 0x58, &256_u16.to_le_bytes());
    raw
}

fn put(raw: &mut [u8], at: usize, bytes: &[u8]) {
    raw[at..at + bytes.len()].copy_from_slice(bytes);
}

/// What is said of a superblock with these bytes changed.
fn refusal(at: usize, bytes: &[u8]) -> String {
    let mut raw = plain();
    put(&mut raw, at, bytes);
    match Superblock::parse(&raw) {
        Err(Error::Corrupt(damage)) => {
            assert_eq!(damage.scope, Scope::Whole);
            damage.why
        }
        Err(other) => other.to_string(),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn the_plain_one_is_accepted() {
    let superblock = Superblock::parse(&plain()).unwrap();
    assert_eq!((superblock.groups, superblock.block_size, superblock.descriptor_size), (1, 1024, 32));
    assert!(!superblock.has_checksums());
}

#[test]
fn each_size_that_cannot_be_is_refused() {
    assert!(refusal(0x38, &[0, 0]).contains("magic"));
    assert!(refusal(0x18, &7_u32.to_le_bytes()).contains("block size 2^7"));
    assert!(refusal(0x20, &[0; 4]).contains("0 blocks per group"));
    assert!(refusal(0x20, &8193_u32.to_le_bytes()).contains("8193 blocks per group"));
    assert!(refusal(0x28, &[0; 4]).contains("0 inodes per group"));
    assert!(refusal(0x28, &9000_u32.to_le_bytes()).contains("9000 inodes per group"));
    assert!(refusal(0x58, &64_u16.to_le_bytes()).contains("inodes of 64"));
    assert!(refusal(0x58, &300_u16.to_le_bytes()).contains("inodes of 300"));
    assert!(refusal(0x58, &2048_u16.to_le_bytes()).contains("inodes of 2048"));
    assert!(refusal(0x4, &1_u32.to_le_bytes()).contains("1 blocks"));
    assert!(refusal(0x14, &2_u32.to_le_bytes()).contains("the first is 2"));
    assert!(refusal(0x0, &513_u32.to_le_bytes()).contains("513 inodes in 1 groups"));
    assert!(refusal(0x60, &0x80_u32.to_le_bytes()).contains("descriptors of 0"));
}

#[test]
fn features_that_are_not_known_are_unsupported() {
    assert!(refusal(0x60, &0x1_0000_u32.wrapping_shl(8).to_le_bytes()).contains("unsupported feature"));
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut raw = plain();
    put(&mut raw, 0x64, &0x400_u32.to_le_bytes());
    put(&mut raw, 0x175, &[1]);
    assert!(Superblock::parse(&raw).unwrap_err().to_string().contains("checksum"));
    let sum = crc32c(u32::MAX, &raw[..0x3fc]);
    put(&mut raw, 0x3fc, &sum.to_le_bytes());
    assert!(Superblock::parse(&raw).unwrap().has_checksums());
    put(&mut raw, 0x175, &[2]);
    assert!(matches!(Superblock::parse(&raw), Err(Error::Unsupported(_))));
}

#[test]
fn a_copy_that_says_another_group_is_no_copy() {
    // Group 1 of blocks of 1 KiB begins at block 8193.
    let offset = 8193 * 1024;
    let mut raw = vec![0; offset + BYTES];
    let mut copy = plain();
    put(&mut copy, 0x4, &9000_u32.to_le_bytes());
    put(&mut copy, 0x0, &1024_u32.to_le_bytes());
    put(&mut raw, offset, &copy);
    assert!(Superblock::read(&raw).is_err());
    put(&mut raw, offset + 0x5a, &[1, 0]);
    let (found, why) = Superblock::read(&raw).unwrap();
    assert_eq!(found.groups, 2);
    assert!(why.unwrap().contains("group 1"));
}

#[test]
fn copies_lie_in_groups_that_are_powers_of_three_five_and_seven() {
    let mut raw = plain();
    put(&mut raw, 0x64, &[1]);
    let sparse = Superblock::parse(&raw).unwrap();
    let holders: Vec<u64> = (0..130).filter(|&group| sparse.group_has_superblock(group)).collect();
    // mke2fs prints these for a filesystem of 130 groups.
    assert_eq!(holders, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    put(&mut raw, 0x5c, &0x200_u32.to_le_bytes());
    put(&mut raw, 0x24c, &[1, 0, 0, 0, 4, 0, 0, 0]);
    let two = Superblock::parse(&raw).unwrap();
    assert_eq!((0..130).filter(|&group| two.group_has_superblock(group)).collect::<Vec<_>>(), [0, 1, 4]);
    assert!((0..130).all(|group| Superblock::parse(&plain()).unwrap().group_has_superblock(group)));
}
