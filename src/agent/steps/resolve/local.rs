// SPDX-License-Identifier: Apache-2.0
//! Files and folders of the scanner itself, which a message on a local queue may name.
//!
//! A path is opened beneath the configured folder by the kernel (openat2 with `RESOLVE_BENEATH`), so neither `..` nor a
//! link nor a race leads out of it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use snapscan_schema::{Job, JobTarget, Reason};

use crate::agent::context::Context;
use crate::agent::stop::Stop;
use crate::agent::work::{Disk, DiskIs, Plan, Way};
use crate::config::effective::Reader;

/// The plan for files or a folder.
///
/// # Errors
/// Poison if one is not beneath the folder, permanent if one is not there.
pub(super) fn plan(context: &Context, job: &Job) -> Result<Plan, Stop> {
    let mut plan = Plan {
        place: None,
        instance: None,
        disks: Vec::new(),
        excluded: Vec::new(),
        folder: None,
        way: Way::File,
        why: "the target is a file".to_owned(),
        choice: None,
        reader: Reader::Own,
    };
    match &job.target {
        JobTarget::Directory { path } => {
            open(context, path)?;
            plan.folder = Some(path.clone());
        }
        JobTarget::Image { paths } => {
            for path in paths {
                open(context, path)?;
                plan.disks.push(disk(path, &plan.disks));
            }
        }
        _ => return Err(Stop::Poison("the target is not a file".to_owned())),
    }
    Ok(plan)
}

fn disk(path: &str, others: &[Disk]) -> Disk {
    let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
    let is_taken = |name: &str| others.iter().any(|other| other.name == name);
    let numbered = (2..).map(|n: u32| format!("{name}#{n}"));
    let free = std::iter::once(name.to_string()).chain(numbered).find(|name| !is_taken(name));
    Disk {
        name: free.unwrap_or_default(),
        is: DiskIs::File(path.to_owned()),
        bytes: 0,
        is_root: others.is_empty(),
        key: None,
        encrypted: false,
        default_key: false,
        product_code: None,
        snapshot: None,
        usable: None,
    }
}

/// Opens a path that a message names, for reading.
///
/// # Errors
/// Poison if it is not beneath the folder, permanent if it is not there.
pub(crate) fn open(context: &Context, path: &str) -> Result<OwnedFd, Stop> {
    let root = context.config.agent.local_root.as_deref();
    let root = root.ok_or_else(|| Stop::Poison("`agent.local_root` is not set".to_owned()))?;
    beneath(root, path).map_err(|error| match error.raw_os_error() {
        // Source: openat2(2): EXDEV: the path leads out; ELOOP: a link that may not be followed, or too many.
        Some(nix::libc::EXDEV | nix::libc::ELOOP) => {
            Stop::Poison(format!("{path:?} leads out of `agent.local_root`"))
        }
        Some(nix::libc::ENOENT | nix::libc::ENOTDIR) => {
            Stop::permanent(Reason::TargetGone, format!("{path:?} is not there"))
        }
        Some(nix::libc::EACCES | nix::libc::EPERM) => {
            Stop::permanent(Reason::AccessDenied, format!("{path:?} may not be read by this user"))
        }
        _ => Stop::fault(&format!("opening {path:?}"), error),
    })
}

/// Opens a path beneath a folder for reading, and nothing outside of it.
///
/// # Errors
/// What the system answers: EXDEV if the path leads out.
pub(crate) fn beneath(root: &Path, path: &str) -> io::Result<OwnedFd> {
    let root = File::open(root)?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        .mode(Mode::empty())
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let opened = openat2(&root, path, how)?;
    let kind = File::from(opened.try_clone()?).metadata()?.file_type();
    if kind.is_file() || kind.is_dir() {
        Ok(opened)
    } else {
        Err(io::Error::from_raw_os_error(nix::libc::ELOOP))
    }
}
