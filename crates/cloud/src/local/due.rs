// SPDX-License-Identifier: Apache-2.0
//! What happens by itself when its time has come.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::{fs, io};

use super::bytes::absent;
use super::call::{Said, Turn, numbered_id};
use super::events::EventKind;
use super::records::{SnapshotRecord, VolumeRecord};
use super::store;
use crate::VolumeId;

/// Ids that one call may have taken before it was cut off: those of the volumes of one instance.
const ABOUT_TO: u64 = 128;

impl Turn<'_> {
    /// Does what is due: deletions that waited, volumes whose key cannot be used, attachments and detachments.
    pub(super) fn settle(&mut self) -> Said<()> {
        for snapshot in store::due::<SnapshotRecord>(self.tx, self.now)? {
            self.drop_snapshot(&snapshot)?;
            let size = snapshot.size_gib;
            self.note_due(&snapshot, snapshot.ready, "ec2:DeleteSnapshot", EventKind::Gone, size)?;
        }
        for volume in store::due::<VolumeRecord>(self.tx, self.now)? {
            self.settle_volume(volume)?;
        }
        Ok(())
    }

    fn settle_volume(&mut self, mut volume: VolumeRecord) -> Said<()> {
        let (world, size) = (self.world, volume.size_gib);
        let host = &world.settings.host;
        for (at, why) in [(volume.ghost, "kms:Decrypt"), (volume.deleted, "ec2:DeleteVolume")] {
            if let Some(at) = at.filter(|at| *at <= self.now) {
                self.drop_volume(&volume)?;
                return self.note_due(&volume, at, why, EventKind::Gone, size);
            }
        }
        let Some(at) = &mut volume.attachment else { return Ok(()) };
        if !at.shown && at.attached <= self.now {
            at.shown = true;
            if host.shows(&at.instance) {
                self.show(&volume.id)?;
            }
        }
        if let Some(end) = at.detached.filter(|end| *end <= self.now) {
            if self.world.host.busy.contains(&volume.id) && !at.force {
                (at.busy, at.detached) = (true, Some(self.after(1)));
            } else {
                volume.attachment = None;
                self.hide(&volume.id)?;
                self.note_due(&volume, end, "ec2:DetachVolume", EventKind::Changed, size)?;
            }
        }
        Ok(store::put(self.tx, &volume)?)
    }

    /// Lets a volume appear as a device.
    fn show(&self, id: &VolumeId) -> io::Result<()> {
        let device = self.folder.join("devices").join(id.serial());
        match symlink(self.volume_path(id), device) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Lets a device disappear.
    fn hide(&self, id: &VolumeId) -> io::Result<()> {
        absent(&self.folder.join("devices").join(id.serial()))
    }

    /// Sets right what a process left behind that ended within a call: bytes of things that were never kept, or are gone,
    /// and devices.
    pub(super) fn mend(&self) -> Said<()> {
        let snapshots = store::all::<SnapshotRecord>(self.tx, self.world)?;
        let volumes = store::all::<VolumeRecord>(self.tx, self.world)?;
        self.sweep("snapshots", "snap-", &|id| snapshots.contains_key(id))?;
        self.sweep("volumes", "vol-", &|id| volumes.contains_key(id))?;
        let host = &self.world.settings.host;
        let attached = |volume: &&VolumeRecord| {
            volume.attachment.as_ref().is_some_and(|at| host.shows(&at.instance) && at.shown)
        };
        let attached: Vec<&VolumeRecord> = volumes.values().filter(attached).collect();
        let serials: BTreeSet<String> = attached.iter().map(|volume| volume.id.serial()).collect();
        for entry in fs::read_dir(self.folder.join("devices"))? {
            let entry = entry?;
            if !serials.contains(entry.file_name().to_string_lossy().as_ref()) {
                absent(&entry.path())?;
            }
        }
        attached.iter().try_for_each(|volume| self.show(&volume.id))?;
        self.adopt_objects()
    }

    /// Removes the bytes of things that are not there, of ids that this cloud gave or was about to give; other files are
    /// somebody's.
    fn sweep(&self, folder: &str, prefix: &str, is_there: &dyn Fn(&str) -> bool) -> Said<()> {
        let last = store::last_number(self.tx, prefix)?.saturating_add(ABOUT_TO);
        for id in (1..=last).map(|number| numbered_id(prefix, number)).filter(|id| !is_there(id)) {
            absent(&self.folder.join(folder).join(format!("{id}.img")))?;
        }
        Ok(())
    }
}
