// SPDX-License-Identifier: Apache-2.0
//! Whether something may be done, by EC2's `DryRun`.
//!
//! The requests are made here anew, with the flag in each, and not by the functions that change something: whoever reads
//! this file sees that nothing in it can. What decides about permission (things, tags, account) is as it would be there.

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{
    InstanceSpecification, OperationType, ResourceType, SnapshotAttributeName, VolumeType,
};
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::SdkError;
use snapscan_cloud::dry_run::DryRun;
use snapscan_cloud::{AccountId, Class, Error, Scope, SnapshotId};

use super::change::tags as marks;
use crate::{Aws, classify};

impl Aws {
    /// Asks, with nothing done whatever the answer is.
    pub(crate) async fn dry_run(&self, scope: &Scope, dry: DryRun) -> Result<(), Error> {
        let (ec2, action) = (self.ec2(scope).await?, dry.of().name());
        match dry {
            DryRun::CreateSnapshots { instance, tags } => {
                let of = InstanceSpecification::builder().instance_id(instance.as_str()).build();
                let ask = ec2.create_snapshots().instance_specification(of).dry_run(true);
                let ask = ask.tag_specifications(marks(ResourceType::Snapshot, &tags));
                verdict(action, ask.send().await)
            }
            DryRun::CreateSnapshot { volume, tags } => {
                let ask = ec2.create_snapshot().volume_id(volume.as_str()).dry_run(true);
                let ask = ask.tag_specifications(marks(ResourceType::Snapshot, &tags));
                verdict(action, ask.send().await)
            }
            DryRun::CopySnapshot { source, tags } => {
                let ask = ec2.copy_snapshot().source_snapshot_id(source.as_str()).dry_run(true);
                let ask = ask.source_region(scope.region.as_str());
                let ask = ask.tag_specifications(marks(ResourceType::Snapshot, &tags));
                verdict(action, ask.send().await)
            }
            DryRun::ShareSnapshot { snapshot, with } => {
                verdict(action, may_share(&ec2, &snapshot, &with, OperationType::Add).await)
            }
            DryRun::UnshareSnapshot { snapshot, with } => {
                verdict(action, may_share(&ec2, &snapshot, &with, OperationType::Remove).await)
            }
            DryRun::DeleteSnapshot { snapshot } => verdict(
                action,
                ec2.delete_snapshot().snapshot_id(snapshot.as_str()).dry_run(true).send().await,
            ),
            DryRun::CreateVolume { snapshot, zone, tags } => {
                let ask = ec2.create_volume().snapshot_id(snapshot.as_str()).dry_run(true);
                let ask = ask.availability_zone(zone).volume_type(VolumeType::Gp3);
                let ask = ask.tag_specifications(marks(ResourceType::Volume, &tags));
                verdict(action, ask.send().await)
            }
            DryRun::AttachVolume { volume, instance, device } => {
                let ask = ec2.attach_volume().volume_id(volume.as_str()).dry_run(true);
                verdict(action, ask.instance_id(instance.as_str()).device(device).send().await)
            }
            DryRun::DetachVolume { volume, instance } => {
                let ask = ec2.detach_volume().volume_id(volume.as_str()).dry_run(true);
                verdict(action, ask.instance_id(instance.as_str()).send().await)
            }
            DryRun::DeleteVolume { volume } => {
                verdict(action, ec2.delete_volume().volume_id(volume.as_str()).dry_run(true).send().await)
            }
        }
    }
}

async fn may_share(
    ec2: &aws_sdk_ec2::Client,
    snapshot: &SnapshotId,
    with: &AccountId,
    operation: OperationType,
) -> Result<
    aws_sdk_ec2::operation::modify_snapshot_attribute::ModifySnapshotAttributeOutput,
    SdkError<aws_sdk_ec2::operation::modify_snapshot_attribute::ModifySnapshotAttributeError, HttpResponse>,
> {
    let ask = ec2.modify_snapshot_attribute().snapshot_id(snapshot.as_str()).dry_run(true);
    let ask = ask.attribute(SnapshotAttributeName::CreateVolumePermission).operation_type(operation);
    ask.user_ids(with.as_str()).send().await
}

/// What EC2 says, as ours: its "it would have succeeded" is an error there, and any success a flag that was not heard.
fn verdict<T, E: ProvideErrorMetadata>(
    action: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<(), Error> {
    match answer {
        Ok(_) => Err(Error {
            class: Class::Permanent,
            ..Error::of(action, "DryRunIgnored", "the service did it, though only asked whether it may")
        }),
        Err(error) => match classify::error(action, false, &error) {
            allowed if allowed.code == "DryRunOperation" => Ok(()),
            error => Err(error),
        },
    }
}
