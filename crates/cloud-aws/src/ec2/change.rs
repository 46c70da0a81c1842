// SPDX-License-Identifier: Apache-2.0
//! What makes, attaches, shares and deletes.

use aws_sdk_ec2::types::{
    InstanceSpecification, OperationType, ResourceType, SnapshotAttributeName, Tag, TagSpecification,
    VolumeType,
};
use snapscan_cloud::ec2::{
    AttachVolume, CopySnapshot, CreateSnapshot, CreateSnapshots, CreateVolume, DeleteSnapshot, DeleteVolume,
    DetachVolume, Snapshot, Tags,
};
use snapscan_cloud::{AccountId, Error, Scope, SnapshotId, Timestamp, VolumeId};

use super::shape;
use crate::{Aws, classify};

impl Aws {
    pub(crate) async fn create_snapshots(
        &self,
        scope: &Scope,
        request: CreateSnapshots,
    ) -> Result<Vec<Snapshot>, Error> {
        let action = "ec2:CreateSnapshots";
        let exclude = request.exclude.iter().map(ToString::to_string).collect();
        let of = InstanceSpecification::builder()
            .instance_id(request.instance.as_str())
            .exclude_boot_volume(request.exclude_root)
            .set_exclude_data_volume_ids(Some(exclude));
        let ask = self.ec2(scope).await?.create_snapshots().instance_specification(of.build());
        let ask = ask.description(request.description);
        let answer = ask.tag_specifications(tags(ResourceType::Snapshot, &request.tags)).send().await;
        let answer = answer.map_err(|error| classify::error(action, true, &error))?;
        answer.snapshots().iter().map(|one| shape::member(action, one, &self.settings.clock)).collect()
    }

    pub(crate) async fn create_snapshot(
        &self,
        scope: &Scope,
        request: CreateSnapshot,
    ) -> Result<Snapshot, Error> {
        let action = "ec2:CreateSnapshot";
        let ask = self.ec2(scope).await?.create_snapshot().volume_id(request.volume.as_str());
        let ask = ask.description(request.description);
        let answer = ask.tag_specifications(tags(ResourceType::Snapshot, &request.tags)).send().await;
        let made = answer.map_err(|error| classify::error(action, true, &error))?;
        Ok(Snapshot {
            id: shape::id(action, "snapshot", made.snapshot_id(), SnapshotId::parse)?,
            volume: request.volume,
            state: made.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
            state_message: String::new(),
            started: self.settings.clock.told(Timestamp(made.start_time().map_or(0, |time| time.secs()))),
            size_gib: made.volume_size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            full_bytes: None,
            encrypted: made.encrypted().unwrap_or(false),
            key: made.kms_key_id().map(str::to_owned),
            owner: scope.account.clone(),
            description: made.description().unwrap_or_default().to_owned(),
            tier: "standard".to_owned(),
            tags: shape::tags(made.tags()),
        })
    }

    pub(crate) async fn copy_snapshot(
        &self,
        scope: &Scope,
        request: CopySnapshot,
    ) -> Result<SnapshotId, Error> {
        let action = "ec2:CopySnapshot";
        let ask = self.ec2(scope).await?.copy_snapshot().source_snapshot_id(request.source.as_str());
        let ask = ask.source_region(request.source_region.as_str()).description(request.description);
        let ask = ask.encrypted(request.encrypted).set_kms_key_id(request.key);
        let answer = ask.tag_specifications(tags(ResourceType::Snapshot, &request.tags)).send().await;
        let made = answer.map_err(|error| classify::error(action, true, &error))?;
        shape::id(action, "snapshot", made.snapshot_id(), SnapshotId::parse)
    }

    /// Adds or removes one account; never a group, so nothing can become public.
    pub(crate) async fn share(
        &self,
        scope: &Scope,
        snapshot: &SnapshotId,
        with: &AccountId,
        add: bool,
    ) -> Result<(), Error> {
        let operation = if add { OperationType::Add } else { OperationType::Remove };
        let ask = self.ec2(scope).await?.modify_snapshot_attribute().snapshot_id(snapshot.as_str());
        let ask = ask.attribute(SnapshotAttributeName::CreateVolumePermission).operation_type(operation);
        let answer = ask.user_ids(with.as_str()).send().await;
        answer.map(drop).map_err(|error| classify::error("ec2:ModifySnapshotAttribute", true, &error))
    }

    pub(crate) async fn delete_snapshot(&self, scope: &Scope, request: DeleteSnapshot) -> Result<(), Error> {
        let ask = self.ec2(scope).await?.delete_snapshot().snapshot_id(request.snapshot.id().as_str());
        ask.send().await.map(drop).map_err(|error| classify::error("ec2:DeleteSnapshot", true, &error))
    }

    pub(crate) async fn create_volume(
        &self,
        scope: &Scope,
        request: CreateVolume,
    ) -> Result<VolumeId, Error> {
        let action = "ec2:CreateVolume";
        let ask = self.ec2(scope).await?.create_volume().snapshot_id(request.snapshot.as_str());
        let ask =
            ask.availability_zone(request.zone).volume_type(VolumeType::Gp3).client_token(request.token);
        let ask = match request.key {
            Some(key) => ask.encrypted(true).kms_key_id(key),
            None => ask,
        };
        let answer = ask.tag_specifications(tags(ResourceType::Volume, &request.tags)).send().await;
        let made = answer.map_err(|error| classify::error(action, true, &error))?;
        shape::id(action, "volume", made.volume_id(), VolumeId::parse)
    }

    pub(crate) async fn attach_volume(&self, scope: &Scope, request: AttachVolume) -> Result<(), Error> {
        let ask = self.ec2(scope).await?.attach_volume().volume_id(request.volume.id().as_str());
        let answer = ask.instance_id(request.instance.as_str()).device(request.device).send().await;
        answer.map(drop).map_err(|error| classify::error("ec2:AttachVolume", true, &error))
    }

    pub(crate) async fn detach_volume(&self, scope: &Scope, request: DetachVolume) -> Result<(), Error> {
        let attachment = request.attachment.id();
        let ask = self.ec2(scope).await?.detach_volume().volume_id(attachment.volume.as_str());
        // Without the instance the stand-in answers 500, and AWS would detach from whichever it is.
        let answer = ask.instance_id(attachment.instance.as_str()).force(request.force).send().await;
        answer.map(drop).map_err(|error| classify::error("ec2:DetachVolume", true, &error))
    }

    pub(crate) async fn delete_volume(&self, scope: &Scope, request: DeleteVolume) -> Result<(), Error> {
        let ask = self.ec2(scope).await?.delete_volume().volume_id(request.volume.id().as_str());
        ask.send().await.map(drop).map_err(|error| classify::error("ec2:DeleteVolume", true, &error))
    }
}

pub(super) fn tags(kind: ResourceType, tags: &Tags) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}
