// SPDX-License-Identifier: Apache-2.0
//! An open regular file of the kernel's.

use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::fs::{Advice, SeekFrom, fadvise, seek};
use rustix::io::{Errno, pread};

use super::place::refused;
use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::fs::{Extent, Extents, File};

/// Runs of one file that are told; a file has that many only if somebody made it so.
const RUNS: u64 = 1 << 20;

/// Holds the size that the file had when it was opened: what is appended later is not read.
pub(super) struct KernelFile {
    pub(super) fd: OwnedFd,
    pub(super) size: u64,
}

impl File for KernelFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let len = index(self.size.saturating_sub(offset)).min(buf.len());
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..len).filter(|rest| !rest.is_empty()) {
            match pread(&self.fd, rest, offset.saturating_add(wide(done))) {
                // The file became shorter meanwhile.
                Ok(0) => break,
                Ok(read) => done = done.saturating_add(read),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(refused(errno)),
            }
        }
        Ok(done)
    }

    /// The kernel tells holes but no place on a disk, so data is `Inline`.
    fn extents(&self, range: Range<u64>) -> Result<Vec<Extent>> {
        let end = range.end.min(self.size);
        let mut extents = Vec::new();
        let mut at = range.start;
        while at < end {
            if wide(extents.len()) >= RUNS {
                return Err(Error::Limit { what: "runs of a file", limit: RUNS });
            }
            let data = self.next(SeekFrom::Data(at), end)?;
            let (to, place) = match data > at {
                true => (data, Extents::Hole),
                // A seek that does not move on would be a file that changes: the rest counts as data.
                false => (self.next(SeekFrom::Hole(at), end)?, Extents::Inline),
            };
            let to = if to > at { to } else { end };
            extents.push(Extent { range: at..to, place });
            at = to;
        }
        Ok(extents)
    }

    fn advise(&self, range: Range<u64>) {
        // Advice that is not taken changes nothing.
        let len = NonZeroU64::new(range.end.saturating_sub(range.start));
        let _taken = fadvise(&self.fd, range.start, len, Advice::WillNeed);
    }
}

impl KernelFile {
    /// Where a seek for data or a hole leads, at most `end`.
    fn next(&self, to: SeekFrom, end: u64) -> Result<u64> {
        match seek(&self.fd, to) {
            Ok(at) => Ok(at.min(end)),
            // No data up to the end.
            Err(Errno::NXIO) => Ok(end),
            Err(errno) => Err(refused(errno)),
        }
    }
}
