// SPDX-License-Identifier: Apache-2.0
//! Access control lists, which XFS keeps in a form of its own.

use crate::bytes::Bytes;
use crate::fs::Xattr;

/// Bytes of an entry as XFS keeps it: tag, id, permissions, padding.
const ENTRY: usize = 12;
/// `POSIX_ACL_XATTR_VERSION`, little-endian.
const VERSION: [u8; 4] = [2, 0, 0, 0];
/// `ACL_USER` and `ACL_GROUP`: the tags with which an id has a meaning.
const NAMED: [u32; 2] = [0x02, 0x08];

/// The list as `system.posix_acl_*`, as the kernel shows it; `None` if `name` is none of XFS's two names, or the value
/// is no list.
///
/// Shape:  stored: count 32; tag 32, id 32, permissions 16, padding 16 bits, big-endian. Shown: version 32; tag 16,
///         permissions 16, id 32 bits, little-endian.
/// Source: `struct xfs_acl` in xfs_format.h; `struct posix_acl_xattr_entry` in linux/posix_acl_xattr.h.
pub(super) fn posix(name: &[u8], value: &[u8]) -> Option<Xattr> {
    let name: &[u8] = match name {
        b"SGI_ACL_FILE" => b"system.posix_acl_access",
        b"SGI_ACL_DEFAULT" => b"system.posix_acl_default",
        _ => return None,
    };
    let count = usize::try_from(Bytes(value).be32(0)?).ok()?;
    let entries = value.get(4..)?.get(..count.checked_mul(ENTRY)?)?;
    let mut shown = VERSION.to_vec();
    for entry in entries.chunks_exact(ENTRY) {
        let entry = Bytes(entry);
        let tag = entry.be32(0)?;
        let id = if NAMED.contains(&tag) { entry.be32(4)? } else { u32::MAX };
        shown.extend(u16::try_from(tag).ok()?.to_le_bytes());
        shown.extend(entry.be16(8)?.to_le_bytes());
        shown.extend(id.to_le_bytes());
    }
    Some(Xattr { name: name.to_vec(), value: shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_shown_in_the_common_form() {
        let mut stored = vec![0, 0, 0, 2];
        stored.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 7, 0, 0]);
        stored.extend([0, 0, 0, 2, 0, 0, 3, 0xe8, 0, 5, 0, 0]);
        let shown = posix(b"SGI_ACL_FILE", &stored).unwrap();
        assert_eq!(shown.name, b"system.posix_acl_access");
        let expected = [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 5, 0, 0xe8, 3, 0, 0];
        assert_eq!(shown.value, expected);
        assert_eq!(posix(b"SGI_ACL_FILE", &stored[..27]), None, "cut off");
        assert_eq!(posix(b"other", &stored), None);
    }
}
