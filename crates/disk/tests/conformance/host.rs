// SPDX-License-Identifier: Apache-2.0
//! The reference tree on the host: made name by name, on any mounted filesystem.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{
    AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};
use snapscan_disk::fs::conformance::{Item, What};
use snapscan_disk::fs::{FileType, Timestamp};

fn at(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}

/// Makes all items beneath `root`.
pub(crate) fn materialise(root: &Path, items: &[Item]) {
    for item in items {
        let path = at(root, &item.path);
        make(root, item, &path);
        if let Some((uid, gid)) = item.owner {
            lchown(&path, Some(uid), Some(gid)).unwrap();
        }
        for (name, value) in &item.xattrs {
            lsetxattr(&path, name.as_str(), value, XattrFlags::empty())
                .unwrap_or_else(|error| panic!("{} {name}: {error}", path.display()));
        }
    }
    // From the innermost out, and after everything else: each new name changes its folder's time, and a change of
    // owner takes setuid away.
    for item in items.iter().rev() {
        let path = at(root, &item.path);
        if let Some(mode) = item.mode {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        if let Some(Timestamp { seconds, nanos }) = item.mtime {
            let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
    }
}

fn make(root: &Path, item: &Item, path: &Path) {
    let node = |kind, device| mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device).unwrap();
    match &item.what {
        What::Directory => fs::create_dir(path).unwrap(),
        What::File { size, pieces } => {
            let file = File::create(path).unwrap();
            file.set_len(*size).unwrap();
            for (offset, bytes) in pieces {
                file.write_all_at(bytes, *offset).unwrap();
            }
        }
        What::Symlink(target) => symlink(OsStr::from_bytes(target), path).unwrap(),
        What::HardLink(existing) => fs::hard_link(at(root, existing), path).unwrap(),
        What::Fifo => node(rustix::fs::FileType::Fifo, 0),
        What::Socket => node(rustix::fs::FileType::Socket, 0),
        What::Device(FileType::CharDevice, major, minor) => {
            node(rustix::fs::FileType::CharacterDevice, makedev(*major, *minor));
        }
        What::Device(_, major, minor) => node(rustix::fs::FileType::BlockDevice, makedev(*major, *minor)),
    }
}

/// A filesystem cuts times that it cannot keep: those of the items become what the kernel shows.
pub(crate) fn keep_times_that_were_kept(root: &Path, items: &mut [Item]) {
    for item in items.iter_mut().filter(|item| item.mtime.is_some()) {
        let stat = fs::symlink_metadata(at(root, &item.path)).unwrap();
        item.mtime = Some(Timestamp { seconds: stat.mtime(), nanos: stat.mtime_nsec().try_into().unwrap() });
    }
}

/// A folder for images: in memory where there is one, since unmounting waits for the disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// A mounted image; unmounted when it goes.
pub(crate) struct Mounted(tempfile::TempDir);

impl Mounted {
    pub(crate) fn new(image: &Path, options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-o", options]).arg(image).arg(directory.path()));
        Mounted(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.path()));
    }
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
