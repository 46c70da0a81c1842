// SPDX-License-Identifier: Apache-2.0
//! The SDK's shapes as ours.

use aws_sdk_ec2::types as sdk;
use snapscan_cloud::ec2::{Attachment, Image, Instance, InstanceType, Snapshot, Tags, Volume};
use snapscan_cloud::{AccountId, Clock, Error, ImageId, InstanceId, SnapshotId, Timestamp, VolumeId};

use crate::classify;

pub(super) fn instance(action: &str, instance: &sdk::Instance) -> Result<Instance, Error> {
    let disks = instance.block_device_mappings().iter().filter_map(|mapping| {
        let volume = VolumeId::parse(mapping.ebs()?.volume_id()?)?;
        Some((mapping.device_name()?.to_owned(), volume))
    });
    let cards = instance.network_interfaces();
    let addresses = cards.iter().flat_map(sdk::InstanceNetworkInterface::private_ip_addresses);
    let mut addresses: Vec<String> =
        addresses.filter_map(|a| a.private_ip_address().map(str::to_owned)).collect();
    if addresses.is_empty() {
        addresses.extend(instance.private_ip_address().map(str::to_owned));
    }
    Ok(Instance {
        id: id(action, "instance", instance.instance_id(), InstanceId::parse)?,
        state: instance.state().and_then(|s| s.name()).map(|n| n.as_str().to_owned()).unwrap_or_default(),
        image: instance.image_id().and_then(ImageId::parse),
        zone: owned(instance.placement().and_then(|placement| placement.availability_zone())),
        kind: instance.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        root_device: owned(instance.root_device_name()),
        root_is_ebs: instance.root_device_type().is_none_or(|kind| kind.as_str() == "ebs"),
        disks: disks.collect(),
        addresses,
        dns: owned(instance.private_dns_name()),
        macs: cards.iter().filter_map(|card| card.mac_address().map(str::to_owned)).collect(),
        product_codes: codes(instance.product_codes()),
        tags: tags(instance.tags()),
    })
}

fn codes(codes: &[sdk::ProductCode]) -> Vec<String> {
    let market =
        codes.iter().filter(|code| code.product_code_type().is_some_and(|t| t.as_str() == "marketplace"));
    market.filter_map(|code| code.product_code_id().map(str::to_owned)).collect()
}

pub(super) fn volume(action: &str, volume: &sdk::Volume, clock: &Clock) -> Result<Volume, Error> {
    let attachment = |attachment: &sdk::VolumeAttachment| {
        Some(Attachment {
            volume: VolumeId::parse(attachment.volume_id()?)?,
            instance: InstanceId::parse(attachment.instance_id()?)?,
            device: owned(attachment.device()),
            state: attachment.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        })
    };
    Ok(Volume {
        id: id(action, "volume", volume.volume_id(), VolumeId::parse)?,
        state: volume.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        size_gib: positive(volume.size()),
        zone: owned(volume.availability_zone()),
        snapshot: volume.snapshot_id().and_then(SnapshotId::parse),
        encrypted: volume.encrypted().unwrap_or(false),
        key: volume.kms_key_id().map(str::to_owned),
        created: clock.told(Timestamp(volume.create_time().map_or(0, |time| time.secs()))),
        // Told only of one volume at a time (DescribeVolumeAttribute); the instance's own are in its description.
        product_codes: Vec::new(),
        attachments: volume.attachments().iter().filter_map(attachment).collect(),
        tags: tags(volume.tags()),
    })
}

pub(super) fn snapshot(action: &str, snapshot: &sdk::Snapshot, clock: &Clock) -> Result<Snapshot, Error> {
    Ok(Snapshot {
        id: id(action, "snapshot", snapshot.snapshot_id(), SnapshotId::parse)?,
        volume: id(action, "volume", snapshot.volume_id(), VolumeId::parse)?,
        state: snapshot.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        state_message: owned(snapshot.state_message()),
        started: clock.told(Timestamp(snapshot.start_time().map_or(0, |time| time.secs()))),
        size_gib: positive(snapshot.volume_size()),
        full_bytes: snapshot.full_snapshot_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        encrypted: snapshot.encrypted().unwrap_or(false),
        key: snapshot.kms_key_id().map(str::to_owned),
        owner: id(action, "owner", snapshot.owner_id(), AccountId::parse)?,
        description: owned(snapshot.description()),
        tier: snapshot.storage_tier().map_or_else(|| "standard".to_owned(), |tier| tier.as_str().to_owned()),
        tags: tags(snapshot.tags()),
    })
}

/// A member of a set, as the call that made it tells it.
pub(super) fn member(action: &str, info: &sdk::SnapshotInfo, clock: &Clock) -> Result<Snapshot, Error> {
    Ok(Snapshot {
        id: id(action, "snapshot", info.snapshot_id(), SnapshotId::parse)?,
        volume: id(action, "volume", info.volume_id(), VolumeId::parse)?,
        state: info.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        state_message: String::new(),
        started: clock.told(Timestamp(info.start_time().map_or(0, |time| time.secs()))),
        size_gib: positive(info.volume_size()),
        full_bytes: None,
        encrypted: info.encrypted().unwrap_or(false),
        key: None,
        owner: id(action, "owner", info.owner_id(), AccountId::parse)?,
        description: owned(info.description()),
        tier: "standard".to_owned(),
        tags: tags(info.tags()),
    })
}

pub(super) fn image(action: &str, image: &sdk::Image) -> Result<Image, Error> {
    let disks = image.block_device_mappings().iter().filter_map(|mapping| {
        let snapshot = SnapshotId::parse(mapping.ebs()?.snapshot_id()?)?;
        Some((mapping.device_name()?.to_owned(), snapshot))
    });
    Ok(Image {
        id: id(action, "image", image.image_id(), ImageId::parse)?,
        owner: id(action, "owner", image.owner_id(), AccountId::parse)?,
        disks: disks.collect(),
        root_device: owned(image.root_device_name()),
        tags: tags(image.tags()),
    })
}

pub(super) fn instance_type(info: &sdk::InstanceTypeInfo) -> InstanceType {
    let ebs = info.ebs_info();
    let attachments =
        ebs.and_then(|ebs| ebs.maximum_ebs_attachments()).and_then(|most| u32::try_from(most).ok());
    let shared = ebs.and_then(|ebs| ebs.attachment_limit_type()).is_none_or(|kind| kind.as_str() == "shared");
    let disks = info.instance_storage_info().map(sdk::InstanceStorageInfo::disks).unwrap_or_default();
    let disks: i32 = disks.iter().filter_map(sdk::DiskInfo::count).sum();
    InstanceType {
        kind: info.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        // The limit of older Nitro types, where none is told.
        attachments: attachments.unwrap_or(28),
        shared,
        instance_disks: u32::try_from(disks).unwrap_or(0),
    }
}

pub(super) fn tags(tags: &[sdk::Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), owned(tag.value())))).collect()
}

pub(super) fn id<T>(
    action: &str,
    what: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    text.and_then(parse).ok_or_else(|| classify::missing(action, &format!("{what} id")))
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn positive(number: Option<i32>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}
