// SPDX-License-Identifier: Apache-2.0
//! Which blocks the worker holds, waits for, and gives back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use snapscan_disk::SourceError;

use crate::blocks::frame::{ADVISED, Answer, Ask, KEPT, OUTSTANDING};
use crate::blocks::{Refusal, Wanted};

/// Blocks of advice that wait here until they may be sent. They cost nothing before; what is over is dropped.
const AHEAD: usize = 1024;

/// What is known of a block.
enum Block {
    /// Advised of; not sent yet.
    Ahead,
    /// Asked for.
    Asked { advised: bool },
    /// In the cache; `users` threads are reading it, and it was used last at that tick.
    Ready { users: usize, used: u64 },
    /// Zeros.
    Zero,
    /// Refused for good.
    Refused(Refusal),
}

/// What a block that somebody waited for holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    /// Bytes in the cache file.
    Bytes,
    /// Zeros.
    Zeros,
}

/// All blocks of all volumes.
#[derive(Default)]
pub(super) struct Held {
    blocks: HashMap<Wanted, Block>,
    /// Blocks in the cache by the tick of their last use.
    oldest: BTreeMap<u64, Wanted>,
    tick: u64,
    ahead: VecDeque<Wanted>,
    outstanding: usize,
    advised: usize,
    /// Why nothing more is asked for.
    over: Option<Refusal>,
    /// Messages to be sent.
    pub(super) out: Vec<u8>,
}

impl Held {
    /// Asks for these blocks where that was not done yet. When all have come they are held, and must be given to
    /// [`Held::release`]; `None` if some are still missing: wait, then ask again.
    ///
    /// # Errors
    /// If one of them was refused.
    pub(super) fn acquire(&mut self, wanted: &[Wanted]) -> Result<Option<Vec<Here>>, SourceError> {
        let mut here = Vec::with_capacity(wanted.len());
        for &wanted in wanted {
            match self.blocks.get(&wanted) {
                Some(Block::Ready { .. }) => here.push(Here::Bytes),
                Some(Block::Zero) => here.push(Here::Zeros),
                Some(Block::Refused(refusal)) => return Err(error_of(refusal)),
                Some(Block::Asked { advised: false }) => {}
                Some(Block::Asked { advised: true }) => {
                    self.say(Ask::Need, wanted);
                    self.blocks.insert(wanted, Block::Asked { advised: false });
                    self.advised -= 1;
                }
                Some(Block::Ahead) | None => {
                    if let Some(refusal) = &self.over {
                        return Err(error_of(refusal));
                    }
                    if self.outstanding < OUTSTANDING {
                        self.outstanding += 1;
                        self.say(Ask::Need, wanted);
                        self.blocks.insert(wanted, Block::Asked { advised: false });
                    }
                }
            }
        }
        if here.len() < wanted.len() {
            return Ok(None);
        }
        wanted.iter().for_each(|&wanted| self.touch(wanted, 1));
        Ok(Some(here))
    }

    /// The caller has read these blocks.
    pub(super) fn release(&mut self, wanted: &[Wanted]) {
        wanted.iter().for_each(|&wanted| self.touch(wanted, -1));
        self.give_back();
    }

    /// These blocks will be needed soon.
    pub(super) fn advise(&mut self, wanted: impl Iterator<Item = Wanted>) {
        if self.over.is_some() {
            return;
        }
        for wanted in wanted {
            if self.ahead.len() >= AHEAD {
                break;
            }
            self.blocks.entry(wanted).or_insert_with(|| {
                self.ahead.push_back(wanted);
                Block::Ahead
            });
        }
        self.send_ahead();
    }

    /// An answer has come.
    ///
    /// # Errors
    /// If nothing was asked.
    pub(super) fn answer(&mut self, wanted: Wanted, answer: Answer) -> Result<(), String> {
        let Some(Block::Asked { advised }) = self.blocks.get(&wanted) else {
            return Err(format!("an answer came unasked: volume {}, block {}", wanted.volume, wanted.index));
        };
        self.advised -= usize::from(*advised);
        self.outstanding -= 1;
        let block = match answer {
            Answer::Ready => {
                self.tick += 1;
                self.oldest.insert(self.tick, wanted);
                Block::Ready { users: 0, used: self.tick }
            }
            Answer::Zero => Block::Zero,
            Answer::Refused(refusal) => {
                // There is no more of what is used up: nothing else is asked for either.
                if !matches!(refusal, Refusal::Unavailable(_)) {
                    self.over = Some(refusal.clone());
                }
                Block::Refused(refusal)
            }
        };
        self.blocks.insert(wanted, block);
        self.give_back();
        self.send_ahead();
        Ok(())
    }

    /// True if this block is known to be zeros.
    pub(super) fn is_zero(&self, wanted: Wanted) -> bool {
        matches!(self.blocks.get(&wanted), Some(Block::Zero))
    }

    /// Asks without an answer.
    #[cfg(test)]
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    fn touch(&mut self, wanted: Wanted, change: isize) {
        if let Some(Block::Ready { users, used }) = self.blocks.get_mut(&wanted) {
            *users = users.saturating_add_signed(change);
            self.tick += 1;
            self.oldest.remove(used);
            self.oldest.insert(self.tick, wanted);
            *used = self.tick;
        }
    }

    /// Gives back the blocks that were used longest ago, where there are more than may be kept.
    fn give_back(&mut self) {
        while self.oldest.len() > KEPT {
            let blocks = &self.blocks;
            let is_unused =
                |wanted: &Wanted| matches!(blocks.get(wanted), Some(Block::Ready { users: 0, .. }));
            let Some((&tick, &wanted)) = self.oldest.iter().find(|(_, wanted)| is_unused(wanted)) else {
                return;
            };
            self.oldest.remove(&tick);
            self.blocks.remove(&wanted);
            self.say(Ask::Done, wanted);
        }
    }

    fn send_ahead(&mut self) {
        while self.advised < ADVISED && self.outstanding < OUTSTANDING {
            let Some(wanted) = self.ahead.pop_front() else { return };
            if matches!(self.blocks.get(&wanted), Some(Block::Ahead)) {
                self.advised += 1;
                self.outstanding += 1;
                self.say(Ask::Advise, wanted);
                self.blocks.insert(wanted, Block::Asked { advised: true });
            }
        }
    }

    fn say(&mut self, ask: Ask, wanted: Wanted) {
        self.out.extend(ask.encode(wanted));
    }
}

fn error_of(refusal: &Refusal) -> SourceError {
    match refusal {
        Refusal::Budget(why) => SourceError::Refused(why.clone()),
        Refusal::Unavailable(why) => SourceError::Unavailable(why.clone()),
        Refusal::Cancelled => SourceError::Unavailable("the job was stopped".to_owned()),
    }
}
