// SPDX-License-Identifier: Apache-2.0
//! One page of a table's b-tree, with a check that each of its bytes is accounted for.
//!
//! Shape:  type (13 leaf, 5 interior), first free block, number of cells, start of the cells, fragmented bytes, and for
//!         interior pages the rightmost child; then one 16-bit offset for each cell. Interior cells: child, key. Leaf
//!         cells: payload length, row number, payload, first overflow page.
//! Source: <https://www.sqlite.org/fileformat2.html#b_tree_pages>; SQLite's btree.c (`checkTreePage`).

use std::ops::Range;

use snapscan_disk::bytes::{Bytes, index, wide};

use super::row::varint;

const LEAF: u8 = 13;
const INTERIOR: u8 = 5;

/// What a page holds.
pub(super) enum Node {
    /// Children with the largest row number that each may hold; the last has no bound of its own.
    Interior(Vec<(u32, Option<i64>)>),
    /// Rows.
    Leaf(Vec<Cell>),
}

/// One row on a leaf.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The row number.
    pub(super) number: i64,
    /// Bytes of the whole payload.
    pub(super) len: u64,
    /// Where the payload's first part is on this page.
    pub(super) local: Range<usize>,
    /// The first overflow page, if the payload has more.
    pub(super) overflow: Option<u32>,
}

/// What is wrong with a page. What could be read of it stands beside.
pub(super) type Faults = Vec<String>;

/// Reads a page, given its usable bytes and where its b-tree header begins.
pub(super) fn read(page: &[u8], start: usize) -> (Option<Node>, Faults) {
    let mut faults = Vec::new();
    let bytes = Bytes(page);
    let kind = bytes.u8(start).unwrap_or(0);
    let interior = match kind {
        LEAF => false,
        INTERIOR => true,
        _ => return (None, vec![format!("type {kind} is no page of a table")]),
    };
    let at = |offset: usize| start.saturating_add(offset);
    let count = usize::from(bytes.be16(at(3)).unwrap_or(0));
    let pointers = at(if interior { 12 } else { 8 });
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(count.min(page.len() / 4));
    let mut children = Vec::new();
    let mut cells = Vec::new();
    // Cells that overlap could make one page into thousands of its size.
    let mut room = page.len();
    for place in 0..count {
        if room == 0 {
            faults.push(format!("{place} cells of {count} are more than the page"));
            break;
        }
        let offset = bytes.be16(pointers.saturating_add(place.saturating_mul(2))).map(usize::from);
        let span = offset.and_then(|offset| {
            if interior {
                let (child, key, span) = interior_cell(page, offset)?;
                children.push((child, Some(key)));
                Some(span)
            } else {
                let (cell, span) = leaf_cell(page, offset)?;
                cells.push(cell);
                Some(span)
            }
        });
        match span {
            Some(span) => {
                room = room.saturating_sub(span.len());
                spans.push(span);
            }
            None => faults.push(format!("cell {place} of {count} leaves the page")),
        }
    }
    let array_end = pointers.saturating_add(count.saturating_mul(2));
    if faults.is_empty() {
        faults.extend(account(bytes, start, array_end, spans));
    }
    let node = if interior {
        children.push((bytes.be32(at(8)).unwrap_or(0), None));
        Node::Interior(children)
    } else {
        Node::Leaf(cells)
    };
    (Some(node), faults)
}

fn interior_cell(page: &[u8], offset: usize) -> Option<(u32, i64, Range<usize>)> {
    let child = Bytes(page).be32(offset)?;
    let (key, end) = varint(page, offset.checked_add(4)?)?;
    Some((child, key.cast_signed(), offset..end))
}

fn leaf_cell(page: &[u8], offset: usize) -> Option<(Cell, Range<usize>)> {
    let (len, at) = varint(page, offset)?;
    let (number, at) = varint(page, at)?;
    let number = number.cast_signed();
    let local = local_len(len, page.len());
    let end = at.checked_add(local)?;
    page.get(at..end)?;
    if wide(local) == len {
        // The smallest cell has room for a free block of four bytes.
        let span = offset..end.max(offset.checked_add(4)?);
        return Some((Cell { number, len, local: at..end, overflow: None }, span));
    }
    let overflow = Bytes(page).be32(end)?;
    let cell = Cell { number, len, local: at..end, overflow: Some(overflow) };
    Some((cell, offset..end.checked_add(4)?))
}

/// How many bytes of a payload stand on the leaf itself, given the usable bytes of a page.
fn local_len(len: u64, usable: usize) -> usize {
    let usable = wide(usable);
    let most = usable.saturating_sub(35);
    if len <= most {
        return index(len);
    }
    let least = (usable.saturating_sub(12).saturating_mul(32) / 255).saturating_sub(23);
    let fitting =
        least.saturating_add(len.saturating_sub(least).checked_rem(usable.saturating_sub(4)).unwrap_or(0));
    index(if fitting <= most { fitting } else { least })
}

/// Checks that cells, free blocks and fragments fill the page from the start of its cells to its end.
fn account(bytes: Bytes<'_>, start: usize, array_end: usize, mut spans: Vec<Range<usize>>) -> Option<String> {
    let at = |offset: usize| start.saturating_add(offset);
    let content = match usize::from(bytes.be16(at(5))?) {
        0 => 65_536,
        content => content,
    };
    if content < array_end || content > bytes.0.len() {
        return Some(format!("its cells begin at {content}, their offsets end at {array_end}"));
    }
    let mut block = usize::from(bytes.be16(at(1))?);
    let mut last = 0;
    while block > 0 {
        let size = bytes.be16(block.saturating_add(2)).map(usize::from);
        let Some(size) = size.filter(|_| block > last) else {
            return Some(format!("free block at {block} after {last}"));
        };
        spans.push(block..block.saturating_add(size));
        last = block;
        block = usize::from(bytes.be16(block).unwrap_or(0));
    }
    spans.sort_by_key(|span| span.start);
    let mut end = content;
    let mut fragments = 0_usize;
    for span in spans {
        let Some(gap) = span.start.checked_sub(end) else {
            return Some(format!("bytes {} to {} are used twice", span.start, end));
        };
        fragments = fragments.saturating_add(gap);
        end = span.end;
    }
    let Some(gap) = bytes.0.len().checked_sub(end) else {
        return Some(format!("a cell ends at {end}, beyond the page"));
    };
    fragments = fragments.saturating_add(gap);
    let stored = usize::from(bytes.u8(at(7))?);
    (fragments != stored).then(|| format!("{fragments} bytes are in no cell, {stored} are said to be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula of the section "Cell payload overflow pages", worked out by hand for 4,096 usable bytes:
    /// at most 4,061, at least 489, a whole overflow page carries 4,092.
    #[test]
    fn local_bytes_follow_the_formula() {
        assert_eq!(local_len(4061, 4096), 4061);
        assert_eq!(local_len(4062, 4096), 489);
        assert_eq!(local_len(489 + 4092 + 100, 4096), 589);
        assert_eq!(local_len(489 + 4092 + 3573, 4096), 489);
    }
}
