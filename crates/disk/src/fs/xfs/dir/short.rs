// SPDX-License-Identifier: Apache-2.0
//! A folder whose entries lie in the inode.

use std::ops::ControlFlow;

use super::entry::Raw;
use crate::bytes::Bytes;

/// Calls `each` for the entries of a short-form folder, until it breaks.
///
/// Shape:  count 8, count of 8-byte numbers 8, parent 32 or 64 bits; entries: length of the name 8, offset 16, name,
///         type 8 (with ftype), inode 32 or 64 bits, big-endian and unaligned.
/// Errors: what is wrong, in words; the entries before it were passed.
/// Source: `struct xfs_dir2_sf_hdr`, `xfs_dir2_sf_entry` in xfs_da_format.h.
pub(super) fn scan(
    fork: &[u8],
    ftype: bool,
    each: &mut dyn FnMut(Raw<'_>) -> ControlFlow<()>,
) -> Result<(), String> {
    let bytes = Bytes(fork);
    let (Some(count), Some(wide)) = (bytes.u8(0), bytes.u8(1)) else {
        return Err("it has no header".into());
    };
    let number_size: usize = if wide > 0 { 8 } else { 4 };
    // The second field only tells the width: it counts the parent too, so it can be larger than the first.
    let mut at = number_size.saturating_add(2);
    for nth in 0..count {
        let parsed = bytes.u8(at).and_then(|len| {
            let len = usize::from(len);
            let name = bytes.slice(at.saturating_add(3), len)?;
            let mut next = at.saturating_add(3).saturating_add(len);
            let kind = if ftype { bytes.u8(next)? } else { 0 };
            next = next.saturating_add(usize::from(ftype));
            let node = if wide > 0 { bytes.be64(next)? } else { u64::from(bytes.be32(next)?) };
            Some((Raw { name, node, kind }, next.saturating_add(number_size)))
        });
        let Some((raw, next)) = parsed else {
            return Err(format!(
                "entry {nth} of {count} at byte {at} does not fit into {} bytes",
                fork.len()
            ));
        };
        if each(raw).is_break() {
            return Ok(());
        }
        at = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Owned = (Vec<u8>, u64, u8);

    fn names(fork: &[u8], ftype: bool) -> (Vec<Owned>, Result<(), String>) {
        let mut all = Vec::new();
        let end = scan(fork, ftype, &mut |raw| {
            all.push((raw.name.to_vec(), raw.node, raw.kind));
            ControlFlow::Continue(())
        });
        (all, end)
    }

    #[test]
    fn both_widths_of_numbers_and_types_are_read() {
        let four = [1, 0, 0, 0, 0, 128, 2, 0, 96, b'a', b'b', 1, 0, 0, 0, 131];
        assert_eq!(names(&four, true), (vec![(b"ab".to_vec(), 131, 1)], Ok(())));
        let eight = [1, 1, 0, 0, 0, 0, 0, 0, 0, 128, 1, 0, 96, b'x', 1, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(names(&eight, false), (vec![(b"x".to_vec(), (1 << 56) + 5, 0)], Ok(())));
    }

    #[test]
    fn entry_that_leaves_the_inode_ends_the_folder_with_a_reason() {
        let (all, end) = names(&[2, 0, 0, 0, 0, 128, 1, 0, 96, b'a', 0, 0, 0, 131, 9, 0], false);
        assert_eq!(all.len(), 1);
        assert!(end.unwrap_err().contains("entry 1 of 2"));
        assert!(names(&[1], false).1.is_err());
    }
}
