// SPDX-License-Identifier: Apache-2.0
//! Blocks of snapshots, by the EBS direct interface.
//!
//! Source: Amazon EBS User Guide, "Use EBS direct APIs to access the contents of a snapshot".

use serde::{Deserialize, Serialize};

use crate::SnapshotId;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512 * 1024;

/// Which blocks a snapshot has, from one on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSnapshotBlocks {
    /// The snapshot; completed.
    pub snapshot: SnapshotId,
    /// The first index wanted, in blocks; ignored with a token.
    pub start: u64,
    /// Where the last page ended.
    pub token: Option<String>,
    /// Entries wanted, 100 to 10,000.
    pub most: u32,
}

/// One page of the list. It may be short, or empty, with a token: only a missing token ends the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPage {
    /// Index and token of each block that was ever written, ascending.
    pub blocks: Vec<(u64, String)>,
    /// Where to go on; absent at the end.
    pub token: Option<String>,
    /// The volume's size in GiB.
    pub size_gib: u64,
    /// Seconds since 1970 at which the blocks' tokens expire.
    pub expires: i64,
}

/// One block of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSnapshotBlock {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The block's index.
    pub index: u64,
    /// Its token from the list.
    pub token: String,
}

/// A block's bytes, as they came: the receiver verifies the checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// [`BLOCK_BYTES`] of them, if the answer is whole.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// SHA-256 of the block, base64.
    pub checksum: String,
}
