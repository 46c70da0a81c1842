// SPDX-License-Identifier: Apache-2.0
//! A leaf block of attributes: small values in it, large ones elsewhere.

use super::name::{Found, LOCAL};
use super::remote::Remote;
use crate::bytes::{Bytes, index};
use crate::fs::Xattr;
use crate::fs::xfs::da::DaBlock;

/// Magics, version 4 and 5.
const LEAF: [u16; 2] = [0xfbee, 0x3bee];
/// Bytes of the header, version 4 and 5.
const HEADER: [usize; 2] = [32, 80];
/// Bytes of an entry: hash 32, place of name and value 16, flags 8, padding 8 bits.
const ENTRY: usize = 8;

/// Adds the attributes of a leaf to `all`, and those with values elsewhere to `remote`.
///
/// Shape:  header, entries by hash; from the end of the block backwards names with values: length of the value 16, of
///         the name 8, both; or block of the value 32, its length 32, length of the name 8, the name.
/// Source: `struct xfs_attr_leaf_entry`, `xfs_attr_leaf_name_local`, `xfs_attr_leaf_name_remote` in xfs_da_format.h.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn list(leaf: &DaBlock<'_>, all: &mut Vec<Xattr>, remote: &mut Vec<Remote>) -> Result<(), String> {
    if !leaf.is(LEAF) {
        return Err("it is no leaf of attributes".into());
    }
    let [v4, v5] = HEADER;
    let header = if leaf.is_v5() { v5 } else { v4 };
    let count = leaf.count();
    let entries = leaf.bytes.slice(header, usize::from(count).saturating_mul(ENTRY));
    let entries = entries.ok_or_else(|| format!("{count} entries do not fit"))?;
    for entry in entries.chunks_exact(ENTRY) {
        let entry = Bytes(entry);
        let (at, flags) = (entry.be16(4).map_or(0, usize::from), entry.u8(6).unwrap_or(0));
        let cut = || format!("attribute at byte {at} of the block is cut off");
        if flags & LOCAL != 0 {
            let (name, value) = local(leaf.bytes, at).ok_or_else(cut)?;
            if let Some(found) = Found::new(name, flags) {
                found.add(value.to_vec(), all);
            }
        } else {
            let (name, block, len) = elsewhere(leaf.bytes, at).ok_or_else(cut)?;
            remote.extend(Found::new(name, flags).map(|found| Remote { found, block, len }));
        }
    }
    Ok(())
}

fn local(bytes: Bytes<'_>, at: usize) -> Option<(&[u8], &[u8])> {
    let value_len = usize::from(bytes.be16(at)?);
    let name_len = usize::from(bytes.u8(at.checked_add(2)?)?);
    let name_at = at.checked_add(3)?;
    Some((bytes.slice(name_at, name_len)?, bytes.slice(name_at.checked_add(name_len)?, value_len)?))
}

fn elsewhere(bytes: Bytes<'_>, at: usize) -> Option<(&[u8], u32, usize)> {
    let len = index(u64::from(bytes.be32(at.checked_add(4)?)?));
    let name_len = usize::from(bytes.u8(at.checked_add(8)?)?);
    Some((bytes.slice(at.checked_add(9)?, name_len)?, bytes.be32(at)?, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::xfs::samples::volume;

    /// A version 4 leaf: `user.ab` has value `xyz`, `security.c` is 70 bytes at block 5.
    fn sample() -> Vec<u8> {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &[0xfb, 0xee]);
        put(12, &[0, 2]);
        put(32, &[0, 0, 0, 1, 1, 0xf0, LOCAL, 0]);
        put(40, &[0, 0, 0, 2, 1, 0xe0, 4, 0]);
        put(0x1f0, &[0, 3, 2, b'a', b'b', b'x', b'y', b'z']);
        put(0x1e0, &[0, 0, 0, 5, 0, 0, 0, 70, 1, b'c']);
        block
    }

    fn read(block: &[u8]) -> Result<(Vec<Xattr>, Vec<Remote>), String> {
        let volume = volume(false, Vec::new());
        let (mut all, mut remote) = (Vec::new(), Vec::new());
        list(&DaBlock::parse(&volume, block, 0, 131)?, &mut all, &mut remote)?;
        Ok((all, remote))
    }

    #[test]
    fn small_values_are_read_and_large_ones_noted() {
        let (all, remote) = read(&sample()).unwrap();
        assert_eq!(all, [Xattr { name: b"user.ab".to_vec(), value: b"xyz".to_vec() }]);
        let found = Found::new(b"c", 4).unwrap();
        assert_eq!(remote, [Remote { found, block: 5, len: 70 }]);
    }

    #[test]
    fn each_lie_of_a_leaf_is_refused() {
        for (at, value, why) in [
            (9, 0, "no leaf"),
            (12, 200, "do not fit"),
            (37, 0xfe, "cut off"),
            (0x1f0, 9, "cut off"),
            (45, 0xff, "cut off"),
        ] {
            let mut block = sample();
            block[at] = value;
            assert!(read(&block).unwrap_err().contains(why), "{at}");
        }
        assert!(read(&[0; 5]).unwrap_err().contains("cut off"));
    }
}
