// SPDX-License-Identifier: Apache-2.0
//! The pairs of a database that are packages: key the package number, value the header.

use std::collections::HashSet;

use snapscan_disk::Result;
use snapscan_disk::fs::File;

use super::super::scan::{Each, Scan};
use super::meta::{Kind, Meta};
use super::pages::{Order, Pages};
use super::{btree, hash};

/// Reads all records: package number and header blob. Record 0, the last number given, is none.
///
/// # Errors
/// `Corrupt` if this is no Berkeley DB hash or btree; `Unsupported` for versions and forms that rpm never wrote; what
/// reading the first page met.
pub fn read(file: &dyn File, each: &mut Each<'_>) -> Result<Scan> {
    let mut scan = Scan::default();
    let mut pages = Pages::open(file)?;
    let meta = pages.meta().clone();
    pages.check_size(&mut scan);
    let mut pairs = Pairs { scan: &mut scan, order: meta.order, pairs: 0, numbers: HashSet::new(), each };
    match &meta.kind {
        Kind::Hash(hash) => hash::read(&mut pages, hash, &mut pairs),
        Kind::Btree { root } => btree::read(&mut pages, *root, &mut pairs),
    }
    let counted = pairs.pairs;
    pages.check_all_met(&mut scan);
    check_total(&meta, counted, &mut scan);
    Ok(scan)
}

fn check_total(meta: &Meta, counted: u64, scan: &mut Scan) {
    if let Kind::Hash(hash) = &meta.kind
        && u64::from(hash.pairs) != counted
    {
        scan.stale.push(format!("the header says {} pairs, there are {counted}", hash.pairs));
    }
}

/// Takes pairs of keys and values as they are met.
pub(super) struct Pairs<'a, 'e> {
    pub(super) scan: &'a mut Scan,
    order: Order,
    pairs: u64,
    numbers: HashSet<u32>,
    each: &'a mut Each<'e>,
}

impl Pairs<'_, '_> {
    /// Takes one pair; `place` says where it stands.
    pub(super) fn pair(&mut self, key: &[u8], value: &[u8], place: &str) {
        self.pairs = self.pairs.saturating_add(1);
        match (key.len(), self.order.u32(key, 0)) {
            (4, Some(number)) => {
                if !self.numbers.insert(number) {
                    self.scan.damaged(format!("{place}: package {number} is there twice"));
                }
                match (number, value.len()) {
                    (0, 4) => {}
                    (0, len) => self.scan.damaged(format!("{place}: record 0 has {len} bytes")),
                    _ => self.scan.record(self.each, number.into(), value),
                }
            }
            _ => self.scan.damaged(format!("{place}: a key of {} bytes is no package number", key.len())),
        }
    }
}
