// SPDX-License-Identifier: Apache-2.0
//! Both ends of a disk, where partition tables lie.

use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::source::{BlockSource, read_vec};

/// Bytes at the start that are read at once: MBR, GPT header and entries, and what probing looks at anyway.
const HEAD: u64 = 72 << 10;
/// Bytes at the end that are announced: 33 sectors of 512 bytes, or 5 of 4096, which hold a whole backup GPT.
const TAIL: u64 = 20 << 10;

/// The start of a disk, and the disk for what lies elsewhere.
pub(super) struct Ends<'a> {
    source: &'a dyn BlockSource,
    /// The first 72 KiB, or all there is.
    pub(super) head: Vec<u8>,
}

impl<'a> Ends<'a> {
    /// Announces both ends and reads the first.
    pub(super) fn read(source: &'a dyn BlockSource) -> Result<Self> {
        let len = source.len();
        let head = HEAD.min(len);
        source.advise(&[0..head, len.saturating_sub(TAIL).max(head)..len]);
        Ok(Ends { source, head: read_vec(source, 0, index(head))? })
    }

    /// Bytes on the disk.
    pub(super) fn len(&self) -> u64 {
        self.source.len()
    }

    /// Sector sizes to try, the device's own first.
    pub(super) fn sector_sizes(&self) -> Vec<u32> {
        let mut sizes: Vec<u32> =
            self.source.sector_size().into_iter().filter(|size| matches!(size, 512..=65_536)).collect();
        for size in [512, 4096] {
            if !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        sizes
    }

    /// The sector size by which an MBR counts: the device's own, else 512.
    pub(super) fn mbr_sector_size(&self) -> u32 {
        self.sector_sizes().first().copied().unwrap_or(512)
    }

    /// `len` bytes at `offset`, whose size the caller has bounded; `None` beyond the end.
    pub(super) fn bytes(&self, offset: u64, len: usize) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.head.get(index(offset)..).and_then(|rest| rest.get(..len)) {
            return Ok(Some(bytes.to_vec()));
        }
        if offset.checked_add(wide(len)).is_none_or(|end| end > self.len()) {
            return Ok(None);
        }
        match read_vec(self.source, offset, len).map_err(Error::from) {
            Err(error) if error.is_past_end() => Ok(None),
            other => other.map(Some),
        }
    }
}
