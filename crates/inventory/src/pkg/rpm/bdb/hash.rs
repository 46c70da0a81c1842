// SPDX-License-Identifier: Apache-2.0
//! All pairs of a Berkeley DB hash: every bucket, and every page that follows in it.
//!
//! Shape:  items stand in pairs, key then value, packed from the end of the page downwards; each ends where the one before
//!         begins. Its first byte is its type: 1 the bytes themselves, 3 a value on overflow pages (page number at 4,
//!         length at 8).
//! Source: `HKEYDATA` and `HOFFPAGE` in Berkeley DB's dbinc/db_page.h, `BUCKET_TO_PAGE` in dbinc/hash.h.

use snapscan_disk::{Error, Result};

use super::meta::Hash;
use super::pages::{FREE, HASH, HASH_UNSORTED, Page, Pages};
use super::pairs::Pairs;

/// Types of items.
const KEY_DATA: u8 = 1;
const OFF_PAGE: u8 = 3;
/// Bytes of an item that stands on overflow pages.
const OFF_PAGE_BYTES: usize = 12;

/// Reads all buckets.
pub(super) fn read(pages: &mut Pages<'_>, hash: &Hash, pairs: &mut Pairs<'_, '_>) {
    let mut page = Page::default();
    // A bucket has a page of its own, so there are no more than pages.
    let buckets = hash.max_bucket.min(pages.count());
    if buckets < hash.max_bucket {
        let why = format!("{} buckets in a file of {} pages", hash.max_bucket, pages.count());
        pairs.scan.damaged(why);
    }
    for bucket in 0..=buckets {
        let Some(mut next) = hash.page(bucket) else {
            pairs.scan.damaged(format!("bucket {bucket} has no page"));
            continue;
        };
        let mut first = true;
        while first || next != 0 {
            first = false;
            let at = next;
            if let Err(error) = pages.page(at, &mut page).and_then(|()| check(pages, &page)) {
                pairs.scan.failed(&format!("bucket {bucket}, page {at}"), &error);
                break;
            }
            items(pages, &page, pairs);
            next = page.next;
        }
    }
}

/// Checks that a page is one of a bucket and that its items fill it.
fn check(pages: &Pages<'_>, page: &Page) -> Result<()> {
    let corrupt = |why: String| Err(Error::whole("hash page", why));
    let unwritten = page.kind == FREE && page.items.is_empty() && page.next == 0;
    if !matches!(page.kind, HASH | HASH_UNSORTED) && !unwritten {
        return corrupt(format!("type {}", page.kind));
    }
    if page.items.len() % 2 == 1 {
        return corrupt(format!("{} items are not pairs", page.items.len()));
    }
    let size = pages.meta().page_size;
    if !page.items.is_sorted_by(|a, b| a > b) {
        return corrupt("items are out of order".into());
    }
    let lowest = page.items.last().copied().unwrap_or(size);
    // 65,536 does not fit into the field: an empty page of that size says 0.
    if page.lowest != lowest && !unwritten && page.lowest != lowest & 0xffff {
        return corrupt(format!("its items begin at {lowest}, its header says {}", page.lowest));
    }
    Ok(())
}

/// Hands over the pairs of one page.
fn items(pages: &mut Pages<'_>, page: &Page, pairs: &mut Pairs<'_, '_>) {
    let mut content = Vec::new();
    let mut end = pages.meta().page_size;
    for (place, pair) in page.items.chunks_exact(2).enumerate() {
        let &[key_at, value_at] = pair else { continue };
        let key = page.bytes.get(key_at..end).unwrap_or_default();
        let value = page.bytes.get(value_at..key_at).unwrap_or_default();
        end = value_at;
        let name = format!("page {}, pair {place}", page.number);
        let Some((&KEY_DATA, key)) = key.split_first() else {
            pairs.scan.damaged(format!("{name}: a key of type {}", key.first().copied().unwrap_or(0)));
            continue;
        };
        match value.split_first() {
            Some((&KEY_DATA, value)) => pairs.pair(key, value, &name),
            Some((&OFF_PAGE, _)) if value.len() == OFF_PAGE_BYTES => {
                let order = pages.meta().order;
                let [first, len] = [4, 8].map(|at| order.u32(value, at).unwrap_or(0));
                match pages.overflow(first, len, &mut content) {
                    Ok(()) => pairs.pair(key, &content, &name),
                    Err(error) => pairs.scan.failed(&name, &error),
                }
            }
            other => {
                let kind = other.map_or(0, |(&kind, _)| kind);
                pairs.scan.damaged(format!("{name}: a value of type {kind} in {} bytes", value.len()));
            }
        }
    }
}
