// SPDX-License-Identifier: Apache-2.0
//! Positional reads of one file through a window that grows while reads follow each other.

use snapscan_disk::bytes::{index, wide};
use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

/// Bytes of the window at most.
const MOST: usize = 256 << 10;
/// Bytes of a file that are advised at once: three times a database of 600 packages.
const ADVISED: u64 = 64 << 20;

/// A file of which one run of bytes is held.
pub(super) struct Window<'a> {
    file: &'a dyn File,
    size: u64,
    held: Vec<u8>,
    start: u64,
}

impl<'a> Window<'a> {
    /// A window on a file, which is told that it will be read.
    pub(super) fn new(file: &'a dyn File) -> Self {
        let size = file.size();
        file.advise(0..size.min(ADVISED));
        Window { file, size, held: Vec::new(), start: 0 }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// `len` bytes from `offset`.
    ///
    /// # Errors
    /// `Corrupt` if the file ends before them; what reading met.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        self.get_expecting(offset, len, 0)
    }

    /// The same, and of the bytes that follow `expected` will probably be asked for next.
    ///
    /// # Errors
    /// As [`Window::get`].
    pub(super) fn get_expecting(&mut self, offset: u64, len: usize, expected: usize) -> Result<&[u8]> {
        let end = offset.saturating_add(wide(len));
        if end > self.size {
            let why = format!("bytes {offset} to {end} lie beyond its end at {}", self.size);
            return Err(Error::whole("database file", why));
        }
        let held_end = self.start.saturating_add(wide(self.held.len()));
        if offset < self.start || end > held_end {
            let adjacent = !self.held.is_empty() && offset == held_end;
            let grown = if adjacent { self.held.len().saturating_mul(2) } else { 0 };
            let want = len.max(grown.max(len.saturating_add(expected)).min(MOST));
            self.fill(offset, want.min(index(self.size.saturating_sub(offset))), len)?;
        }
        let at = index(offset.saturating_sub(self.start));
        self.held
            .get(at..at.saturating_add(len))
            .ok_or_else(|| Error::whole("database file", format!("{len} bytes at {offset} were not read")))
    }

    /// Reads `want` bytes; if that fails, the `len` that are needed.
    fn fill(&mut self, offset: u64, want: usize, len: usize) -> Result<()> {
        self.held.resize(want, 0);
        self.start = offset;
        let read = match self.file.read_at(offset, &mut self.held) {
            Ok(read) => Ok(read),
            Err(_) if want > len => {
                self.held.truncate(len);
                self.file.read_at(offset, &mut self.held)
            }
            Err(error) => Err(error),
        };
        match read {
            Ok(read) => {
                self.held.truncate(read);
                Ok(())
            }
            Err(error) => {
                self.held.clear();
                Err(error)
            }
        }
    }
}
