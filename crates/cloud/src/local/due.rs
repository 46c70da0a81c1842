// SPDX-License-Identifier: Apache-2.0
//! What happens by itself when its time has come.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::{fs, io};

use super::call::{Said, Turn};
use super::events::EventKind;
use super::records::{SnapshotRecord, VolumeRecord};
use super::store;
use crate::VolumeId;

impl Turn<'_> {
    /// Does what is due: deletions that waited, volumes whose key cannot be used, attachments and detachments.
    pub(super) fn settle(&self) -> Said<()> {
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

    fn settle_volume(&self, mut volume: VolumeRecord) -> Said<()> {
        let (host, size) = (&self.world.settings.host.instance, volume.size_gib);
        for (at, why) in [(volume.ghost, "kms:Decrypt"), (volume.deleted, "ec2:DeleteVolume")] {
            if let Some(at) = at.filter(|at| *at <= self.now) {
                self.drop_volume(&volume)?;
                return self.note_due(&volume, at, why, EventKind::Gone, size);
            }
        }
        let Some(at) = &mut volume.attachment else { return Ok(()) };
        if !at.shown && at.attached <= self.now {
            at.shown = true;
            if at.instance == *host {
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
        remove(&self.folder.join("devices").join(id.serial()))
    }

    /// Sets right what a process left behind that ended within a call: bytes of things that were never kept, or are gone,
    /// and devices.
    pub(super) fn mend(&self) -> Said<()> {
        let snapshots = store::all::<SnapshotRecord>(self.tx, self.world)?;
        let volumes = store::all::<VolumeRecord>(self.tx, self.world)?;
        sweep(&self.folder.join("snapshots"), &|id| snapshots.contains_key(id))?;
        // Files that nobody mentions may be meant for later: only ids of our own making are swept.
        sweep(&self.folder.join("volumes"), &|id| volumes.contains_key(id))?;
        let host = &self.world.settings.host.instance;
        let attached = |volume: &&VolumeRecord| {
            volume.attachment.as_ref().is_some_and(|at| at.instance == *host && at.shown)
        };
        let attached: Vec<&VolumeRecord> = volumes.values().filter(attached).collect();
        let serials: BTreeSet<String> = attached.iter().map(|volume| volume.id.serial()).collect();
        for entry in fs::read_dir(self.folder.join("devices"))? {
            let entry = entry?;
            if !serials.contains(entry.file_name().to_string_lossy().as_ref()) {
                remove(&entry.path())?;
            }
        }
        attached.iter().try_for_each(|volume| self.show(&volume.id))?;
        self.adopt_objects()
    }
}

/// Removes the bytes of made things that are not there.
fn sweep(folder: &Path, is_there: &dyn Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".img"));
        if id.is_some_and(|id| is_made(id) && !is_there(id)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// True if an id is one that this cloud gave: seventeen digits, the first of them 0.
fn is_made(id: &str) -> bool {
    id.split_once('-').is_some_and(|(_, digits)| digits.len() == 17 && digits.starts_with('0'))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
