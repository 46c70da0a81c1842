// SPDX-License-Identifier: Apache-2.0
//! How a volume is waited for, when a key's refusal shows only as a volume that is not there.
//!
//! CreateVolume answers with an id before KMS is asked. Without rights on the key the volume is taken back, and neither
//! a state nor an error says so.

use std::time::Duration;

use snapscan_cloud::ec2::{Attachment, Snapshot, Volume};
use snapscan_cloud::service::Purpose;
use snapscan_cloud::{Class, Timestamp, VolumeId};

use super::wait::is_passing;
use super::{Error, Place, Resources};

/// Between two looks.
const POLL: Duration = Duration::from_secs(2);
/// A volume that nobody saw for so long after its id was given was taken back.
const GHOST: Duration = Duration::from_secs(120);

/// What was seen of a volume so far.
struct Watch {
    began: Timestamp,
    was_seen: bool,
    /// Looks in a row that did not find it.
    missed: u32,
    is_encrypted: bool,
}

impl Watch {
    /// True if it is not going to come (back): one list may lag, two in a row after it was seen do not.
    fn is_gone(&self, now: Timestamp) -> bool {
        if self.was_seen { self.missed >= 2 } else { now.since(self.began) >= GHOST }
    }
}

impl Resources {
    /// Makes a volume of a snapshot that is ours or shared with us, and waits until it can be attached.
    ///
    /// # Errors
    /// `Ghost` if the key cannot be used, `Stuck` after `limit`, and those of a call that makes something.
    pub(crate) async fn volume(
        &self,
        at: &Place,
        snapshot: &Snapshot,
        zone: &str,
        key: Option<&str>,
        limit: Duration,
    ) -> Result<Volume, Error> {
        let id = self.create_volume(at, &snapshot.id, zone, key).await?;
        let (clock, scope) = (self.cloud.clock, at.scope(Purpose::Create));
        let began = clock.now();
        let is_encrypted = snapshot.encrypted || key.is_some();
        let mut watch = Watch { began, was_seen: false, missed: 0, is_encrypted };
        loop {
            clock.sleep(POLL).await;
            let state = match self.look_at_volume(&scope, &id).await {
                Ok(Some(volume)) if volume.state == "available" => return Ok(volume),
                Ok(Some(volume)) if volume.state == "creating" => {
                    (watch.was_seen, watch.missed) = (true, 0);
                    watch.is_encrypted |= volume.encrypted;
                    volume.state
                }
                Ok(Some(volume)) => return Err(self.lost(at, &id, key, snapshot, &watch, volume.state)),
                Ok(None) => {
                    watch.missed += 1;
                    "missing".to_owned()
                }
                Err(error) if is_passing(&error) => error.code,
                Err(error) => return Err(Error::Look(error)),
            };
            if watch.is_gone(clock.now()) {
                return Err(self.lost(at, &id, key, snapshot, &watch, state));
            }
            if clock.now().since(began) >= limit {
                return Err(Error::Stuck { volume: id, state, waited: limit });
            }
        }
    }

    fn lost(
        &self,
        at: &Place,
        id: &VolumeId,
        key: Option<&str>,
        snapshot: &Snapshot,
        watch: &Watch,
        state: String,
    ) -> Error {
        if !watch.is_encrypted {
            let waited = self.cloud.clock.now().since(watch.began);
            return Error::Stuck { volume: id.clone(), state, waited };
        }
        let key = key.map(str::to_owned).or_else(|| snapshot.key.clone());
        Error::Ghost { volume: id.clone(), key, account: at.account.clone() }
    }

    /// Attaches a volume of ours to the scanner, and waits until it is there.
    ///
    /// # Errors
    /// `Stuck` after `limit`, and those of a call that makes something.
    pub(crate) async fn attach(
        &self,
        at: &Place,
        volume: &VolumeId,
        device: &str,
        limit: Duration,
    ) -> Result<Attachment, Error> {
        match self.attach_volume(at, volume, device).await {
            // In use by this very instance is what was wanted: an earlier call took effect after all.
            Err(Error::Refused { kind, error }) if error.class == Class::State => {
                if !self.is_here(at, volume).await? {
                    return Err(Error::Refused { kind, error });
                }
            }
            asked => asked?,
        }
        self.wait_attached(at, volume, limit).await
    }

    async fn is_here(&self, at: &Place, volume: &VolumeId) -> Result<bool, Error> {
        let found = self.look_at_volume(&at.scope(Purpose::Create), volume).await.map_err(Error::Look)?;
        Ok(found.is_some_and(|one| one.attachments.iter().any(|each| each.instance == self.host.instance)))
    }

    async fn wait_attached(
        &self,
        at: &Place,
        volume: &VolumeId,
        limit: Duration,
    ) -> Result<Attachment, Error> {
        let (clock, scope) = (self.cloud.clock, at.scope(Purpose::Create));
        let began = clock.now();
        loop {
            let found = match self.look_at_volume(&scope, volume).await {
                Ok(found) => found,
                Err(error) if is_passing(&error) => None,
                Err(error) => return Err(Error::Look(error)),
            };
            let here = found
                .and_then(|one| one.attachments.into_iter().find(|each| each.instance == self.host.instance));
            let state = match here {
                Some(here) if here.state == "attached" => return Ok(here),
                Some(here) => here.state,
                None => "not attached".to_owned(),
            };
            if clock.now().since(began) >= limit {
                return Err(Error::Stuck { volume: volume.clone(), state, waited: limit });
            }
            clock.sleep(POLL).await;
        }
    }
}
