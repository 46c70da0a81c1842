// SPDX-License-Identifier: Apache-2.0
//! How EC2 answers about copies of snapshots, with keys of their own, and about those with whom a snapshot is shared.

use super::bytes;
use super::call::{Said, Turn, refuse};
use super::defaults;
use super::events::EventKind;
use super::records::SnapshotRecord;
use super::store;
use crate::ec2::{CopySnapshot, DescribeShares};
use crate::{AccountId, SnapshotId};

/// Copies into a region that may be in progress at once.
/// Source: Amazon EBS quotas, "Concurrent snapshot copies per destination Region".
const COPIES: usize = 20;

impl Turn<'_> {
    /// The key is asked later: a copy whose key cannot be used is accepted, and ends in error.
    pub(super) fn copy_snapshot(&mut self, call: &CopySnapshot) -> Said<SnapshotId> {
        self.check_marks(&call.tags, &call.description)?;
        let source = self.source(call)?;
        if self.state(&source) != "completed" {
            return refuse("IncorrectState", format!("snapshot {} is {}", source.id, self.state(&source)));
        }
        if source.key.is_some() && !call.encrypted {
            return refuse(
                "InvalidParameterValue",
                format!("a copy of {} must be encrypted, as it is", source.id),
            );
        }
        let all = store::all::<SnapshotRecord>(self.tx, self.world)?;
        let running = |it: &&SnapshotRecord| {
            it.copy
                && it.ready > self.now
                && it.account == self.scope.account
                && self.is_here(it.region.as_ref())
        };
        if all.values().filter(running).count() >= COPIES {
            return refuse("ResourceLimitExceeded", format!("{COPIES} snapshot copies are in progress"));
        }
        let key = self.key_of_new(call.key.as_deref(), call.encrypted);
        let record = SnapshotRecord {
            region: Some(self.scope.region.clone()),
            copy: true,
            size_gib: source.size_gib,
            ready: self.after(self.world.settings.latency.copy),
            fails: self.why_copy_fails(&source, key.as_deref()),
            key,
            description: call.description.clone(),
            product_codes: source.product_codes.clone(),
            tags: call.tags.clone(),
            ..self.new_snapshot(defaults::no_volume())?
        };
        bytes::duplicate(&self.snapshot_path(&source.id), &self.snapshot_path(&record.id), record.size_gib)?;
        self.keep_snapshot(&record)?;
        Ok(record.id)
    }

    /// The source of a copy, in the region that the call names.
    fn source(&self, call: &CopySnapshot) -> Said<SnapshotRecord> {
        let source: Option<SnapshotRecord> = store::get(self.tx, self.world, call.source.as_str())?;
        let own_region = &self.world.settings.region;
        let found = source.filter(|it| {
            it.visible <= self.now
                && self.is_shown(it)
                && *it.region.as_ref().unwrap_or(own_region) == call.source_region
        });
        match found {
            Some(source) => Ok(source),
            None => {
                refuse("InvalidSnapshot.NotFound", format!("The snapshot '{}' does not exist.", call.source))
            }
        }
    }

    /// The key of something new: what was named, else the account's own where encryption is wanted, else none.
    pub(super) fn key_of_new(&self, named: Option<&str>, encrypted: bool) -> Option<String> {
        let account = self.world.account(&self.scope.account);
        let by_default = account.as_ref().is_some_and(|account| account.encrypt);
        if named.is_none() && !encrypted && !by_default {
            return None;
        }
        let chosen = named.map(str::to_owned).or_else(|| account.and_then(|account| account.default_key));
        let managed = || {
            let own = |key: &&super::records::KeyRecord| key.managed && key.account == self.scope.account;
            self.world.keys.values().find(own).map(|key| key.arn.clone())
        };
        let none = || format!("arn:aws:kms:{}:{}:alias/aws/ebs", self.scope.region, self.scope.account);
        Some(chosen.or_else(managed).unwrap_or_else(none))
    }

    /// Source: Amazon EBS User Guide, "Copy an Amazon EBS snapshot": the message for a key that cannot be used.
    fn why_copy_fails(&self, source: &SnapshotRecord, key: Option<&str>) -> Option<String> {
        let elsewhere = key.is_some_and(|arn| {
            let region = arn.split(':').nth(3).unwrap_or_default();
            region != self.scope.region.as_str()
        });
        let account = &self.scope.account;
        let usable = self.world.may_use(source.key.as_deref(), account) && self.world.may_use(key, account);
        (elsewhere || !usable).then(|| "Given key ID is not accessible".to_owned())
    }

    pub(super) fn share_snapshot(&mut self, id: &SnapshotId, with: &AccountId) -> Said<()> {
        let mut record = self.own_snapshot(id)?;
        let key = record.key.as_ref().and_then(|arn| self.world.keys.get(arn));
        if record.key.is_some() && key.is_none_or(|key| key.managed) {
            return refuse(
                "OperationNotPermitted",
                "Encrypted snapshots with EBS default key cannot be shared",
            );
        }
        record.shares.insert(with.clone());
        store::put(self.tx, &record)?;
        self.note(EventKind::Changed, id.as_str(), record.size_gib);
        Ok(())
    }

    /// Taking back what was not given is no error.
    pub(super) fn unshare_snapshot(&mut self, id: &SnapshotId, with: &AccountId) -> Said<()> {
        let mut record = self.own_snapshot(id)?;
        if record.shares.remove(with) {
            store::put(self.tx, &record)?;
            self.note(EventKind::Changed, id.as_str(), record.size_gib);
        }
        Ok(())
    }

    pub(super) fn describe_shares(&self, call: &DescribeShares) -> Said<Vec<AccountId>> {
        Ok(self.own_snapshot(&call.snapshot)?.shares.into_iter().collect())
    }
}
