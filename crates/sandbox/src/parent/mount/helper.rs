// SPDX-License-Identifier: Apache-2.0
//! The process that mounts: it has the right to, and neither credentials, nor network, nor a word that a target wrote.

use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{MS_NOSYMFOLLOW, O_DIRECTORY};
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use sys_mount::{Mount, MountFlags};

use super::{HELPER, Kind};
use crate::parent::ioctl;

/// Folders of which one is there; what it holds is hidden in this namespace, and only here.
const TARGETS: [&str; 3] = ["/mnt", "/tmp", "/run"];
/// How often another loop device is tried after somebody else took the one that was free.
const LOOPS: u32 = 32;
/// Exit code of a helper that could not begin.
const UNUSABLE: u8 = 2;

/// Is this process the mount helper? Then it mounts, waits until nobody needs it, and answers with its exit code.
#[must_use]
pub fn entry() -> Option<ExitCode> {
    let mut args = std::env::args();
    if args.next().is_none_or(|name| name != HELPER) {
        return None;
    }
    let wanted = (|| {
        let kind = Kind::of(&args.next()?)?;
        Some((kind, args.next()?.parse().ok()?, args.next()?.parse().ok()?))
    })();
    let Some((kind, offset, len)) = wanted else {
        eprintln!("{HELPER} is started by snapscan, not by hand");
        return Some(ExitCode::from(UNUSABLE));
    };
    let (socket, volume) = (io::stdin(), io::stdout());
    let told = match mounted(volume.as_fd(), offset, len, kind) {
        Ok((folder, dirty)) => tell(socket.as_fd(), if dirty { "dirty" } else { "clean" }, Some(&folder)),
        Err(why) => tell(socket.as_fd(), &why, None),
    };
    // The namespace lives until the parent closes its end, or dies.
    let waited = told.and_then(|()| socket.lock().read(&mut [0; 1]));
    Some(if waited.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Mounts the filesystem; answers its root, and whether its journal was left alone.
fn mounted(volume: BorrowedFd<'_>, offset: u64, len: u64, kind: Kind) -> Result<(File, bool), String> {
    let doing = |what: &'static str| move |error: Errno| format!("{what}: {}", error.desc());
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(doing("tying the mount helper to its parent"))?;
    if getppid() == Pid::from_raw(1) {
        return Err("the mount helper's parent is gone".to_owned());
    }
    prctl::set_no_new_privs().map_err(doing("giving up new privileges"))?;
    let (_held, device) =
        loop_device(volume, offset, len).map_err(|e| format!("making a loop device: {e}"))?;
    let apart = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    unshare(apart).map_err(doing("making namespaces for the mount"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(doing("making the mounts private"))?;
    let target = TARGETS.iter().map(Path::new).find(|path| path.is_dir());
    let target = target.ok_or_else(|| format!("none of {} is a folder", TARGETS.join(", ")))?;
    let dirty = attach(&device, target, kind).map_err(|e| format!("mounting as {}: {e}", kind.name()))?;
    let root = File::options().read(true).custom_flags(O_DIRECTORY).open(target);
    Ok((root.map_err(|e| format!("opening the mounted root: {e}"))?, dirty))
}

/// Mounts as it is, or without the journal where the kernel says that it would have to write for it.
fn attach(device: &Path, target: &Path, kind: Kind) -> io::Result<bool> {
    let flags = MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC
        | MountFlags::from_bits_retain(MS_NOSYMFOLLOW);
    let mount =
        |options: &str| Mount::builder().fstype(kind.name()).flags(flags).data(options).mount(device, target);
    let plain = mount(kind.options()).map(drop);
    match (plain, kind.without_journal()) {
        (Err(error), Some(options)) if error.raw_os_error() == Some(Errno::EROFS as i32) => {
            mount(options).map(|_| true)
        }
        (plain, _) => plain.map(|()| false),
    }
}

/// Shows the range as a device of its own, read-only. It stays while it is open or mounted.
fn loop_device(volume: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<(File, PathBuf)> {
    let control = File::options().read(true).write(true).open("/dev/loop-control")?;
    for _ in 0..LOOPS {
        let path = PathBuf::from(format!("/dev/loop{}", ioctl::free_loop(&control)?));
        let device = File::open(&path)?;
        match ioctl::configure_loop(&device, volume, offset, len) {
            Ok(()) => return Ok((device, path)),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn tell(socket: BorrowedFd<'_>, text: &str, folder: Option<&File>) -> io::Result<()> {
    let folder: Vec<_> = folder.iter().map(|folder| folder.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !folder.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&folder));
    }
    sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
