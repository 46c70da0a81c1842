// SPDX-License-Identifier: Apache-2.0
//! A file or block device as a source.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};

use super::{BlockSource, check};
use crate::error::SourceError;

/// An open image file or block device, read by position.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
    sector_size: Option<u32>,
}

impl FileSource {
    /// Takes an open file; its length is where seeking to the end leads, which holds for block devices too.
    /// The kernel is told that reads are random, so that its read-ahead does not blur what is counted.
    ///
    /// # Errors
    /// What seeking answers.
    pub fn new(mut file: File) -> Result<Self, SourceError> {
        let len = file.seek(SeekFrom::End(0))?;
        // Advice that the file cannot take (a pipe, some devices) changes nothing.
        let _advised = fadvise(&file, 0, None, Advice::Random);
        Ok(FileSource { file, len, sector_size: None })
    }

    /// The same with the logical sector size in bytes that the device answered.
    #[must_use]
    pub fn with_sector_size(mut self, sector_size: Option<u32>) -> Self {
        self.sector_size = sector_size;
        self
    }
}

impl BlockSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn sector_size(&self) -> Option<u32> {
        self.sector_size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        check(offset, buf.len(), self.len)?;
        Ok(self.file.read_exact_at(buf, offset)?)
    }
}
