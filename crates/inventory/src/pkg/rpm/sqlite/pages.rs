// SPDX-License-Identifier: Apache-2.0
//! Pages of a database by number, with what its log and journal hold laid over them.

use std::collections::HashMap;

use snapscan_disk::bytes::{Bytes, index, wide};
use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

use super::super::scan::Scan;
use super::super::window::Window;
use super::{journal, wal};

/// What the file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Bytes of the database header on page 1.
pub(super) const HEADER: usize = 100;

/// Pages that another file holds: page number to the offset of its bytes there.
pub(super) type Overlay = HashMap<u32, u64>;

/// A database file with its log and journal.
pub(super) struct Pages<'a> {
    main: Window<'a>,
    wal: Option<(Window<'a>, Overlay)>,
    journal: Option<(Window<'a>, Overlay)>,
    page_size: usize,
    usable: usize,
    count: u32,
}

impl<'a> Pages<'a> {
    /// Opens a database. A log or journal that cannot be applied becomes damage of the scan.
    ///
    /// # Errors
    /// `Corrupt` if it is no SQLite database.
    pub(super) fn open(
        database: &'a dyn File,
        wal: Option<&'a dyn File>,
        journal: Option<&'a dyn File>,
        scan: &mut Scan,
    ) -> Result<Self> {
        let mut main = Window::new(database);
        let size = main.size();
        let header = Bytes(main.get(0, index(size.min(wide(HEADER))))?);
        let page_size = page_size(header)?;
        let in_file = u32::try_from(size.checked_div(wide(page_size)).unwrap_or(0)).unwrap_or(u32::MAX);
        let mut pages =
            Pages { main, wal: None, journal: None, page_size, usable: page_size, count: in_file };
        if let Some(file) = journal {
            let mut window = Window::new(file);
            if let Some(hot) = journal::read(&mut window, page_size, scan)? {
                pages.count = pages.exists(hot.database_pages, hot.pages.len());
                pages.journal = Some((window, hot.pages));
            }
        }
        if let Some(file) = wal {
            let mut window = Window::new(file);
            if let Some(log) = wal::read(&mut window, page_size, scan)? {
                pages.count = pages.exists(log.database_pages, log.pages.len());
                pages.wal = Some((window, log.pages));
            }
        }
        pages.read_header(scan)?;
        Ok(pages)
    }

    /// The number of pages that a log announces, but no more than can exist: a set of page numbers is held by it.
    fn exists(&self, announced: u32, in_log: usize) -> u32 {
        announced.min(self.count.saturating_add(u32::try_from(in_log).unwrap_or(u32::MAX)))
    }

    /// What page 1 says in the end.
    fn read_header(&mut self, scan: &mut Scan) -> Result<()> {
        let mut page = Vec::new();
        self.page(1, 0, &mut page)?;
        let header = Bytes(&page);
        if page_size(header)? != self.page_size {
            return Err(Error::whole("SQLite header", "page 1 of the log has another page size"));
        }
        let reserved = usize::from(header.u8(20).unwrap_or(0));
        self.usable = self.page_size.saturating_sub(reserved);
        if self.usable < 480 {
            let why = format!("{reserved} reserved bytes of a page of {}", self.page_size);
            return Err(Error::whole("SQLite header", why));
        }
        match header.u8(19) {
            Some(1 | 2) => {}
            version => {
                return Err(Error::Unsupported(format!("SQLite read version {}", version.unwrap_or(0))));
            }
        }
        let stored = header.be32(28).unwrap_or(0);
        // The stored number counts only if the same writer wrote both counters.
        if stored != self.count && header.be32(24) == header.be32(92) {
            scan.stale.push(format!("the header says {stored} pages, there are {}", self.count));
        }
        Ok(())
    }

    /// Pages of the database.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of a page that hold content: all but the reserved ones.
    pub(super) fn usable(&self) -> usize {
        self.usable
    }

    /// Reads a page, of which the usable bytes are kept; `following` bytes will probably be wanted from the next pages.
    ///
    /// # Errors
    /// `Corrupt` if there is no such page; what reading met.
    pub(super) fn page(&mut self, number: u32, following: usize, into: &mut Vec<u8>) -> Result<()> {
        let bytes = self.bytes(number, following)?;
        into.clear();
        into.extend_from_slice(bytes);
        Ok(())
    }

    /// The usable bytes of a page where they are.
    ///
    /// # Errors
    /// As [`Pages::page`].
    pub(super) fn bytes(&mut self, number: u32, following: usize) -> Result<&[u8]> {
        let beyond = || Error::whole("SQLite database", format!("page {number} does not exist"));
        if number == 0 || number > self.count {
            return Err(beyond());
        }
        let usable = self.usable;
        for (window, overlay) in [&mut self.wal, &mut self.journal].into_iter().flatten() {
            if let Some(&offset) = overlay.get(&number) {
                return window.get(offset, usable);
            }
        }
        let size = wide(self.page_size);
        let offset = u64::from(number).saturating_sub(1).checked_mul(size).ok_or_else(beyond)?;
        self.main.get_expecting(offset, usable, following)
    }

    /// Bytes of a page.
    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }
}

/// The page size in a database header, after its magic.
fn page_size(header: Bytes<'_>) -> Result<usize> {
    if !header.has(0, MAGIC) {
        return Err(Error::whole("SQLite header", "no magic at its start"));
    }
    let size = match header.be16(16) {
        Some(1) => 65_536,
        Some(size) => usize::from(size),
        None => 0,
    };
    if size.is_power_of_two() && size >= 512 {
        Ok(size)
    } else {
        Err(Error::whole("SQLite header", format!("page size {size}")))
    }
}
