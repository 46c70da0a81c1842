// SPDX-License-Identifier: Apache-2.0
//! How one thing is taken away, and when it is gone.
//!
//! Each deletion is of something that was looked at just before and is ours. An empty answer alone proves nothing: a
//! young id may not be known yet.

use std::time::Duration;

use snapscan_cloud::ec2::{
    Attachment, DeleteSnapshot, DeleteVolume, DescribeSnapshots, DetachVolume, Find, UnshareSnapshot,
};
use snapscan_cloud::owned::NotOurs;
use snapscan_cloud::{AccountId, Class, Error as CloudError, Owned, Scope, SnapshotId, VolumeId};

use super::Resources;
use crate::agent::boundary;
use crate::agent::ledger::{APART, Event, Intent, Kind, Made, Trouble};

/// A deletion that was accepted and does not show after so long waits for something: a pending snapshot's completion.
const SHOWS: Duration = Duration::from_secs(30);
/// After so long it is asked for once more.
const AGAIN: Duration = Duration::from_secs(600);
/// A detach that took so long is forced.
const FORCE: Duration = Duration::from_secs(60);

/// How far a thing is from being gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It is.
    Gone,
    /// Seconds.
    Soon(String),
    /// Minutes or more: nobody waits for that.
    Later(String),
    /// It is not there, and nothing proves yet that it will not come.
    Missing,
    /// Somebody must look.
    Loud(Trouble, String),
}

/// A thing that was looked at and is ours.
enum Ours {
    Snapshot(Owned<SnapshotId>),
    Volume(Owned<VolumeId>),
    Share(Owned<SnapshotId>, AccountId),
    Attachment(Owned<Attachment>),
}

impl Resources {
    /// One step towards taking a thing away. May be called any number of times.
    pub(super) async fn undo(&self, scope: &Scope, intent: &mut Intent, thing: &Made) -> Undone {
        if self.is_gone_with_its_source(intent).await {
            return self.gone(intent, &thing.id).await;
        }
        let ours = match self.look_again(scope, intent, &thing.id).await {
            Ok(ours) => ours,
            Err(NotOurs::Absent(_)) => return self.absent(intent, &thing.id).await,
            Err(NotOurs::Cloud(error)) => return refused(&error),
            Err(other @ NotOurs::Foreign { .. }) => return Undone::Loud(Trouble::Foreign, other.to_string()),
            Err(other @ NotOurs::Ambiguous { .. }) => {
                return Undone::Loud(Trouble::Ambiguous, other.to_string());
            }
        };
        let now = self.cloud.clock.now();
        let is_forced = match thing.deleted.map(|at| now.since(at)) {
            Some(past) if matches!(ours, Ours::Attachment(_)) && past >= FORCE => true,
            Some(past) if past < AGAIN => return self.lingers(scope, &ours, past).await,
            _ => false,
        };
        self.note(intent, Event::Deleting(thing.id.clone(), now)).await;
        match self.take_away(scope, ours, is_forced).await {
            Ok(()) => {
                self.note(intent, Event::Deleted(thing.id.clone(), self.cloud.clock.now())).await;
                match self.look_again(scope, intent, &thing.id).await {
                    Err(NotOurs::Absent(_)) => self.gone(intent, &thing.id).await,
                    _ => Undone::Soon("its deletion was accepted and does not show yet".to_owned()),
                }
            }
            Err(error) if error.class == Class::NotFound => self.absent(intent, &thing.id).await,
            Err(error) => refused(&error),
        }
    }

    /// A share goes with its snapshot, an attachment with its volume, where that was ours.
    pub(super) async fn is_gone_with_its_source(&self, intent: &Intent) -> bool {
        let (Kind::Share | Kind::Attachment, Some(source)) = (intent.kind, intent.sources.first()) else {
            return false;
        };
        let makers = self.ledger.makers(source).await.unwrap_or_default();
        let mut things = makers.iter().flat_map(|maker| &maker.made);
        things.any(|made| made.id == *source && made.gone.is_some())
    }

    async fn look_again(&self, scope: &Scope, intent: &Intent, id: &str) -> Result<Ours, NotOurs> {
        let absent = || NotOurs::Absent(id.to_owned());
        let (cloud, expected) = (&self.cloud, intent.expects());
        let snapshot = || SnapshotId::parse(id).ok_or_else(absent);
        let volume = || VolumeId::parse(id).ok_or_else(absent);
        Ok(match intent.kind {
            Kind::Set | Kind::Snapshot => {
                Ours::Snapshot(self.owner.snapshot(cloud, scope, &expected, &snapshot()?).await?)
            }
            Kind::Copy => Ours::Snapshot(self.owner.copy(cloud, scope, &expected, &snapshot()?).await?),
            Kind::Volume => Ours::Volume(self.owner.volume(cloud, scope, &expected, &volume()?).await?),
            Kind::Share => {
                let maker = self.source_maker(id).await?;
                let with = AccountId::parse(&intent.about).ok_or_else(absent)?;
                let owned = self.owner.shared(cloud, scope, &maker.expects(), &snapshot()?, &with).await?;
                Ours::Share(owned, with)
            }
            Kind::Attachment => {
                let maker = self.source_maker(id).await?;
                let scanner = snapscan_cloud::InstanceId::parse(&intent.about).ok_or_else(absent)?;
                let owned =
                    self.owner.attachment(cloud, scope, &maker.expects(), &volume()?, &scanner).await?;
                Ours::Attachment(owned)
            }
        })
    }

    async fn source_maker(&self, id: &str) -> Result<Intent, NotOurs> {
        let why = |error: super::Error| NotOurs::Foreign { id: id.to_owned(), why: error.to_string() };
        self.maker(id).await.map_err(why)
    }

    async fn take_away(&self, scope: &Scope, ours: Ours, force: bool) -> Result<(), CloudError> {
        match ours {
            Ours::Snapshot(snapshot) => self.cloud.ask(scope, DeleteSnapshot { snapshot }).await,
            Ours::Volume(volume) => self.cloud.ask(scope, DeleteVolume { volume }).await,
            Ours::Share(snapshot, with) => self.cloud.ask(scope, UnshareSnapshot { snapshot, with }).await,
            Ours::Attachment(attachment) => self.cloud.ask(scope, DetachVolume { attachment, force }).await,
        }
    }

    /// Its deletion was accepted, and it still shows.
    async fn lingers(&self, scope: &Scope, ours: &Ours, past: Duration) -> Undone {
        let pause = |why: &str| {
            if past < SHOWS { Undone::Soon(why.to_owned()) } else { Undone::Later(why.to_owned()) }
        };
        let Ours::Snapshot(owned) = ours else {
            // A volume is `deleting`, an attachment `detaching` for a while.
            return if past < FORCE {
                Undone::Soon("going".to_owned())
            } else {
                Undone::Later("going".to_owned())
            };
        };
        let find = Find::Ids(vec![owned.id().clone()]);
        let page = self.cloud.ask(scope, DescribeSnapshots { find, token: None }).await.unwrap_or_default();
        match page.items.first().map(|one| one.state.as_str()) {
            Some("pending") => Undone::Later("it is pending: it goes once it is complete".to_owned()),
            Some("recoverable") => {
                Undone::Loud(Trouble::RecycleBin, "a rule of the account keeps it".to_owned())
            }
            _ => pause("its deletion was accepted and does not show yet"),
        }
    }

    /// It is not there. That proves it gone only if its deletion was accepted, or if it was seen before and is missing
    /// twice, a minute apart, or if it was never seen and is missing twice long after the call.
    async fn absent(&self, intent: &mut Intent, id: &str) -> Undone {
        let now = self.cloud.clock.now();
        self.note(intent, Event::Absent(id.to_owned(), now)).await;
        let Some(thing) = intent.made.iter().find(|made| made.id == id) else {
            return Undone::Missing;
        };
        if boundary::sabotaged("notfound-is-gone")
            || thing.deleted.is_some()
            || thing.absent.is_some_and(|first| now.0 - first.0 >= APART)
        {
            return self.gone(intent, id).await;
        }
        Undone::Missing
    }

    async fn gone(&self, intent: &mut Intent, id: &str) -> Undone {
        self.note(intent, Event::Gone(id.to_owned(), self.cloud.clock.now())).await;
        Undone::Gone
    }
}

/// What a refusal means for something that shall go.
fn refused(error: &CloudError) -> Undone {
    let text = error.to_string();
    if text.to_ascii_lowercase().contains("locked") {
        return Undone::Loud(Trouble::Locked, text);
    }
    match error.class {
        Class::Denied => Undone::Loud(Trouble::Denied, text),
        // An image was made of it: it goes when that does.
        Class::State if error.code == "InvalidSnapshot.InUse" => Undone::Later(text),
        Class::Throttled | Class::State | Class::Transient | Class::Unknown | Class::Conflict => {
            Undone::Soon(text)
        }
        Class::Quota | Class::NotFound | Class::Key | Class::LeaseLost | Class::Permanent => {
            Undone::Later(text)
        }
    }
}
