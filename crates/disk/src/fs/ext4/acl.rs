// SPDX-License-Identifier: Apache-2.0
//! POSIX ACLs: from the form on the disk to the one that programs see.

use crate::bytes::Bytes;

/// Version of the form on the disk (EXT4_ACL_VERSION).
const ON_DISK: u32 = 1;
/// Version of the form that programs see (POSIX_ACL_XATTR_VERSION).
const SEEN: u32 = 2;
/// The identity of entries that have none (ACL_UNDEFINED_ID).
const NOBODY: u32 = u32::MAX;

/// True for the name indexes of access and default ACLs.
pub(super) fn is_acl(index: u8) -> bool {
    matches!(index, 2 | 3)
}

/// Converts a value, as `getxattr` does.
///
/// Shape:  version (32 bits); then tag and permissions (16 each), and for a named user or group its number (32).
///         The other form has the number in every entry.
/// Source: kernel `fs/ext4/acl.c`, `include/uapi/linux/posix_acl_xattr.h`.
///
/// # Errors
/// What is wrong with the value.
pub(super) fn convert(value: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = Bytes(value);
    if bytes.le32(0) != Some(ON_DISK) {
        return Err("ACL of an unknown version".into());
    }
    let mut seen = SEEN.to_le_bytes().to_vec();
    let mut at = 4_usize;
    while at < value.len() {
        let tag = bytes.le16(at).ok_or("ACL is cut off")?;
        let short = bytes.slice(at, 4).ok_or("ACL is cut off")?;
        at = at.saturating_add(4);
        let id = match tag {
            // ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER
            0x01 | 0x04 | 0x10 | 0x20 => NOBODY,
            // ACL_USER, ACL_GROUP
            0x02 | 0x08 => {
                let id = bytes.le32(at).ok_or("ACL is cut off")?;
                at = at.saturating_add(4);
                id
            }
            other => return Err(format!("ACL entry with tag {other:#x}")),
        };
        seen.extend_from_slice(short);
        seen.extend_from_slice(&id.to_le_bytes());
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_user_keeps_its_number_and_others_get_none() {
        let disk = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 0x20, 0, 4, 0];
        let seen = convert(&disk).unwrap();
        // system.posix_acl_access of `setfacl -m u:1000:r` as `getfattr -e hex` prints it, without group and mask.
        assert_eq!(seen[..4], [2, 0, 0, 0]);
        assert_eq!(seen[4..12], [1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(seen[12..20], [2, 0, 4, 0, 0xe8, 3, 0, 0]);
        assert_eq!(seen[20..], [0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        assert!(convert(&[2, 0, 0, 0]).is_err());
        assert!(convert(&[1, 0, 0, 0, 2, 0, 4, 0, 1]).is_err());
        assert!(convert(&[1, 0, 0, 0, 3, 0, 4, 0]).is_err());
    }
}
