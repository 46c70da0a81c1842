// SPDX-License-Identifier: Apache-2.0
//! The book of a job's blocks: which lie in the cache, which are on their way, who was told what.
//!
//! It does nothing itself: it says what is to be answered, fetched or taken away. A worker is a *link*; a job has one
//! after another, if they die. Rules that a link must keep, or it lies: volume and index exist, at most
//! [`OUTSTANDING`] asks without an answer, `Done` only to what was `Ready`, no second `Need` before an answer, and it
//! stops asking some time after the budget was refused.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

use std::collections::{HashMap, VecDeque};

use crate::blocks::frame::{ADVISED, Answer, CACHED, OUTSTANDING};
use crate::blocks::{BLOCK, Budget, Counts, Refusal, Wanted};

/// Blocks of zeros that a job may ask for at least: they cost lists, and memory here.
const ZEROS: u64 = 65_536;
/// Refusals after which a worker that asks on is ended; an honest one stops at the first refused budget.
const REFUSALS: u64 = 65_536;

/// A worker, by its number.
pub(crate) type LinkId = u64;

/// What a worker said that no honest one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lie(pub(crate) String);

/// What is to be done about an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: an answer is on its way, or the advice was dropped.
    Nothing,
    /// Answer at once.
    Answer(Answer),
    /// Fetch it.
    Fetch,
}

enum Block {
    /// On its way to these workers.
    Flying(Vec<LinkId>),
    /// In the cache; `queued` if it stands in the queue of those that may go.
    Resident { pins: u64, queued: bool },
    /// Fetched once, and taken away again.
    Gone,
    /// Never written.
    Zero,
    /// The cloud does not give it.
    Unavailable(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Asked { advised: bool },
    Ready,
    Final,
}

#[derive(Default)]
struct Link {
    told: HashMap<Wanted, Told>,
    outstanding: usize,
    advised: usize,
    refused: u64,
}

/// The book of one job.
pub(crate) struct Book {
    /// Blocks of each volume.
    volumes: Vec<u64>,
    budget: Budget,
    blocks: HashMap<Wanted, Block>,
    idle: VecDeque<Wanted>,
    links: HashMap<LinkId, Link>,
    next_link: LinkId,
    counts: Counts,
    cancelled: bool,
}

impl Book {
    /// A book of volumes of so many bytes.
    pub(crate) fn new(volumes: &[u64], budget: Budget) -> Self {
        Book {
            volumes: volumes.iter().map(|len| len.div_ceil(BLOCK)).collect(),
            budget,
            blocks: HashMap::new(),
            idle: VecDeque::new(),
            links: HashMap::new(),
            next_link: 0,
            counts: Counts::default(),
            cancelled: false,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Refuses everything from now on.
    pub(crate) fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// A worker begins.
    pub(crate) fn link(&mut self) -> LinkId {
        let id = self.next_link;
        self.next_link = id.saturating_add(1);
        self.links.insert(id, Link::default());
        id
    }

    /// A worker has ended: what it held may go.
    pub(crate) fn unlink(&mut self, id: LinkId) {
        let Some(link) = self.links.remove(&id) else { return };
        for (wanted, told) in link.told {
            if told == Told::Ready {
                self.unpin(wanted);
            }
        }
    }

    /// A worker asks for a block, or says that it will.
    ///
    /// # Errors
    /// If no honest worker says so.
    pub(crate) fn ask(&mut self, id: LinkId, advised: bool, wanted: Wanted) -> Result<Step, Lie> {
        self.check(wanted)?;
        let Some(link) = self.links.get_mut(&id) else { return Ok(Step::Nothing) };
        match link.told.get(&wanted).copied() {
            Some(Told::Asked { advised: true }) if !advised => {
                link.told.insert(wanted, Told::Asked { advised: false });
                link.advised = link.advised.saturating_sub(1);
                return Ok(Step::Nothing);
            }
            Some(Told::Asked { .. }) => return Err(lie("asks twice", wanted)),
            // The answer to its advice has crossed this ask on the way.
            Some(Told::Ready | Told::Final) => return Ok(Step::Nothing),
            None => {}
        }
        if advised && (link.advised >= ADVISED || link.outstanding >= OUTSTANDING) {
            return Ok(Step::Nothing);
        }
        if link.outstanding >= OUTSTANDING {
            return Err(lie("asks for more than it may at once", wanted));
        }
        let step = self.step(id, wanted);
        let Some(link) = self.links.get_mut(&id) else { return Ok(Step::Nothing) };
        if let Step::Answer(Answer::Refused(_)) = step {
            // Advice that cannot be followed is dropped.
            if advised {
                return Ok(Step::Nothing);
            }
            link.refused = link.refused.saturating_add(1);
            self.counts.refused = self.counts.refused.saturating_add(1);
            if link.refused > REFUSALS {
                return Err(lie("asks on after all was refused", wanted));
            }
        }
        link.outstanding = link.outstanding.saturating_add(1);
        let told = match &step {
            Step::Answer(Answer::Ready) => Told::Ready,
            Step::Answer(_) => Told::Final,
            Step::Nothing | Step::Fetch => Told::Asked { advised },
        };
        link.advised = link.advised.saturating_add(usize::from(told == Told::Asked { advised: true }));
        link.told.insert(wanted, told);
        Ok(step)
    }

    /// What a new ask for this block leads to.
    fn step(&mut self, id: LinkId, wanted: Wanted) -> Step {
        if self.cancelled {
            return Step::Answer(Answer::Refused(Refusal::Cancelled));
        }
        let again = match self.blocks.get_mut(&wanted) {
            Some(Block::Flying(links)) => {
                links.push(id);
                return Step::Nothing;
            }
            Some(Block::Resident { pins, .. }) => {
                *pins = pins.saturating_add(1);
                return Step::Answer(Answer::Ready);
            }
            Some(Block::Zero) => return Step::Answer(Answer::Zero),
            Some(Block::Unavailable(why)) => {
                return Step::Answer(Answer::Refused(Refusal::Unavailable(why.clone())));
            }
            Some(Block::Gone) => true,
            None => false,
        };
        if let Some(why) = self.over_budget(again) {
            return Step::Answer(Answer::Refused(Refusal::Budget(why)));
        }
        let counts = &mut self.counts;
        let count = if again { &mut counts.refetches } else { &mut counts.blocks };
        *count = count.saturating_add(1);
        counts.bytes = counts.bytes.saturating_add(BLOCK);
        counts.flying = counts.flying.saturating_add(1);
        self.blocks.insert(wanted, Block::Flying(vec![id]));
        Step::Fetch
    }

    fn over_budget(&self, again: bool) -> Option<String> {
        let (counts, budget) = (&self.counts, &self.budget);
        let held = counts.resident.saturating_add(counts.flying);
        if !again && counts.blocks >= budget.blocks {
            return Some(format!("all of {} blocks are used", budget.blocks));
        }
        if !again && counts.zeros >= ZEROS.max(budget.blocks.saturating_mul(4)) {
            return Some(format!("{} blocks of zeros were asked for", counts.zeros));
        }
        if again && counts.refetches >= budget.refetches {
            return Some(format!("all of {} repeats of blocks are used", budget.refetches));
        }
        if counts.bytes.saturating_add(BLOCK) > budget.bytes {
            return Some(format!("all of {} bytes are used", budget.bytes));
        }
        (held >= self.capacity() && self.idle.is_empty())
            .then(|| format!("{held} blocks are held at once, all the cache has room for"))
    }

    /// A worker has no more use for a block.
    ///
    /// # Errors
    /// If it does not hold it.
    pub(crate) fn done(&mut self, id: LinkId, wanted: Wanted) -> Result<(), Lie> {
        self.check(wanted)?;
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        if link.told.get(&wanted) != Some(&Told::Ready) {
            return Err(lie("gives back what it does not hold", wanted));
        }
        link.told.remove(&wanted);
        self.unpin(wanted);
        Ok(())
    }

    /// A block has come, and lies in the cache if it has bytes; answers which workers are to be told so.
    pub(crate) fn landed(&mut self, wanted: Wanted, answer: &Answer) -> Vec<LinkId> {
        let Some(Block::Flying(mut tell)) = self.blocks.remove(&wanted) else { return Vec::new() };
        tell.retain(|id| self.links.contains_key(id));
        let is_ready = *answer == Answer::Ready;
        for id in &tell {
            let Some(link) = self.links.get_mut(id) else { continue };
            let before = link.told.insert(wanted, if is_ready { Told::Ready } else { Told::Final });
            let advised = before == Some(Told::Asked { advised: true });
            link.advised = link.advised.saturating_sub(usize::from(advised));
        }
        let counts = &mut self.counts;
        counts.flying = counts.flying.saturating_sub(1);
        match answer {
            Answer::Ready => {
                counts.resident = counts.resident.saturating_add(1);
                let pins = u64::try_from(tell.len()).unwrap_or(u64::MAX);
                if pins == 0 {
                    self.idle.push_back(wanted);
                }
                self.blocks.insert(wanted, Block::Resident { pins, queued: pins == 0 });
            }
            Answer::Zero => {
                counts.blocks = counts.blocks.saturating_sub(1);
                counts.bytes = counts.bytes.saturating_sub(BLOCK);
                counts.zeros = counts.zeros.saturating_add(1);
                self.blocks.insert(wanted, Block::Zero);
            }
            Answer::Refused(refusal) => {
                counts.refused = counts.refused.saturating_add(1);
                // What was refused for money or because of a stop is no property of the block.
                if let Refusal::Unavailable(why) = refusal {
                    self.blocks.insert(wanted, Block::Unavailable(why.clone()));
                }
            }
        }
        tell
    }

    /// An answer is about to be sent.
    pub(crate) fn sent(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.outstanding = link.outstanding.saturating_sub(1);
        }
    }

    /// Blocks that must go now, since the cache is over its size; the caller takes their bytes away before anything
    /// else is asked of the book.
    pub(crate) fn trim(&mut self) -> Vec<Wanted> {
        let mut gone = Vec::new();
        while self.counts.resident > self.capacity() {
            let Some(wanted) = self.idle.pop_front() else { break };
            let Some(known) = self.blocks.get_mut(&wanted) else { continue };
            match known {
                Block::Resident { pins, .. } if *pins == 0 || is_pin_ignored() => {
                    *known = Block::Gone;
                    self.counts.resident = self.counts.resident.saturating_sub(1);
                    gone.push(wanted);
                }
                Block::Resident { queued, .. } => *queued = false,
                _ => {}
            }
        }
        gone
    }

    fn capacity(&self) -> u64 {
        (self.budget.cache / BLOCK).max(CACHED)
    }

    fn unpin(&mut self, wanted: Wanted) {
        if let Some(Block::Resident { pins, queued }) = self.blocks.get_mut(&wanted) {
            *pins = pins.saturating_sub(1);
            if *pins == 0 && !*queued {
                *queued = true;
                self.idle.push_back(wanted);
            }
        }
    }

    fn check(&self, wanted: Wanted) -> Result<(), Lie> {
        let volume = usize::try_from(wanted.volume).unwrap_or(usize::MAX);
        match self.volumes.get(volume) {
            Some(&blocks) if wanted.index < blocks => Ok(()),
            Some(_) => Err(lie("names a block beyond the volume's end", wanted)),
            None => Err(lie("names a volume that there is not", wanted)),
        }
    }
}

/// False. In the crash test's own build pins may be ignored, which its tests must notice.
fn is_pin_ignored() -> bool {
    cfg!(feature = "crash-points")
        && std::env::var("SNAPSCAN_SABOTAGE").is_ok_and(|fault| fault == "evict-pinned-block")
}

fn lie(what: &str, wanted: Wanted) -> Lie {
    Lie(format!("the worker {what}: volume {}, block {}", wanted.volume, wanted.index))
}

#[cfg(test)]
mod tests;
