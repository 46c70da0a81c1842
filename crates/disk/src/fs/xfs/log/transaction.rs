// SPDX-License-Identifier: Apache-2.0
//! Transactions, put together from operations until they commit.
//!
//! Operations of several transactions lie mixed, and a region may go on in a later record. A transaction without a
//! commit never happened.

use std::collections::BTreeMap;

use super::live::Region;
use super::op::{self, Operation};
use super::record::Lsn;

/// Bytes of a transaction's own header, which is its first region.
const HEADER: usize = 16;
/// The header's first word, "TRAN".
const MAGIC: [u8; 4] = 0x5452_414e_u32.to_le_bytes();
/// Regions that one item may have (XLOG_MAX_REGIONS_IN_ITEM).
const MOST_REGIONS: u16 = 257;
/// Bytes of an item's first region that are kept: the largest format we read has 88.
const KEPT: usize = 112;
/// Regions of all transactions that are open at one time: a checkpoint of 64 MiB in pieces of 128 bytes.
const MOST_OPEN_REGIONS: usize = 512 << 10;

/// Continuations in one live part: a hundred times what its records can need.
const MOST_CONTINUED: usize = 256 << 10;

/// One thing that a transaction changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// How many regions belong to it.
    total: u16,
    /// What the first region begins with: the item's type and format.
    pub(super) format: Vec<u8>,
    /// Its regions.
    pub(super) regions: Vec<Region>,
}

/// A transaction that has committed.
pub(super) struct Committed {
    /// Where it began in the log.
    pub(super) lsn: Lsn,
    /// What it changed, in the order of the log.
    pub(super) items: Vec<Item>,
}

#[derive(Default)]
struct Open {
    lsn: u64,
    header: Vec<u8>,
    items: Vec<Item>,
    /// Where the last operation ended, if it is continued.
    ended: u32,
}

/// The transactions that have begun and not committed.
#[derive(Default)]
pub(super) struct Transactions {
    open: BTreeMap<u32, Open>,
    regions: usize,
    /// Where operations end that are continued, and where their continuations begin.
    pub(super) continued: BTreeMap<u32, u32>,
}

impl Transactions {
    /// Takes the next operation of a record; gives the transaction that it commits.
    ///
    /// # Errors
    /// What is not valid, in words; the log cannot be followed beyond it.
    pub(super) fn take(&mut self, lsn: Lsn, operation: &Operation<'_>) -> Result<Option<Committed>, String> {
        let id = operation.transaction;
        let Some(open) = self.open.get_mut(&id) else {
            // The rest of a transaction that began before the tail is not needed.
            if operation.flags & op::START != 0 {
                if !operation.bytes.is_empty() {
                    return Err(format!("transaction {id:#x} begins with {} bytes", operation.bytes.len()));
                }
                self.open.insert(id, Open { lsn: lsn.0, ..Open::default() });
                self.regions = self.regions.saturating_add(1);
            }
            return self.within_bounds();
        };
        let mut flags = operation.flags & !op::ENDS;
        if flags & op::CONTINUED != 0 {
            flags &= !op::CONTINUES;
        }
        match flags {
            0 | op::CONTINUES => {
                let added = open.add(operation)?;
                self.regions = self.regions.saturating_add(added);
            }
            op::CONTINUED => {
                if let Some(ended) = open.go_on(operation)? {
                    self.continued.insert(ended, operation.at);
                }
            }
            op::COMMIT => {
                let open = self.open.remove(&id).unwrap_or_default();
                self.regions = self.regions.saturating_sub(open.regions());
                return Ok(Some(Committed { lsn: Lsn(open.lsn), items: open.items }));
            }
            op::UNMOUNT => {
                let gone = self.open.remove(&id).unwrap_or_default();
                self.regions = self.regions.saturating_sub(gone.regions());
            }
            other => return Err(format!("transaction {id:#x} has an operation with flags {other:#x}")),
        }
        self.within_bounds()
    }

    fn within_bounds(&self) -> Result<Option<Committed>, String> {
        if self.regions > MOST_OPEN_REGIONS {
            return Err(format!("open transactions have more than {MOST_OPEN_REGIONS} regions"));
        }
        if self.continued.len() > MOST_CONTINUED {
            return Err(format!("more than {MOST_CONTINUED} operations are continued"));
        }
        Ok(None)
    }
}

impl Open {
    /// Regions, items, and the transaction itself, for the bound of them all.
    fn regions(&self) -> usize {
        self.items.iter().map(|item| item.regions.len()).sum::<usize>().saturating_add(1)
    }

    /// Adds a region, or the transaction's header if nothing was added before; gives how many regions are new.
    fn add(&mut self, operation: &Operation<'_>) -> Result<usize, String> {
        let len = u32::try_from(operation.bytes.len()).unwrap_or(u32::MAX);
        if len == 0 {
            return Ok(0);
        }
        self.ended = operation.at.saturating_add(len);
        if self.header.is_empty() {
            if !MAGIC.starts_with(operation.bytes.get(..4).unwrap_or(operation.bytes)) {
                return Err(format!("transaction {:#x} has no header", operation.transaction));
            }
            return self.add_to_header(operation.bytes).map(|()| 0);
        }
        let is_full = |item: &Item| item.total != 0 && item.regions.len() == usize::from(item.total);
        if self.items.last().is_none_or(is_full) {
            self.items.push(Item::default());
        }
        let Some(item) = self.items.last_mut() else { return Ok(0) };
        if item.regions.is_empty() {
            let total = operation.bytes.get(2..4).and_then(|bytes| bytes.first_chunk().copied());
            item.total = total.map_or(0, u16::from_le_bytes);
            if item.total == 0 || item.total > MOST_REGIONS {
                return Err(format!("an item has {} regions", item.total));
            }
            item.format = operation.bytes.get(..KEPT).unwrap_or(operation.bytes).to_vec();
        }
        item.regions.push(Region { at: operation.at, len });
        Ok(1)
    }

    /// Goes on with the last region; gives where the operation before ended.
    fn go_on(&mut self, operation: &Operation<'_>) -> Result<Option<u32>, String> {
        let len = u32::try_from(operation.bytes.len()).unwrap_or(u32::MAX);
        if self.items.is_empty() {
            return self.add_to_header(operation.bytes).map(|()| None);
        }
        let Some(item) = self.items.last_mut() else { return Ok(None) };
        let is_first = item.regions.len() == 1;
        let Some(region) = item.regions.last_mut().filter(|_| len > 0) else { return Ok(None) };
        region.len = region.len.saturating_add(len);
        if is_first {
            let missing = KEPT.saturating_sub(item.format.len());
            item.format.extend(operation.bytes.iter().take(missing));
        }
        let ended = std::mem::replace(&mut self.ended, operation.at.saturating_add(len));
        Ok(Some(ended))
    }

    fn add_to_header(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.header.extend(bytes.iter().take(HEADER));
        match self.header.len() > HEADER || bytes.len() > HEADER {
            true => Err("a transaction's header is too long".to_owned()),
            false => Ok(()),
        }
    }
}
