// SPDX-License-Identifier: Apache-2.0
use std::borrow::Cow;

use super::super::superblock::Superblock;
use super::*;

fn superblock() -> Superblock {
    let mut raw = vec![0; 1024];
    for (at, value) in [(0x0, 512_u32), (0x4, 4097), (0x14, 1), (0x20, 8192), (0x28, 512), (0x4c, 1), (0x60, 0x2)] {
        raw[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    raw[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
    raw[0x58..0x5a].copy_from_slice(&[0, 1]);
    Superblock::parse(&raw).unwrap()
}

/// The entries behind an inode with 32 bytes of further fields.
fn behind(set: &[u8]) -> Result<Vec<(u8, Vec<u8>, usize)>> {
    let mut raw = vec![0; 256];
    raw[..2].copy_from_slice(&0o100_644_u16.to_le_bytes());
    raw[0x1a] = 1;
    raw[0x80] = 32;
    raw[160..164].copy_from_slice(&MAGIC.to_le_bytes());
    raw[164..164 + set.len()].copy_from_slice(set);
    let inode = Inode::parse(&superblock(), 12, Cow::Owned(raw)).unwrap();
    let set = behind_inode(&inode)?.unwrap();
    Ok(set.entries.iter().map(|entry| (entry.index, entry.name.to_vec(), entry.len)).collect())
}

fn entry(index: u8, name: &[u8], len: u32) -> Vec<u8> {
    let mut entry = vec![u8::try_from(name.len()).unwrap(), index, 0, 0, 0, 0, 0, 0];
    entry.extend_from_slice(&len.to_le_bytes());
    entry.extend_from_slice(&[0; 4]);
    entry.extend_from_slice(name);
    entry.resize(entry.len().next_multiple_of(4), 0);
    entry
}

#[test]
fn entries_follow_each_other_filled_up_to_four_bytes() {
    let set = [entry(6, b"capability", 20), entry(1, b"a", 3)].concat();
    assert_eq!(behind(&set).unwrap(), [(6, b"capability".to_vec(), 20), (1, b"a".to_vec(), 3)]);
}

#[test]
fn entries_that_are_cut_off_or_too_large_are_refused() {
    let long = [vec![200, 1], vec![0; 14]].concat();
    assert!(behind(&long).unwrap_err().to_string().contains("cut off"));
    assert!(behind(&entry(1, b"a", 70_000)).unwrap_err().to_string().contains("70000 bytes"));
}

#[test]
fn names_that_no_program_sees_are_not_listed() {
    assert_eq!(prefix(6, b"capability"), Some(&b"security."[..]));
    assert_eq!(prefix(2, b""), Some(&b"system.posix_acl_access"[..]));
    // The encryption context, inline content, Lustre, and an index that means nothing.
    assert!([9, 7, 5, 0, 77].into_iter().all(|index| prefix(index, b"x").is_none()));
}
