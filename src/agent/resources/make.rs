// SPDX-License-Identifier: Apache-2.0
//! How something is made so that it cannot be forgotten: planned, written down, called once, bound.

use std::time::Duration;

use snapscan_cloud::ec2::{
    AttachVolume, CopySnapshot, CreateSnapshot, CreateSnapshots, CreateVolume, DescribeVolumes, Find,
    ShareSnapshot, Snapshot,
};
use snapscan_cloud::owned::{Marks, Whole};
use snapscan_cloud::service::Purpose;
use snapscan_cloud::{AccountId, Class, InstanceId, Owned, Region, Request, SnapshotId, VolumeId};

use super::{Error, Place, Resources};
use crate::agent::boundary;
use crate::agent::ledger::{self, Event, Intent, Kind, NewIntent};

/// A call that has not answered by then is given up, and what became of it is unknown.
pub(super) const CALL: Duration = Duration::from_secs(120);
/// So far may the cloud's clock differ from ours in the times that it gives to things.
pub(super) const SKEW: Duration = Duration::from_secs(300);
/// So long after its deadline may a call that was given up still begin to take effect.
pub(super) const LATE: Duration = Duration::from_secs(900);

/// A set of snapshots of an instance's volumes.
#[derive(Debug, Clone)]
pub(crate) struct SetOf<'a> {
    /// The instance.
    pub(crate) instance: &'a InstanceId,
    /// The volumes that the set has.
    pub(crate) volumes: &'a [VolumeId],
    /// The root, if it is left out.
    pub(crate) root_left_out: Option<&'a VolumeId>,
    /// Other volumes to leave out, at most 40.
    pub(crate) exclude: &'a [VolumeId],
}

/// A copy of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct CopyOf<'a> {
    /// The source, completed.
    pub(crate) source: &'a SnapshotId,
    /// Its region.
    pub(crate) region: &'a Region,
    /// The key of the copy; none for one that is not encrypted.
    pub(crate) key: Option<&'a str>,
}

impl Resources {
    /// Makes one crash-consistent set of snapshots, and does not wait for it.
    ///
    /// # Errors
    /// `Refused`, `Unknown`, `Ledger`.
    pub(crate) async fn snapshot_set(&self, at: &Place, set: &SetOf<'_>) -> Result<Vec<Snapshot>, Error> {
        let left_out = set.exclude.iter().chain(set.root_left_out).cloned().collect();
        let whole = Whole { instance: set.instance.clone(), left_out };
        let volumes = set.volumes.iter().map(ToString::to_string).collect();
        let new = self.new_intent(at, Kind::Set, volumes, &ledger::written(&whole));
        let request = |intent: &Intent| {
            let Marks { tags, description } = self.owner.snapshot_marks(&intent.origin(), set.volumes);
            CreateSnapshots {
                instance: set.instance.clone(),
                exclude_root: set.root_left_out.is_some(),
                exclude: set.exclude.to_vec(),
                description,
                tags,
            }
        };
        let ids = |snapshots: &Vec<Snapshot>| snapshots.iter().map(|one| one.id.to_string()).collect();
        self.make(at, Purpose::Create, new, request, ids).await
    }

    /// Makes a snapshot of one volume, and does not wait for it.
    ///
    /// # Errors
    /// `Refused`, `Unknown`, `Ledger`.
    pub(crate) async fn snapshot_volume(&self, at: &Place, volume: &VolumeId) -> Result<Snapshot, Error> {
        let new = self.new_intent(at, Kind::Snapshot, vec![volume.to_string()], "");
        let request = |intent: &Intent| {
            let volumes = std::slice::from_ref(volume);
            let Marks { tags, description } = self.owner.snapshot_marks(&intent.origin(), volumes);
            CreateSnapshot { volume: volume.clone(), description, tags }
        };
        self.make(at, Purpose::Create, new, request, |one: &Snapshot| vec![one.id.to_string()]).await
    }

    /// Copies a snapshot into the place's region, and does not wait for it.
    ///
    /// # Errors
    /// `Refused`, `Unknown`, `Ledger`.
    pub(crate) async fn copy(&self, at: &Place, copy: &CopyOf<'_>) -> Result<SnapshotId, Error> {
        let new = self.new_intent(at, Kind::Copy, vec![copy.source.to_string()], "");
        let request = |intent: &Intent| {
            let Marks { tags, description } = self.owner.copy_marks(&intent.origin(), copy.source);
            CopySnapshot {
                source: copy.source.clone(),
                source_region: copy.region.clone(),
                key: copy.key.map(str::to_owned),
                encrypted: copy.key.is_some(),
                description,
                tags,
            }
        };
        self.make(at, Purpose::Create, new, request, |id: &SnapshotId| vec![id.to_string()]).await
    }

    /// Lets another account make volumes of a snapshot or copy that we made.
    ///
    /// # Errors
    /// `NotOurs`, `Refused`, `Unknown`, `Ledger`.
    pub(crate) async fn share(
        &self,
        at: &Place,
        snapshot: &SnapshotId,
        with: &AccountId,
    ) -> Result<(), Error> {
        let owned = self.owned_snapshot(&at.scope(Purpose::Share), snapshot).await?;
        let new = self.new_intent(at, Kind::Share, vec![snapshot.to_string()], with.as_str());
        let request = |_: &Intent| ShareSnapshot { snapshot: owned, with: with.clone() };
        self.make(at, Purpose::Share, new, request, |()| vec![snapshot.to_string()]).await
    }

    /// Asks for a volume of a snapshot that is ours or shared with us; [`Resources::volume`] waits for it too.
    pub(super) async fn create_volume(
        &self,
        at: &Place,
        snapshot: &SnapshotId,
        zone: &str,
        key: Option<&str>,
    ) -> Result<VolumeId, Error> {
        let new = self.new_intent(at, Kind::Volume, vec![snapshot.to_string()], zone);
        let request = |intent: &Intent| CreateVolume {
            snapshot: snapshot.clone(),
            zone: zone.to_owned(),
            key: key.map(str::to_owned),
            token: intent.id.to_string(),
            tags: self.owner.volume_marks(&intent.origin(), snapshot).tags,
        };
        self.make(at, Purpose::Create, new, request, |id: &VolumeId| vec![id.to_string()]).await
    }

    /// Asks for a volume of ours to be attached to the scanner; [`Resources::attach`] waits for it too.
    pub(super) async fn attach_volume(
        &self,
        at: &Place,
        volume: &VolumeId,
        device: &str,
    ) -> Result<(), Error> {
        let owned = self.owned_volume(&at.scope(Purpose::Create), volume).await?;
        let instance = self.host.instance.clone();
        let new = self.new_intent(at, Kind::Attachment, vec![volume.to_string()], instance.as_str());
        let device = device.to_owned();
        let request = |_: &Intent| AttachVolume { volume: owned, instance, device };
        self.make(at, Purpose::Create, new, request, |()| vec![volume.to_string()]).await
    }

    fn new_intent(&self, at: &Place, kind: Kind, sources: Vec<String>, about: &str) -> NewIntent {
        let expected = if kind == Kind::Set { u32::try_from(sources.len()).unwrap_or(u32::MAX) } else { 1 };
        NewIntent {
            kind,
            account: at.account.clone(),
            region: at.region.clone(),
            job: at.job.clone(),
            sources,
            about: about.to_owned(),
            expected,
        }
    }

    /// The only way to a call that makes something: once under each intent, and never without the ledger.
    async fn make<R: Request>(
        &self,
        at: &Place,
        purpose: Purpose,
        new: NewIntent,
        request: impl FnOnce(&Intent) -> R,
        ids: impl FnOnce(&R::Answer) -> Vec<String>,
    ) -> Result<R::Answer, Error> {
        let (kind, clock) = (new.kind, self.cloud.clock);
        #[cfg(feature = "crash-points")]
        if boundary::sabotaged("call-before-intent") {
            return self.make_unwritten(at, purpose, new, request, ids).await;
        }
        let intent = self.ledger.plan(new, clock.now()).await?;
        let deadline = clock.now().plus(CALL);
        let from = snapscan_cloud::Timestamp(clock.now().0 - i64::try_from(SKEW.as_secs()).unwrap_or(0));
        let called = Event::Called { from, until: deadline.plus(LATE), deadline };
        let intent = self.ledger.advance(&intent.id, called).await?;
        let scope = at.scope(purpose);
        let ask = self.cloud.ask(&scope, request(&intent));
        let answer = match tokio::time::timeout(clock.real_duration(CALL), ask).await {
            Ok(answer) => answer,
            Err(_) => Err(snapscan_cloud::Error::of(
                R::ACTION.name(),
                "Timeout",
                format!("no answer within {} s", CALL.as_secs()),
            )),
        };
        match answer {
            Ok(answer) => {
                let mut ids = ids(&answer);
                if ids.len() > 1 && boundary::sabotaged("set-member-forgotten") {
                    ids.truncate(1);
                }
                self.ledger.advance(&intent.id, Event::Bound(ids)).await?;
                tracing::info!(kind = kind.name(), intent = %intent.id, job = at.job, "resource_made");
                Ok(answer)
            }
            Err(error) if is_without_effect(&error) => {
                self.ledger.advance(&intent.id, Event::Refused(error.to_string())).await?;
                Err(Error::Refused { kind, error })
            }
            Err(error) => {
                self.ledger.advance(&intent.id, Event::Lost(error.to_string())).await?;
                tracing::warn!(kind = kind.name(), intent = %intent.id, job = at.job, %error, "resource_unknown");
                Err(Error::Unknown { kind, intent: intent.id, error })
            }
        }
    }

    /// A snapshot or copy that the ledger says we made, looked at again.
    pub(super) async fn owned_snapshot(
        &self,
        scope: &snapscan_cloud::Scope,
        id: &SnapshotId,
    ) -> Result<Owned<SnapshotId>, Error> {
        let maker = self.maker(id.as_str()).await?;
        let expected = maker.expects();
        Ok(match maker.kind {
            Kind::Copy => self.owner.copy(&self.cloud, scope, &expected, id).await?,
            _ => self.owner.snapshot(&self.cloud, scope, &expected, id).await?,
        })
    }

    /// A volume that the ledger says we made, looked at again.
    pub(super) async fn owned_volume(
        &self,
        scope: &snapscan_cloud::Scope,
        id: &VolumeId,
    ) -> Result<Owned<VolumeId>, Error> {
        let expected = self.maker(id.as_str()).await?.expects();
        Ok(self.owner.volume(&self.cloud, scope, &expected, id).await?)
    }

    /// The intent that made a thing.
    pub(super) async fn maker(&self, id: &str) -> Result<Intent, Error> {
        let makers = self.ledger.makers(id).await?;
        let none = || crate::agent::ledger::Error::NoRow(format!("intent that made {id}"));
        Ok(makers.into_iter().next().ok_or_else(none)?)
    }

    /// A volume as it is now; `None` if the list does not have it.
    pub(super) async fn look_at_volume(
        &self,
        scope: &snapscan_cloud::Scope,
        id: &VolumeId,
    ) -> Result<Option<snapscan_cloud::ec2::Volume>, snapscan_cloud::Error> {
        let mut token = None;
        loop {
            let find = Find::Ids(vec![id.clone()]);
            let page = self.cloud.ask(scope, DescribeVolumes { find, token }).await?;
            let found = page.items.into_iter().find(|volume| volume.id == *id);
            if found.is_some() || page.token.is_none() {
                return Ok(found);
            }
            token = page.token;
        }
    }
}

/// True if the error proves that the call took no effect. A 5xx proves nothing: AWS does not promise it.
fn is_without_effect(error: &snapscan_cloud::Error) -> bool {
    match error.class {
        Class::Throttled
        | Class::Quota
        | Class::NotFound
        | Class::Denied
        | Class::Key
        | Class::State
        | Class::Conflict => true,
        Class::Permanent => error.code != "WrongAnswer",
        Class::Transient => {
            let refused_before_it_ran = [
                "Unreachable",
                "ExpiredToken",
                "ExpiredTokenException",
                "RequestExpired",
                "InvalidSignatureException",
            ];
            refused_before_it_ran.contains(&error.code.as_str())
        }
        Class::LeaseLost | Class::Unknown => false,
    }
}
