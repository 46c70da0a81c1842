// SPDX-License-Identifier: Apache-2.0
//! Which function makes which call.

use snapscan_cloud::{Answer, Call, Error, Scope, Service};

use crate::Aws;

#[async_trait::async_trait]
impl Service for Aws {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.permission();
        // Session policies say the same; here it costs nothing and holds for the scanner's own account, too.
        if !action.purposes().contains(&scope.purpose) {
            let said = format!("a session for {:?} may not do this", scope.purpose);
            return Err(Error::of(action.name(), "UnauthorizedOperation", said));
        }
        Ok(match call {
            Call::DescribeInstances(r) => Answer::DescribeInstances(self.describe_instances(scope, r).await?),
            Call::DescribeVolumes(r) => Answer::DescribeVolumes(self.describe_volumes(scope, r).await?),
            Call::DescribeSnapshots(r) => Answer::DescribeSnapshots(self.describe_snapshots(scope, r).await?),
            Call::DescribeImages(r) => Answer::DescribeImages(self.describe_images(scope, r).await?),
            Call::DescribeInstanceTypes(r) => {
                Answer::DescribeInstanceTypes(self.describe_instance_types(scope, r).await?)
            }
            Call::DescribeShares(r) => Answer::DescribeShares(self.describe_shares(scope, r).await?),
            Call::DescribeKey(r) => Answer::DescribeKey(self.describe_key(scope, r).await?),
            Call::CreateSnapshots(r) => Answer::CreateSnapshots(self.create_snapshots(scope, r).await?),
            Call::CreateSnapshot(r) => Answer::CreateSnapshot(self.create_snapshot(scope, r).await?),
            Call::CopySnapshot(r) => Answer::CopySnapshot(self.copy_snapshot(scope, r).await?),
            Call::ShareSnapshot(r) => {
                Answer::ShareSnapshot(self.share(scope, r.snapshot.id(), &r.with, true).await?)
            }
            Call::UnshareSnapshot(r) => {
                Answer::UnshareSnapshot(self.share(scope, r.snapshot.id(), &r.with, false).await?)
            }
            Call::DeleteSnapshot(r) => Answer::DeleteSnapshot(self.delete_snapshot(scope, r).await?),
            Call::CreateVolume(r) => Answer::CreateVolume(self.create_volume(scope, r).await?),
            Call::AttachVolume(r) => Answer::AttachVolume(self.attach_volume(scope, r).await?),
            Call::DetachVolume(r) => Answer::DetachVolume(self.detach_volume(scope, r).await?),
            Call::DeleteVolume(r) => Answer::DeleteVolume(self.delete_volume(scope, r).await?),
            Call::ListSnapshotBlocks(r) => Answer::ListSnapshotBlocks(self.list_blocks(scope, r).await?),
            Call::GetSnapshotBlock(r) => Answer::GetSnapshotBlock(self.get_block(scope, r).await?),
            Call::WhoAmI(r) => Answer::WhoAmI(self.who_am_i(scope, r).await?),
            Call::Receive(r) => Answer::Receive(self.receive(r).await?),
            Call::ExtendLease(r) => Answer::ExtendLease(self.extend(r).await?),
            Call::DeleteMessage(r) => Answer::DeleteMessage(self.delete_message(r).await?),
            Call::Send(r) => Answer::Send(self.send(r).await?),
            Call::Bury(r) => Answer::Bury(self.bury(r).await?),
            Call::CountMessages(_) => Answer::CountMessages(self.count_messages().await?),
            Call::GetSecret(r) => Answer::GetSecret(self.get_secret(r).await?),
            Call::PutObject(r) => Answer::PutObject(self.put_object(r).await?),
            Call::GetObject(r) => Answer::GetObject(self.get_object(r).await?),
            Call::ListObjects(r) => Answer::ListObjects(self.list_objects(r).await?),
            Call::DeleteObject(r) => Answer::DeleteObject(self.delete_object(r).await?),
            Call::GetRow(r) => Answer::GetRow(self.get_row(r).await?),
            Call::PutRow(r) => Answer::PutRow(self.put_row(r).await?),
            Call::DeleteRow(r) => Answer::DeleteRow(self.delete_row(r).await?),
            Call::ListRows(r) => Answer::ListRows(self.list_rows(r).await?),
            Call::Describe(_) => Answer::Describe(self.describe_host().await?),
            Call::Watch(_) => Answer::Watch(self.watch_host().await?),
            Call::Protect(r) => Answer::Protect(self.protect(r).await?),
            Call::DryRun(r) => Answer::DryRun(self.dry_run(scope, r).await?),
        })
    }
}
