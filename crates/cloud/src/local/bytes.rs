// SPDX-License-Identifier: Apache-2.0
//! How files are copied so that holes stay holes, and where their holes are.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::world::GIB;

/// Bytes that are copied at a time.
const CHUNK: u64 = 1 << 20;

/// Makes `target` the same bytes as `source`, which may be missing (then all is a hole), `size_gib` GiB long: a link if
/// nobody may write the source, else a copy. The target cannot be written.
///
/// # Errors
/// What the system answers about either file.
pub(super) fn duplicate(source: &Path, target: &Path, size_gib: u64) -> io::Result<()> {
    let length = size_gib.saturating_mul(GIB);
    match fs::symlink_metadata(source) {
        Ok(file) if file.is_file() && file.permissions().mode() & 0o222 == 0 && file.len() == length => {
            absent(target)?;
            if fs::hard_link(source, target).is_ok() {
                return Ok(());
            }
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return finish(&create(target)?, length),
        Err(error) => return Err(error),
    }
    place(source, target, size_gib)
}

/// Makes `target` a copy of `source`, `size_gib` GiB long, that cannot be written.
///
/// # Errors
/// What the system answers about either file.
pub(super) fn place(source: &Path, target: &Path, size_gib: u64) -> io::Result<()> {
    let target = create(target)?;
    copy(&File::open(source)?, &target)?;
    finish(&target, size_gib.saturating_mul(GIB))
}

/// Makes a file of its own: one of that name may be a link to bytes that others need, left by a call that never ended.
fn create(path: &Path) -> io::Result<File> {
    absent(path)?;
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Removes a file, if there is one.
///
/// # Errors
/// What the system answers.
pub(super) fn absent(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Sets the length, takes write permission away, and waits for the disk.
fn finish(file: &File, length: u64) -> io::Result<()> {
    if file.metadata()?.len() < length {
        file.set_len(length)?;
    }
    file.set_permissions(fs::Permissions::from_mode(0o444))?;
    file.sync_all()
}

/// Copies the data and leaves the holes; shares blocks where the filesystem can.
fn copy(source: &File, target: &File) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return Ok(());
    }
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut buffer = vec![0; usize::try_from(CHUNK).unwrap_or(usize::MAX)];
    let mut from = 0;
    while let Some((start, end)) = next_data(source, from)? {
        let mut at = start;
        while at < end {
            let most = usize::try_from((end - at).min(CHUNK)).unwrap_or(usize::MAX);
            let part = &mut buffer[..most];
            source.read_exact_at(part, at)?;
            target.write_all_at(part, at)?;
            at += u64::try_from(most).unwrap_or(u64::MAX);
        }
        from = end;
    }
    Ok(())
}

/// Beginning and end, in bytes, of the first data at or after `from`; `None` if only a hole follows.
///
/// # Errors
/// What the system answers.
pub(super) fn next_data(file: &File, from: u64) -> io::Result<Option<(u64, u64)>> {
    let start = match seek(file, SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(start))?;
    Ok(Some((start, end)))
}
