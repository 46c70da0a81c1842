// SPDX-License-Identifier: Apache-2.0
//! How EC2 answers about volumes: making, attaching, detaching, deleting them.

use rusqlite::{OptionalExtension, params};

use super::bytes;
use super::call::{Said, Turn, refuse, seconds};
use super::events::EventKind;
use super::records::{AttachmentRecord, VolumeRecord};
use super::store;
use crate::ec2::{Attachment, CreateVolume, DescribeVolumes, Find, Page, Volume};
use crate::owned::{TAG_DEPLOYMENT, TAG_INTENT};
use crate::{InstanceId, VolumeId};

impl Turn<'_> {
    pub(super) fn describe_volumes(&self, call: &DescribeVolumes) -> Said<Page<Volume>> {
        let all = || -> Said<Vec<VolumeRecord>> {
            let all = store::all::<VolumeRecord>(self.tx, self.world)?.into_values();
            Ok(all.filter(|it| it.account == self.scope.account && self.sees(it, it.visible)).collect())
        };
        let tagged = |name: &str, value: &str| -> Said<Vec<VolumeRecord>> {
            Ok(all()?.into_iter().filter(|it| it.tags.get(name).is_some_and(|it| it == value)).collect())
        };
        let mut records: Vec<VolumeRecord> = match &call.find {
            Find::Ids(ids) if ids.len() > 200 => {
                return refuse(
                    "FilterLimitExceeded",
                    format!("{} values of a filter; 200 are allowed", ids.len()),
                );
            }
            Find::Ids(ids) => ids.iter().filter_map(|id| self.volume(id).ok()).collect(),
            Find::Intent(intent) => tagged(TAG_INTENT, intent.as_str())?,
            Find::Deployment(name) => tagged(TAG_DEPLOYMENT, name)?,
            Find::AttachedTo(instance) => all()?
                .into_iter()
                .filter(|it| it.attachment.as_ref().is_some_and(|at| at.instance == *instance))
                .collect(),
        };
        records.sort_by(|one, other| one.id.cmp(&other.id));
        records.dedup_by(|one, other| one.id == other.id);
        let page = self.page(records, |it| it.id.to_string(), call.token.as_deref())?;
        Ok(Page { items: page.items.iter().map(|it| self.tell_volume(it)).collect(), token: page.token })
    }

    /// As EC2 tells of a volume.
    fn tell_volume(&self, it: &VolumeRecord) -> Volume {
        let attachment = it.attachment.as_ref().map(|at| Attachment {
            volume: it.id.clone(),
            instance: at.instance.clone(),
            device: at.device.clone(),
            state: self.attachment_state(at).to_owned(),
        });
        Volume {
            id: it.id.clone(),
            state: self.volume_state(it).to_owned(),
            size_gib: it.size_gib,
            zone: it.zone.clone(),
            snapshot: it.snapshot.clone(),
            encrypted: it.key.is_some(),
            key: it.key.clone(),
            created: seconds(it.created),
            product_codes: it.product_codes.clone(),
            attachments: attachment.into_iter().collect(),
            tags: it.tags.clone(),
        }
    }

    /// The state of a volume by now. One whose key cannot be used never gets beyond `creating`.
    fn volume_state(&self, it: &VolumeRecord) -> &'static str {
        match it {
            _ if it.deleted.is_some() => "deleting",
            _ if it.attachment.is_some() => "in-use",
            _ if it.ready > self.now || it.ghost.is_some() => "creating",
            _ => "available",
        }
    }

    /// The state of an attachment by now.
    fn attachment_state(&self, at: &AttachmentRecord) -> &'static str {
        match at {
            _ if at.detached.is_some() && at.busy => "busy",
            _ if at.detached.is_some() => "detaching",
            _ if at.attached > self.now => "attaching",
            _ => "attached",
        }
    }

    /// The same token makes the same volume; with other parameters, or when that volume is gone, it is refused.
    pub(super) fn create_volume(&mut self, call: &CreateVolume) -> Said<VolumeId> {
        if call.token.is_empty() || call.token.len() > 64 || !call.token.is_ascii() {
            return refuse("InvalidParameterValue", "a client token has 1 to 64 ASCII characters");
        }
        self.check_marks(&call.tags, "")?;
        let request = format!("{call:?}");
        if let Some(id) = self.volume_of_token(&call.token, &request)? {
            return Ok(id);
        }
        if !self.world.settings.zones.contains(&call.zone) {
            return refuse("InvalidZone.NotFound", format!("The zone '{}' does not exist.", call.zone));
        }
        let snapshot = self.readable_snapshot(&call.snapshot)?;
        if self.state(&snapshot) != "completed" || snapshot.tier != "standard" {
            return refuse(
                "IncorrectState",
                format!("snapshot {} is {} ({})", snapshot.id, self.state(&snapshot), snapshot.tier),
            );
        }
        let Some(id) = VolumeId::parse(&self.new_id("vol-")?) else {
            return refuse("InternalError", "no id for a volume");
        };
        let named = call.key.as_deref().or(snapshot.key.as_deref());
        let key = self.key_of_new(named, snapshot.key.is_some());
        let account = &self.scope.account;
        let usable = self.world.may_use(snapshot.key.as_deref(), account)
            && self.world.may_use(key.as_deref(), account);
        let latency = self.world.settings.latency;
        let record = VolumeRecord {
            region: Some(self.scope.region.clone()),
            size_gib: snapshot.size_gib,
            snapshot: Some(snapshot.id.clone()),
            key,
            created: self.now,
            visible: self.after(latency.late),
            ready: self.after(latency.volume),
            ghost: (!usable).then(|| self.after(latency.ghost)),
            product_codes: snapshot.product_codes.clone(),
            tags: call.tags.clone(),
            ..VolumeRecord::new(id.clone(), account.clone(), &call.zone)
        };
        bytes::duplicate(&self.snapshot_path(&snapshot.id), &self.volume_path(&id), record.size_gib)?;
        store::put(self.tx, &record)?;
        self.tx.execute(
            "INSERT INTO tokens VALUES(?1, ?2, ?3, ?4, ?5)",
            params![account.as_str(), self.scope.region.as_str(), call.token, request, id.as_str()],
        )?;
        self.note(EventKind::Made, id.as_str(), record.size_gib);
        Ok(id)
    }

    /// The volume that a token made before.
    fn volume_of_token(&self, token: &str, request: &str) -> Said<Option<VolumeId>> {
        let place = params![self.scope.account.as_str(), self.scope.region.as_str(), token];
        let sql = "SELECT request, volume FROM tokens WHERE account = ?1 AND region = ?2 AND token = ?3";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        let Some((before, id)) = self.tx.query_row(sql, place, row).optional()? else { return Ok(None) };
        let alive = store::get::<VolumeRecord>(self.tx, self.world, &id)?.is_some();
        if before != request || !alive {
            let why = if alive { "other parameters" } else { "a resource already deleted" };
            return refuse("IdempotentParameterMismatch", format!("the token was used with {why}"));
        }
        Ok(VolumeId::parse(&id))
    }

    pub(super) fn attach_volume(&mut self, id: &VolumeId, instance: &InstanceId, device: &str) -> Said<()> {
        let mut volume = self.volume(id)?;
        let instance = self.instance(instance)?.clone();
        if let Some(at) = &volume.attachment {
            return refuse(
                "VolumeInUse",
                format!("{id} is already attached to {} ({})", at.instance, self.attachment_state(at)),
            );
        }
        if self.volume_state(&volume) != "available" {
            return refuse("IncorrectState", format!("{id} is {}", self.volume_state(&volume)));
        }
        if volume.zone != instance.zone {
            return refuse(
                "InvalidVolume.ZoneMismatch",
                format!("{id} is in {}, {} is in {}", volume.zone, instance.id, instance.zone),
            );
        }
        if !matches!(instance.state.as_str(), "running" | "stopped") {
            return refuse("IncorrectState", format!("instance {} is {}", instance.id, instance.state));
        }
        if !volume.product_codes.is_empty() && instance.state != "stopped" {
            return refuse(
                "IncorrectInstanceState",
                format!(
                    "Cannot attach volume '{id}' with Marketplace codes as the instance '{}' is not in the 'stopped' state.",
                    instance.id
                ),
            );
        }
        if !is_device_name(device) {
            return refuse(
                "InvalidParameterValue",
                format!("Value ({device}) for parameter device is invalid"),
            );
        }
        let all = store::all::<VolumeRecord>(self.tx, self.world)?;
        let there = |it: &&VolumeRecord| it.attachment.as_ref().is_some_and(|at| at.instance == instance.id);
        let there: Vec<&VolumeRecord> = all.values().filter(there).collect();
        if there.iter().any(|it| it.attachment.as_ref().is_some_and(|at| at.device == device)) {
            return refuse(
                "InvalidParameterValue",
                format!(
                    "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
                ),
            );
        }
        let most = self.attachments(&instance.kind, instance.macs.len());
        if there.len() >= most {
            return refuse(
                "AttachmentLimitExceeded",
                format!("{} has {} volumes; {most} are allowed", instance.id, there.len()),
            );
        }
        if !self.world.may_use(volume.key.as_deref(), &self.scope.account) {
            return refuse("CustomerKeyHasBeenRevoked", "The KMS key cannot be accessed");
        }
        volume.attachment = Some(AttachmentRecord {
            attached: self.after(self.world.settings.latency.attach),
            shown: false,
            ..AttachmentRecord::given(&instance.id, device)
        });
        store::put(self.tx, &volume)?;
        self.note(EventKind::Changed, id.as_str(), volume.size_gib);
        Ok(())
    }

    pub(super) fn detach_volume(&mut self, attachment: &Attachment, force: bool) -> Said<()> {
        let id = &attachment.volume;
        let mut volume = self.volume(id)?;
        let end = self.after(self.world.settings.latency.detach);
        match &mut volume.attachment {
            Some(at) if at.instance == attachment.instance => {
                at.force |= force;
                at.detached = Some(if force { end } else { at.detached.unwrap_or(end) });
            }
            _ => {
                return refuse("IncorrectState", format!("{id} is not attached to {}", attachment.instance));
            }
        }
        store::put(self.tx, &volume)?;
        self.note(EventKind::Changed, id.as_str(), volume.size_gib);
        Ok(())
    }

    pub(super) fn delete_volume(&mut self, id: &VolumeId) -> Said<()> {
        let mut volume = self.volume(id)?;
        if let Some(at) = &volume.attachment {
            return refuse("VolumeInUse", format!("Volume {id} is currently attached to {}", at.instance));
        }
        match self.volume_state(&volume) {
            "available" => volume.deleted = Some(self.after(self.world.settings.latency.delete)),
            "deleting" => return Ok(()),
            state => return refuse("IncorrectState", format!("{id} is {state}")),
        }
        store::put(self.tx, &volume)?;
        Ok(())
    }

    /// Removes a volume and its bytes.
    pub(super) fn drop_volume(&mut self, volume: &VolumeRecord) -> Said<()> {
        store::remove::<VolumeRecord>(self.tx, self.world, volume.id.as_str())?;
        self.dropped.push(self.volume_path(&volume.id));
        Ok(())
    }
}

/// Names that may be asked for.
/// Source: Amazon EC2 User Guide, "Device names for volumes on Amazon EC2 instances", HVM.
fn is_device_name(name: &str) -> bool {
    let letter = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_lowercase());
    let second = |text: &str| {
        text.split_at_checked(1).is_some_and(|(bus, rest)| matches!(bus, "b" | "c") && letter(rest))
    };
    name.strip_prefix("/dev/sd").is_some_and(letter) || name.strip_prefix("/dev/xvd").is_some_and(second)
}
