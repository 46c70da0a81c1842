// SPDX-License-Identifier: Apache-2.0
//! One extractor's run: its patterns resolved, its panics fenced.

use std::panic::{AssertUnwindSafe, catch_unwind};

use snapscan_disk::machine::Tree;
use snapscan_schema::Reason;

use crate::sink::Found;
use crate::{Extractor, Hits, Sink};

/// What came of one extractor.
#[derive(Debug, Default)]
pub struct Probed {
    /// What it put into its sink.
    pub found: Found,
    /// True if none of its patterns matched.
    pub absent: bool,
}

/// Runs one extractor on what its patterns match. A panic in it becomes a problem of its line.
pub fn probe(tree: &Tree, extractor: &Extractor) -> Probed {
    let mut sink = Sink::new(tree, extractor.max_bytes);
    let mut by_pattern = Vec::new();
    for pattern in extractor.wants {
        let globbed = tree.glob(pattern.as_bytes());
        for (path, error) in &globbed.problems {
            sink.failed(path, error);
        }
        by_pattern.push(globbed.found);
    }
    let hits = Hits { by_pattern };
    if hits.is_empty() {
        return Probed { found: sink.into_found(), absent: true };
    }
    let fenced = catch_unwind(AssertUnwindSafe(|| {
        (extractor.run)(tree, &hits, &mut sink);
        sink.into_found()
    }));
    let found = fenced.unwrap_or_else(|panic| {
        let mut sink = Sink::new(tree, 0);
        sink.problem(Reason::ExtractorFailed, b"", words_of(panic.as_ref()));
        sink.into_found()
    });
    Probed { found, absent: false }
}

/// The words of a panic, if it has any.
fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
}
