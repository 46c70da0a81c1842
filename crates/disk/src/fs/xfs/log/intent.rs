// SPDX-License-Identifier: Apache-2.0
//! Changes that were announced, and not finished when the machine stopped.
//!
//! A change of several steps is announced in the first transaction and its end is logged in the last. Recovery
//! finishes what has no end. A reader need not, unless an inode's blocks or attributes are meant: that inode is then
//! somewhere between old and new.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Bytes;

use super::item::{Intent, Phase};

/// Unfinished changes that are kept; the log's own reservations allow far fewer.
const MOST: usize = 64 << 10;

/// The announced changes that have not ended yet.
#[derive(Default)]
pub(super) struct Intents {
    open: BTreeMap<(Intent, u64), Vec<u64>>,
}

impl Intents {
    /// Takes the announcement or the end of a change.
    ///
    /// Source: `xfs_bui_log_format`, `xfs_attri_log_format`, `xfs_xmi_log_format` and their ends in Linux,
    /// fs/xfs/libxfs/xfs_log_format.h: all have their id 8 bytes after the start.
    ///
    /// # Errors
    /// What is not valid, in words.
    pub(super) fn take(&mut self, intent: Intent, phase: Phase, format: &[u8]) -> Result<(), String> {
        let bytes = Bytes(format);
        let too_short = || format!("an item of {} bytes has no id", format.len());
        let id = bytes.le64(8).ok_or_else(too_short)?;
        match (intent, phase) {
            (Intent::Space, _) => return Ok(()),
            (_, Phase::Done) => {
                self.open.remove(&(intent, id));
                return Ok(());
            }
            (_, Phase::Announced) => {}
        }
        let inodes = match intent {
            // One mapping has 32 bytes; the kernel logs one in an item.
            Intent::Map => {
                let count = bytes.le32(4).unwrap_or(0);
                if count > 3 {
                    return Err(format!("a map item has {count} extents"));
                }
                [16, 48, 80]
                    .iter()
                    .take(crate::bytes::index(u64::from(count)))
                    .map(|&at| bytes.le64(at))
                    .collect()
            }
            Intent::Exchange => vec![bytes.le64(16), bytes.le64(24)],
            Intent::Attribute | Intent::Space => vec![bytes.le64(16)],
        };
        let inodes: Option<Vec<u64>> = inodes.into_iter().collect();
        self.open.insert((intent, id), inodes.ok_or_else(too_short)?);
        match self.open.len() > MOST {
            true => Err(format!("more than {MOST} changes are unfinished")),
            false => Ok(()),
        }
    }

    /// The inodes of changes that never ended.
    pub(super) fn inodes(self) -> BTreeSet<u64> {
        self.open.into_values().flatten().collect()
    }
}
