// SPDX-License-Identifier: Apache-2.0
//! A filesystem that the kernel reads, as an open folder.
//!
//! A process of its own mounts it, in namespaces of its own, and passes the folder's descriptor back. It is given one
//! descriptor, a range of bytes and a kind from a fixed list, and nothing that a target wrote. It parses nothing:
//! whether a journal waits to be replayed is told by the kernel, which refuses to mount such a filesystem from a
//! read-only device unless it is told to leave the journal alone. When the last descriptor goes, the mount goes.

mod helper;

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::{Deserialize, Serialize};

pub use helper::entry;

use super::spawn::Program;

/// The helper's name for itself.
const HELPER: &str = "snapscan-mount";
/// A mount that takes longer hangs: a lazily loaded volume reads some hundred blocks for it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of the helper's answer at most.
const ANSWER: usize = 1024;

/// The filesystems that the kernel may be asked to mount: those of Linux servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// ext2, ext3, ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// FAT.
    Vfat,
    /// squashfs.
    Squashfs,
    /// ISO 9660.
    Iso9660,
}

impl Kind {
    /// All there are.
    pub const ALL: &'static [Kind] =
        &[Kind::Ext4, Kind::Xfs, Kind::Btrfs, Kind::Vfat, Kind::Squashfs, Kind::Iso9660];

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
            Kind::Btrfs => "btrfs",
            Kind::Vfat => "vfat",
            Kind::Squashfs => "squashfs",
            Kind::Iso9660 => "iso9660",
        }
    }

    /// The kind of this name, as blkid gives it.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "ext2" | "ext3" => Some(Kind::Ext4),
            name => Kind::ALL.iter().copied().find(|kind| kind.name() == name),
        }
    }

    /// Options that are always given. XFS refuses a second filesystem with the same UUID, which copies have.
    fn options(self) -> &'static str {
        match self {
            Kind::Xfs => "nouuid",
            _ => "",
        }
    }

    /// Options that leave a journal alone, where there is one.
    fn without_journal(self) -> Option<&'static str> {
        match self {
            Kind::Ext4 => Some("noload"),
            Kind::Xfs => Some("nouuid,norecovery"),
            Kind::Btrfs => Some("rescue=nologreplay"),
            Kind::Vfat | Kind::Squashfs | Kind::Iso9660 => None,
        }
    }
}

/// What is to be mounted.
#[derive(Debug)]
pub struct Part<'a> {
    /// The volume: a device or image, open for reading only.
    pub volume: BorrowedFd<'a>,
    /// Where the filesystem begins, in bytes from the volume's start.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What it is.
    pub kind: Kind,
}

/// A mounted filesystem; the helper is ended when this goes.
#[derive(Debug)]
pub struct Mounted {
    /// Its root.
    pub folder: OwnedFd,
    /// True if its journal holds changes, which are not in what is shown.
    pub dirty: bool,
    /// The helper; it keeps nothing but the namespace.
    _helper: Helper,
}

/// Ended, and waited for, when dropped.
#[derive(Debug)]
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _waited_before = self.0.wait();
    }
}

/// Mounts a filesystem with the help of `program`, whose `main` turns to [`entry`] first. To be called on a thread that
/// lives as long as the mount is used: the helper dies with it.
///
/// # Errors
/// What was being done and what the system answered, in words.
pub fn mount(program: &Program, part: &Part<'_>) -> Result<Mounted, String> {
    let doing = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let (ours, theirs) = UnixStream::pair().map_err(doing("making a socket for the mount helper"))?;
    ours.set_read_timeout(Some(PATIENCE)).map_err(doing("setting up the mount helper's socket"))?;
    let volume = part.volume.try_clone_to_owned().map_err(doing("handing over the volume"))?;
    let child = Command::new(&program.path)
        .arg0(HELPER)
        .args([part.kind.name(), &part.offset.to_string(), &part.len.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(volume))
        .stderr(Stdio::null())
        .spawn();
    let helper = Helper(child.map_err(doing("starting the mount helper"))?);
    let (folder, text) = receive(&ours).map_err(doing("waiting for the mount helper"))?;
    match (folder, text.as_str()) {
        (Some(folder), "clean" | "dirty") => {
            Ok(Mounted { folder: folder.into(), dirty: text == "dirty", _helper: helper })
        }
        (_, "") => Err("the mount helper ended without an answer".to_owned()),
        (_, why) => Err(why.to_owned()),
    }
}

/// The helper's answer: a folder, and how it is, or why there is none.
fn receive(socket: &UnixStream) -> io::Result<(Option<File>, String)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; ANSWER];
    let received =
        recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut folder = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            folder = files.last().map(File::from);
        }
    }
    let text = bytes.get(..received.bytes).unwrap_or_default();
    Ok((folder, String::from_utf8_lossy(text).into_owned()))
}
