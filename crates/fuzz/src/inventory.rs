// SPDX-License-Identifier: Apache-2.0
//! Bytes as package databases. None of these calls may panic or run for long.

use std::ops::Range;
use std::sync::Arc;

use snapscan_disk::fs::mem::MemTree;
use snapscan_disk::fs::{Extent, File};
use snapscan_disk::machine::Tree;
use snapscan_inventory::engine::probe::probe;
use snapscan_inventory::pkg::rpm::{bdb, header, ndb, sqlite};
use snapscan_inventory::{Extractor, pkg};
use snapscan_schema::Reason;

/// A file in memory.
struct Memory<'a>(&'a [u8]);

impl File for Memory<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> snapscan_disk::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn extents(&self, _range: Range<u64>) -> snapscan_disk::Result<Vec<Extent>> {
        Ok(Vec::new())
    }
}

fn each(_number: u64, blob: &[u8]) {
    let _ = header::read(blob);
}

/// A header blob.
pub fn rpm_header(bytes: &[u8]) {
    each(1, bytes);
}

/// A Berkeley DB of packages.
pub fn rpm_bdb(bytes: &[u8]) {
    let _ = bdb::read(&Memory(bytes), &mut each);
}

/// An NDB of packages.
pub fn rpm_ndb(bytes: &[u8]) {
    let _ = ndb::read(&Memory(bytes), &mut each);
}

/// The lengths (little-endian 32 bits) of an SQLite database and of its write-ahead log, these two, and what is left as
/// its rollback journal.
pub fn rpm_sqlite(bytes: &[u8]) {
    let Some((lens, rest)) = bytes.split_first_chunk::<8>() else { return };
    let len = |at: usize| u32::from_le_bytes([lens[at], lens[at + 1], lens[at + 2], lens[at + 3]]) as usize;
    let (main, rest) = rest.split_at(len(0).min(rest.len()));
    let (wal, journal) = rest.split_at(len(4).min(rest.len()));
    let (wal, journal) = (Memory(wal), Memory(journal));
    let some = |file: &'_ Memory<'_>| file.size() > 0;
    let wal: Option<&dyn File> = some(&wal).then_some(&wal);
    let journal: Option<&dyn File> = some(&journal).then_some(&journal);
    let _ = sqlite::read(&Memory(main), wal, journal, &mut each);
}

/// dpkg's `status`.
pub fn dpkg(bytes: &[u8]) {
    run(&pkg::dpkg::DPKG, "var/lib/dpkg/status", bytes);
}

/// apk's `installed`.
pub fn apk(bytes: &[u8]) {
    run(&pkg::apk::APK, "lib/apk/db/installed", bytes);
}

/// Runs an extractor on a machine of one file. Its fence must have nothing to catch.
fn run(extractor: &Extractor, path: &str, bytes: &[u8]) {
    let Ok(files) = MemTree::builder().file(path, bytes).build() else { return };
    let probed = probe(&Tree::new(Arc::new(files), "disk"), extractor);
    let failed = probed.found.problems.iter().find(|problem| problem.code == Reason::ExtractorFailed);
    assert!(failed.is_none(), "{failed:?}");
}
