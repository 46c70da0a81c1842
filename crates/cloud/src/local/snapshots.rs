// SPDX-License-Identifier: Apache-2.0
//! How EC2 answers about snapshots: making, finding, deleting them.

use rusqlite::OptionalExtension;

use super::bytes;
use super::call::{Said, Turn, refuse, seconds};
use super::events::EventKind;
use super::records::{SnapshotRecord, VolumeRecord};
use super::store;
use crate::ec2::{CreateSnapshot, CreateSnapshots, DescribeSnapshots, Find, Page, Snapshot, Tags};
use crate::owned::{TAG_DEPLOYMENT, TAG_INTENT};
use crate::{SnapshotId, VolumeId};

/// Snapshots of a volume that may be pending at once.
/// Source: Amazon EBS quotas, "Concurrent snapshots per … volume".
const PENDING_PER_VOLUME: usize = 5;
/// Milliseconds between two snapshots of a volume.
/// Source: Amazon EC2 API Reference, error `SnapshotCreationPerVolumeRateExceeded`.
const BETWEEN: u64 = 15_000;

impl Turn<'_> {
    /// Ids find what is ours or shared with us; tags find what is ours.
    pub(super) fn describe_snapshots(&self, call: &DescribeSnapshots) -> Said<Page<Snapshot>> {
        let own = |it: &SnapshotRecord| it.account == self.scope.account && self.sees(it, it.visible);
        let tagged = |name: &str, value: &str| -> Said<Vec<SnapshotRecord>> {
            let all = store::all::<SnapshotRecord>(self.tx, self.world)?.into_values();
            Ok(all.filter(|it| own(it) && it.tags.get(name).is_some_and(|it| it == value)).collect())
        };
        let mut records = match &call.find {
            Find::Ids(ids) if ids.len() > 200 => {
                return refuse(
                    "FilterLimitExceeded",
                    format!("{} values of a filter; 200 are allowed", ids.len()),
                );
            }
            Find::Ids(ids) => ids.iter().filter_map(|id| self.readable_snapshot(id).ok()).collect(),
            Find::Intent(intent) => tagged(TAG_INTENT, intent.as_str())?,
            Find::Deployment(name) => tagged(TAG_DEPLOYMENT, name)?,
            Find::AttachedTo(_) => {
                return refuse("InvalidParameterValue", "snapshots are attached nowhere");
            }
        };
        records.sort_by(|one, other| one.id.cmp(&other.id));
        records.dedup_by(|one, other| one.id == other.id);
        let page = self.page(records, |it| it.id.to_string(), call.token.as_deref())?;
        Ok(Page { items: page.items.iter().map(|it| self.snapshot(it)).collect(), token: page.token })
    }

    /// As EC2 tells of a snapshot. Tags are told to its own account only.
    pub(super) fn snapshot(&self, it: &SnapshotRecord) -> Snapshot {
        let own = it.account == self.scope.account;
        let state = self.state(it);
        Snapshot {
            id: it.id.clone(),
            volume: it.volume.clone(),
            state: state.to_owned(),
            state_message: it.fails.clone().filter(|_| state == "error").unwrap_or_default(),
            started: seconds(it.started),
            size_gib: it.size_gib,
            full_bytes: (state == "completed").then(|| self.written_bytes(&it.id)).flatten(),
            encrypted: it.key.is_some(),
            key: it.key.clone(),
            owner: it.account.clone(),
            description: it.description.clone(),
            tier: it.tier.clone(),
            tags: if own { it.tags.clone() } else { Tags::new() },
        }
    }

    /// The state of a snapshot by now.
    pub(super) fn state(&self, it: &SnapshotRecord) -> &'static str {
        match (it.ready > self.now, &it.fails) {
            (true, _) => "pending",
            (false, Some(_)) => "error",
            (false, None) => "completed",
        }
    }

    /// A set: all volumes of the instance without those that are excluded, or none.
    pub(super) fn create_snapshots(&mut self, call: &CreateSnapshots) -> Said<Vec<Snapshot>> {
        let instance = self.instance(&call.instance)?.clone();
        self.check_marks(&call.tags, &call.description)?;
        if matches!(instance.state.as_str(), "terminated" | "shutting-down") {
            return refuse(
                "IncorrectInstanceState",
                format!("instance {} is {}", instance.id, instance.state),
            );
        }
        if call.exclude.len() > 40 {
            return refuse(
                "InvalidParameterValue",
                format!("{} excluded volumes; 40 are allowed", call.exclude.len()),
            );
        }
        let all = store::all::<VolumeRecord>(self.tx, self.world)?.into_values();
        let disks: Vec<(bool, VolumeRecord)> = all
            .filter_map(|volume| {
                let at = volume.attachment.as_ref().filter(|at| at.instance == instance.id)?;
                Some((at.device == instance.root_device, volume))
            })
            .collect();
        for id in &call.exclude {
            match disks.iter().find(|(_, volume)| volume.id == *id) {
                Some((false, _)) => {}
                Some((true, _)) => {
                    return refuse(
                        "InvalidParameterValue",
                        format!("{id} is the root volume; exclude it as such"),
                    );
                }
                None => {
                    return refuse(
                        "InvalidParameterValue",
                        format!("{id} is not attached to {}", instance.id),
                    );
                }
            }
        }
        let wanted: Vec<VolumeRecord> = disks
            .into_iter()
            .filter(|(root, volume)| !(*root && call.exclude_root || call.exclude.contains(&volume.id)))
            .map(|(_, volume)| volume)
            .collect();
        if wanted.is_empty() {
            return refuse("InvalidParameterValue", format!("no volume of {} is left", instance.id));
        }
        let fails = wanted.iter().find_map(|volume| volume.snapshots_fail.clone());
        self.make_set(&wanted, fails.as_deref(), &call.description, &call.tags)
    }

    pub(super) fn create_snapshot(&mut self, call: &CreateSnapshot) -> Said<Snapshot> {
        self.check_marks(&call.tags, &call.description)?;
        let volume = self.volume(&call.volume)?;
        let fails = volume.snapshots_fail.clone();
        let mut made = self.make_set(&[volume], fails.as_deref(), &call.description, &call.tags)?;
        match made.pop() {
            Some(snapshot) => Ok(snapshot),
            None => refuse("InternalError", "no snapshot was made"),
        }
    }

    /// Makes a snapshot of each volume; if one fails, all do.
    fn make_set(
        &mut self,
        volumes: &[VolumeRecord],
        fails: Option<&str>,
        description: &str,
        tags: &Tags,
    ) -> Said<Vec<Snapshot>> {
        let all = store::all::<SnapshotRecord>(self.tx, self.world)?;
        let pending =
            |it: &&SnapshotRecord| it.ready > self.now && it.account == self.scope.account && !it.copy;
        let pending: Vec<&SnapshotRecord> = all.values().filter(pending).collect();
        let most = self.world.settings.pending;
        if pending.len().saturating_add(volumes.len()) > most {
            return refuse(
                "PendingSnapshotLimitExceeded",
                format!("{} snapshots are pending; {most} are allowed", pending.len()),
            );
        }
        for volume in volumes {
            self.check_rate(&volume.id)?;
            if pending.iter().filter(|it| it.volume == volume.id).count() >= PENDING_PER_VOLUME {
                return refuse(
                    "ConcurrentSnapshotLimitExceeded",
                    format!("volume {} has {PENDING_PER_VOLUME} pending snapshots", volume.id),
                );
            }
        }
        let mut made = Vec::new();
        for volume in volumes {
            let record = SnapshotRecord {
                region: Some(self.scope.region.clone()),
                size_gib: volume.size_gib,
                ready: self.after(self.world.settings.latency.snapshot),
                fails: fails.map(str::to_owned),
                key: volume.key.clone(),
                description: description.to_owned(),
                product_codes: volume.product_codes.clone(),
                tags: tags.clone(),
                ..self.new_snapshot(volume.id.clone())?
            };
            bytes::duplicate(
                &self.volume_path(&volume.id),
                &self.snapshot_path(&record.id),
                record.size_gib,
            )?;
            self.keep_snapshot(&record)?;
            made.push(self.snapshot(&record));
        }
        Ok(made)
    }

    /// A record of a new snapshot that begins now.
    pub(super) fn new_snapshot(&self, volume: VolumeId) -> Said<SnapshotRecord> {
        let Some(id) = SnapshotId::parse(&self.new_id("snap-")?) else {
            return refuse("InternalError", "no id for a snapshot");
        };
        Ok(SnapshotRecord {
            started: self.now,
            visible: self.after(self.world.settings.latency.late),
            ..SnapshotRecord::new(id, self.scope.account.clone(), volume)
        })
    }

    /// Keeps a new snapshot.
    pub(super) fn keep_snapshot(&mut self, record: &SnapshotRecord) -> Said<()> {
        store::put(self.tx, record)?;
        self.note(EventKind::Made, record.id.as_str(), record.size_gib);
        Ok(())
    }

    /// Refuses a snapshot that comes too soon after the volume's last, and notes the time of this one.
    fn check_rate(&self, volume: &VolumeId) -> Said<()> {
        let last: Option<i64> = self
            .tx
            .query_row("SELECT at FROM starts WHERE volume = ?1", [volume.as_str()], |row| row.get(0))
            .optional()?;
        if last.is_some_and(|last| self.now < store::unsigned(last).saturating_add(BETWEEN)) {
            return refuse(
                "SnapshotCreationPerVolumeRateExceeded",
                format!("The maximum per volume CreateSnapshot request rate has been exceeded for {volume}"),
            );
        }
        let at = store::signed(self.now);
        self.tx.execute("INSERT OR REPLACE INTO starts VALUES(?1, ?2)", (volume.as_str(), at))?;
        Ok(())
    }

    /// Of a pending one it is accepted and takes effect once that is complete.
    pub(super) fn delete_snapshot(&mut self, id: &SnapshotId) -> Said<()> {
        let mut record = self.own_snapshot(id)?;
        if let Some(image) = self.world.images.values().find(|it| it.disks.values().any(|it| it == id)) {
            return refuse(
                "InvalidSnapshot.InUse",
                format!("The snapshot {id} is currently in use by {}", image.id),
            );
        }
        if record.ready > self.now {
            record.deleting = true;
            store::put(self.tx, &record)?;
            return Ok(());
        }
        self.drop_snapshot(&record)?;
        self.note(EventKind::Gone, id.as_str(), record.size_gib);
        Ok(())
    }

    /// Removes a snapshot and its bytes.
    pub(super) fn drop_snapshot(&mut self, record: &SnapshotRecord) -> Said<()> {
        store::remove::<SnapshotRecord>(self.tx, self.world, record.id.as_str())?;
        self.dropped.push(self.snapshot_path(&record.id));
        Ok(())
    }
}
