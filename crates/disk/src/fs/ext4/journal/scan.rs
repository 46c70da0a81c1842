// SPDX-License-Identifier: Apache-2.0
//! One walk through the log: where it ends, and what its complete transactions wrote and revoked.
//!
//! The kernel goes through the log three times (scan, revoke, replay); one walk gives the same. What a transaction
//! wrote and revoked is kept apart until its commit block is met, and a revoke counts for all transactions up to its
//! own, whatever their order in the walk: [`Scan::finish`] applies it when all are known.

use std::collections::HashMap;

use super::checksum::crc32_be;
use super::commit::Commit;
use super::log::{Log, after};
use super::record::{self, Header, Tag};
use super::superblock::{Format, Sums, Superblock};
use super::{fast, revoke};
use crate::bytes::wide;
use crate::error::{Error, Result};
use crate::limits::{JOURNAL_BLOCKS, JOURNAL_REVOKES};

/// What was met in the live part of a journal, in numbers: what a test exercised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Version of the checksums: 0 if there are none, else 1 to 3.
    pub checksums: u8,
    /// Bytes of a tag, without its UUID.
    pub tag_bytes: u64,
    /// Complete transactions.
    pub transactions: u64,
    /// Descriptor blocks in them.
    pub descriptors: u64,
    /// Tags: blocks of the filesystem that were logged.
    pub tags: u64,
    /// Tags with the escape flag.
    pub escaped: u64,
    /// Tags that carry a UUID.
    pub uuids: u64,
    /// Revoke blocks.
    pub revoke_blocks: u64,
    /// Block numbers in them.
    pub revokes: u64,
    /// Blocks that were logged last before they were revoked, and so stay as they are.
    pub revoked: u64,
    /// Times the log went from the end of the ring to its start.
    pub wraps: u64,
}

/// The newest version of a block of the filesystem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    sequence: u32,
    /// The block of the journal.
    pub(super) at: u64,
    /// The magic at its start was replaced by zeros.
    pub(super) escaped: bool,
}

/// What a walk through the log found.
pub(super) struct Scan {
    /// The newest version of each block of the filesystem.
    pub(super) written: HashMap<u64, Written>,
    /// What makes the result less than the kernel would have; the transactions before it are in.
    pub(super) damage: Vec<String>,
    /// Blocks of the log that complete transactions take.
    pub(super) live: u64,
    /// What was met.
    pub(super) counts: Counts,
    revoked: HashMap<u64, u32>,
    bad: Vec<(u64, u32)>,
    blocks_count: u64,
    at: u64,
    steps: u64,
    sequence: u32,
    seconds: u64,
    doubt: Option<String>,
    interrupted: bool,
    pending: Pending,
}

/// What the transaction at hand wrote and revoked so far.
#[derive(Default)]
struct Pending {
    sum: Option<u32>,
    tags: Vec<(Tag, u64, bool)>,
    revokes: Vec<u64>,
    counts: Counts,
}

impl Scan {
    /// Walks through the log of a filesystem with `blocks_count` blocks.
    ///
    /// # Errors
    /// What the source answers, but for its end, which is damage.
    pub(super) fn run(log: &mut Log<'_>, superblock: &Superblock, blocks_count: u64) -> Result<Scan> {
        let mut scan = Scan {
            written: HashMap::new(),
            damage: Vec::new(),
            live: 0,
            counts: superblock.format.counts(),
            revoked: HashMap::new(),
            bad: Vec::new(),
            blocks_count,
            at: superblock.start,
            steps: 0,
            sequence: superblock.sequence,
            seconds: 0,
            doubt: None,
            interrupted: false,
            pending: Pending::default(),
        };
        match scan.walk(log, superblock) {
            Err(error @ (Error::Corrupt(_) | Error::Limit { .. })) => scan.damage.push(error.to_string()),
            Err(error) if error.is_past_end() => scan.damage.push(error.to_string()),
            other => other?,
        }
        scan.finish();
        Ok(scan)
    }

    fn walk(&mut self, log: &mut Log<'_>, superblock: &Superblock) -> Result<()> {
        let ring = &superblock.ring;
        let format = &superblock.format;
        while self.damage.is_empty() {
            if self.steps > ring.end.saturating_sub(ring.start) {
                return Err(Error::whole("journal", format!("transaction {} has no end", self.sequence)));
            }
            let here = self.at;
            let block = log.block(here, ring.end)?;
            let Some(header) = Header::read(block).filter(|header| header.sequence == self.sequence) else {
                break;
            };
            match header.kind {
                record::DESCRIPTOR => self.descriptor(log, superblock)?,
                record::REVOKE => {
                    if !record::tail_matches(format, block) {
                        self.doubt = Some(format!("revoke block at {here}"));
                    } else if let Some(blocks) = revoke::blocks(format, block) {
                        self.pending.revoke(blocks)?;
                    } else {
                        self.doubt = Some(format!("length of the revoke block at {here}"));
                    }
                    self.step(1, superblock);
                }
                record::COMMIT => {
                    let commit = Commit::read(format, block, self.pending.sum.unwrap_or(!0));
                    self.step(1, superblock);
                    if !self.commit(format, &commit)? {
                        break;
                    }
                }
                _ => break,
            }
        }
        let damaged = !self.damage.is_empty() || self.interrupted;
        if !damaged && fast::is_there(log, &superblock.fast, self.sequence)? {
            self.damage.push("fast commits after the last transaction are not applied".into());
        }
        Ok(())
    }

    fn step(&mut self, blocks: usize, superblock: &Superblock) {
        let next = after(self.at, blocks, &superblock.ring);
        if next < self.at {
            self.pending.counts.wraps = self.pending.counts.wraps.saturating_add(1);
        }
        self.at = next;
        self.steps = self.steps.saturating_add(wide(blocks));
    }

    /// A descriptor block at the current place, with the blocks that it names behind it.
    fn descriptor(&mut self, log: &mut Log<'_>, superblock: &Superblock) -> Result<()> {
        let (here, ring, format) = (self.at, &superblock.ring, &superblock.format);
        let block = log.block(here, ring.end)?;
        if !record::tail_matches(format, block) {
            self.doubt = Some(format!("descriptor block at {here}"));
        }
        let tags = record::tags(format, block);
        if format.sums == Sums::Transaction {
            self.pending.sum = Some(crc32_be(self.pending.sum.unwrap_or(!0), block));
        }
        self.step(1, superblock);
        let first = self.at;
        self.step(tags.len(), superblock);
        if self.doubt.is_some() || self.interrupted {
            return Ok(());
        }
        self.pending.counts.descriptors = self.pending.counts.descriptors.saturating_add(1);
        for (number, tag) in tags.into_iter().enumerate() {
            let at = after(first, number, ring);
            let right = match format.sums {
                Sums::None => true,
                Sums::Transaction => {
                    let sum = crc32_be(self.pending.sum.unwrap_or(!0), log.block(at, ring.end)?);
                    self.pending.sum = Some(sum);
                    true
                }
                Sums::Short | Sums::Long => {
                    record::data_matches(format, &tag, self.sequence, log.block(at, ring.end)?)
                }
            };
            self.pending.tags.push((tag, at, right));
        }
        Ok(())
    }

    /// A commit block; true if the walk goes on.
    fn commit(&mut self, format: &Format, commit: &Commit) -> Result<bool> {
        let older = commit.seconds < self.seconds;
        if let Some(doubt) = self.doubt.take() {
            // What the ring held before has its own checksums; only its commit's time tells that it is not ours.
            if !older {
                self.damage.push(format!("checksum of the {doubt}, transaction {}", self.sequence));
            }
            return Ok(false);
        }
        if self.interrupted {
            self.damage.push(format!("checksum of a transaction before {}", self.sequence));
            return Ok(false);
        }
        if !commit.matches {
            if older {
                return Ok(false);
            }
            if !format.async_commit {
                self.damage.push(format!("checksum of the commit block of transaction {}", self.sequence));
                return Ok(false);
            }
            // Such a commit block may reach the disk before its transaction. Then it is the last one.
            self.interrupted = true;
            self.pending = Pending::default();
            self.sequence = self.sequence.wrapping_add(1);
            return Ok(format.sums == Sums::Transaction);
        }
        self.seconds = commit.seconds;
        self.merge()?;
        self.sequence = self.sequence.wrapping_add(1);
        self.live = self.steps;
        Ok(true)
    }

    /// Takes what a complete transaction wrote and revoked.
    fn merge(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let most = JOURNAL_REVOKES;
        if wide(self.revoked.len().saturating_add(pending.revokes.len())) > most {
            return Err(Error::Limit { what: "revoked blocks in a journal", limit: most });
        }
        self.counts.add(&pending);
        for (tag, at, right) in pending.tags {
            if tag.home >= self.blocks_count {
                self.damage
                    .push(format!("block {at} of the journal belongs at {}, beyond the end", tag.home));
            } else if right {
                let written = Written { sequence: self.sequence, at, escaped: tag.escaped };
                self.written.insert(tag.home, written);
            } else {
                self.bad.push((tag.home, self.sequence));
            }
        }
        for block in pending.revokes {
            self.revoked.insert(block, self.sequence);
        }
        if wide(self.written.len()) > JOURNAL_BLOCKS {
            return Err(Error::Limit { what: "blocks of a journal", limit: JOURNAL_BLOCKS });
        }
        Ok(())
    }

    /// Drops what was revoked, and says which blocks have a wrong checksum and were not.
    fn finish(&mut self) {
        let revoked = |home: u64, sequence: u32| {
            self.revoked.get(&home).is_some_and(|until| is_up_to(sequence, *until))
        };
        let before = self.written.len();
        self.written.retain(|home, written| !revoked(*home, written.sequence));
        self.counts.revoked = wide(before.saturating_sub(self.written.len()));
        let mut bad = self.bad.iter().filter(|(home, sequence)| !revoked(*home, *sequence));
        if let Some((home, sequence)) = bad.next() {
            let more = bad.count();
            let why = format!("checksum of block {home} in transaction {sequence}, and of {more} more");
            self.damage.push(why);
        }
    }
}

impl Pending {
    fn revoke(&mut self, blocks: Vec<u64>) -> Result<()> {
        let sum = self.revokes.len().saturating_add(blocks.len());
        if wide(sum) > JOURNAL_REVOKES {
            return Err(Error::Limit { what: "revoked blocks in a journal", limit: JOURNAL_REVOKES });
        }
        self.counts.revoke_blocks = self.counts.revoke_blocks.saturating_add(1);
        self.revokes.extend(blocks);
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, pending: &Pending) {
        let all = |test: fn(&Tag) -> bool| wide(pending.tags.iter().filter(|(tag, ..)| test(tag)).count());
        for (sum, more) in [
            (&mut self.transactions, 1),
            (&mut self.descriptors, pending.counts.descriptors),
            (&mut self.tags, wide(pending.tags.len())),
            (&mut self.escaped, all(|tag| tag.escaped)),
            (&mut self.uuids, all(|tag| tag.has_uuid)),
            (&mut self.revoke_blocks, pending.counts.revoke_blocks),
            (&mut self.revokes, wide(pending.revokes.len())),
            (&mut self.wraps, pending.counts.wraps),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// True if transaction `sequence` is not later than `until`; the numbers go round.
fn is_up_to(sequence: u32, until: u32) -> bool {
    until.wrapping_sub(sequence) < 1 << 31
}
