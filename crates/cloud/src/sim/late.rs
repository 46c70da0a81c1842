// SPDX-License-Identifier: Apache-2.0
//! Ids that the cloud does not know yet, although it gave them out.
//!
//! Source: Amazon EC2 Developer Guide, "Eventual consistency": a new id can be unknown to the next call. Lists leave it
//! out; calls on it answer `InvalidSnapshot.NotFound` and the like.

use std::collections::HashMap;
use std::time::Duration;

use super::dice::Dice;
use crate::{Answer, Call, Error};

/// The ids that were given out. Times are milliseconds of one clock.
#[derive(Debug, Default)]
pub(super) struct Late {
    known_from: HashMap<String, u64>,
}

impl Late {
    /// Refuses a call on an id that is not known yet.
    pub(super) fn refuses(&self, call: &Call, now: u64) -> Option<Error> {
        let (id, code) = on(call)?;
        let message = format!("{id} does not exist (yet)");
        self.is_hidden(id, now).then(|| Error::of(call.action().name(), code, message))
    }

    /// Leaves out of an answer what is not known yet, and hides for a while what was just made.
    pub(super) fn sees(&mut self, answer: &mut Answer, now: u64, most: Duration, dice: &mut Dice) {
        match answer {
            Answer::DescribeSnapshots(page) => page.items.retain(|s| !self.is_hidden(s.id.as_str(), now)),
            Answer::DescribeVolumes(page) => page.items.retain(|v| !self.is_hidden(v.id.as_str(), now)),
            answer => {
                let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
                for id in made(answer) {
                    // The same token answers the same id again: what is known stays known.
                    self.known_from.entry(id).or_insert(now.saturating_add(dice.between(0, most)));
                }
            }
        }
    }

    fn is_hidden(&self, id: &str, now: u64) -> bool {
        self.known_from.get(id).is_some_and(|from| *from > now)
    }
}

fn made(answer: &Answer) -> Vec<String> {
    match answer {
        Answer::CreateSnapshots(all) => all.iter().map(|snapshot| snapshot.id.to_string()).collect(),
        Answer::CreateSnapshot(snapshot) => vec![snapshot.id.to_string()],
        Answer::CopySnapshot(id) => vec![id.to_string()],
        Answer::CreateVolume(id) => vec![id.to_string()],
        _ => vec![],
    }
}

/// The id that a call is made on, and what is answered if that is unknown.
fn on(call: &Call) -> Option<(&str, &'static str)> {
    const SNAPSHOT: &str = "InvalidSnapshot.NotFound";
    const VOLUME: &str = "InvalidVolume.NotFound";
    const BLOCKS: &str = "ResourceNotFoundException/SNAPSHOT_NOT_FOUND";
    Some(match call {
        Call::DescribeShares(ask) => (ask.snapshot.as_str(), SNAPSHOT),
        Call::ShareSnapshot(share) => (share.snapshot.id().as_str(), SNAPSHOT),
        Call::UnshareSnapshot(share) => (share.snapshot.id().as_str(), SNAPSHOT),
        Call::DeleteSnapshot(delete) => (delete.snapshot.id().as_str(), SNAPSHOT),
        Call::CopySnapshot(copy) => (copy.source.as_str(), SNAPSHOT),
        Call::CreateVolume(create) => (create.snapshot.as_str(), SNAPSHOT),
        Call::CreateSnapshot(create) => (create.volume.as_str(), VOLUME),
        Call::AttachVolume(attach) => (attach.volume.id().as_str(), VOLUME),
        Call::DetachVolume(detach) => (detach.attachment.id().volume.as_str(), VOLUME),
        Call::DeleteVolume(delete) => (delete.volume.id().as_str(), VOLUME),
        Call::ListSnapshotBlocks(list) => (list.snapshot.as_str(), BLOCKS),
        Call::GetSnapshotBlock(get) => (get.snapshot.as_str(), BLOCKS),
        _ => return None,
    })
}
