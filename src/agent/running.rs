// SPDX-License-Identifier: Apache-2.0
//! Jobs that run in this agent, so that a message that is delivered again finds its job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use snapscan_schema::Job;

use crate::agent::lease::{Handle, Terms};

/// Jobs that run.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<String, Entry>>);

struct Entry {
    identity: String,
    lease: Handle,
}

/// What a message finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its job does not run.
    Nobody,
    /// Its job runs, and goes on with the new receipt.
    Adopted,
    /// Another job of that id runs.
    Other(String),
}

impl Running {
    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks whether the job of a message runs; if so, it takes over the receipt of a delivery asked for at `sent`.
    pub(crate) fn find(&self, job: &Job, receipt: &str, sent: u64, terms: Terms) -> Found {
        match self.jobs().get(&job.id) {
            None => Found::Nobody,
            Some(entry) if entry.identity == job.identity() => {
                entry.lease.adopt(receipt.to_owned(), sent, terms);
                Found::Adopted
            }
            Some(entry) => {
                Found::Other(format!("a job with id {} and another target runs: {}", job.id, entry.identity))
            }
        }
    }

    /// The job runs from now on.
    pub(crate) fn enter(&self, job: &Job, lease: Handle) {
        self.jobs().insert(job.id.clone(), Entry { identity: job.identity(), lease });
    }

    /// The job runs no more.
    pub(crate) fn leave(&self, job: &str) {
        self.jobs().remove(job);
    }

    /// True if it runs.
    pub(crate) fn has(&self, job: &str) -> bool {
        self.jobs().contains_key(job)
    }

    /// How many run.
    pub(crate) fn count(&self) -> usize {
        self.jobs().len()
    }
}
