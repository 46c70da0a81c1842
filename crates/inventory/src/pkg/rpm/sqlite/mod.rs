// SPDX-License-Identifier: Apache-2.0
//! The table `Packages` of an `rpmdb.sqlite`, as SQLite itself would show it.
//!
//! Only the pages of that table are read, not those of the indexes beside it.
//!
//! | module | answers |
//! |---|---|
//! | [`pages`] | what is on page N, with log and journal applied? |
//! | [`wal`] | which pages does the write-ahead log hold? |
//! | [`journal`] | which pages does a hot rollback journal restore? |
//! | [`table`] | which rows does a table have? |
//! | [`node`] | what stands on one page of a table, and is every byte of it accounted for? |
//! | [`row`] | what are a row's columns? |
//!
//! Source: <https://www.sqlite.org/fileformat2.html>; rpm's lib/backend/sqlite.c (the schema).

mod journal;
mod node;
mod pages;
mod row;
mod table;
mod wal;

use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

use self::pages::Pages;
use self::row::Column;
use super::scan::{Each, Met, Scan};

/// The table of packages.
const PACKAGES: &[u8] = b"Packages";

/// Reads all rows of `Packages`: row number and header blob.
///
/// # Errors
/// `Corrupt` if this is no SQLite database or has no such table; what reading the first page met.
pub fn read(
    database: &dyn File,
    wal: Option<&dyn File>,
    journal: Option<&dyn File>,
    each: &mut Each<'_>,
) -> Result<Scan> {
    let mut scan = Scan::default();
    let mut pages = Pages::open(database, wal, journal, &mut scan)?;
    let mut met = Met::new(u64::from(pages.count()).saturating_add(1));
    let Some(root) = root_of(&mut pages, &mut met, &mut scan)? else {
        return Err(Error::whole("rpm database", "its schema has no table Packages"));
    };
    table::rows(&mut pages, root, &mut met, &mut scan, &mut |scan, number, row| {
        let columns = row::columns(row, 2);
        match columns.as_deref() {
            Some([_, Column::Bytes(blob)]) => {
                scan.record(each, u64::try_from(number).unwrap_or(0), blob);
            }
            _ => scan.damaged(format!("row {number} of Packages has no blob")),
        }
    });
    Ok(scan)
}

/// The first page of the table, by the schema on page 1.
fn root_of(pages: &mut Pages<'_>, met: &mut Met, scan: &mut Scan) -> Result<Option<u32>> {
    let mut root = None;
    table::rows(pages, 1, met, scan, &mut |_, _, row| {
        if let Some([Column::Bytes(kind), Column::Bytes(name), _, Column::Number(page)]) =
            row::columns(row, 4).as_deref()
            && *kind == b"table"
            && *name == PACKAGES
        {
            root = u32::try_from(*page).ok();
        }
    });
    Ok(root)
}

#[cfg(test)]
mod tests;
