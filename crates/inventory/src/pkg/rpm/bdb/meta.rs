// SPDX-License-Identifier: Apache-2.0
//! The metadata on page 0 of a Berkeley DB file.
//!
//! Shape:  log position (8 bytes), page number at 8, magic at 12, version at 16, page size at 20, cipher at 24, page type
//!         at 25, flags at 26, first free page at 28, last page at 32. A hash: highest bucket at 72, pairs at 88, then at
//!         96 for each doubling of buckets what to add to a bucket's number for its page. A btree: its root at 88.
//! Source: `DBMETA`, `HMETA` and `BTMETA` in Berkeley DB's dbinc/db_page.h.

use snapscan_disk::{Error, Result};

use super::pages::Order;

/// Bytes of the metadata that are read.
pub(super) const BYTES: usize = 512;
const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;
const HASH_META: u8 = 8;
const BTREE_META: u8 = 9;
/// Entries of the table of doublings.
const DOUBLINGS: usize = 32;

/// What page 0 says.
#[derive(Debug, Clone)]
pub(super) struct Meta {
    pub(super) order: Order,
    pub(super) page_size: usize,
    pub(super) last_page: u32,
    pub(super) kind: Kind,
}

/// How the pairs are kept.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Hash(Hash),
    Btree { root: u32 },
}

/// Where the buckets of a hash are.
#[derive(Debug, Clone)]
pub(super) struct Hash {
    /// The highest bucket.
    pub(super) max_bucket: u32,
    /// Pairs by the file's own account.
    pub(super) pairs: u32,
    spares: [u32; DOUBLINGS],
}

impl Hash {
    /// The first page of a bucket. Buckets 2^(n-1) to 2^n - 1 were added together by doubling n.
    pub(super) fn page(&self, bucket: u32) -> Option<u32> {
        let doubling = u32::BITS.saturating_sub(bucket.leading_zeros());
        let spare = self.spares.get(usize::try_from(doubling).ok()?)?;
        bucket.checked_add(*spare)
    }
}

/// Reads page 0, given its first bytes.
///
/// # Errors
/// `Corrupt`, `Unsupported`.
pub(super) fn read(bytes: &[u8]) -> Result<Meta> {
    let order = [Order { big: false }, Order { big: true }]
        .into_iter()
        .find(|order| matches!(order.u32(bytes, 12), Some(HASH_MAGIC | BTREE_MAGIC)))
        .ok_or_else(|| Error::whole("Berkeley DB", "no magic of a hash or btree in its header"))?;
    let number = |offset: usize| {
        order.u32(bytes, offset).ok_or_else(|| Error::whole("Berkeley DB", "its header is cut off"))
    };
    let magic = number(12)?;
    let version = number(16)?;
    let page_size = number(20)?;
    let (supported, page_type) = if magic == HASH_MAGIC { (7..=9, HASH_META) } else { (8..=9, BTREE_META) };
    if !supported.contains(&version) {
        return Err(Error::Unsupported(format!("Berkeley DB version {version}, magic {magic:#x}")));
    }
    if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
        return Err(Error::whole("Berkeley DB", format!("page size {page_size}")));
    }
    let [cipher, found_type, flags] = [24, 25, 26].map(|at| bytes.get(at).copied().unwrap_or(0));
    if found_type != page_type || number(8)? != 0 {
        return Err(Error::whole(
            "Berkeley DB",
            format!("page 0 has type {found_type}, number {}", number(8)?),
        ));
    }
    if cipher != 0 || flags != 0 {
        let why = format!("Berkeley DB with cipher {cipher}, flags {flags:#x} (checksums, partitions)");
        return Err(Error::Unsupported(why));
    }
    let kind = if magic == HASH_MAGIC {
        let mut spares = [0; DOUBLINGS];
        for (place, spare) in spares.iter_mut().enumerate() {
            *spare = number(place.saturating_mul(4).saturating_add(96))?;
        }
        Kind::Hash(Hash { max_bucket: number(72)?, pairs: number(88)?, spares })
    } else {
        Kind::Btree { root: number(88)? }
    };
    let page_size = usize::try_from(page_size).unwrap_or(usize::MAX);
    Ok(Meta { order, page_size, last_page: number(32)?, kind })
}
