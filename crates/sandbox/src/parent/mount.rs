// SPDX-License-Identifier: Apache-2.0
//! A machine's filesystems that the kernel reads, as one open folder.
//!
//! A process of its own mounts them, in namespaces of its own, and passes the root folder's descriptor back. For each it
//! is given a descriptor, a range of bytes and a kind from a fixed list. Of what a target wrote it is given mount points
//! alone, which the kernel resolves beneath the root's folder, without links. It parses nothing: whether a journal waits
//! to be replayed is told by the kernel, which refuses to mount such a filesystem from a read-only device unless it is
//! told to leave the journal alone. When the helper goes, the mounts go.

mod helper;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use helper::entry;

use super::spawn::Program;

/// The helper's name for itself.
const HELPER: &str = "snapscan-mount";
/// A mount that takes longer hangs: a lazily loaded volume reads some hundred blocks for it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an order or an answer at most: a mount point of 4 KiB, or some words, and numbers.
const MESSAGE: usize = 8 << 10;

/// What the helper is to do; the volume's descriptor comes with it.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    kind: Kind,
    offset: u64,
    len: u64,
    /// Where beneath the root; empty for the root itself, which comes first.
    at: Vec<u8>,
}

/// What became of it: whether its journal was left alone, or why it is not mounted. The root's folder comes with it.
type Answer = Result<bool, String>;

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

/// A machine's root with what was mounted below it; the helper is ended when this goes.
#[derive(Debug)]
pub struct Mounted {
    /// Its root.
    pub folder: OwnedFd,
    /// True if the root's journal holds changes, which are not in what is shown.
    pub dirty: bool,
    socket: OwnedFd,
    helper: Helper,
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

/// Mounts a root filesystem with the help of `program`, whose `main` turns to [`entry`] first. To be called on a thread
/// that lives as long as the mount is used: the helper dies with it.
///
/// # Errors
/// What was being done and what the system answered, in words.
pub fn mount(program: &Program, part: &Part<'_>) -> Result<Mounted, String> {
    let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|error| format!("making a socket for the mount helper: {error}"))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))
        .map_err(|error| format!("setting up the mount helper's socket: {error}"))?;
    let child = Command::new(&program.path)
        .arg0(HELPER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let helper = Helper(child.map_err(|error| format!("starting the mount helper: {error}"))?);
    match ask(&socket, part, b"")? {
        (Ok(dirty), Some(folder)) => Ok(Mounted { folder, dirty, socket, helper }),
        (Ok(_), None) => Err("the mount helper passed no folder".to_owned()),
        (Err(why), _) => Err(why),
    }
}

impl Mounted {
    /// Mounts another filesystem at a path beneath the root, that has no links in it; parents come before what lies in
    /// them. Answers whether its journal holds changes, which are not in what is shown.
    ///
    /// # Errors
    /// As [`mount`]; what was mounted before stays.
    pub fn below(&mut self, part: &Part<'_>, at: &[u8]) -> Result<bool, String> {
        match ask(&self.socket, part, at) {
            Ok((answer, _)) => answer,
            // Nobody knows any more which answer belongs to what: all of it is given up.
            Err(why) => {
                let _ended_before = self.helper.0.kill();
                Err(why)
            }
        }
    }

    /// True if the helper lives, and with it all that it mounted.
    ///
    /// # Errors
    /// What the system answers.
    pub fn is_there(&mut self) -> io::Result<bool> {
        self.helper.0.try_wait().map(|ended| ended.is_none())
    }
}

/// Gives an order and waits for the answer.
fn ask(socket: &OwnedFd, part: &Part<'_>, at: &[u8]) -> Result<(Answer, Option<OwnedFd>), String> {
    let order = Order { kind: part.kind, offset: part.offset, len: part.len, at: at.to_vec() };
    say(socket.as_fd(), &order, Some(part.volume))
        .map_err(|error| format!("asking the mount helper: {error}"))?;
    match hear(socket.as_fd()) {
        Ok(Some(heard)) => Ok(heard),
        Ok(None) => Err("the mount helper ended without an answer".to_owned()),
        Err(error) => Err(format!("waiting for the mount helper: {error}")),
    }
}

/// Sends one message, with a descriptor if there is one.
fn say<T: Serialize>(socket: BorrowedFd<'_>, message: &T, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let bytes = postcard::to_extend(message, Vec::new()).map_err(io::Error::other)?;
    let files: Vec<_> = file.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&files));
    }
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for one message, with the descriptor that came with it; `None` once the other side is gone.
fn hear<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; MESSAGE];
    let heard = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            file = files.last();
        }
    }
    match bytes.get(..heard.bytes).unwrap_or_default() {
        [] => Ok(None),
        message => Ok(Some((postcard::from_bytes(message).map_err(io::Error::other)?, file))),
    }
}
