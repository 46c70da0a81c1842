// SPDX-License-Identifier: Apache-2.0
//! From a log to the overlay that stands for its recovery.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::source::BlockSource;

use super::changes::Changes;
use super::geometry::Geometry;
use super::head::{self, Ends};
use super::intent::Intents;
use super::item::{self, Kind};
use super::live::Live;
use super::op::Operations;
use super::overlay::Overlay;
use super::record::Lsn;
use super::ring::{BLOCK, Ring};
use super::transaction::{Committed, Transactions};
use super::walk::{Record, Walk};

/// Kinds of item by name, with how many of each the log held: all that are known, the others as `UNKNOWN`.
pub type Met = BTreeMap<&'static str, u64>;

/// What a log means for the filesystem.
pub enum Loaded {
    /// It holds nothing that is not in place.
    Clean,
    /// The overlay is the filesystem as its own kernel would recover it.
    Replayed(Replay),
    /// The overlay, if there is one, is as near as could be come.
    Stale {
        /// Why it is not nearer.
        why: String,
        /// What could be had.
        replay: Option<Replay>,
    },
}

/// What a log changes.
pub struct Replay {
    /// The source with the changes over it.
    pub overlay: Arc<Overlay>,
    /// Bytes of the log that hold changes.
    pub journal_bytes: u64,
    /// Inodes in the middle of a change that was announced and not finished.
    pub stale_inodes: BTreeSet<u64>,
    /// What was met.
    pub met: Met,
}

/// Reads the log of a filesystem that begins at the first byte of `source`.
///
/// # Errors
/// What the source answers, `Limit` for a log that is too large, and `Corrupt` if the superblock names no log. Damage
/// in the log itself makes it `Stale`.
pub fn load(source: &Arc<dyn BlockSource>, geometry: &Geometry) -> Result<Loaded> {
    let Some(start) = geometry.log_start else {
        let why = "the log lies on another device".to_owned();
        return Ok(Loaded::Stale { why, replay: None });
    };
    let ring = Ring::new(Arc::clone(source), start, geometry.log_blocks()?);
    let ends = match head::find(&ring) {
        Err(Error::Corrupt(damage)) => return Ok(Loaded::Stale { why: damage.to_string(), replay: None }),
        other => other?,
    };
    let Ends::Live { tail, head, under_way } = ends else {
        return Ok(Loaded::Clean);
    };
    if !geometry.v5 {
        let why = "the log of a version 4 filesystem holds changes".to_owned();
        return Ok(Loaded::Stale { why, replay: None });
    }
    let mut walk = Walk::new(ring.clone(), tail, head, geometry.uuid);
    let journal_bytes = walk.len();
    let mut replayer = Replayer::new(geometry, journal_bytes);
    let stopped = replayer.run(&mut walk, under_way);
    let why = match stopped {
        Err(Error::Corrupt(damage)) => Some(damage.to_string()),
        other => {
            other?;
            replayer.skipped.take()
        }
    };
    let replay = replayer.finish(source, ring, tail, walk);
    Ok(match why {
        None => Loaded::Replayed(replay),
        Some(why) => Loaded::Stale { why, replay: Some(replay) },
    })
}

/// What is known while the records go by.
struct Replayer<'a> {
    geometry: &'a Geometry,
    transactions: Transactions,
    changes: Changes,
    intents: Intents,
    lsns: Vec<Lsn>,
    words: Vec<[u8; 4]>,
    met: Met,
    /// Why an item was left out.
    skipped: Option<String>,
}

impl<'a> Replayer<'a> {
    fn new(geometry: &'a Geometry, bytes: u64) -> Self {
        Replayer {
            geometry,
            transactions: Transactions::default(),
            changes: Changes::default(),
            intents: Intents::default(),
            lsns: Vec::new(),
            words: vec![[0; 4]; crate::bytes::index(bytes / BLOCK)],
            met: item::NAMES.into_iter().map(|name| (name, 0)).collect(),
            skipped: None,
        }
    }

    fn run(&mut self, walk: &mut Walk, under_way: u64) -> Result<()> {
        walk.skip_overwritten(under_way)?;
        while let Some(record) = walk.record()? {
            self.record(&record).map_err(|why| {
                Error::whole("log", format!("record at block {}: {why}", record.header.lsn.block()))
            })?;
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), String> {
        let first = crate::bytes::index(record.at / BLOCK);
        for (to, from) in self.words.iter_mut().skip(first).zip(&record.words) {
            *to = *from;
        }
        for operation in Operations::new(&record.data, record.at, record.header.ops) {
            if let Some(committed) = self.transactions.take(record.header.lsn, &operation?)? {
                self.commit(&committed)?;
            }
        }
        Ok(())
    }

    /// Takes a transaction's items in the order of recovery: blocks and new inodes, then all else, then the links
    /// between unlinked inodes, then what was freed.
    fn commit(&mut self, committed: &Committed) -> Result<(), String> {
        let number = u32::try_from(self.lsns.len()).map_err(|_| "too many transactions".to_owned())?;
        self.lsns.push(committed.lsn);
        let mut items: Vec<_> = committed.items.iter().filter(|item| !item.regions.is_empty()).collect();
        items.sort_by_key(|item| {
            let flags = item.format.get(4).copied().unwrap_or(0);
            match item::kind(&item.format).0 {
                Kind::Buffer if flags & 2 != 0 => 3,
                Kind::Buffer if flags & 1 != 0 => 2,
                Kind::Buffer | Kind::InodeCreate => 0,
                _ => 1,
            }
        });
        for item in items {
            let (kind, name) = item::kind(&item.format);
            let count = self.met.entry(name).or_default();
            *count = count.saturating_add(1);
            match kind {
                Kind::Buffer => {
                    self.changes.buffer(item, number, &self.transactions.continued, self.geometry)?;
                }
                Kind::Inode => self.changes.inode(item, number)?,
                Kind::InodeCreate => self.changes.create(item, self.geometry)?,
                Kind::Intent(intent, phase) => self.intents.take(intent, phase, &item.format)?,
                Kind::Quota => {}
                Kind::Unknown(number) => {
                    self.skipped = Some(format!("the log has items of an unknown type {number:#x}"));
                }
            }
        }
        Ok(())
    }

    fn finish(self, source: &Arc<dyn BlockSource>, ring: Ring, tail: u64, walk: Walk) -> Replay {
        let journal_bytes = walk.len();
        let mut stale_inodes = self.intents.inodes();
        stale_inodes.extend(&self.changes.moved);
        let live = Live {
            ring,
            start: tail.saturating_mul(BLOCK),
            words: self.words,
            continued: self.transactions.continued,
            kept: walk.kept(),
        };
        let overlay = Overlay {
            base: Arc::clone(source),
            live,
            changes: self.changes,
            lsns: self.lsns,
            meta_uuid: self.geometry.meta_uuid,
            inode_size: u64::from(self.geometry.inode_size),
        };
        Replay { overlay: Arc::new(overlay), journal_bytes, stale_inodes, met: self.met }
    }
}
