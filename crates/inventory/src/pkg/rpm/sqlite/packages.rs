// SPDX-License-Identifier: Apache-2.0
//! The headers in the table of packages.
//!
//! Source: rpm's lib/backend/sqlite.c: `Packages` has a number and a blob, `Name` a row for each package.

use std::collections::HashSet;

use snapscan_disk::fs::File;
use snapscan_disk::{Error, Result};

use super::super::scan::{Each, Met, Scan};
use super::pages::Pages;
use super::row::{self, Column};
use super::{free, table};

/// The table of packages, and the one that has a row with its name for each of them.
const PACKAGES: &[u8] = b"Packages";
const NAMES: &[u8] = b"Name";

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
    free::mark(&mut pages, &mut met, &mut scan);
    let roots = roots(&mut pages, &mut met, &mut scan);
    let Some(packages) = roots.packages else {
        return Err(Error::whole("rpm database", "its schema has no table Packages"));
    };
    let mut numbers = HashSet::new();
    table::rows(&mut pages, packages, &mut met, &mut scan, &mut |scan, number, row| {
        numbers.insert(number);
        match (row::columns(row, 2).as_deref(), u64::try_from(number)) {
            (Some([_, Column::Bytes(blob)]), Ok(number)) => scan.record(each, number, blob),
            _ => scan.damaged(format!("row {number} of Packages has no blob")),
        }
    });
    if let Some(names) = roots.names {
        compare(&mut pages, names, &mut met, &mut scan, &numbers);
    }
    Ok(scan)
}

/// First pages of tables.
#[derive(Default)]
struct Roots {
    packages: Option<u32>,
    names: Option<u32>,
}

/// Reads the schema on page 1.
fn roots(pages: &mut Pages<'_>, met: &mut Met, scan: &mut Scan) -> Roots {
    let mut roots = Roots::default();
    table::rows(pages, 1, met, scan, &mut |_, _, row| {
        if let Some([Column::Bytes(b"table"), Column::Bytes(name), _, Column::Number(page)]) =
            row::columns(row, 4).as_deref()
        {
            match *name {
                PACKAGES => roots.packages = u32::try_from(*page).ok(),
                NAMES => roots.names = u32::try_from(*page).ok(),
                _ => {}
            }
        }
    });
    roots
}

/// Compares with the small table of names, which tells of packages that a damaged schema or page has hidden. Where that
/// table is at fault itself, it is only a note.
fn compare(pages: &mut Pages<'_>, root: u32, met: &mut Met, scan: &mut Scan, numbers: &HashSet<i64>) {
    let mut missing = Vec::new();
    let mut more = 0_u64;
    let mut own = Scan::default();
    table::rows(pages, root, met, &mut own, &mut |_, _, row| {
        if let Some([_, Column::Number(number)]) = row::columns(row, 2).as_deref()
            && !numbers.contains(number)
        {
            if missing.len() < NAMED { missing.push(*number) } else { more = more.saturating_add(1) }
        }
    });
    if !own.is_whole() {
        scan.stale.push("the table of names is damaged and was not compared".into());
    } else if !missing.is_empty() {
        scan.damaged(format!(
            "the table of names has packages {missing:?} and {more} more, Packages has not"
        ));
    }
}

/// Missing packages that are named.
const NAMED: usize = 10;
