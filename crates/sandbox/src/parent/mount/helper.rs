// SPDX-License-Identifier: Apache-2.0
//! The process that mounts: it has the right to, and neither credentials nor network, and parses nothing.
//!
//! It is given orders one by one, the root's first. What it mounted stays until its parent closes the socket or dies.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
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
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sys_mount::{Mount, MountFlags};

use super::{Answer, HELPER, Kind, MESSAGE, Order, hear, say};
use crate::parent::ioctl;

/// Folders of which one is there; what it holds is hidden in this namespace, and only here.
const TARGETS: [&str; 3] = ["/mnt", "/tmp", "/run"];
/// How often another loop device is tried after somebody else took the one that was free.
const LOOPS: u32 = 32;
/// Bytes of a reason at most: it fits into a message with what is around it.
const REASON: usize = MESSAGE / 2;

/// Is this process the mount helper? Then it mounts, waits until nobody needs it, and answers with its exit code.
#[must_use]
pub fn entry() -> Option<ExitCode> {
    if std::env::args().next().is_none_or(|name| name != HELPER) {
        return None;
    }
    Some(match serve(io::stdin().as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{HELPER} is started by snapscan, not by hand: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Does what it is told to, until the parent closes its end.
fn serve(socket: BorrowedFd<'_>) -> io::Result<()> {
    let apart = apart();
    let mut root: Option<File> = None;
    while let Some((order, volume)) = hear::<Order>(socket)? {
        let Some(volume) = volume else { return Err(io::ErrorKind::InvalidData.into()) };
        let done: Answer = match (&apart, &root) {
            (Err(why), _) => Err(why.clone()),
            (Ok(()), Some(root)) => below(root, &order, &volume),
            (Ok(()), None) => first(&order, &volume).map(|(folder, dirty)| {
                root = Some(folder);
                dirty
            }),
        };
        let is_first = order.at.is_empty() && done.is_ok();
        let done = done.map_err(|why| why.chars().take(REASON / 4).collect::<String>());
        say(socket, &done, root.as_ref().filter(|_| is_first).map(AsFd::as_fd))?;
    }
    Ok(())
}

/// Ends with the parent, gives up what is not needed, and sees mounts of its own.
fn apart() -> Result<(), String> {
    let doing = |what: &'static str| move |error: Errno| format!("{what}: {}", error.desc());
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(doing("tying the mount helper to its parent"))?;
    if getppid() == Pid::from_raw(1) {
        return Err("the mount helper's parent is gone".to_owned());
    }
    prctl::set_no_new_privs().map_err(doing("giving up new privileges"))?;
    let apart = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    unshare(apart).map_err(doing("making namespaces for the mount"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(doing("making the mounts private"))
}

/// Mounts the root; answers its folder, and whether its journal was left alone.
fn first(order: &Order, volume: &OwnedFd) -> Result<(File, bool), String> {
    let target = TARGETS.iter().map(Path::new).find(|path| path.is_dir());
    let target = target.ok_or_else(|| format!("none of {} is a folder", TARGETS.join(", ")))?;
    let dirty = shown(order, volume, target)?;
    let root = File::options().read(true).custom_flags(O_DIRECTORY).open(target);
    Ok((root.map_err(|e| format!("opening the mounted root: {e}"))?, dirty))
}

/// Mounts another one beneath the root, at a folder that no link leads to; answers whether its journal was left alone.
fn below(root: &File, order: &Order, volume: &OwnedFd) -> Answer {
    let at = order.at.strip_prefix(b"/").unwrap_or(&order.at);
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(root, at, flags, Mode::empty(), how)
        .map_err(|error| format!("the folder to mount it on: {error}"))?;
    // mount(2) takes no descriptor; this path is the descriptor's own.
    shown(order, volume, &PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())))
}

fn shown(order: &Order, volume: &OwnedFd, target: &Path) -> Answer {
    let (_held, device) = loop_device(volume.as_fd(), order.offset, order.len)
        .map_err(|e| format!("making a loop device: {e}"))?;
    attach(&device, target, order.kind).map_err(|e| format!("mounting as {}: {e}", order.kind.name()))
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
