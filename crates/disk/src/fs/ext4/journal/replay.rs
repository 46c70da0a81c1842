// SPDX-License-Identifier: Apache-2.0
//! What a journal means for its filesystem.

use std::sync::Arc;

use super::log::{Area, Log};
use super::overlay::{Home, Overlay};
use super::scan::Scan;
use super::superblock::Superblock;
use crate::error::{Error, Result};
use crate::source::BlockSource;

/// What is known of the filesystem that the journal belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// Blocks of the filesystem: what is logged beyond them is refused.
    pub blocks_count: u64,
}

/// What a journal means for its filesystem.
pub enum Loaded {
    /// Nothing is in it, or no complete transaction.
    Clean,
    /// Read the filesystem from `overlay`, the superblock too.
    Replayed {
        /// The source of the filesystem as it is after recovery.
        overlay: Arc<Overlay>,
        /// Bytes of the log that complete transactions take.
        journal_bytes: u64,
    },
    /// The journal has faults, for which the kernel would not mount the filesystem, or changes that are not applied.
    Stale {
        /// The faults, in words.
        why: String,
        /// The source with the transactions that are certain, if there are any.
        overlay: Option<Arc<Overlay>>,
    },
}

/// Reads the journal that lies in `area` of a filesystem on `source`. Call it only where the filesystem's superblock
/// says that recovery is needed: without that flag the kernel wipes the journal unread.
///
/// # Errors
/// What the source answers. All that is wrong with the journal itself, its end beyond that of the source included, is
/// [`Loaded::Stale`].
pub fn load(source: &Arc<dyn BlockSource>, area: &Area, expect: &Expect) -> Result<Loaded> {
    match scan(source, area, expect) {
        Ok(None) => Ok(Loaded::Clean),
        Ok(Some((log, scan))) => Ok(judge(source, &log, scan)),
        Err(error @ (Error::Corrupt(_) | Error::Unsupported(_) | Error::Limit { .. })) => {
            Ok(Loaded::Stale { why: error.to_string(), overlay: None })
        }
        Err(error) if error.is_past_end() => Ok(Loaded::Stale { why: error.to_string(), overlay: None }),
        Err(error) => Err(error),
    }
}

fn scan<'a>(
    source: &'a Arc<dyn BlockSource>,
    area: &Area,
    expect: &Expect,
) -> Result<Option<(Log<'a>, Scan)>> {
    let mut log = Log::new(source.as_ref(), area)?;
    let superblock = Superblock::parse(&log.first()?, log.blocks())?;
    if superblock.start == 0 {
        return Ok(None);
    }
    let scan = Scan::run(&mut log, &superblock, expect.blocks_count)?;
    Ok(Some((log, scan)))
}

/// Makes an overlay of what was found.
fn judge(source: &Arc<dyn BlockSource>, log: &Log<'_>, scan: Scan) -> Loaded {
    let mut homes: Vec<Home> = scan
        .written
        .iter()
        .filter_map(|(&home, written)| {
            Some(Home { block: home, stands_at: log.place(written.at)?, escaped: written.escaped })
        })
        .collect();
    homes.sort_unstable_by_key(|home| home.block);
    let live = scan.live;
    let overlay =
        (live > 0).then(|| Arc::new(Overlay::new(Arc::clone(source), log.block_size(), homes, scan.counts)));
    match (overlay, scan.damage.is_empty()) {
        (overlay, false) => Loaded::Stale { why: faults(&scan.damage), overlay },
        (None, true) => Loaded::Clean,
        (Some(overlay), true) => {
            Loaded::Replayed { overlay, journal_bytes: live.saturating_mul(log.block_size().get()) }
        }
    }
}

/// The first fault, and how many more there are.
fn faults(damage: &[String]) -> String {
    match damage {
        [first] => format!("journal: {first}"),
        [first, rest @ ..] => format!("journal: {first}, and {} more", rest.len()),
        [] => String::new(),
    }
}
