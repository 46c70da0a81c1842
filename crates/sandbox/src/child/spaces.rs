// SPDX-License-Identifier: Apache-2.0
//! What a worker sees of the system: a session, a network, shared memory, mounts and a root folder of its own.

use std::fs;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, chroot, getgid, getuid, pivot_root, setsid};
use rustix::thread::{CapabilitySet, capabilities};

/// A folder that every system has and a worker no longer needs: the empty root is mounted over it.
const OVER: &str = "/proc";

/// Leaves the parent's session, and with it the terminal.
pub(super) fn session() -> Result<(), String> {
    setsid().map(drop).map_err(|errno| format!("setsid: {errno}"))
}

/// Makes a user namespace where the other ones cannot be made without it.
pub(super) fn user() -> Result<(), String> {
    let held = capabilities(None).map_err(|errno| format!("capget: {errno}"))?;
    if held.effective.contains(CapabilitySet::SYS_ADMIN) {
        return Ok(());
    }
    let (user, group) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| match errno {
        // user_namespaces(7) and clone(2): what these two mean here.
        Errno::ENOSPC => "no user namespace: user.max_user_namespaces allows no more".to_owned(),
        Errno::EPERM => "no user namespace: this system keeps them from this user".to_owned(),
        other => format!("no user namespace: {other}"),
    })?;
    // user_namespaces(7): without a privilege outside, only after setgroups has been given up, and only to oneself.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ];
    for (path, text) in maps {
        fs::write(path, text).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

/// A network without interfaces.
pub(super) fn network(user: &Result<(), String>) -> Result<(), String> {
    enter(CloneFlags::CLONE_NEWNET, user)
}

/// Shared memory and message queues of its own.
pub(super) fn ipc(user: &Result<(), String>) -> Result<(), String> {
    enter(CloneFlags::CLONE_NEWIPC, user)
}

/// Mounts of its own, of which nothing reaches the host.
pub(super) fn mounts(user: &Result<(), String>) -> Result<(), String> {
    enter(CloneFlags::CLONE_NEWNS, user)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|errno| format!("making mounts private: {errno}"))
}

fn enter(flag: CloneFlags, user: &Result<(), String>) -> Result<(), String> {
    user.clone()?;
    unshare(flag).map_err(|errno| format!("unshare: {errno}"))
}

/// A root folder with nothing in it, into which nothing can be put.
pub(super) fn empty_root(own_mounts: bool) -> Result<(), String> {
    if !own_mounts {
        return Err("there are no mounts of its own to change".to_owned());
    }
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let options = "size=4k,nr_inodes=1,mode=555";
    mount(Some("none"), OVER, Some("tmpfs"), flags, Some(options))
        .map_err(|errno| format!("mounting an empty folder: {errno}"))?;
    chdir(OVER).map_err(|errno| format!("entering the empty folder: {errno}"))?;
    // pivot_root(2), "pivot_root(".", ".")": the old root then lies over the new one and is taken away.
    match pivot_root(".", ".") {
        Ok(()) => {
            umount2(".", MntFlags::MNT_DETACH).map_err(|errno| format!("leaving the old root: {errno}"))?
        }
        // A root that is itself the first filesystem of the system (an initramfs) cannot be exchanged.
        Err(_) => chroot(".").map_err(|errno| format!("chroot: {errno}"))?,
    }
    chdir("/").map_err(|errno| format!("entering the empty root: {errno}"))
}
