// SPDX-License-Identifier: Apache-2.0
//! What EC2 and KMS tell about things that nobody here makes: instances, images, types, keys.

use super::call::{Said, Turn, refuse};
use super::defaults;
use super::records::{InstanceRecord, KeyRecord, VolumeRecord};
use super::store;
use crate::VolumeId;
use crate::ec2::{
    DescribeImages, DescribeInstanceTypes, DescribeInstances, DescribeKey, Image, Instance, InstanceType,
    Key, Page,
};

impl Turn<'_> {
    /// Unknown ids are missing from the answer, as with a filter.
    pub(super) fn describe_instances(&self, call: &DescribeInstances) -> Said<Page<Instance>> {
        if call.ids.len() > 100 {
            return refuse(
                "InvalidParameterValue",
                format!("{} instance ids; 100 are allowed", call.ids.len()),
            );
        }
        let mut records: Vec<&InstanceRecord> =
            call.ids.iter().filter_map(|id| self.instance(id).ok()).collect();
        records.sort_by(|one, other| one.id.cmp(&other.id));
        records.dedup_by(|one, other| one.id == other.id);
        let page = self.page(records, |record| record.id.to_string(), call.token.as_deref())?;
        let volumes = store::all::<VolumeRecord>(self.tx, self.world)?;
        let items = page.items.into_iter().map(|record| instance(record, volumes.values())).collect();
        Ok(Page { items, token: page.token })
    }

    pub(super) fn describe_images(&self, call: &DescribeImages) -> Page<Image> {
        let images = call.ids.iter().filter_map(|id| self.world.images.get(id));
        let here = images.filter(|it| it.account == self.scope.account && self.is_here(it.region.as_ref()));
        let items = here.map(|it| Image {
            id: it.id.clone(),
            owner: it.account.clone(),
            disks: it.disks.clone(),
            root_device: it.root_device.clone(),
            tags: it.tags.clone(),
        });
        Page { items: items.collect(), token: None }
    }

    pub(super) fn describe_types(&self, call: &DescribeInstanceTypes) -> Vec<InstanceType> {
        call.kinds.iter().filter_map(|kind| self.kind(kind)).collect()
    }

    /// The type of this name.
    fn kind(&self, name: &str) -> Option<InstanceType> {
        let listed = self.world.settings.types.iter().find(|kind| kind.kind == name).cloned();
        listed.or_else(|| defaults::types().into_iter().find(|kind| kind.kind == name))
    }

    /// How many volumes an instance takes: what its type says, less cards and disks where these count too.
    /// Source: Amazon EC2 User Guide, "Amazon EBS volume limits for Amazon EC2 instances".
    pub(super) fn attachments(&self, name: &str, macs: usize) -> usize {
        let kind = self.kind(name);
        let (most, shared, disks) =
            kind.map_or((28, true, 0), |kind| (kind.attachments, kind.shared, kind.instance_disks));
        let taken = if shared { macs.max(1) + usize::try_from(disks).unwrap_or(usize::MAX) } else { 0 };
        usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(taken)
    }

    pub(super) fn describe_key(&self, call: &DescribeKey) -> Said<Key> {
        let known: Option<&KeyRecord> = self.world.keys.get(&call.key);
        let Some(key) = known else {
            return refuse("NotFoundException", format!("Key '{}' does not exist", call.key));
        };
        if !key.lets(&self.scope.account) {
            return refuse(
                "AccessDeniedException",
                format!("account {} may not use {}", self.scope.account, key.arn),
            );
        }
        Ok(Key {
            arn: key.arn.clone(),
            is_aws_managed: key.managed,
            state: key.state.clone(),
            origin: key.origin.clone(),
        })
    }
}

/// As EC2 tells of an instance; its disks are the volumes that are attached to it now.
fn instance<'v>(record: &InstanceRecord, volumes: impl Iterator<Item = &'v VolumeRecord>) -> Instance {
    let disk = |volume: &VolumeRecord| -> Option<(String, VolumeId)> {
        let attachment = volume.attachment.as_ref().filter(|it| it.instance == record.id)?;
        Some((attachment.device.clone(), volume.id.clone()))
    };
    Instance {
        id: record.id.clone(),
        state: record.state.clone(),
        image: record.image.clone(),
        zone: record.zone.clone(),
        kind: record.kind.clone(),
        root_device: record.root_device.clone(),
        root_is_ebs: record.root_is_ebs,
        disks: volumes.filter_map(disk).collect(),
        addresses: record.addresses.clone(),
        dns: record.dns.clone(),
        macs: record.macs.clone(),
        product_codes: record.product_codes.clone(),
        tags: record.tags.clone(),
    }
}
