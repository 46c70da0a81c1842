// SPDX-License-Identifier: Apache-2.0
//! Who reads what was opened: the confined worker, or in tests something that only answers.

mod fallback;
mod sandbox;

use std::fs::File;

use async_trait::async_trait;
use snapscan_cloud::VolumeId;
use snapscan_sandbox::Profile;
use snapscan_schema::Report;
use tokio_util::sync::CancellationToken;

use crate::agent::context::Context;
use crate::agent::resources::Place;
use crate::agent::stop::Stop;
use crate::agent::work::Opened;
use crate::config::effective::Reader;

pub(crate) use sandbox::Sandbox;

/// What is to be read, and how.
pub(crate) struct Look {
    /// For which job.
    pub(crate) job: String,
    /// In whose name blocks are read; absent for local targets.
    pub(crate) place: Option<Place>,
    /// What was opened.
    pub(crate) opened: Opened,
    /// How much is looked at.
    pub(crate) profile: Profile,
    /// Whose readers are used.
    pub(crate) reader: Reader,
    /// Distinct blocks of 512 KiB at most; absent: those that there are.
    pub(crate) blocks: Option<u64>,
    /// Ends the reading.
    pub(crate) cancel: CancellationToken,
}

/// Reads, and reports.
#[async_trait]
pub(crate) trait Inspector: Send + Sync {
    /// Reads what was opened. Damage is coverage and no error.
    ///
    /// # Errors
    /// Why nothing could be read at all.
    async fn inspect(&self, context: &Context, look: Look) -> Result<Report, Stop>;

    /// The device of a volume that is attached to this host, found by its serial, read-only.
    ///
    /// # Errors
    /// Why there is none that is certainly that volume.
    async fn device(&self, context: &Context, volume: &VolumeId) -> Result<File, Stop>;
}
