// SPDX-License-Identifier: Apache-2.0
//! Who asks what is ours, with what the ledger knows of it.

use serde::{Deserialize, Serialize};

use crate::{AccountId, IntentId, Region, Timestamp};

/// What tells our things from others': the deployment's name and its key. It does not print.
#[derive(Clone)]
pub struct Owner {
    pub(super) deployment: String,
    pub(super) key: [u8; 32],
}

impl Owner {
    /// The owner of a deployment's things. The name is at most 160 bytes, so that a description holds it.
    pub fn new(deployment: String, key: [u8; 32]) -> Self {
        Self { deployment, key }
    }

    /// The deployment's name.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }
}

/// In whose account, where, for which job and under which intent something is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The account that it is made in.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The job.
    pub job: String,
    /// The intent.
    pub intent: IntentId,
}

/// What is known of the thing from the ledger, when it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Where it was made, and for what.
    pub origin: Origin,
    /// What it was made of: all volumes of the set for snapshots, the source for a copy, our snapshot for a volume.
    pub sources: Vec<String>,
    /// It was made no earlier than this by the cloud's clock, so less a margin if it was measured by another …
    pub from: Timestamp,
    /// … and no later than this.
    pub until: Timestamp,
    /// Ids that the answer to the very call of this intent named, or that were proved to be ours when they were found: a
    /// set may have a member more than was asked for, of a volume that was attached a moment before, and no MAC names
    /// that one. When they were made does not matter any more.
    #[serde(default)]
    pub answered: Vec<String>,
}

/// Why something is not ours, or cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is not there (any more, or yet): nothing is proved by that.
    #[error("{0} was not found")]
    Absent(String),
    /// It is there and it is somebody else's.
    #[error("{id} is not ours: {why}")]
    Foreign {
        /// What was looked at.
        id: String,
        /// Which part of the rule does not hold.
        why: String,
    },
    /// Two things claim to be the same: neither is touched.
    #[error("{one} and {other} both claim intent {intent}")]
    Ambiguous {
        /// The one.
        one: String,
        /// The other.
        other: String,
        /// The intent.
        intent: IntentId,
    },
    /// It could not be looked at.
    #[error("cannot look at it: {0}")]
    Cloud(#[from] crate::Error),
}
