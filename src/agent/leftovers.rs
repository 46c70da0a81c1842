// SPDX-License-Identifier: Apache-2.0
//! Jobs whose things could not all be released at once, and who tries again.
//!
//! The ledger knows the things; this list only says which of its rows belong to no job that runs.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::agent::context::Context;

/// Between two tries: the ledger's two lookups are at least a minute apart too.
const PAUSE: Duration = Duration::from_secs(60);

/// Jobs that ended, and left something that is still to be released.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<BTreeSet<String>>);

impl Leftovers {
    fn list(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of this job is left.
    pub(crate) fn note(&self, job: &str) {
        self.list().insert(job.to_owned());
    }

    /// Nothing of this job is left.
    pub(crate) fn forget(&self, job: &str) {
        self.list().remove(job);
    }

    /// True if nothing is left of any job.
    pub(crate) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }
}

/// Releases leftovers until the task is dropped.
pub(crate) async fn sweep(context: &Context) {
    loop {
        context.cloud.clock.sleep(PAUSE).await;
        round(context).await;
    }
}

/// Tries once to release the leftovers of each job that does not run at this moment.
pub(crate) async fn round(context: &Context) {
    let jobs: Vec<String> = context.leftovers.list().iter().cloned().collect();
    for job in jobs.into_iter().filter(|job| !context.running.has(job)) {
        match context.resources.release(&job).await {
            Ok(released) if released.left.is_empty() => context.leftovers.forget(&job),
            Ok(_) => {}
            Err(error) => tracing::error!(job, %error, "resources_unreleased"),
        }
    }
}
