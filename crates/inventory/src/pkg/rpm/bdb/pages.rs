// SPDX-License-Identifier: Apache-2.0
//! Pages of a Berkeley DB file by number, each met at most once.
//!
//! Shape:  a page's header has 26 bytes: log position (8), its own number at 8, previous page at 12, next page at 16,
//!         number of items at 20 (16 bits), lowest item at 22 (16 bits; on an overflow page the number of bytes), level
//!         at 24, type at 25. Then 16-bit offsets of the items.
//! Source: `PAGE` in Berkeley DB's dbinc/db_page.h.

use snapscan_disk::bytes::{Bytes, index, wide};
use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

use super::super::scan::{Met, RECORD_BYTES, Scan};
use super::super::window::Window;
use super::meta::{self, Meta};

/// Bytes of a page's header.
pub(super) const HEADER: usize = 26;
/// Types of pages.
pub(super) const FREE: u8 = 0;
pub(super) const HASH_UNSORTED: u8 = 2;
pub(super) const BTREE_INTERNAL: u8 = 3;
pub(super) const BTREE_LEAF: u8 = 5;
pub(super) const OVERFLOW: u8 = 7;
pub(super) const HASH: u8 = 13;

/// Reads numbers in the byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) big: bool,
}

impl Order {
    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> Option<u32> {
        if self.big { Bytes(bytes).be32(offset) } else { Bytes(bytes).le32(offset) }
    }

    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> Option<u16> {
        if self.big { Bytes(bytes).be16(offset) } else { Bytes(bytes).le16(offset) }
    }
}

/// A page that was read.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) number: u32,
    pub(super) next: u32,
    pub(super) kind: u8,
    pub(super) lowest: usize,
    /// Offsets of its items.
    pub(super) items: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

/// A file's pages.
pub(super) struct Pages<'a> {
    window: Window<'a>,
    meta: Meta,
    count: u32,
    met: Met,
}

impl<'a> Pages<'a> {
    /// Reads the metadata.
    ///
    /// # Errors
    /// As [`meta::read`]; what reading met.
    pub(super) fn open(file: &'a dyn File) -> Result<Self> {
        let mut window = Window::new(file);
        let size = window.size();
        let meta = meta::read(window.get(0, index(size.min(wide(meta::BYTES))))?)?;
        let count = size.checked_div(wide(meta.page_size)).unwrap_or(0);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut met = Met::new(count.into());
        if count > 0 {
            met.meet(0)?;
        }
        Ok(Pages { window, meta, count, met })
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Pages that the file has.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// A file that ends before its last page is damaged.
    pub(super) fn check_size(&self, scan: &mut Scan) {
        if self.meta.last_page >= self.count {
            scan.damaged(format!("the last page is {}, the file has {}", self.meta.last_page, self.count));
        }
    }

    /// Reads a page that has items. It may be met once.
    ///
    /// # Errors
    /// `Corrupt` if there is no such page, it was met, or is not what its place says; what reading met.
    pub(super) fn page(&mut self, number: u32, into: &mut Page) -> Result<()> {
        let size = self.meta.page_size;
        self.met.meet(number.into())?;
        let bytes = self.window.get(u64::from(number).saturating_mul(wide(size)), size)?;
        into.bytes.clear();
        into.bytes.extend_from_slice(bytes);
        let order = self.meta.order;
        into.number = number;
        into.kind = into.bytes.get(25).copied().unwrap_or(0);
        into.next = order.u32(&into.bytes, 16).unwrap_or(0);
        into.lowest = order.u16(&into.bytes, 22).map_or(0, usize::from);
        into.items.clear();
        // A bucket that was never written is a page of zeros, without even its number.
        let stored = order.u32(&into.bytes, 8).unwrap_or(0);
        if stored != number && into.bytes.iter().any(|&byte| byte != 0) {
            return Err(Error::whole("page", format!("page {number} says that it is page {stored}")));
        }
        let count = order.u16(&into.bytes, 20).map_or(0, usize::from);
        for place in 0..count {
            let at = place.saturating_mul(2).saturating_add(HEADER);
            let offset = order.u16(&into.bytes, at).map_or(0, usize::from);
            let end = count.saturating_mul(2).saturating_add(HEADER);
            if offset < end || offset >= size {
                return Err(Error::whole(
                    "page",
                    format!("item {place} of {count} at byte {offset} of {size}"),
                ));
            }
            into.items.push(offset);
        }
        Ok(())
    }

    /// Puts `len` bytes together from a chain of overflow pages.
    ///
    /// # Errors
    /// `Corrupt` if the chain ends early, goes on too long, or meets a page twice; `Limit`; what reading met.
    pub(super) fn overflow(&mut self, first: u32, len: u32, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let len = index(len.into());
        if len > RECORD_BYTES {
            return Err(Error::Limit { what: "item on overflow pages, bytes", limit: wide(RECORD_BYTES) });
        }
        let size = self.meta.page_size;
        let order = self.meta.order;
        let mut next = first;
        while next != 0 {
            self.met.meet(next.into())?;
            let left = len.saturating_sub(into.len());
            // Chains mostly lie in one run: the first page of one is read with the rest.
            let pages = left.div_ceil(size.saturating_sub(HEADER).max(1)).saturating_sub(1);
            let following = if next == first { pages.saturating_mul(size) } else { 0 };
            let offset = u64::from(next).saturating_mul(wide(size));
            let page = self.window.get_expecting(offset, size, following)?;
            let corrupt = |why: &str| Error::whole("overflow page", format!("page {next}: {why}"));
            if page.get(25) != Some(&OVERFLOW) || order.u32(page, 8) != Some(next) {
                return Err(corrupt("is no overflow page"));
            }
            let held = order.u16(page, 22).map_or(0, usize::from);
            let part = Bytes(page).slice(HEADER, held).filter(|part| !part.is_empty() && part.len() <= left);
            into.extend_from_slice(part.ok_or_else(|| corrupt("holds more than is left, or nothing"))?);
            next = order.u32(page, 16).unwrap_or(0);
        }
        if into.len() == len {
            Ok(())
        } else {
            Err(Error::whole("overflow chain", format!("it ends after {} bytes of {len}", into.len())))
        }
    }

    /// Pages in use that nothing led to are content that was lost.
    pub(super) fn check_all_met(&mut self, scan: &mut Scan) {
        let size = wide(self.meta.page_size);
        for number in 0..self.count {
            if self.met.has(number.into()) {
                continue;
            }
            match self.window.get(u64::from(number).saturating_mul(size), HEADER) {
                Ok(header) => {
                    let kind = header.get(25).copied().unwrap_or(0);
                    let items = self.meta.order.u16(header, 20).unwrap_or(0);
                    let is_bucket = matches!(kind, HASH | HASH_UNSORTED | BTREE_LEAF);
                    if kind != FREE && !(is_bucket && items == 0) {
                        scan.damaged(format!(
                            "page {number} of type {kind} is in use, but nothing leads to it"
                        ));
                    }
                }
                Err(error) => scan.failed(&format!("page {number}"), &error),
            }
        }
    }
}
