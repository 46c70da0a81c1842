// SPDX-License-Identifier: Apache-2.0
//! What the log means for the filesystem as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::log::{self, Loaded, Overlay, Replay};
use super::superblock::Superblock;
use crate::error::Result;
use crate::fs::State;
use crate::source::BlockSource;

/// A filesystem's state, and what has to be put over its bytes.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) overlay: Option<Arc<Overlay>>,
    /// Inodes with announced changes that were not applied.
    pub(super) stale_inodes: BTreeSet<u64>,
}

impl Recovered {
    /// Reads the log.
    ///
    /// # Errors
    /// What the source answers, `Limit` for a log that is too large.
    pub(super) fn load(source: &Arc<dyn BlockSource>, superblock: &Superblock) -> Result<Recovered> {
        let (state, replay) = match log::load(source, &superblock.log)? {
            Loaded::Clean => (State::Clean, None),
            Loaded::Replayed(replay) => {
                (State::Replayed { journal_bytes: replay.journal_bytes }, Some(replay))
            }
            Loaded::Stale { why, replay } => (State::Stale { why }, replay),
        };
        let state = if superblock.features.needs_repair {
            State::Stale { why: "the superblock says that xfs_repair has to run first".into() }
        } else {
            state
        };
        let (overlay, stale_inodes) = match replay {
            Some(Replay { overlay, stale_inodes, .. }) => (Some(overlay), stale_inodes),
            None => (None, BTreeSet::new()),
        };
        Ok(Recovered { state, overlay, stale_inodes })
    }
}
