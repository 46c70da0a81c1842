// SPDX-License-Identifier: Apache-2.0
//! A disk whose power can be cut: what nobody had brought to it is lost, as the kernel and a real filesystem have it.
//!
//! The disk is a file with ext4 that is mounted with the options that promise least. A copy of the file, made when the
//! scanner is dead and before anything is unmounted, holds what fsync brought to the disk and nothing that was only in
//! memory; it is mounted in place of the first. What the disk itself keeps in a cache counts as written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::mount::run;

/// Enough for a ledger and some reports, and too little for a ballast.
const SIZE: u64 = 64 << 20;
/// Nothing goes to the disk by itself while a round lasts, and a rename brings no bytes with it.
const OPTIONS: &str = "loop,noatime,data=writeback,noauto_da_alloc,commit=600";
/// A worker of a dead scanner may hold the mount for a moment.
const TRIES: u32 = 40;

/// A disk of one round, until it is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    image: PathBuf,
    folder: PathBuf,
}

impl Disk {
    /// Makes an empty disk, of which each round's is a copy.
    ///
    /// # Errors
    /// What mkfs says; without root nothing can be mounted.
    pub(super) fn blank(image: &Path) -> Result<()> {
        ensure!(nix::unistd::geteuid().is_root(), "power cuts mount disks: run this as root");
        fs::File::create(image)?.set_len(SIZE)?;
        let options = ["-q", "-F", "-m", "0", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        run(Command::new("mkfs.ext4").args(options).arg(image)).map(|_| ())
    }

    /// Mounts a copy of an empty disk at `folder`.
    ///
    /// # Errors
    /// What cp and mount say.
    pub(super) fn mount(blank: &Path, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let disk = Self { image: folder.with_extension("img"), folder };
        copy(blank, &disk.image)?;
        disk.attach()?;
        Ok(disk)
    }

    /// Cuts the power, and gives it back.
    ///
    /// # Errors
    /// What cp, umount and mount say.
    pub(super) fn cut(&mut self) -> Result<()> {
        let after = self.image.with_extension("cut.img");
        copy(&self.image, &after)?;
        self.detach();
        fs::rename(&after, &self.image)?;
        self.attach().context("after a power cut")
    }

    fn attach(&self) -> Result<()> {
        run(Command::new("mount").args(["-t", "ext4", "-o", OPTIONS]).arg(&self.image).arg(&self.folder))
            .map(|_| ())
    }

    fn detach(&self) {
        for _ in 0..TRIES {
            if run(Command::new("umount").arg(&self.folder)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let _gone = run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }

    /// Puts what is on the disk into a plain folder of its name, to be looked at later.
    ///
    /// # Errors
    /// What cp says.
    pub(super) fn keep(self) -> Result<()> {
        let (aside, folder) = (self.folder.with_extension("kept"), self.folder.clone());
        run(Command::new("cp").arg("-a").arg(&folder).arg(&aside))?;
        drop(self);
        fs::remove_dir(&folder)?;
        Ok(fs::rename(aside, folder)?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.detach();
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").args(["--sparse=always", "--reflink=never"]).arg(from).arg(to)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_power_cut_takes_what_was_not_synced_and_leaves_what_was() {
        if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
            return eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set, and this mounts a disk");
        }
        let folder = tempfile::tempdir().unwrap();
        let blank = folder.path().join("blank");
        Disk::blank(&blank).unwrap();
        let mut disk = Disk::mount(&blank, folder.path().join("disk")).unwrap();
        let at = |name: &str| folder.path().join("disk").join(name);
        let mut synced = fs::File::create(at("synced")).unwrap();
        synced.write_all(b"synced").unwrap();
        synced.sync_all().unwrap();
        fs::File::open(at("")).unwrap().sync_all().unwrap();
        fs::write(at("unsynced"), b"unsynced").unwrap();
        drop(synced);
        disk.cut().unwrap();
        assert_eq!(fs::read(at("synced")).unwrap(), b"synced");
        assert!(!at("unsynced").exists());
        // A name that is brought to the disk brings no bytes.
        fs::write(at("half"), b"half").unwrap();
        fs::rename(at("half"), at("whole")).unwrap();
        fs::File::open(at("")).unwrap().sync_all().unwrap();
        disk.cut().unwrap();
        assert_eq!(fs::read(at("whole")).unwrap_or_default(), b"");
    }
}
