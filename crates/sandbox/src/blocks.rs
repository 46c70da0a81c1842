// SPDX-License-Identifier: Apache-2.0
//! Where the parent gets blocks from that the child asks for: the agent's side of the block broker.

pub(crate) mod frame;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512 * 1024;

pub(crate) const BLOCK: u64 = BLOCK_BYTES as u64;

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
    /// Its bytes, [`BLOCK_BYTES`] of them, checked; a volume that ends within it is filled up with zeros.
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

/// Takes one answer, once, and writes it to disk: to be called from a thread that may wait for that.
pub type Done = Box<dyn FnOnce(Fetched) + Send>;

/// Where blocks come from. Never waits: an answer comes by `done` when it is there.
pub trait Fetch: Send + Sync {
    /// Asks for a block.
    fn fetch(&self, wanted: Wanted, done: Done);
}

/// What a job may have of its volumes, over all restarts of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Distinct blocks that are fetched.
    pub blocks: u64,
    /// Blocks that are fetched once more, because the cache had no room for them.
    pub refetches: u64,
    /// Bytes that are fetched, repeats included.
    pub bytes: u64,
    /// Bytes of the cache on disk; never less than what a worker may hold at once.
    pub cache: u64,
}

impl Budget {
    /// So many distinct blocks; half as many again may be fetched anew; 1 GiB of disk.
    pub fn of_blocks(blocks: u64) -> Self {
        let refetches = blocks / 2;
        let bytes = blocks.saturating_add(refetches).saturating_mul(BLOCK_BYTES as u64);
        Budget { blocks, refetches, bytes, cache: 1 << 30 }
    }
}

/// What was served so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Distinct blocks that were asked of the cloud and were not zeros.
    pub blocks: u64,
    /// Blocks that the snapshot never held.
    pub zeros: u64,
    /// Blocks that were fetched once more.
    pub refetches: u64,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Blocks that are being fetched now: while there are any, the worker may be waiting for them.
    pub flying: u64,
    /// Blocks that lie in the cache now.
    pub resident: u64,
}
