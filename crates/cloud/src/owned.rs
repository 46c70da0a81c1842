// SPDX-License-Identifier: Apache-2.0
//! What is ours: the only place that says so, and the only one that knows the tags that say it.
//!
//! Calls that delete, detach, attach, share or unshare take an [`Owned`] id, and only [`Owner`] makes one, by looking at
//! the thing again just before. A tag alone proves nothing: whoever may tag in the account could mark a foreign snapshot
//! as ours. So every thing we make carries a MAC (HMAC-SHA-256, with the deployment's own key) over account, region,
//! source and intent, in a tag and, for snapshots, once more in the description, which copies of tags do not take along.
//!
//! | kind | is ours if |
//! |---|---|
//! | snapshot | tag and description agree, its volume is one that the MAC names, begun within the job's window |
//! | copy | tag and description agree, the MAC is over the source snapshot |
//! | volume | the tag's MAC is over our snapshot, it was made of that one, within the window |
//! | attachment | of a volume of ours, to this instance or a terminated one |
//! | share | on a snapshot or copy of ours, with the account that the intent names |

use serde::{Deserialize, Serialize};

use crate::ec2::Attachment;
use crate::ec2::Tags;
use crate::{AccountId, Cloud, InstanceId, IntentId, Region, Scope, SnapshotId, Timestamp, VolumeId};

/// The tag that names the deployment.
pub const TAG_DEPLOYMENT: &str = "snapscan";
/// The tag that names the job.
pub const TAG_JOB: &str = "snapscan:job";
/// The tag that names the intent.
pub const TAG_INTENT: &str = "snapscan:intent";
/// The tag with the MACs, and `snapscan:mac-2` … where one value is too short for a large set.
pub const TAG_MAC: &str = "snapscan:mac";

/// The id of something that was looked at just now and is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned<T>(T);

impl<T> Owned<T> {
    /// The id.
    pub fn id(&self) -> &T {
        &self.0
    }
}

/// What tells our things from others': the deployment's name and its key.
#[derive(Clone)]
pub struct Owner {
    deployment: String,
    key: [u8; 32],
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

/// What a call that creates must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The tags.
    pub tags: Tags,
    /// The description; empty for volumes, which have none.
    pub description: String,
}

/// What is known of the thing from the ledger, when it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Where it was made, and for what.
    pub origin: Origin,
    /// What it was made of: volumes for snapshots, the source for a copy, our snapshot for a volume.
    pub sources: Vec<String>,
    /// It was made no earlier than this …
    pub from: Timestamp,
    /// … and no later than this.
    pub until: Timestamp,
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

impl Owner {
    /// The owner of a deployment's things.
    pub fn new(deployment: String, key: [u8; 32]) -> Self {
        Self { deployment, key }
    }

    /// The deployment's name.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// What snapshots of these volumes must carry.
    pub fn snapshot_marks(&self, _origin: &Origin, _volumes: &[VolumeId]) -> Marks {
        todo!()
    }

    /// What a copy of this snapshot must carry.
    pub fn copy_marks(&self, _origin: &Origin, _source: &SnapshotId) -> Marks {
        todo!()
    }

    /// What a volume of this snapshot must carry.
    pub fn volume_marks(&self, _origin: &Origin, _snapshot: &SnapshotId) -> Marks {
        todo!()
    }

    /// Looks at a snapshot again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn snapshot(
        &self,
        _cloud: &Cloud,
        _scope: &Scope,
        _expected: &Expected,
        _id: &SnapshotId,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        todo!()
    }

    /// Looks at a copy again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn copy(
        &self,
        _cloud: &Cloud,
        _scope: &Scope,
        _expected: &Expected,
        _id: &SnapshotId,
    ) -> Result<Owned<SnapshotId>, NotOurs> {
        todo!()
    }

    /// Looks at a volume again: is it the one that the intent made?
    ///
    /// # Errors
    /// Why it is not, or cannot be told.
    pub async fn volume(
        &self,
        _cloud: &Cloud,
        _scope: &Scope,
        _expected: &Expected,
        _id: &VolumeId,
    ) -> Result<Owned<VolumeId>, NotOurs> {
        todo!()
    }

    /// Looks at a volume's attachments again: is there one of a volume of ours, to this scanner or to an instance that
    /// is terminated? `expected` is what is known of the volume.
    ///
    /// # Errors
    /// Why it is not, or cannot be told; `Absent` if it is attached nowhere.
    pub async fn attachment(
        &self,
        _cloud: &Cloud,
        _scope: &Scope,
        _expected: &Expected,
        _id: &VolumeId,
        _scanner: &InstanceId,
    ) -> Result<Owned<Attachment>, NotOurs> {
        todo!()
    }
}
