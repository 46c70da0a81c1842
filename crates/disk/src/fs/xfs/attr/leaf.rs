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
