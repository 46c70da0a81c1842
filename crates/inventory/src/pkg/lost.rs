// SPDX-License-Identifier: Apache-2.0
//! Files that a package manager keeps for each package beside its status: a package that has one and no record was lost.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::Reason;

use crate::Sink;

/// Names that a problem gives as examples.
const EXAMPLES: usize = 5;

/// Compares the names in `folder` that end in `suffix` with the packages that have a record. Only names are read, no file
/// of the folder is opened. Without a status file all records are missing, which is another code.
///
/// The other direction proves nothing: containers and images often come without these files.
pub(super) fn check(
    tree: &Tree,
    folder: &Match,
    suffix: &[u8],
    known: &HashSet<&[u8]>,
    status: bool,
    sink: &mut Sink<'_>,
) {
    let mut lost = BTreeSet::new();
    let mut count = 0_u64;
    let listed = tree.entries(folder.at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) => {
                if let Some(name) = package_of(&entry.name, suffix).filter(|name| !known.contains(name)) {
                    count = count.saturating_add(1);
                    lost.insert(name.to_vec());
                    if lost.len() > EXAMPLES {
                        lost.pop_last();
                    }
                }
            }
            Err(error) => sink.failed(folder.at.path.as_bytes(), &error),
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = listed {
        sink.failed(folder.at.path.as_bytes(), &error);
    }
    if lost.is_empty() {
        return;
    }
    let code = if status { Reason::DatabaseIncomplete } else { Reason::DatabaseMissing };
    let examples: Vec<&[u8]> = lost.iter().map(Vec::as_slice).collect();
    let mut why = format!("{count} files of packages without a record: ").into_bytes();
    why.extend_from_slice(&examples.join(&b", "[..]));
    if count > u64::try_from(EXAMPLES).unwrap_or(u64::MAX) {
        why.extend_from_slice(", …".as_bytes());
    }
    sink.problem(code, folder.at.path.as_bytes(), why);
}

/// The package of `NAME.list` or `NAME:ARCH.list`; `None` for other files.
fn package_of<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    name.strip_suffix(suffix)?.split(|&byte| byte == b':').next().filter(|name| !name.is_empty())
}
