// SPDX-License-Identifier: Apache-2.0
//! The records in the journal of an ext4 cut, by kind.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use snapscan_disk::fs::ext4::Ext4;
use snapscan_disk::fs::ext4::journal::Counts;
use snapscan_disk::source::file::FileSource;

use crate::mount::Kind;

/// How many of each kind complete transactions hold; those that were never met are named too.
pub(super) fn records(cut: &Path, kind: Kind) -> Vec<(String, u64)> {
    match kind {
        Kind::Ext4 => counts(cut).map(name).unwrap_or_default(),
        Kind::Xfs => Vec::new(),
    }
}

fn counts(cut: &Path) -> Option<Counts> {
    let source = FileSource::new(File::open(cut).ok()?).ok()?;
    Ext4::open(Arc::new(source)).ok()?.journal_counts()
}

fn name(counts: Counts) -> Vec<(String, u64)> {
    // Every layout that there is, so that one that no variant makes is seen.
    let layouts = [(0, 8), (0, 12), (1, 8), (1, 12), (2, 10), (2, 14), (3, 16)];
    let tags = layouts.map(|(checksums, bytes)| {
        let met = (checksums, bytes) == (counts.checksums, counts.tag_bytes);
        (format!("tags of {bytes} bytes, checksums {checksums}"), if met { counts.tags } else { 0 })
    });
    let rest = [
        ("transactions", counts.transactions),
        ("descriptors", counts.descriptors),
        ("tags, escaped", counts.escaped),
        ("tags with a UUID", counts.uuids),
        ("revoke blocks", counts.revoke_blocks),
        ("revokes", counts.revokes),
        ("revoked blocks left out", counts.revoked),
        ("wraps of the ring", counts.wraps),
    ];
    let rest = rest.map(|(name, count)| (name.to_owned(), count));
    tags.into_iter().chain(rest).collect()
}
