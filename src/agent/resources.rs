// SPDX-License-Identifier: Apache-2.0
//! Everything that the agent makes in a cloud, made under an intent and taken away by it.
//!
//! No other file makes, shares, attaches or deletes anything: the steps of a job ask here.
//!
//! | file | answers |
//! |---|---|
//! | [`make`] | how is something made so that it cannot be forgotten? |
//! | [`wait`] | how do many jobs wait for their snapshots with few requests? |
//! | [`volume`] | how is a volume waited for, when the key's refusal shows only as a volume that is not there? |
//! | [`lookup`] | what came of a call whose answer was lost? |
//! | [`release`] | how is what a job made taken away? |
//! | [`undo`] | how is one thing taken away, and when is it gone? |

mod lookup;
mod make;
mod release;
#[cfg(test)]
pub(crate) mod tests;
mod undo;
#[cfg(feature = "crash-points")]
mod unwritten;
mod volume;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::ec2::Snapshot;
use snapscan_cloud::host::HostFacts;
use snapscan_cloud::owned::NotOurs;
use snapscan_cloud::service::{Purpose, Scope};
use snapscan_cloud::{AccountId, Cloud, IntentId, Owner, Region, SnapshotId, VolumeId};

use super::ledger::{self, Kind, Ledger};

pub(crate) use make::{CopyOf, SetOf};
pub(crate) use release::Released;

/// Where something is made, and for which job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// In which account.
    pub(crate) account: AccountId,
    /// In which region.
    pub(crate) region: Region,
    /// For which job.
    pub(crate) job: String,
}

impl Place {
    /// A session here.
    pub(crate) fn scope(&self, purpose: Purpose) -> Scope {
        Scope { account: self.account.clone(), region: self.region.clone(), purpose, job: self.job.clone() }
    }
}

/// What is made in a cloud; clones share all of it.
#[derive(Clone)]
pub(crate) struct Resources {
    /// The cloud.
    pub(crate) cloud: Cloud,
    /// What tells ours from others'.
    pub(crate) owner: Arc<Owner>,
    /// Where it is written down.
    pub(crate) ledger: Ledger,
    /// The scanner itself.
    pub(crate) host: HostFacts,
    waits: wait::Waits,
    turns: release::Turns,
}

/// Why something was not made, or not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The ledger cannot be written: nothing is made without it.
    #[error("{0}: nothing is made without the ledger; check the room and rights of the state folder")]
    Ledger(#[from] ledger::Error),
    /// The cloud refused it, without effect.
    #[error("no {} was made: {error}", .kind.name())]
    Refused {
        /// What was to be made.
        kind: Kind,
        /// What the cloud says.
        error: snapscan_cloud::Error,
    },
    /// No answer came. It is looked for; another try is another intent.
    #[error("whether a {} was made is not known (intent {intent}): {error}", .kind.name())]
    Unknown {
        /// What was to be made.
        kind: Kind,
        /// The intent that stays open.
        intent: IntentId,
        /// What is known of it.
        error: snapscan_cloud::Error,
    },
    /// Something could not be looked at.
    #[error("cannot look: {0}")]
    Look(snapscan_cloud::Error),
    /// What is to be shared or attached is not provably ours.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// Snapshots ended in error; all of their set did.
    #[error("{}", in_error(.0))]
    Failed(Vec<Snapshot>),
    /// Snapshots were not complete in time.
    #[error("{} of the snapshots were not complete after {} s: {}", .pending.len(), .waited.as_secs(), join(.pending))]
    Late {
        /// Which.
        pending: Vec<SnapshotId>,
        /// How long was waited.
        waited: Duration,
    },
    /// The volume came to nothing: the key could not be used. The cloud says so in no other way.
    #[error("volume {volume} vanished: key {} cannot be used by account {account}", .key.as_deref().unwrap_or("(default)"))]
    Ghost {
        /// The volume.
        volume: VolumeId,
        /// The key's ARN; absent for the account's default.
        key: Option<String>,
        /// The account that needs CreateGrant, GenerateDataKeyWithoutPlaintext and Decrypt on the key.
        account: AccountId,
    },
    /// A volume was not usable, or not attached, in time.
    #[error("volume {volume} is {state} after {} s", .waited.as_secs())]
    Stuck {
        /// The volume.
        volume: VolumeId,
        /// Its state, or that of its attachment.
        state: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl Error {
    /// True if nothing was made, for certain.
    pub(crate) fn is_without_effect(&self) -> bool {
        matches!(self, Error::Ledger(_) | Error::Refused { .. } | Error::Look(_) | Error::NotOurs(_))
    }
}

impl Resources {
    /// All that is made goes through this value and its clones.
    pub(crate) fn new(cloud: Cloud, owner: Arc<Owner>, ledger: Ledger, host: HostFacts) -> Self {
        let waits = wait::Waits::new(cloud.clone());
        Self { cloud, owner, ledger, host, waits, turns: release::Turns::default() }
    }

    /// Where the scanner's own volumes are made.
    pub(crate) fn home(&self, job: &str) -> Place {
        Place { account: self.host.account.clone(), region: self.host.region.clone(), job: job.to_owned() }
    }
}

fn in_error(members: &[Snapshot]) -> String {
    let each = members.iter().map(|one| format!("{} of {}: {}", one.id, one.volume, one.state_message));
    format!("snapshots ended in error: {}", each.collect::<Vec<_>>().join("; "))
}

fn join(ids: &[SnapshotId]) -> String {
    ids.iter().map(SnapshotId::as_str).collect::<Vec<_>>().join(", ")
}
