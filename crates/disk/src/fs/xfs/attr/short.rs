// SPDX-License-Identifier: Apache-2.0
//! Attributes in the inode.

use super::name::Found;
use crate::bytes::Bytes;

/// Bytes of the header, and of an entry without name and value.
const HEADER: usize = 4;
const ENTRY: usize = 3;

/// All attributes of a short-form fork with their values.
///
/// Shape:  total size 16, count 8, padding 8 bits; entries: length of the name 8, of the value 8, flags 8, both.
/// Source: `struct xfs_attr_sf_hdr`, `xfs_attr_sf_entry` in xfs_da_format.h.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn list(fork: &[u8]) -> Result<Vec<(Found, Vec<u8>)>, String> {
    let bytes = Bytes(fork);
    let count = bytes.u8(2).ok_or("it has no header")?;
    let mut at = HEADER;
    let mut all = Vec::new();
    for nth in 0..count {
        let parsed = bytes.array(at).and_then(|[name_len, value_len, flags]: [u8; ENTRY]| {
            let name_at = at.saturating_add(ENTRY);
            let value_at = name_at.saturating_add(usize::from(name_len));
            let name = bytes.slice(name_at, usize::from(name_len))?;
            let value = bytes.slice(value_at, usize::from(value_len))?;
            at = value_at.saturating_add(usize::from(value_len));
            Some((Found::new(name, flags), value.to_vec()))
        });
        let Some((found, value)) = parsed else {
            return Err(format!(
                "entry {nth} of {count} at byte {at} does not fit into {} bytes",
                fork.len()
            ));
        };
        all.extend(found.map(|found| (found, value)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Xattr;

    #[test]
    fn name_spaces_are_told_apart_and_parents_left_out() {
        let mut fork = vec![0, 0, 5, 0];
        for flags in [0, 2, 4, 8, 0x80] {
            fork.extend([1, 2, flags, b'n', b'v', b'w']);
        }
        let mut all = Vec::new();
        list(&fork).unwrap().into_iter().for_each(|(found, value)| found.add(value, &mut all));
        let expected = [b"user.n".to_vec(), b"trusted.n".to_vec(), b"security.n".to_vec()];
        assert_eq!(all, expected.map(|name| Xattr { name, value: b"vw".to_vec() }));
    }

    #[test]
    fn entry_that_leaves_the_inode_is_refused() {
        assert!(list(&[0, 0]).is_err());
        assert!(list(&[0, 9, 1, 0, 4, 4, 0, b'n']).unwrap_err().contains("entry 0 of 1"));
    }
}
