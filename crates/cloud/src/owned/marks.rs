// SPDX-License-Identifier: Apache-2.0
//! The tags and the description that a call which creates must carry.
//!
//! A set of snapshots gets the same tags and description for all its members, so the tag holds one short MAC for each
//! volume, sorted. The description signs the whole list, so no list can be put together of parts of others.
//!
//! Shape: `snapscan` = deployment, `snapscan:job`, `snapscan:intent`, `snapscan:mac` = MACs joined by dots, at most
//! 21 a tag, further ones in `snapscan:mac-2` …; description `snapscan <deployment> <intent> <MAC>`.
//! Source: Amazon EC2 User Guide, "Tag your Amazon EC2 resources": values of up to 256 characters, 50 tags a resource;
//! CreateSnapshots sets at most 128 volumes; a snapshot's description has at most 255 characters.

use super::mac::{Signed, full, short};
use super::{Origin, Owner};
use crate::ec2::Tags;
use crate::{SnapshotId, VolumeId};

/// The tag that names the deployment.
pub const TAG_DEPLOYMENT: &str = "snapscan";
/// The tag that names the job.
pub const TAG_JOB: &str = "snapscan:job";
/// The tag that names the intent.
pub const TAG_INTENT: &str = "snapscan:intent";
/// The tag with the MACs, and `snapscan:mac-2` … where one value is too short for a large set.
pub const TAG_MAC: &str = "snapscan:mac";
/// The tag that names a copy's source, which a copy shows nowhere else.
pub const TAG_SOURCE: &str = "snapscan:source";

/// MACs in one tag: 21 of 11 characters and the dots between them are 251.
const MACS_IN_A_TAG: usize = 21;
/// Tags with MACs at most: 128 volumes are the most of a set.
const MAC_TAGS: usize = 7;

/// What a call that creates must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The tags.
    pub tags: Tags,
    /// The description; empty for volumes, which have none.
    pub description: String,
}

impl Owner {
    /// What snapshots of these volumes, at most 128, must carry.
    pub fn snapshot_marks(&self, origin: &Origin, volumes: &[VolumeId]) -> Marks {
        self.set_marks(origin, &self.set_macs(origin, volumes.iter().map(VolumeId::as_str)))
    }

    /// What a copy of this snapshot must carry.
    pub fn copy_marks(&self, origin: &Origin, source: &SnapshotId) -> Marks {
        let mac = short(&self.key, Signed::Copy, &fields(origin, source.as_str()));
        let description = self.description(Signed::CopyDescription, origin, std::slice::from_ref(&mac));
        let mut tags = self.tags(origin, &[mac]);
        tags.insert(TAG_SOURCE.to_owned(), source.as_str().to_owned());
        Marks { tags, description }
    }

    /// What a volume of this snapshot must carry.
    pub fn volume_marks(&self, origin: &Origin, snapshot: &SnapshotId) -> Marks {
        let mut signed = vec![self.deployment.as_str(), origin.job.as_str()];
        signed.extend(fields(origin, snapshot.as_str()));
        let mac = full(&self.key, Signed::Volume, &signed);
        Marks { tags: self.tags(origin, &[mac]), description: String::new() }
    }

    /// What a set must carry whose members' MACs are known.
    pub(super) fn set_marks(&self, origin: &Origin, macs: &[String]) -> Marks {
        Marks {
            tags: self.tags(origin, macs),
            description: self.description(Signed::SnapshotDescription, origin, macs),
        }
    }

    /// The MACs of a set's members, sorted.
    pub(super) fn set_macs<'a>(
        &self,
        origin: &Origin,
        volumes: impl Iterator<Item = &'a str>,
    ) -> Vec<String> {
        let mut macs: Vec<String> = volumes.map(|volume| self.volume_mac(origin, volume)).collect();
        macs.sort_unstable();
        macs.dedup();
        macs
    }

    /// The MAC of one member of a set.
    pub(super) fn volume_mac(&self, origin: &Origin, volume: &str) -> String {
        short(&self.key, Signed::Snapshot, &fields(origin, volume))
    }

    fn tags(&self, origin: &Origin, macs: &[String]) -> Tags {
        let mut tags = Tags::from([
            (TAG_DEPLOYMENT.to_owned(), self.deployment.clone()),
            (TAG_JOB.to_owned(), origin.job.clone()),
            (TAG_INTENT.to_owned(), origin.intent.as_str().to_owned()),
        ]);
        tags.extend(macs.chunks(MACS_IN_A_TAG).enumerate().map(|(nth, macs)| (mac_tag(nth), macs.join("."))));
        tags
    }

    fn description(&self, signed: Signed, origin: &Origin, macs: &[String]) -> String {
        let intent = origin.intent.as_str();
        let mut fields = vec![
            self.deployment.as_str(),
            origin.account.as_str(),
            origin.region.as_str(),
            origin.job.as_str(),
            intent,
        ];
        fields.extend(macs.iter().map(String::as_str));
        format!("snapscan {} {intent} {}", self.deployment, full(&self.key, signed, &fields))
    }
}

/// The MACs that tags name, in their order. Whether they are ours is told by making the marks of them again.
pub(super) fn listed_macs(tags: &Tags) -> Vec<String> {
    let values = (0..MAC_TAGS).map_while(|nth| tags.get(&mac_tag(nth)));
    values.flat_map(|value| value.split('.')).map(str::to_owned).collect()
}

/// All tags that a thing of ours may carry.
pub fn tag_keys() -> Vec<String> {
    let plain = [TAG_DEPLOYMENT, TAG_JOB, TAG_INTENT, TAG_SOURCE].map(str::to_owned);
    plain.into_iter().chain((0..MAC_TAGS).map(mac_tag)).collect()
}

fn mac_tag(nth: usize) -> String {
    match nth {
        0 => TAG_MAC.to_owned(),
        nth => format!("{TAG_MAC}-{}", nth.saturating_add(1)),
    }
}

fn fields<'a>(origin: &'a Origin, source: &'a str) -> [&'a str; 4] {
    [origin.account.as_str(), origin.region.as_str(), source, origin.intent.as_str()]
}
