// SPDX-License-Identifier: Apache-2.0
//! Where the parent gets blocks from that the child asks for: the agent's side of the block broker.

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512 * 1024;

/// One block of one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// The volume, by its number among the target's.
    pub volume: u32,
    /// The block's index: bytes `index * BLOCK_BYTES` on.
    pub index: u64,
}

/// What became of a block. Answers are final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Its bytes, [`BLOCK_BYTES`] of them, checked.
    Bytes(Vec<u8>),
    /// The snapshot never held it, and the list that says so was read to its end: zeros.
    Zero,
    /// It cannot be had.
    Refused(Refusal),
}

/// Why a block cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The budget is used up.
    Budget(String),
    /// The cloud does not give it: in words.
    Unavailable(String),
    /// The job was stopped.
    Cancelled,
}

/// Takes one answer, from any thread, once.
pub type Done = Box<dyn FnOnce(Fetched) + Send>;

/// Where blocks come from. Never waits: an answer comes by `done` when it is there.
pub trait Fetch: Send + Sync {
    /// Asks for a block.
    fn fetch(&self, wanted: Wanted, done: Done);
}
