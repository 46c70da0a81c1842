// SPDX-License-Identifier: Apache-2.0
//! One call: what it sees, what it may do, and how it ends.

use std::path::{Path, PathBuf};

use rusqlite::Transaction;
use sha2::{Digest, Sha256};

use super::events::{self, EventKind, Happened};
use super::records::{InstanceRecord, SnapshotRecord, VolumeRecord};
use super::store::{self, Kept};
use super::world::World;
use crate::ec2::{Page, Tags};
use crate::{Answer, Call, InstanceId, Purpose, Region, Scope, SnapshotId, Timestamp, VolumeId};

/// A call that is refused: the service's code, and its words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

/// What an answer is made of, or why there is none.
pub(super) type Said<T> = Result<T, Refusal>;

/// Refuses.
pub(super) fn refuse<T>(code: &str, message: impl Into<String>) -> Said<T> {
    Err(Refusal { code: code.to_owned(), message: message.into() })
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self { code: "InternalError".to_owned(), message: format!("the local cloud's database: {error}") }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self { code: "InternalError".to_owned(), message: format!("the local cloud's folder: {error}") }
    }
}

/// One call's transaction.
pub(super) struct Turn<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) world: &'a World,
    pub(super) folder: &'a Path,
    /// Milliseconds since 1970.
    pub(super) now: u64,
    pub(super) scope: &'a Scope,
    /// What to note in the log beside the call's own result.
    pub(super) happened: Vec<Happened>,
    /// Files that are removed once the transaction is committed: before that, the thing is still there.
    pub(super) dropped: Vec<PathBuf>,
}

impl Turn<'_> {
    /// Answers, if the session may ask.
    pub(super) fn answer(&mut self, call: Call) -> Said<Answer> {
        self.permitted(&call)?;
        Ok(match call {
            Call::DescribeInstances(call) => Answer::DescribeInstances(self.describe_instances(&call)?),
            Call::DescribeVolumes(call) => Answer::DescribeVolumes(self.describe_volumes(&call)?),
            Call::DescribeSnapshots(call) => Answer::DescribeSnapshots(self.describe_snapshots(&call)?),
            Call::DescribeImages(call) => Answer::DescribeImages(self.describe_images(&call)),
            Call::DescribeInstanceTypes(call) => Answer::DescribeInstanceTypes(self.describe_types(&call)),
            Call::DescribeShares(call) => Answer::DescribeShares(self.describe_shares(&call)?),
            Call::DescribeKey(call) => Answer::DescribeKey(self.describe_key(&call)?),
            Call::CreateSnapshots(call) => Answer::CreateSnapshots(self.create_snapshots(&call)?),
            Call::CreateSnapshot(call) => Answer::CreateSnapshot(self.create_snapshot(&call)?),
            Call::CopySnapshot(call) => Answer::CopySnapshot(self.copy_snapshot(&call)?),
            Call::ShareSnapshot(call) => {
                Answer::ShareSnapshot(self.share_snapshot(call.snapshot.id(), &call.with)?)
            }
            Call::UnshareSnapshot(call) => {
                Answer::UnshareSnapshot(self.unshare_snapshot(call.snapshot.id(), &call.with)?)
            }
            Call::DeleteSnapshot(call) => Answer::DeleteSnapshot(self.delete_snapshot(call.snapshot.id())?),
            Call::CreateVolume(call) => Answer::CreateVolume(self.create_volume(&call)?),
            Call::AttachVolume(call) => {
                Answer::AttachVolume(self.attach_volume(call.volume.id(), &call.instance, &call.device)?)
            }
            Call::DetachVolume(call) => {
                Answer::DetachVolume(self.detach_volume(call.attachment.id(), call.force)?)
            }
            Call::DeleteVolume(call) => Answer::DeleteVolume(self.delete_volume(call.volume.id())?),
            Call::ListSnapshotBlocks(call) => Answer::ListSnapshotBlocks(self.list_blocks(&call)?),
            Call::GetSnapshotBlock(call) => Answer::GetSnapshotBlock(self.grant_block(&call)?),
            Call::WhoAmI(call) => Answer::WhoAmI(self.who_am_i(call)?),
            Call::Receive(call) => Answer::Receive(self.receive(&call)?),
            Call::ExtendLease(call) => Answer::ExtendLease(self.extend_lease(&call)?),
            Call::DeleteMessage(call) => Answer::DeleteMessage(self.delete_message(&call)?),
            Call::Send(call) => Answer::Send(self.send(&call)?),
            Call::Bury(call) => Answer::Bury(self.bury(&call)?),
            Call::CountMessages(_) => Answer::CountMessages(self.count_messages()?),
            Call::GetSecret(call) => Answer::GetSecret(self.get_secret(&call)?),
            Call::PutObject(call) => Answer::PutObject(self.put_object(&call)?),
            Call::GetObject(call) => Answer::GetObject(self.get_object(&call)?),
            Call::ListObjects(call) => Answer::ListObjects(self.list_objects(&call)?),
            Call::DeleteObject(call) => Answer::DeleteObject(self.delete_object(&call)?),
            Call::GetRow(call) => Answer::GetRow(self.get_row(&call)?),
            Call::PutRow(call) => Answer::PutRow(self.put_row(&call)?),
            Call::DeleteRow(call) => Answer::DeleteRow(self.delete_row(&call)?),
            Call::ListRows(call) => Answer::ListRows(self.list_rows(&call)?),
            Call::Describe(_) => Answer::Describe(self.describe_host()),
            Call::Watch(_) => Answer::Watch(self.watch_host()),
            Call::Protect(call) => Answer::Protect(self.protect_host(&call)?),
            Call::DryRun(_) => Answer::DryRun(()),
        })
    }

    /// Whether the account knows us, the purpose covers the action, and no policy denies it.
    fn permitted(&self, call: &Call) -> Said<()> {
        // The metadata service asks for no credentials: whoever is on the host may know what it is.
        if matches!(call, Call::Describe(_) | Call::Watch(_)) {
            return Ok(());
        }
        let action = call.permission();
        let name = action.name();
        let own = self.world.settings.host.account == self.scope.account;
        let Some(account) = self.world.account(&self.scope.account) else {
            return refuse(
                "AccessDenied",
                format!("no role in account {} can be assumed", self.scope.account),
            );
        };
        let scanner = self.scope.purpose == Purpose::Scanner;
        if scanner && !own && !matches!(call, Call::WhoAmI(_)) {
            return refuse("AccessDenied", "the scanner's own role works in its own account only");
        }
        if action.purposes().contains(&self.scope.purpose) && !account.denied.contains(name) {
            return Ok(());
        }
        let code = match name.split_once(':') {
            Some(("ec2", _)) => "UnauthorizedOperation",
            Some(("ebs", _)) => "AccessDeniedException/UNAUTHORIZED_ACCOUNT",
            Some(("kms" | "dynamodb" | "secretsmanager", _)) => "AccessDeniedException",
            _ => "AccessDenied",
        };
        refuse(
            code,
            format!("a session for {:?} may not {name} in account {}", self.scope.purpose, account.id),
        )
    }

    /// The time in seconds.
    pub(super) fn seconds(&self) -> Timestamp {
        seconds(self.now)
    }

    /// So many seconds from now, in milliseconds.
    pub(super) fn after(&self, seconds: u64) -> u64 {
        self.now.saturating_add(seconds.saturating_mul(1000))
    }

    /// Notes what this call has done to something.
    pub(super) fn note(&mut self, kind: EventKind, id: &str, size_gib: u64) {
        self.happened.push(Happened { at: self.now, kind, ids: vec![id.to_owned()], size_gib });
    }

    /// Notes at once what happened to something by itself, as its tags say for which job.
    pub(super) fn note_due<T: Kept>(
        &self,
        thing: &T,
        at: u64,
        why: &str,
        kind: EventKind,
        size: u64,
    ) -> Said<()> {
        let scope = Scope {
            account: thing.account().clone(),
            region: thing.region().unwrap_or(&self.world.settings.region).clone(),
            purpose: self.scope.purpose,
            job: thing.tags().get(crate::owned::TAG_JOB).cloned().unwrap_or_default(),
        };
        let happened = Happened { at, kind, ids: vec![thing.id().to_owned()], size_gib: size };
        events::append(self.tx, &scope, false, why, &happened, None)?;
        Ok(())
    }

    /// A new id of a kind, such as `snap-`.
    pub(super) fn new_id(&self, prefix: &str) -> Said<String> {
        Ok(numbered_id(prefix, store::number(self.tx, prefix)?))
    }

    /// Is this thing in the region that is asked?
    pub(super) fn is_here(&self, region: Option<&Region>) -> bool {
        *region.unwrap_or(&self.world.settings.region) == self.scope.region
    }

    /// The instance of this id in the account that is asked.
    pub(super) fn instance(&self, id: &InstanceId) -> Said<&InstanceRecord> {
        let instance = self.world.instances.get(id);
        match instance.filter(|it| it.account == self.scope.account && self.is_here(it.region.as_ref())) {
            Some(instance) => Ok(instance),
            None => refuse("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist")),
        }
    }

    /// The volume of this id in the account that is asked, once it is known.
    pub(super) fn volume(&self, id: &VolumeId) -> Said<VolumeRecord> {
        let volume: Option<VolumeRecord> = store::get(self.tx, self.world, id.as_str())?;
        match volume.filter(|it| it.account == self.scope.account && self.sees(it, it.visible)) {
            Some(volume) => Ok(volume),
            None => refuse("InvalidVolume.NotFound", format!("The volume '{id}' does not exist.")),
        }
    }

    /// The snapshot of this id, of the account that is asked or shared with it, once it is known.
    pub(super) fn readable_snapshot(&self, id: &SnapshotId) -> Said<SnapshotRecord> {
        let snapshot: Option<SnapshotRecord> = store::get(self.tx, self.world, id.as_str())?;
        match snapshot.filter(|it| self.sees(it, it.visible) && self.is_shown(it)) {
            Some(snapshot) => Ok(snapshot),
            None => refuse("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist.")),
        }
    }

    /// The snapshot of this id, of the account that is asked.
    pub(super) fn own_snapshot(&self, id: &SnapshotId) -> Said<SnapshotRecord> {
        let snapshot = self.readable_snapshot(id)?;
        if snapshot.account == self.scope.account {
            return Ok(snapshot);
        }
        refuse(
            "UnauthorizedOperation",
            format!("the snapshot '{id}' belongs to account {}", snapshot.account),
        )
    }

    /// Is this snapshot of the account that is asked, or shared with it?
    pub(super) fn is_shown(&self, snapshot: &SnapshotRecord) -> bool {
        snapshot.account == self.scope.account || snapshot.shares.contains(&self.scope.account)
    }

    /// Is this thing in the region, and known by now?
    pub(super) fn sees<T: Kept>(&self, thing: &T, visible: u64) -> bool {
        visible <= self.now && self.is_here(thing.region())
    }

    /// One page of things in the order of their ids. A token is the last id of the page before, with `+` before it if an
    /// empty page was given since.
    pub(super) fn page<T>(
        &self,
        things: Vec<T>,
        id: impl Fn(&T) -> String,
        token: Option<&str>,
    ) -> Said<Page<T>> {
        let paging = self.world.settings.paging;
        let token = token.unwrap_or_default();
        let (gave_empty, last) = token.strip_prefix('+').map_or((false, token), |last| (true, last));
        let rest: Vec<T> = things.into_iter().filter(|thing| id(thing).as_str() > last).collect();
        if paging.empty && !gave_empty && !rest.is_empty() {
            return Ok(Page { items: Vec::new(), token: Some(format!("+{last}")) });
        }
        let most = if paging.items == 0 { 1000 } else { paging.items };
        let more = rest.len() > most;
        let items: Vec<T> = rest.into_iter().take(most).collect();
        let token = items.last().filter(|_| more).map(&id);
        Ok(Page { items, token })
    }

    /// Where a volume's bytes are.
    pub(super) fn volume_path(&self, id: &VolumeId) -> PathBuf {
        self.folder.join("volumes").join(format!("{id}.img"))
    }

    /// Where a snapshot's bytes are.
    pub(super) fn snapshot_path(&self, id: &SnapshotId) -> PathBuf {
        self.folder.join("snapshots").join(format!("{id}.img"))
    }

    /// Refuses tags and descriptions that AWS would not take.
    /// Source: Amazon EC2 User Guide, "Tag restrictions"; API Reference, `CreateSnapshots`.
    pub(super) fn check_marks(&self, tags: &Tags, description: &str) -> Said<()> {
        if tags.len() > 50 {
            return refuse("TagLimitExceeded", format!("{} tags; 50 are allowed", tags.len()));
        }
        let long =
            |(key, value): &(&String, &String)| key.chars().count() > 128 || value.chars().count() > 256;
        if let Some((key, value)) = tags.iter().find(long) {
            return refuse(
                "InvalidParameterValue",
                format!("tag {key:?} is too long, or its value of {} is", value.len()),
            );
        }
        if description.len() > 255 {
            return refuse(
                "InvalidParameterValue",
                format!("a description of {} bytes; 255 are allowed", description.len()),
            );
        }
        Ok(())
    }
}

/// Milliseconds as seconds.
pub(super) fn seconds(milliseconds: u64) -> Timestamp {
    Timestamp(store::signed(milliseconds / 1000))
}

/// The id of a kind with this number.
pub(super) fn numbered_id(prefix: &str, number: u64) -> String {
    let digest = Sha256::digest(format!("{prefix}{number}"));
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}0{digits}")
}
