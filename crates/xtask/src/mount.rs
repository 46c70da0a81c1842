// SPDX-License-Identifier: Apache-2.0
//! Mounts of image files by the kernel, undone when they are dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A mounted image.
pub(crate) struct Mounted {
    directory: TempDir,
    /// The loop device where it was made apart from the mount.
    device: Option<String>,
    /// The copy that the kernel may write to.
    _copy: Option<TempDir>,
}

/// Which filesystem to mount, by the name that mount(8) takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// ext2, ext3 and ext4: one driver reads them all
    Ext4,
    /// XFS
    Xfs,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
        }
    }

    /// Copies of one XFS have one UUID, which the kernel mounts once unless told.
    fn options(self, first: &str) -> String {
        match self {
            Kind::Ext4 => first.to_owned(),
            Kind::Xfs => format!("{first},nouuid"),
        }
    }
}

impl Mounted {
    /// Mounts what begins at byte `offset` as the machine itself would see it, and leaves the image as it is: read-only
    /// if it is clean, else a copy of it, which the kernel recovers.
    ///
    /// # Errors
    /// What mount(8) or losetup(8) say; both want root.
    pub(crate) fn recovered(image: &Path, offset: u64, kind: Kind) -> Result<Self> {
        match Mounted::with(image, &format!("ro,loop,offset={offset}"), kind) {
            Ok(mounted) => Ok(mounted),
            Err(refused) => {
                eprintln!(
                    "the kernel does not mount the image read-only, so a copy of it is recovered: {refused:#}"
                );
                Mounted::copied(image, offset, kind)
            }
        }
    }

    /// Mounts an image to be written to.
    ///
    /// # Errors
    /// What mount(8) says.
    pub(crate) fn writable(image: &Path, kind: Kind) -> Result<Self> {
        Mounted::with(image, "rw,loop", kind)
    }

    /// The same with further options, separated by commas; none if empty.
    ///
    /// # Errors
    /// What mount(8) says.
    pub(crate) fn with_options(image: &Path, kind: Kind, options: &str) -> Result<Self> {
        let comma = if options.is_empty() { "" } else { "," };
        Mounted::with(image, &format!("rw,loop{comma}{options}"), kind)
    }

    fn with(image: &Path, options: &str, kind: Kind) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let options = kind.options(options);
        run(Command::new("mount")
            .args(["-t", kind.name(), "-o", &options])
            .arg(image)
            .arg(directory.path()))?;
        Ok(Mounted { directory, device: None, _copy: None })
    }

    fn copied(image: &Path, offset: u64, kind: Kind) -> Result<Self> {
        let copy = tempfile::tempdir()?;
        let path = copy.path().join("copy.img");
        run(Command::new("cp").args(["--reflink=auto", "--sparse=always"]).arg(image).arg(&path))?;
        // With `ro` mount(8) makes a read-only loop device, and nothing could be recovered on that.
        let device =
            run(Command::new("losetup").args(["--find", "--show", "-o", &offset.to_string()]).arg(&path))?;
        let directory = tempfile::tempdir()?;
        let mut mounted = Mounted { directory, device: Some(device.trim().to_owned()), _copy: Some(copy) };
        let options = kind.options("ro");
        let done = run(Command::new("mount")
            .args(["-t", kind.name(), "-o", &options, device.trim()])
            .arg(mounted.path()));
        if let Err(error) = done {
            mounted.detach();
            return Err(error);
        }
        Ok(mounted)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Unmounts; what was written is in the image then.
    ///
    /// # Errors
    /// What umount(8) says.
    pub(crate) fn unmount(self) -> Result<()> {
        run(Command::new("umount").arg(self.path())).map(|_| ())
        // Dropping it tries once more and finds nothing.
    }

    fn detach(&mut self) {
        if let Some(device) = self.device.take() {
            let _detached = run(Command::new("losetup").args(["-d", &device]));
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _unmounted = run(Command::new("umount").arg(self.path()));
        self.detach();
    }
}

/// A sparse file of `size` bytes that a mkfs makes into a filesystem. `command` is the mkfs and its arguments.
///
/// # Errors
/// What the mkfs says.
pub(crate) fn make(directory: &Path, command: &[&str], size: u64) -> Result<PathBuf> {
    let path = directory.join("made.img");
    std::fs::File::create(&path)?.set_len(size)?;
    let (program, arguments) = command.split_first().context("an empty mkfs command")?;
    run(Command::new(program).args(arguments).arg(&path))?;
    Ok(path)
}

/// Runs a command and answers what it prints.
///
/// # Errors
/// If it cannot be started, or fails: with what it says.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
