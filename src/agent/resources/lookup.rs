// SPDX-License-Identifier: Apache-2.0
//! What came of a call whose answer was lost: looked for by the intent's tag, to the last page.
//!
//! A share and an attachment have no tags; they are looked for at the snapshot or volume that they are of.

use std::collections::BTreeMap;

use snapscan_cloud::ec2::{DescribeShares, DescribeSnapshots, DescribeVolumes, Find};
use snapscan_cloud::owned::{Extra, NotOurs};
use snapscan_cloud::{Class, Error as CloudError, Scope, SnapshotId, VolumeId};

use super::Resources;
use crate::agent::ledger::{Event, Intent, Kind, Trouble};

/// What a lookup came to.
#[derive(Debug)]
pub(super) enum Looked {
    /// It was complete: the row has what it found.
    Through,
    /// It was not; the next one may be.
    Not(String),
    /// Somebody must look.
    Loud(Trouble, String),
}

/// Something that carries the intent's tag, and the source that it was made of.
struct Candidate {
    id: String,
    source: String,
}

/// What somebody must look at, and how.
fn unproven(intent: &Intent, id: &str, why: &str) -> String {
    format!(
        "{id} carries all marks of this set, of a volume of the same instance, and is not provably ours ({why}): if \
         nobody made it on purpose, delete it by hand in account {}, region {}",
        intent.account, intent.region
    )
}

impl Resources {
    /// Looks for what an unknown intent made, and writes down what is ours.
    pub(super) async fn look_for(&self, scope: &Scope, intent: &mut Intent) -> Looked {
        let candidates = match self.candidates(scope, intent).await {
            Ok(candidates) => candidates,
            Err(error) if error.class == Class::Denied => {
                return Looked::Loud(Trouble::Denied, error.to_string());
            }
            Err(error) => return Looked::Not(error.to_string()),
        };
        let mut ours: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut suspect = None;
        for candidate in candidates {
            match self.is_ours(scope, intent, &candidate.id).await {
                Ok(()) => ours.entry(candidate.source).or_default().push(candidate.id),
                Err(NotOurs::Foreign { id, why }) => match self.extra(scope, intent, &id).await {
                    Ok(Extra::Ours) => ours.entry(candidate.source).or_default().push(id),
                    Ok(Extra::Suspect(why)) => suspect = Some(unproven(intent, &id, &why)),
                    Ok(Extra::Foreign(_)) => {
                        tracing::warn!(intent = %intent.id, id, why, "resource_foreign");
                    }
                    Err(error) => return Looked::Not(error.to_string()),
                },
                Err(NotOurs::Ambiguous { one, other, .. }) => {
                    ours.entry(candidate.source).or_default().extend([one, other]);
                }
                Err(NotOurs::Cloud(error)) if error.class == Class::Denied => {
                    return Looked::Loud(Trouble::Denied, error.to_string());
                }
                Err(other) => return Looked::Not(other.to_string()),
            }
        }
        for ids in ours.values_mut() {
            ids.sort();
            ids.dedup();
        }
        let twins = ours.values().find(|ids| ids.len() > 1).map(|ids| ids.join(" and "));
        let known = |id: &String| intent.made.iter().any(|made| made.id == *id);
        let single = ours.into_values().filter(|ids| ids.len() == 1).flatten();
        let new: Vec<_> = single.filter(|id| !known(id)).collect();
        if !new.is_empty() {
            self.note(intent, Event::Found(new)).await;
        } else if twins.is_none() && suspect.is_none() {
            self.note(intent, Event::Looked(self.cloud.clock.now())).await;
        }
        match (twins, suspect) {
            (Some(twins), _) => {
                Looked::Loud(Trouble::Ambiguous, format!("{twins} claim the same intent and source"))
            }
            (None, Some(suspect)) => Looked::Loud(Trouble::Foreign, suspect),
            (None, None) => Looked::Through,
        }
    }

    /// Whether a snapshot of a volume that no MAC names is a member of this set all the same.
    async fn extra(&self, scope: &Scope, intent: &Intent, id: &str) -> Result<Extra, NotOurs> {
        let (Some(whole), Some(id)) = (intent.whole(), SnapshotId::parse(id)) else {
            return Ok(Extra::Foreign(String::new()));
        };
        match self.owner.extra_member(&self.cloud, scope, &intent.expects(), &whole, &id).await {
            Err(NotOurs::Absent(_)) => Ok(Extra::Foreign(String::new())),
            judged => judged,
        }
    }

    /// All that carries the intent's tag, ours or not.
    async fn candidates(&self, scope: &Scope, intent: &Intent) -> Result<Vec<Candidate>, CloudError> {
        match intent.kind {
            Kind::Set | Kind::Snapshot | Kind::Copy => self.tagged_snapshots(scope, intent).await,
            Kind::Volume => self.tagged_volumes(scope, intent).await,
            Kind::Share => {
                let Some(snapshot) = intent.sources.first().and_then(|id| SnapshotId::parse(id)) else {
                    return Ok(Vec::new());
                };
                let is_shared = self.is_shared(scope, &snapshot, &intent.about).await?;
                let id = snapshot.to_string();
                Ok(is_shared.then(|| Candidate { id: id.clone(), source: id }).into_iter().collect())
            }
            Kind::Attachment => {
                let Some(volume) = intent.sources.first().and_then(|id| VolumeId::parse(id)) else {
                    return Ok(Vec::new());
                };
                let found = self.look_at_volume(scope, &volume).await?;
                let is_attached = found.is_some_and(|one| {
                    one.attachments
                        .iter()
                        .any(|each| each.instance.as_str() == intent.about && each.state != "detached")
                });
                let id = volume.to_string();
                Ok(is_attached.then(|| Candidate { id: id.clone(), source: id }).into_iter().collect())
            }
        }
    }

    async fn tagged_snapshots(&self, scope: &Scope, intent: &Intent) -> Result<Vec<Candidate>, CloudError> {
        let mut candidates = Vec::new();
        let mut token = None;
        loop {
            let find = Find::Intent(intent.id.clone());
            let page = self.cloud.ask(scope, DescribeSnapshots { find, token }).await?;
            candidates.extend(page.items.into_iter().map(|one| Candidate {
                id: one.id.to_string(),
                // The volume of a copy is arbitrary: an intent makes one copy, so all are of the same source.
                source: if intent.kind == Kind::Copy { String::new() } else { one.volume.to_string() },
            }));
            token = page.token;
            if token.is_none() {
                return Ok(candidates);
            }
        }
    }

    async fn tagged_volumes(&self, scope: &Scope, intent: &Intent) -> Result<Vec<Candidate>, CloudError> {
        let mut candidates = Vec::new();
        let mut token = None;
        loop {
            let find = Find::Intent(intent.id.clone());
            let page = self.cloud.ask(scope, DescribeVolumes { find, token }).await?;
            candidates.extend(page.items.into_iter().map(|one| Candidate {
                id: one.id.to_string(),
                source: one.snapshot.map(String::from).unwrap_or_default(),
            }));
            token = page.token;
            if token.is_none() {
                return Ok(candidates);
            }
        }
    }

    /// True if the snapshot is shared with this account; a snapshot that is not there is shared with nobody.
    pub(super) async fn is_shared(
        &self,
        scope: &Scope,
        snapshot: &SnapshotId,
        with: &str,
    ) -> Result<bool, CloudError> {
        match self.cloud.ask(scope, DescribeShares { snapshot: snapshot.clone() }).await {
            Ok(accounts) => Ok(accounts.iter().any(|account| account.as_str() == with)),
            Err(error) if error.class == Class::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a candidate is what the intent made. A share or an attachment is judged when it is taken away.
    async fn is_ours(&self, scope: &Scope, intent: &Intent, id: &str) -> Result<(), NotOurs> {
        let expected = intent.expects();
        let absent = || NotOurs::Absent(id.to_owned());
        match intent.kind {
            Kind::Set | Kind::Snapshot => {
                let id = SnapshotId::parse(id).ok_or_else(absent)?;
                self.owner.snapshot(&self.cloud, scope, &expected, &id).await.map(|_| ())
            }
            Kind::Copy => {
                let id = SnapshotId::parse(id).ok_or_else(absent)?;
                self.owner.copy(&self.cloud, scope, &expected, &id).await.map(|_| ())
            }
            Kind::Volume => {
                let id = VolumeId::parse(id).ok_or_else(absent)?;
                self.owner.volume(&self.cloud, scope, &expected, &id).await.map(|_| ())
            }
            Kind::Share | Kind::Attachment => Ok(()),
        }
    }
}
