// SPDX-License-Identifier: Apache-2.0
//! Opening by the kernel, always from one descriptor down.
//!
//! Source: openat2(2). With `RESOLVE_IN_ROOT` no path leaves the descriptor, whatever is renamed meanwhile; with
//! `RESOLVE_NO_SYMLINKS` no link on the way is followed. A name is first opened with `O_PATH`, which touches nothing
//! (a FIFO does not block, a device does not wake up); only a regular file or a folder is then opened for reading.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat2, statx};
use rustix::io::Errno;

use crate::error::{Error, Result, SourceError};
use crate::fs::path::MachinePath;
use crate::fs::{FileType, Identity, Metadata, Timestamp};

/// Bytes of a path given to the kernel at once: below PATH_MAX with its NUL.
const AT_ONCE: usize = 4000;
/// Tries when the kernel says that a rename crossed the walk (EAGAIN).
const TRIES: u32 = 16;

/// An object that was opened without touching it, and what it is.
pub(super) struct Seen {
    pub(super) fd: OwnedFd,
    pub(super) device: (u32, u32),
    pub(super) metadata: Metadata,
}

/// Opens what has this path for a look: `O_PATH`, a link itself and not its target.
pub(super) fn look(root: &OwnedFd, path: &MachinePath) -> Result<Seen> {
    seen(open(root, path.relative(), OFlags::PATH)?)
}

/// The same for one name in a folder that is open.
pub(super) fn look_in(directory: &Seen, name: &[u8]) -> Result<Option<Seen>> {
    match step(&directory.fd, name, OFlags::PATH) {
        Ok(fd) => seen(fd).map(Some),
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
        Err(errno) => Err(refused(errno)),
    }
}

/// Opens the same object again for reading. It has been looked at and is a regular file or a folder; if another one
/// has its name now, that is an error.
pub(super) fn reopen(root: &OwnedFd, path: &MachinePath, looked_at: &Seen) -> Result<OwnedFd> {
    let flags = match looked_at.metadata.kind {
        FileType::Directory => OFlags::DIRECTORY,
        // Should a FIFO or a terminal have taken the name: do not wait for a writer, do not become its session.
        _ => OFlags::NONBLOCK | OFlags::NOCTTY,
    };
    // Only the owner may leave the access time alone.
    let fd = match open(root, path.relative(), OFlags::RDONLY | OFlags::NOATIME | flags) {
        Err(Error::PermissionDenied) => open(root, path.relative(), OFlags::RDONLY | flags)?,
        other => other?,
    };
    let now = seen(fd)?;
    if now.metadata.identity != looked_at.metadata.identity || now.metadata.kind != looked_at.metadata.kind {
        return Err(refused(Errno::STALE));
    }
    Ok(now.fd)
}

/// Opens a path relative to the root, in pieces if it is longer than the kernel takes.
fn open(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let mut rest = path;
    let mut reached: Option<OwnedFd> = None;
    while rest.len() > AT_ONCE {
        let head = rest.get(..AT_ONCE).unwrap_or_default();
        let cut = head.iter().rposition(|&byte| byte == b'/').unwrap_or(AT_ONCE);
        let head = rest.get(..cut).unwrap_or_default();
        let from = reached.as_ref().unwrap_or(root);
        reached = Some(step(from, head, OFlags::PATH | OFlags::DIRECTORY).map_err(refused)?);
        rest = rest.get(cut.saturating_add(1)..).unwrap_or_default();
    }
    step(reached.as_ref().unwrap_or(root), rest, flags).map_err(refused)
}

fn step(from: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let mut tries = 0;
    loop {
        tries = u32::saturating_add(tries, 1);
        match openat2(from, path, flags, Mode::empty(), within) {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => {}
            done => return done,
        }
    }
}

fn seen(fd: OwnedFd) -> Result<Seen> {
    // What the kernel has in memory is enough, and never asks a server.
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let stat = statx(fd.as_fd(), "", flags, StatxFlags::BASIC_STATS).map_err(refused)?;
    let kind = FileType::from_mode(stat.stx_mode.into())
        .ok_or_else(|| Error::node("mode", format!("{:#o} names no type", stat.stx_mode)))?;
    Ok(Seen { fd, device: (stat.stx_dev_major, stat.stx_dev_minor), metadata: metadata(&stat, kind) })
}

fn metadata(stat: &Statx, kind: FileType) -> Metadata {
    let device = matches!(kind, FileType::CharDevice | FileType::BlockDevice);
    Metadata {
        kind,
        mode: u32::from(stat.stx_mode) & 0o7777,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        size: stat.stx_size,
        rdev: if device { (stat.stx_rdev_major, stat.stx_rdev_minor) } else { (0, 0) },
        links: stat.stx_nlink,
        mtime: Timestamp { seconds: stat.stx_mtime.tv_sec, nanos: stat.stx_mtime.tv_nsec },
        ctime: Timestamp { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec },
        atime: Timestamp { seconds: stat.stx_atime.tv_sec, nanos: stat.stx_atime.tv_nsec },
        identity: Identity {
            device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            generation: 0,
        },
        encrypted: false,
        stale: false,
    }
}

/// The kernel's answer as our error.
pub(super) fn refused(errno: Errno) -> Error {
    match errno {
        Errno::ACCESS | Errno::PERM => Error::PermissionDenied,
        Errno::NOTDIR => Error::NotADirectory,
        errno => Error::Source(SourceError::from(std::io::Error::from(errno))),
    }
}
