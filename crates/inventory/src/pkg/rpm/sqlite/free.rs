// SPDX-License-Identifier: Apache-2.0
//! The list of free pages, which still hold what was deleted.
//!
//! Shape:  the database header names the first trunk page (at 32). A trunk: next trunk, number of free pages that it
//!         names, their numbers; it is free itself.
//! Source: <https://www.sqlite.org/fileformat2.html#the_freelist>.

use snapscan_disk::Result;
use snapscan_disk::bytes::Bytes;

use super::super::scan::{Met, Scan};
use super::pages::Pages;

/// Marks all free pages as met, so that whatever leads to one is found out. A damaged list is only a note: no package is
/// lost by it.
pub(super) fn mark(pages: &mut Pages<'_>, met: &mut Met, scan: &mut Scan) {
    if let Err(error) = walk(pages, met) {
        scan.stale.push(format!("the list of free pages: {error}"));
    }
}

fn walk(pages: &mut Pages<'_>, met: &mut Met) -> Result<()> {
    let mut page = Vec::new();
    pages.page(1, 0, &mut page)?;
    let mut trunk = Bytes(&page).be32(32).unwrap_or(0);
    while trunk != 0 {
        met.meet(trunk.into())?;
        pages.page(trunk, 0, &mut page)?;
        let count = Bytes(&page).be32(4).unwrap_or(0);
        let named = page.get(8..).unwrap_or_default().chunks_exact(4).map(|number| Bytes(number).be32(0));
        for number in named.take(snapscan_disk::bytes::index(count.into())) {
            met.meet(number.unwrap_or(0).into())?;
        }
        trunk = Bytes(&page).be32(0).unwrap_or(0);
    }
    Ok(())
}
