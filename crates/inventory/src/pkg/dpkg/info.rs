// SPDX-License-Identifier: Apache-2.0
//! The lists of files that dpkg keeps beside its status: a package that has one and no record was lost.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::Reason;

use super::Record;
use crate::Sink;

/// Names that a problem gives as examples.
const EXAMPLES: usize = 5;

/// Compares the names in `info` with the records. Only names are read, no file of the folder is opened.
///
/// The other direction proves nothing: containers and images often come without the lists.
pub(super) fn check(tree: &Tree, folder: &Match, records: &[Record<'_>], status: bool, sink: &mut Sink<'_>) {
    let known: HashSet<&[u8]> = records.iter().map(|record| record.name).collect();
    let mut lost = BTreeSet::new();
    let listed = tree.entries(folder.at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) => {
                if let Some(name) = package_of(&entry.name).filter(|name| !known.contains(name)) {
                    lost.insert(name.to_vec());
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
    let mut why = format!("{} packages have a list of files and no record: ", lost.len()).into_bytes();
    let examples: Vec<&[u8]> = lost.iter().take(EXAMPLES).map(Vec::as_slice).collect();
    why.extend_from_slice(&examples.join(&b", "[..]));
    if lost.len() > EXAMPLES {
        why.extend_from_slice(", …".as_bytes());
    }
    sink.problem(code, folder.at.path.as_bytes(), why);
}

/// The package of `NAME.list` or `NAME:ARCH.list`; `None` for other files.
fn package_of(name: &[u8]) -> Option<&[u8]> {
    name.strip_suffix(b".list")?.split(|&byte| byte == b':').next().filter(|name| !name.is_empty())
}
