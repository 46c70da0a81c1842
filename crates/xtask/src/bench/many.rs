// SPDX-License-Identifier: Apache-2.0
//! Filesystems of a million names: large enough that the rate of a `full` scan can be told from its beginning and end.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};

use crate::steps::run;

/// Folders on each of the three levels below `srv`.
const FOLDERS: u32 = 16;
/// Files in each folder of the lowest level.
const FILES: u32 = 256;
/// Bytes that a file takes up. They are reserved and not written, so that the image stays small on the disk, and inodes
/// and folders lie as far from each other as content would push them.
const BYTES: u64 = 16 << 10;
/// Bytes of the image.
const SIZE: &str = "32G";

/// The image of this kind in the folder.
pub(super) fn image(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("many-{kind}.img"))
}

/// Makes `many-KIND.img`, a bare filesystem that the kernel has filled.
pub(super) fn make(folder: &Path, kind: &str) -> Result<()> {
    let image = image(folder, kind);
    let busy = image.with_extension("busy");
    let shell = |script: String| run(Command::new("bash").args(["-euo", "pipefail", "-c", &script]));
    let options = if kind == "ext4" { "-q" } else { "-q -f" };
    let mount = tempfile::tempdir()?;
    let (to, at) = (busy.display(), mount.path().display());
    shell(format!(
        "rm -f '{to}'; truncate -s {SIZE} '{to}'; mkfs.{kind} {options} '{to}'; mount -o loop '{to}' '{at}'"
    ))?;
    let filled = fill(mount.path());
    shell(format!("umount '{at}'"))?;
    filled?;
    fs::rename(busy, image)?;
    Ok(())
}

/// All names first and then their content, as the other XFS image is made: else each 64 inodes would lie between the content
/// of their files.
fn fill(root: &Path) -> Result<()> {
    fs::create_dir(root.join("etc"))?;
    File::create(root.join("etc/os-release"))?.write_all(b"NAME=Bench\nID=bench\nVERSION_ID=1\n")?;
    File::create(root.join("etc/fstab"))?.write_all(b"/dev/xvda / auto defaults 0 1\n")?;
    for number in 0..FOLDERS * FOLDERS * FOLDERS {
        fs::create_dir_all(folder(root, number))?;
        for file in 0..FILES {
            File::create(path(root, number, file))?;
        }
    }
    for number in 0..FOLDERS * FOLDERS * FOLDERS {
        for file in 0..FILES {
            let path = path(root, number, file);
            let file = File::options().write(true).open(&path).with_context(|| path.display().to_string())?;
            fallocate(&file, FallocateFlags::empty(), 0, BYTES)?;
        }
    }
    Ok(())
}

fn folder(root: &Path, number: u32) -> PathBuf {
    let (upper, middle, lower) = (number / FOLDERS / FOLDERS, number / FOLDERS % FOLDERS, number % FOLDERS);
    root.join(format!("srv/part-{upper:02}/group-{middle:02}/folder-{lower:02}"))
}

fn path(root: &Path, number: u32, file: u32) -> PathBuf {
    folder(root, number).join(format!("document-{number:04}-{file:03}.dat"))
}
