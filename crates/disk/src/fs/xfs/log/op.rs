// SPDX-License-Identifier: Apache-2.0
//! The operations that a record's data is cut into.

use crate::bytes::{Bytes, index, wide};

/// Bytes of an operation's header.
pub(super) const HEADER: u64 = 12;

/// The operation begins a transaction.
pub(super) const START: u8 = 0x01;
/// The operation commits its transaction.
pub(super) const COMMIT: u8 = 0x02;
/// The region goes on in a later operation.
pub(super) const CONTINUES: u8 = 0x04;
/// The region goes on from an earlier operation.
pub(super) const CONTINUED: u8 = 0x08;
/// The region that goes on ends here.
pub(super) const ENDS: u8 = 0x10;
/// The filesystem was unmounted.
pub(super) const UNMOUNT: u8 = 0x20;

/// One operation.
///
/// Shape: transaction (4 bytes), length (4), client (1), flags (1), two unused; big-endian; the bytes follow.
/// Source: `struct xlog_op_header` in Linux, fs/xfs/libxfs/xfs_log_format.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    /// Which transaction.
    pub(super) transaction: u32,
    /// What it does.
    pub(super) flags: u8,
    /// Position of its bytes in the live part.
    pub(super) at: u32,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

/// Goes over the operations of a record.
pub(super) struct Operations<'a> {
    data: &'a [u8],
    /// Position of the data in the live part.
    start: u64,
    next: u64,
    left: u32,
}

impl<'a> Operations<'a> {
    /// The `count` operations in `data`, which lies at position `start` of the live part.
    pub(super) fn new(data: &'a [u8], start: u64, count: u32) -> Self {
        Operations { data, start, next: 0, left: count }
    }
}

impl<'a> Iterator for Operations<'a> {
    /// An operation, or why the data holds none where one must be.
    type Item = Result<Operation<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 || self.next >= wide(self.data.len()) {
            return None;
        }
        self.left = self.left.saturating_sub(1);
        let at = self.next;
        let bytes = Bytes(self.data);
        let operation = self.read(bytes, at);
        match operation {
            Some(operation) => {
                self.next = at.saturating_add(HEADER).saturating_add(wide(operation.bytes.len()));
                Some(Ok(operation))
            }
            None => {
                self.left = 0;
                Some(Err(format!("no valid operation {at} bytes into a record of {}", self.data.len())))
            }
        }
    }
}

impl<'a> Operations<'a> {
    fn read(&self, bytes: Bytes<'a>, at: u64) -> Option<Operation<'a>> {
        const TRANSACTION: u8 = 0x69;
        const LOG: u8 = 0xaa;
        let transaction = bytes.be32(index(at))?;
        let len = bytes.be32(index(at.checked_add(4)?))?;
        let client = bytes.u8(index(at.checked_add(8)?))?;
        let flags = bytes.u8(index(at.checked_add(9)?))?;
        let first = at.checked_add(HEADER)?;
        let bytes = bytes.slice(index(first), index(u64::from(len)))?;
        let at = u32::try_from(self.start.checked_add(first)?).ok()?;
        matches!(client, TRANSACTION | LOG).then_some(Operation { transaction, flags, at, bytes })
    }
}
