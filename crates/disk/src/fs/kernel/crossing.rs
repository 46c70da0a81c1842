// SPDX-License-Identifier: Apache-2.0
//! Which mounts below a directory are entered: filesystems of disks only.
//!
//! proc, sysfs and their like are the scanning host and not the machine; a network filesystem is another machine, and
//! may hang. So the list says what is entered; all else stays out and is named. What has the device number of the root
//! directory itself is always entered: somebody asked for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FsWord, fstatfs};

use super::place::Seen;
use crate::error::Result;
use crate::fs::path::MachinePath;

/// Mounts that are listed: a host with more has a loop of bind mounts.
const LISTED: usize = 10_000;

/// Magic numbers by statfs(2) and `include/uapi/linux/magic.h`, with the names of `/proc/filesystems`.
const OF_DISKS: [FsWord; 22] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0x794C_7630, // overlay
    0x7371_7368, // squashfs
    0xE0F5_E1E2, // erofs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0xCA45_1A4E, // bcachefs
    0x4D44,      // vfat
    0x2011_BAB0, // exfat
    0x5346_544E, // ntfs
    0x7366_746E, // ntfs3
    0x9660,      // iso9660
    0x1501_3346, // udf
    0x4244,      // hfs
    0x482B,      // hfsplus
    0x3153_464A, // jfs
    0x5265_4973, // reiserfs
    0x3434,      // nilfs2
    0x28CD_3D45, // cramfs
    0x7275,      // romfs
];

/// The usual ones that are not entered.
const OTHERS: [(FsWord, &str); 24] = [
    (0x9FA0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58F6, "ramfs"),
    (0x1CD1, "devpts"),
    (0x27_E0EB, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x1980_0202, "mqueue"),
    (0x9584_58F6, "hugetlbfs"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0xF97C_FF8C, "selinuxfs"),
    (0xCAFE_4A11, "bpf"),
    (0x6165_676C, "pstore"),
    (0x6265_6570, "configfs"),
    (0xDE5E_81E4, "efivarfs"),
    (0x4249_4E4D, "binfmt_misc"),
    (0x0187, "autofs"),
    (0x6573_5546, "fuse"),
    (0x6969, "nfs"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb3"),
    (0x0102_1997, "9p"),
];

/// What was decided for each device number, and what stayed out.
pub(super) struct Crossing {
    root: (u32, u32),
    decided: Mutex<BTreeMap<(u32, u32), Option<String>>>,
    left_out: Mutex<BTreeMap<MachinePath, String>>,
}

impl Crossing {
    /// `root` is the device number of the root directory.
    pub(super) fn new(root: (u32, u32)) -> Self {
        Crossing { root, decided: Mutex::default(), left_out: Mutex::default() }
    }

    /// True if what was opened there may be entered; else its path is kept for the list.
    pub(super) fn may_enter(&self, seen: &Seen, path: impl FnOnce() -> MachinePath) -> Result<bool> {
        if seen.device == self.root {
            return Ok(true);
        }
        let known = self.decided.lock().unwrap_or_else(PoisonError::into_inner).get(&seen.device).cloned();
        let verdict = match known {
            Some(verdict) => verdict,
            None => {
                let verdict = outside(fstatfs(&seen.fd).map_err(super::place::refused)?.f_type);
                let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
                decided.insert(seen.device, verdict.clone());
                verdict
            }
        };
        let Some(name) = verdict else { return Ok(true) };
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if left_out.len() < LISTED {
            left_out.insert(path(), name);
        }
        Ok(false)
    }

    /// What stayed out: the mount point and its filesystem's name.
    pub(super) fn left_out(&self) -> Vec<(MachinePath, String)> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.iter().map(|(path, name)| (path.clone(), name.clone())).collect()
    }
}

/// The name of a filesystem that is not entered; `None` for one of disks.
fn outside(magic: FsWord) -> Option<String> {
    if OF_DISKS.contains(&magic) {
        return None;
    }
    let name = OTHERS.iter().find(|(other, _)| *other == magic);
    Some(name.map_or_else(|| format!("type {magic:#x}"), |(_, name)| (*name).to_owned()))
}
