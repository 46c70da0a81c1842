// SPDX-License-Identifier: Apache-2.0
//! How each action is asked without anything being done.
//!
//! | action | is asked by |
//! |---|---|
//! | of EC2 that changes something | its dry run, on a thing of ours where one is there now, else on one that does not exist |
//! | that looks, or reads blocks | itself, for a thing of ours or for one that does not exist: "no such thing" proves the permission |
//! | anything else | nothing: what it would do, or what it would need, is said |

use snapscan_cloud::dry_run::DryRun;
use snapscan_cloud::ebs::{GetSnapshotBlock, ListSnapshotBlocks};
use snapscan_cloud::ec2::{
    DescribeImages, DescribeInstanceTypes, DescribeInstances, DescribeKey, DescribeShares, DescribeSnapshots,
    DescribeVolumes, Find, Snapshot, Tags, Volume,
};
use snapscan_cloud::{
    AccountId, Action, Call, ImageId, InstanceId, Purpose, Scope, SnapshotId, VolumeId, owned,
};

use super::permissions::{Asker, Session};

/// What is there to be asked about: things of ours, where the account has any now.
#[derive(Default)]
pub(super) struct Things {
    snapshot: Option<Snapshot>,
    volume: Option<Volume>,
    key: Option<String>,
}

/// How an action is asked.
pub(super) enum Probe {
    /// By this; on a thing of ours?
    Ask { call: Call, ours: bool, purpose: Purpose },
    /// Not at all, because of this.
    Not(&'static str),
}

impl Asker<'_> {
    /// Things of ours in the account of a session.
    pub(super) async fn things(&self, session: &Session) -> Things {
        let deployment = || self.config.deployment.clone();
        if session.home {
            let ask = DescribeVolumes { find: Find::Deployment(deployment()), token: None };
            let page = self.cloud.ask(&session.scope.to(Purpose::Scanner), ask).await.unwrap_or_default();
            return Things { volume: page.items.into_iter().next(), ..Things::default() };
        }
        // What cannot be listed shows in the session that lists.
        let ask = DescribeSnapshots { find: Find::Deployment(deployment()), token: None };
        let page = self.cloud.ask(&session.scope.to(Purpose::Read), ask).await.unwrap_or_default();
        let snapshot = page.items.into_iter().find(|one| one.state == "completed");
        let entry = self.config.accounts.get(&session.scope.account);
        let key = snapshot.as_ref().and_then(|one| one.key.clone());
        Things { key: key.or_else(|| entry?.copy_key.clone()), snapshot, volume: None }
    }

    /// How an action is asked; `None` for one that this file does not know.
    pub(super) async fn probe(&self, session: &Session, action: Action, things: &Things) -> Option<Probe> {
        let purpose = session.scope.purpose;
        let ours = things.snapshot.is_some() || things.volume.is_some();
        let snapshot = match &things.snapshot {
            Some(snapshot) => snapshot.id.clone(),
            None => SnapshotId::parse("snap-00000000000000000")?,
        };
        let instance = InstanceId::parse("i-00000000000000000")?;
        let ask = |call: Call| Some(Probe::Ask { call, ours, purpose });
        if let Some(dry) = self.dry_run(action, things, &snapshot) {
            return ask(dry.into());
        }
        match action {
            Action::DescribeInstances => ask(DescribeInstances { ids: vec![instance], token: None }.into()),
            Action::DescribeVolumes => {
                ask(DescribeVolumes { find: Find::AttachedTo(instance), token: None }.into())
            }
            Action::DescribeSnapshots => {
                ask(DescribeSnapshots { find: Find::Ids(vec![snapshot]), token: None }.into())
            }
            Action::DescribeImages => {
                ask(DescribeImages { ids: vec![ImageId::parse("ami-00000000000000000")?] }.into())
            }
            Action::DescribeInstanceTypes => {
                ask(DescribeInstanceTypes { kinds: vec![self.host.kind.clone()] }.into())
            }
            Action::DescribeShares => ask(DescribeShares { snapshot }.into()),
            Action::DescribeKey => match &things.key {
                Some(key) => ask(DescribeKey { key: key.clone() }.into()),
                None => Some(Probe::Not("which keys there are shows only with a target's volumes")),
            },
            Action::ListSnapshotBlocks => {
                let call = ListSnapshotBlocks { snapshot, start: 0, token: None, most: 100 }.into();
                // Only a session for that very snapshot is not held to our tag.
                let purpose = if ours { purpose } else { Purpose::Borrow };
                Some(Probe::Ask { call, ours, purpose })
            }
            Action::GetSnapshotBlock => match self.block(&session.scope, things).await {
                Some(get) => ask(get.into()),
                None => Some(Probe::Not("it needs a block of a snapshot of ours, and none is here now")),
            },
            _ => None,
        }
    }

    /// The dry run of an action that changes something.
    fn dry_run(&self, action: Action, things: &Things, snapshot: &SnapshotId) -> Option<DryRun> {
        let tags = Tags::from([(owned::TAG_DEPLOYMENT.to_owned(), self.config.deployment.clone())]);
        let snapshot = snapshot.clone();
        let with: AccountId = self.host.account.clone();
        // What a snapshot of ours was made of is one that we may snapshot.
        let source = match &things.snapshot {
            Some(one) => one.volume.clone(),
            None => VolumeId::parse("vol-00000000000000000")?,
        };
        let volume = match &things.volume {
            Some(one) => one.id.clone(),
            None => VolumeId::parse("vol-00000000000000000")?,
        };
        let (scanner, zone) = (self.host.instance.clone(), self.host.zone.clone());
        Some(match action {
            Action::CreateSnapshots => {
                DryRun::CreateSnapshots { instance: InstanceId::parse("i-00000000000000000")?, tags }
            }
            Action::CreateSnapshot => DryRun::CreateSnapshot { volume: source, tags },
            Action::CopySnapshot => DryRun::CopySnapshot { source: snapshot, tags },
            Action::ShareSnapshot => DryRun::ShareSnapshot { snapshot, with },
            Action::UnshareSnapshot => DryRun::UnshareSnapshot { snapshot, with },
            Action::DeleteSnapshot => DryRun::DeleteSnapshot { snapshot },
            Action::CreateVolume => DryRun::CreateVolume { snapshot, zone, tags },
            Action::AttachVolume => {
                DryRun::AttachVolume { volume, instance: scanner, device: "/dev/sdf".to_owned() }
            }
            Action::DetachVolume => DryRun::DetachVolume { volume, instance: scanner },
            Action::DeleteVolume => DryRun::DeleteVolume { volume },
            _ => return None,
        })
    }

    /// The first block of a snapshot of ours: to read it costs a fraction of a cent, and proves the key too.
    async fn block(&self, scope: &Scope, things: &Things) -> Option<GetSnapshotBlock> {
        let snapshot = things.snapshot.as_ref()?.id.clone();
        let list = ListSnapshotBlocks { snapshot: snapshot.clone(), start: 0, token: None, most: 100 };
        let page = self.cloud.ask(scope, list).await.ok()?;
        let (index, token) = page.blocks.into_iter().next()?;
        Some(GetSnapshotBlock { snapshot, index, token })
    }
}
