// SPDX-License-Identifier: Apache-2.0
//! What was made and what of it is left, by the cloud's log alone.

use snapscan_cloud::local::{Event, spans};

/// The account of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Snapshots and volumes that were made.
    pub(super) made: usize,
    /// Those of them that are gone.
    pub(super) released: usize,
    /// Those that are still there.
    pub(super) held: Vec<String>,
}

impl Account {
    /// The account that these events make. What others had made before has no beginning in the log, and does not count.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut account = Self::default();
        for span in spans(events) {
            account.made += 1;
            match span.gone {
                Some(_) => account.released += 1,
                None => account.held.push(span.id),
            }
        }
        account
    }

    /// The last line.
    pub(super) fn line(&self) -> String {
        format!("made {}, released {}, held {}", self.made, self.released, self.held.len())
    }
}
