// SPDX-License-Identifier: Apache-2.0
//! One digest of a file's content that does not depend on where its holes are.

use sha2::{Digest, Sha256};

/// Files up to this many bytes are read from end to end, holes too; of larger ones only what holds data.
pub(super) const PLAIN: u64 = 64 << 20;
/// Bytes read at once, and the unit in which zeros are skipped in large files.
pub(super) const CHUNK: u64 = 64 << 10;

/// Collects the content of one file.
pub(super) struct Content {
    sha: Sha256,
    plain: bool,
}

impl Content {
    /// For a file of this size in bytes.
    pub(super) fn new(size: u64) -> Self {
        let plain = size <= PLAIN;
        let mut sha = Sha256::new();
        if !plain {
            sha.update(size.to_le_bytes());
        }
        Content { sha, plain }
    }

    /// Takes the chunk at this offset. Chunks come in order; of a large file, those of zeros may be left out.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8]) {
        if self.plain {
            self.sha.update(bytes);
        } else if bytes.iter().any(|&byte| byte != 0) {
            self.sha.update(offset.to_le_bytes());
            self.sha.update(bytes);
        }
    }

    /// SHA-256 of the content; of a large file, of its size and its chunks that are not zeros.
    pub(super) fn finish(self) -> Vec<u8> {
        self.sha.finalize().to_vec()
    }
}
