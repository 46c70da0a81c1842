// SPDX-License-Identifier: Apache-2.0
//! Rings 2 and 3: what agents that are gone left behind is looked for and taken away.
//!
//! Ring 2 is the agent's start (rows of older epochs), ring 3 is `snapscan reap` with the agent's lock in hand (all
//! rows): both are [`reap`].

use super::store::Error;
use crate::agent::resources::{Released, Resources};

/// Resolves and releases all that agents before `epoch` left.
///
/// # Errors
/// What the ledger says when it is read; a release goes on where it cannot be written.
pub(crate) async fn reap(resources: &Resources, epoch: i64) -> Result<Released, Error> {
    let rows = resources.ledger.open_before(epoch).await?;
    if rows.is_empty() {
        return Ok(Released::default());
    }
    tracing::info!(rows = rows.len(), epoch, "reap_started");
    let reaped = resources.release_jobs(rows).await;
    tracing::info!(released = reaped.released, held = reaped.held, loud = reaped.loud, "reap_finished");
    Ok(reaped)
}
