// SPDX-License-Identifier: Apache-2.0
//! All rows of one table, by a walk over its b-tree.

use std::mem;

use snapscan_disk::bytes::{Bytes, index, wide};
use snapscan_disk::{Error, Result};

use super::super::scan::{Met, RECORD_BYTES, Scan};
use super::node::{self, Cell, Node};
use super::pages::{HEADER, Pages};

/// Levels of a table: SQLite's own limit (`BTCURSOR_MAX_DEPTH`).
const MOST_LEVELS: usize = 20;

/// What is called for each row: row number and payload.
pub(super) type EachRow<'a> = dyn FnMut(&mut Scan, i64, &[u8]) + 'a;

/// A page that is still to be read.
struct Step {
    page: u32,
    /// The largest row number that it may hold.
    most: Option<i64>,
    level: usize,
}

/// A walk and what it has seen.
struct Walk<'a, 'f> {
    pages: &'a mut Pages<'f>,
    met: &'a mut Met,
    scan: &'a mut Scan,
    /// The largest row number so far.
    last: Option<i64>,
    /// The level of the first leaf; all have the same.
    leaves: Option<usize>,
    payload: Vec<u8>,
}

/// Calls `each` for every row of the table whose first page is `root`, in the order of row numbers. What cannot be read
/// is damage of the scan.
pub(super) fn rows(pages: &mut Pages<'_>, root: u32, met: &mut Met, scan: &mut Scan, each: &mut EachRow<'_>) {
    let mut walk = Walk { pages, met, scan, last: None, leaves: None, payload: Vec::new() };
    let mut steps = vec![Step { page: root, most: None, level: 0 }];
    let mut page = Vec::new();
    while let Some(step) = steps.pop() {
        let number = step.page;
        if step.level >= MOST_LEVELS {
            walk.scan.damaged(format!("page {number} lies deeper than {MOST_LEVELS} levels"));
            continue;
        }
        let read = walk.met.meet(number.into()).and_then(|()| walk.pages.page(number, 0, &mut page));
        if let Err(error) = read {
            walk.scan.failed(&format!("page {number}"), &error);
            continue;
        }
        let (node, faults) = node::read(&page, if number == 1 { HEADER } else { 0 });
        for fault in faults {
            walk.scan.damaged(format!("page {number}: {fault}"));
        }
        match node {
            Some(Node::Interior(children)) => steps.extend(walk.children(children, &step)),
            Some(Node::Leaf(cells)) => walk.leaf(&page, &cells, &step, each),
            None => {}
        }
    }
}

impl Walk<'_, '_> {
    /// The children of an interior page, the first one last, so that it is taken next.
    fn children(&mut self, children: Vec<(u32, Option<i64>)>, step: &Step) -> impl Iterator<Item = Step> {
        let keys: Vec<i64> = children.iter().filter_map(|(_, key)| *key).collect();
        let above = step.most.is_none_or(|most| keys.last().is_none_or(|&last| last <= most));
        if !keys.is_sorted_by(|a, b| a < b) || !above {
            self.scan.damaged(format!("page {}: its keys are out of order", step.page));
        }
        let (most, level) = (step.most, step.level.saturating_add(1));
        children.into_iter().rev().map(move |(page, key)| Step { page, most: key.or(most), level })
    }

    fn leaf(&mut self, page: &[u8], cells: &[Cell], step: &Step, each: &mut EachRow<'_>) {
        if *self.leaves.get_or_insert(step.level) != step.level {
            self.scan.damaged(format!("page {}: a leaf on level {}", step.page, step.level));
        }
        if cells.is_empty() && step.level > 0 {
            self.scan.damaged(format!("page {}: a leaf without rows", step.page));
        }
        for cell in cells {
            let above = step.most.is_some_and(|most| cell.number > most);
            if above || self.last.is_some_and(|last| cell.number <= last) {
                self.scan.damaged(format!("page {}: row {} is out of order", step.page, cell.number));
            }
            self.last = self.last.max(Some(cell.number));
            match self.payload(page, cell) {
                Ok(()) => {
                    let payload = mem::take(&mut self.payload);
                    each(self.scan, cell.number, &payload);
                    self.payload = payload;
                }
                Err(error) => self.scan.failed(&format!("row {}", cell.number), &error),
            }
        }
    }

    /// Puts a row together from its leaf and its overflow pages.
    fn payload(&mut self, page: &[u8], cell: &Cell) -> Result<()> {
        let len = index(cell.len);
        if len > RECORD_BYTES {
            return Err(Error::Limit { what: "row, bytes", limit: wide(RECORD_BYTES) });
        }
        self.payload.clear();
        self.payload.extend_from_slice(page.get(cell.local.clone()).unwrap_or_default());
        let carried = self.pages.usable().saturating_sub(4);
        let unused = self.pages.page_size().saturating_sub(carried);
        let mut next = cell.overflow.unwrap_or(0);
        let mut first = true;
        while self.payload.len() < len {
            self.met.meet(next.into())?;
            let left = len.saturating_sub(self.payload.len());
            // Chains mostly lie in one run: the first page of one is read with the rest.
            let pages_left = left.div_ceil(carried.max(1)).saturating_sub(1);
            let following = if first { pages_left.saturating_mul(carried.saturating_add(unused)) } else { 0 };
            first = false;
            let bytes = self.pages.bytes(next, following)?;
            next = Bytes(bytes).be32(0).unwrap_or(0);
            let part = bytes.get(4..).and_then(|rest| rest.get(..left.min(rest.len()))).unwrap_or_default();
            if part.is_empty() {
                return Err(Error::whole("overflow page", "it carries no bytes"));
            }
            self.payload.extend_from_slice(part);
        }
        if next != 0 {
            return Err(Error::whole(
                "overflow chain",
                format!("it goes on at page {next} after {len} bytes"),
            ));
        }
        Ok(())
    }
}
