// SPDX-License-Identifier: Apache-2.0
//! Bytes in memory as a source: for tests and fuzzing.

use super::{BlockSource, check};
use crate::bytes::index;
use crate::error::SourceError;

impl BlockSource for Vec<u8> {
    fn len(&self) -> u64 {
        crate::bytes::wide(Vec::len(self))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        check(offset, buf.len(), BlockSource::len(self))?;
        match self.get(index(offset)..).and_then(|rest| rest.get(..buf.len())) {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => return Err(SourceError::PastEnd { offset, len: BlockSource::len(self) }),
        }
        Ok(())
    }
}
