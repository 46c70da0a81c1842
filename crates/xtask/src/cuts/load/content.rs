// SPDX-License-Identifier: Apache-2.0
//! What the load writes into files and attributes.

use super::random::Random;

/// The magic of jbd2's own blocks, which a journal must not hold at the start of a block of content.
const JOURNAL_MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

/// `len` bytes; now and then blocks that begin with the journal's magic.
pub(super) fn bytes(random: &mut Random, len: u64) -> Vec<u8> {
    let len = usize::try_from(len).unwrap_or(0);
    let mut content = format!("{:016x} ", random.below(u64::MAX)).into_bytes().repeat(len / 17 + 1);
    content.truncate(len);
    if random.one_in(4) {
        for block in content.chunks_mut(1024).filter(|block| block.len() >= 4) {
            block[..4].copy_from_slice(&JOURNAL_MAGIC);
        }
    }
    content
}

/// A length as files have them: most short, few long.
pub(super) fn len(random: &mut Random) -> u64 {
    let most = *random.pick(&[0, 60, 150, 3000, 3000, 20_000, 20_000, 200_000, 1_500_000]).unwrap_or(&0);
    random.below(most + 1)
}

/// A POSIX ACL as `system.posix_acl_access` has it: owner, one user, group, mask, others.
/// Source: `include/uapi/linux/posix_acl_xattr.h`.
pub(super) fn acl(random: &mut Random) -> Vec<u8> {
    let mut value = 2_u32.to_le_bytes().to_vec();
    let user = u32::try_from(1000 + random.below(5)).unwrap_or(1000);
    for (tag, permissions, id) in
        [(1_u16, 6_u16, u32::MAX), (2, 5, user), (4, 4, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)]
    {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}
