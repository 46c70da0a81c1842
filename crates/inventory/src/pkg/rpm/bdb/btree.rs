// SPDX-License-Identifier: Apache-2.0
//! All pairs of a Berkeley DB btree, as rpm5 kept its packages.
//!
//! Shape:  a leaf's items stand in pairs, key then value: length (16 bits), type, then the bytes (type 1), or for type 3
//!         at 4 the first overflow page and at 8 the length; the type's highest bit marks what was deleted. An interior
//!         page's items: length, type, at 4 the child. The offsets of items are in order of keys, not of place.
//! Source: `BKEYDATA`, `BOVERFLOW` and `BINTERNAL` in Berkeley DB's dbinc/db_page.h.

use snapscan_disk::bytes::Bytes;
use snapscan_disk::{Error, Result};

use super::pages::{BTREE_INTERNAL, BTREE_LEAF, Order, Page, Pages};
use super::pairs::Pairs;

/// Types of items.
const KEY_DATA: u8 = 1;
const OVERFLOW_DATA: u8 = 3;
const DELETED: u8 = 0x80;
/// Bytes of an item before its content, and of one that stands on overflow pages.
const ITEM_HEADER: usize = 3;
const OVERFLOW_BYTES: usize = 12;
const INTERNAL_HEADER: usize = 12;

/// Reads all leaves, from the root down. Each page is met once, so the walk ends.
pub(super) fn read(pages: &mut Pages<'_>, root: u32, pairs: &mut Pairs<'_, '_>) {
    let mut page = Page::default();
    let mut left = vec![root];
    while let Some(number) = left.pop() {
        if let Err(error) = pages.page(number, &mut page) {
            pairs.scan.failed(&format!("page {number}"), &error);
            continue;
        }
        let order = pages.meta().order;
        if let Err(error) = check(order, &page) {
            pairs.scan.failed(&format!("page {number}"), &error);
            continue;
        }
        match page.kind {
            BTREE_INTERNAL => {
                let child = |&item: &usize| order.u32(&page.bytes, item.saturating_add(4));
                left.extend(page.items.iter().rev().filter_map(child));
            }
            BTREE_LEAF => leaf(pages, &page, pairs),
            kind => pairs.scan.damaged(format!("page {number}: type {kind} is no page of a btree")),
        }
    }
}

/// Checks that the items of a page begin where its header says and leave no room between them.
fn check(order: Order, page: &Page) -> Result<()> {
    let mut spans: Vec<(usize, usize)> = Vec::with_capacity(page.items.len());
    let mut before = None;
    for (place, &item) in page.items.iter().enumerate() {
        // A key that several pairs share stands once.
        let is_key = page.kind == BTREE_LEAF && place % 2 == 0;
        if is_key && before.replace(item) == Some(item) {
            continue;
        }
        let len = length(order, page, item);
        spans.push((item, item.saturating_add(len.next_multiple_of(4))));
    }
    spans.sort_unstable();
    let mut end = page.lowest;
    for (from, to) in spans {
        if from != end {
            let why = format!("an item at byte {from}, the one before ends at {end}");
            return Err(Error::whole("btree page", why));
        }
        end = to;
    }
    if end == page.bytes.len() {
        Ok(())
    } else {
        Err(Error::whole("btree page", format!("its items end at byte {end} of {}", page.bytes.len())))
    }
}

/// Bytes of an item without padding.
fn length(order: Order, page: &Page, item: usize) -> usize {
    let kind = page.bytes.get(item.saturating_add(2)).copied().unwrap_or(0) & !DELETED;
    let data = order.u16(&page.bytes, item).map_or(0, usize::from);
    match (page.kind, kind) {
        (BTREE_INTERNAL, _) => data.saturating_add(INTERNAL_HEADER),
        (_, OVERFLOW_DATA) => OVERFLOW_BYTES,
        _ => data.saturating_add(ITEM_HEADER),
    }
}

/// Hands over the pairs of a leaf.
fn leaf(pages: &mut Pages<'_>, page: &Page, pairs: &mut Pairs<'_, '_>) {
    let mut content = Vec::new();
    let order = pages.meta().order;
    if page.items.len() % 2 == 1 {
        let why = format!("page {}: {} items are not pairs", page.number, page.items.len());
        pairs.scan.damaged(why);
    }
    for (place, pair) in page.items.chunks_exact(2).enumerate() {
        let &[key, value] = pair else { continue };
        let name = format!("page {}, pair {place}", page.number);
        let kind = |item: usize| page.bytes.get(item.saturating_add(2)).copied().unwrap_or(0);
        let data = |item: usize| {
            let len = order.u16(&page.bytes, item).map_or(0, usize::from);
            Bytes(&page.bytes).slice(item.saturating_add(ITEM_HEADER), len)
        };
        if (kind(key) | kind(value)) & DELETED != 0 {
            continue;
        }
        let Some(key) = data(key).filter(|_| kind(key) == KEY_DATA) else {
            pairs.scan.damaged(format!("{name}: a key of type {}", kind(key)));
            continue;
        };
        match (kind(value), data(value)) {
            (KEY_DATA, Some(value)) => pairs.pair(key, value, &name),
            (OVERFLOW_DATA, _) => {
                let [first, len] =
                    [4, 8].map(|at| order.u32(&page.bytes, value.saturating_add(at)).unwrap_or(0));
                match pages.overflow(first, len, &mut content) {
                    Ok(()) => pairs.pair(key, &content, &name),
                    Err(error) => pairs.scan.failed(&name, &error),
                }
            }
            (kind, _) => pairs.scan.damaged(format!("{name}: a value of type {kind}")),
        }
    }
}
