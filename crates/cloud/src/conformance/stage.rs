// SPDX-License-Identifier: Apache-2.0
//! Where the cases take place, and how they wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::case::Failure;
use crate::ec2::{DescribeSnapshots, DescribeVolumes, Find, Snapshot, Volume};
use crate::owned::{Expected, Origin};
use crate::{
    AccountId, Class, Cloud, Error, InstanceId, IntentId, Owner, Purpose, Region, Request, Scope, SnapshotId,
    Timestamp, VolumeId,
};

/// What must be there already.
#[derive(Clone)]
pub struct World {
    /// The region of everything.
    pub region: Region,
    /// The account of the target.
    pub account: AccountId,
    /// The target: an instance with these two volumes, not encrypted, with some blocks written.
    pub instance: InstanceId,
    /// Its root.
    pub root: VolumeId,
    /// Its other volume.
    pub data: VolumeId,
    /// The scanner's account, which may be the same.
    pub service: AccountId,
    /// The scanner's instance; running.
    pub scanner: InstanceId,
    /// Its zone.
    pub zone: String,
    /// An account to share with, which is neither.
    pub other: AccountId,
    /// What makes things ours.
    pub owner: Owner,
    /// How long to wait for a state at most.
    pub patience: Duration,
}

/// The cloud, the world, and what tells one run's things from another's.
pub(super) struct Stage<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) world: &'a World,
    begun: u64,
    intents: AtomicU64,
}

/// The set of snapshots that most cases are about.
pub(super) struct Set {
    pub(super) expected: Expected,
    pub(super) root: SnapshotId,
    pub(super) all: Vec<Snapshot>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(cloud: &'a Cloud, world: &'a World) -> Self {
        Self { cloud, world, begun: cloud.clock.milliseconds(), intents: AtomicU64::new(0) }
    }

    /// In the target's account.
    pub(super) fn target(&self, purpose: Purpose) -> Scope {
        self.scope(&self.world.account, purpose)
    }

    /// In the scanner's account.
    pub(super) fn service(&self, purpose: Purpose) -> Scope {
        self.scope(&self.world.service, purpose)
    }

    fn scope(&self, account: &AccountId, purpose: Purpose) -> Scope {
        let region = self.world.region.clone();
        Scope { account: account.clone(), region, purpose, job: self.job() }
    }

    /// The name of this run's job.
    pub(super) fn job(&self) -> String {
        format!("conformance-{}", self.begun)
    }

    /// A new intent in an account.
    pub(super) fn origin(&self, account: &AccountId) -> Result<Origin, Failure> {
        let number = self.intents.fetch_add(1, Ordering::Relaxed);
        let intent = IntentId::parse(&format!("{:016x}{number:016x}", self.begun));
        let intent = intent.ok_or_else(|| Failure("no intent can be made".to_owned()))?;
        Ok(Origin { account: account.clone(), region: self.world.region.clone(), job: self.job(), intent })
    }

    /// What was made under this intent of these sources, during this run. The cloud's clock may go wrong by some minutes.
    pub(super) fn expected(&self, origin: Origin, sources: &[&str]) -> Expected {
        let begun = i64::try_from(self.begun / 1_000).unwrap_or(0);
        let sources = sources.iter().map(|source| (*source).to_owned()).collect();
        let until = self.cloud.clock.now().plus(Duration::from_secs(3_600));
        let from = Timestamp(begun.saturating_sub(300));
        Expected { origin, sources, from, until, answered: Vec::new() }
    }

    /// Asks.
    pub(super) async fn ask<R: Request>(&self, scope: &Scope, request: R) -> Result<R::Answer, Error> {
        self.cloud.ask(scope, request).await
    }

    /// Asks again while the service throttles: it had no effect.
    pub(super) async fn ask_patiently<R: Request + Clone>(
        &self,
        scope: &Scope,
        request: R,
    ) -> Result<R::Answer, Error> {
        let begun = self.cloud.clock.now();
        loop {
            match self.ask(scope, request.clone()).await {
                Err(error) if error.class == Class::Throttled && self.is_patient(begun) => {
                    self.cloud.clock.sleep(Duration::from_secs(5)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Looks every two seconds until there is something.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let begun = self.cloud.clock.now();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if !self.is_patient(begun) {
                return Err(Failure(format!("after {:?} still not {what}", self.world.patience)));
            }
            self.cloud.clock.sleep(Duration::from_secs(2)).await;
        }
    }

    fn is_patient(&self, begun: Timestamp) -> bool {
        self.cloud.clock.now().since(begun) < self.world.patience
    }

    /// The snapshots, of all pages.
    pub(super) async fn snapshots(
        &self,
        scope: &Scope,
        find: Find<SnapshotId>,
    ) -> Result<Vec<Snapshot>, Failure> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.ask_patiently(scope, DescribeSnapshots { find: find.clone(), token }).await?;
            all.extend(page.items);
            token = page.token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The volumes, of all pages.
    pub(super) async fn volumes(&self, scope: &Scope, find: Find<VolumeId>) -> Result<Vec<Volume>, Failure> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.ask_patiently(scope, DescribeVolumes { find: find.clone(), token }).await?;
            all.extend(page.items);
            token = page.token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// Waits until a snapshot is in this state.
    pub(super) async fn snapshot_is(
        &self,
        scope: &Scope,
        id: &SnapshotId,
        state: &str,
    ) -> Result<(), Failure> {
        self.until(&format!("{id} {state}"), async || {
            let found = self.snapshots(scope, Find::Ids(vec![id.clone()])).await?;
            Ok(found.iter().any(|snapshot| snapshot.state == state).then_some(()))
        })
        .await
    }

    /// Waits until a volume is in this state.
    pub(super) async fn volume_is(&self, scope: &Scope, id: &VolumeId, state: &str) -> Result<(), Failure> {
        self.until(&format!("{id} {state}"), async || {
            let found = self.volumes(scope, Find::Ids(vec![id.clone()])).await?;
            Ok(found.iter().any(|volume| volume.state == state).then_some(()))
        })
        .await
    }
}
