// SPDX-License-Identifier: Apache-2.0
//! One test for each reason a superblock is refused.

use super::*;

/// The fields of `mkfs.xfs -d size=90001b,agcount=5`, as xfs_db prints them, version 5.
fn sample() -> Vec<u8> {
    let mut sector = vec![0; FIELDS];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, MAGIC);
    put(4, &4096_u32.to_be_bytes());
    put(8, &90_001_u64.to_be_bytes());
    put(32, &[0xab; 16]);
    put(56, &128_u64.to_be_bytes());
    put(84, &18_001_u32.to_be_bytes());
    put(88, &5_u32.to_be_bytes());
    put(100, &0xb4a5_u16.to_be_bytes());
    put(102, &512_u16.to_be_bytes());
    put(104, &512_u16.to_be_bytes());
    put(108, b"label\0\0\0\0\0\0\0");
    put(120, &[12, 9, 9, 3, 15]);
    put(200, &0x18a_u32.to_be_bytes());
    put(216, &0xb_u32.to_be_bytes());
    put(248, &[0xcd; 16]);
    seal(&mut sector);
    sector
}

fn seal(sector: &mut [u8]) {
    sector[CRC_AT..CRC_AT + 4].fill(0);
    let crc = crc32c::crc32c(sector);
    sector[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The sample with some bytes changed and the checksum made anew.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut sector = sample();
    sector[at..at + bytes.len()].copy_from_slice(bytes);
    seal(&mut sector);
    sector
}

fn why(sector: &[u8]) -> String {
    Superblock::parse(sector, true).unwrap_err().to_string()
}

#[test]
fn fields_are_read() {
    let found = Superblock::parse(&sample(), true).unwrap();
    assert_eq!((found.geometry.blocks, found.geometry.groups, found.root), (90_001, 5, 128));
    assert_eq!((found.uuid, found.meta_uuid, &found.label[..]), ([0xab; 16], [0xab; 16], &b"label"[..]));
    let other = Superblock::parse(&changed(216, &0xf_u32.to_be_bytes()), true).unwrap();
    assert_eq!((other.uuid, other.meta_uuid), ([0xab; 16], [0xcd; 16]));
}

#[test]
fn each_lie_is_refused_with_its_numbers() {
    for (at, bytes, words) in [
        (0, &b"XFSC"[..], "magic"),
        (4, &4095_u32.to_be_bytes(), "block size 4095"),
        (4, &8192_u32.to_be_bytes(), "block size 8192 with logarithm 12"),
        (120, &[17], "block size 4096 with logarithm 17"),
        (102, &256_u16.to_be_bytes(), "sector size 256"),
        (104, &300_u16.to_be_bytes(), "inode size 300"),
        (104, &128_u16.to_be_bytes(), "inode size 128"),
        (123, &[4], "2^4 inodes of 512 bytes"),
        (124, &[16], "groups of 18001 blocks do not need 16 bits"),
        (84, &0_u32.to_be_bytes(), "groups of 0 blocks"),
        (84, &0xffff_ffff_u32.to_be_bytes(), "groups of 4294967295 blocks"),
        (88, &0_u32.to_be_bytes(), "0 groups"),
        (88, &6_u32.to_be_bytes(), "6 groups of 18001 blocks do not hold 90001"),
        (88, &4_u32.to_be_bytes(), "4 groups"),
        (8, &u64::MAX.to_be_bytes(), "do not hold 18446744073709551615"),
        (192, &[5], "2^5 blocks, more than 64 KiB"),
        (56, &u64::MAX.to_be_bytes(), "root folder"),
        (56, &(1_u64 << 40).to_be_bytes(), "root folder"),
        (126, &[1], "has not finished"),
        (100, &0xb4a6_u16.to_be_bytes(), "version 6"),
        (216, &0x8000_000b_u32.to_be_bytes(), "feature bits 0x80000000"),
    ] {
        let found = why(&changed(at, bytes));
        assert!(found.contains(words), "{at}: {found}");
    }
    assert!(why(&sample()[..200]).contains("too short"));
}

/// A source of the sample's size with a superblock in each group.
fn source() -> Vec<u8> {
    let group = 18_001 * 4096;
    let mut image = vec![0; 5 * group];
    for number in 0..5 {
        let mut copy = if number == 0 { sample() } else { changed(126, &[1]) };
        // mkfs.xfs leaves the root folder out of most copies.
        if number == 1 || number == 3 {
            copy[56..64].fill(0xff);
            seal(&mut copy);
        }
        image[number * group..][..FIELDS].copy_from_slice(&copy);
    }
    image
}

#[test]
fn damaged_superblock_is_replaced_by_a_copy_that_names_the_root() {
    let mut image = source();
    let (whole, note) = Superblock::read(&image).unwrap();
    assert_eq!(note, None);
    image[150] ^= 4;
    let (copy, note) = Superblock::read(&image).unwrap();
    assert_eq!(copy, whole);
    let Some(Note::BackupUsed(text)) = note else { panic!("{note:?}") };
    assert!(text.contains("group 2 at byte 147464192") && text.contains("checksum"), "{text}");
}

#[test]
fn damage_of_all_copies_is_told_as_that_of_the_first() {
    let mut image = source();
    for group in 0..5 {
        image[group * 18_001 * 4096 + 150] ^= 4;
    }
    let error = Superblock::read(&image).unwrap_err();
    assert!(matches!(&error, Error::Corrupt(corrupt) if corrupt.why.contains("checksum")), "{error}");
}

#[test]
fn source_shorter_than_a_superblock_is_no_xfs() {
    assert!(!probe(&b"XF".to_vec()).unwrap());
    assert!(probe(&b"XFSB".to_vec()).unwrap());
    assert!(Superblock::read(&b"XFSB".to_vec()).unwrap_err().is_past_end());
}
