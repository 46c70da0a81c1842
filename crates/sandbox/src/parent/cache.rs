// SPDX-License-Identifier: Apache-2.0
//! The files on disk in which fetched blocks lie, one without a name for each volume.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::blocks::{BLOCK, Wanted};

/// Sparse files in which each block lies at its own place.
#[derive(Debug)]
pub(crate) struct CacheFiles {
    files: Vec<File>,
}

impl CacheFiles {
    /// Makes one file in `folder` for each volume of so many bytes. They have no names: whatever happens, they go with
    /// the last process that has them open.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn new(folder: &Path, volumes: &[u64]) -> io::Result<Self> {
        let files = volumes.iter().map(|&len| nameless(folder, len)).collect::<io::Result<_>>()?;
        Ok(CacheFiles { files })
    }

    /// The files once more, open for reading only.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn readable(&self) -> io::Result<Vec<File>> {
        self.files.iter().map(|file| File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))).collect()
    }

    /// Writes a block to its place.
    ///
    /// # Errors
    /// What the system answers; `NotFound` if there is no such volume.
    pub(crate) fn write(&self, wanted: Wanted, bytes: &[u8]) -> io::Result<()> {
        self.file(wanted)?.write_all_at(bytes, wanted.index.saturating_mul(BLOCK))
    }

    /// Gives back a block's room: from now on it reads as zeros.
    ///
    /// # Errors
    /// What the system answers; `NotFound` if there is no such volume.
    pub(crate) fn punch(&self, wanted: Wanted) -> io::Result<()> {
        let out_of_range = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let offset = i64::try_from(wanted.index.saturating_mul(BLOCK)).map_err(out_of_range)?;
        let len = i64::try_from(BLOCK).map_err(out_of_range)?;
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        Ok(fallocate(self.file(wanted)?, flags, offset, len)?)
    }

    fn file(&self, wanted: Wanted) -> io::Result<&File> {
        let index = usize::try_from(wanted.volume).unwrap_or(usize::MAX);
        self.files.get(index).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A new file of `len` bytes, rounded up to whole blocks, whose name is gone again.
fn nameless(folder: &Path, len: u64) -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".snapscan-blocks-{}-{number}", std::process::id()));
    // What a process with this number left behind before is nobody's now.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    file.set_len(len.div_ceil(BLOCK).saturating_mul(BLOCK))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::blocks::BLOCK_BYTES;

    #[test]
    fn a_block_lies_at_its_place_until_its_room_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFiles::new(folder.path(), &[3 * BLOCK, 5 * BLOCK + 1]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let files = cache.readable().unwrap();
        assert_eq!(files[1].metadata().unwrap().len(), 6 * BLOCK);
        let wanted = Wanted { volume: 1, index: 4 };
        cache.write(wanted, &vec![7; BLOCK_BYTES]).unwrap();
        let mut bytes = [0; 3];
        files[1].read_exact_at(&mut bytes, 4 * BLOCK - 1).unwrap();
        assert_eq!(bytes, [0, 7, 7]);
        let before = files[1].metadata().unwrap().blocks();
        cache.punch(wanted).unwrap();
        files[1].read_exact_at(&mut bytes, 4 * BLOCK - 1).unwrap();
        assert_eq!(bytes, [0, 0, 0]);
        assert!(files[1].metadata().unwrap().blocks() < before);
        assert!(files[0].write_at(&[1], 0).is_err(), "the worker's descriptor can write");
    }
}
