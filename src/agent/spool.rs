// SPDX-License-Identifier: Apache-2.0
//! The spool: reports on this machine's disk, from the point of no return until they are handed over.
//!
//! A parcel is written under a temporary name, synced, renamed, and its folder synced; only then is it committed to the
//! ledger. A parcel without a ledger's row is not there, and is swept away at the start.
//!
//! Before a lease there must be room for the reports that can be written at once, and for the ledger. A ballast file is
//! given up when the disk is full all the same, so that releases can still be recorded.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;
use sha2::{Digest, Sha256};

use crate::agent::boundary::pass;

/// Bytes that the ledger may need for the jobs that are under way.
const LEDGER_ROOM: u64 = 32 << 20;
/// Bytes that are given up when the disk is full.
const BALLAST: u64 = 16 << 20;

/// The spool of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    state: PathBuf,
    room: u64,
}

impl Spool {
    /// The spool in a state folder, with room for so many bytes of reports.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn open(state: &Path, room: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(state.join("spool"))?;
        Ok(Self { state: state.to_owned(), room })
    }

    fn folder(&self) -> PathBuf {
        self.state.join("spool")
    }

    /// A job's id is letters, digits and dashes, so it is a name in the folder and nothing else.
    fn path(&self, job: &str) -> PathBuf {
        self.folder().join(format!("{job}.parcel"))
    }

    /// Makes a parcel durable. Whatever was there under this job's name is replaced.
    ///
    /// # Errors
    /// What the system answers; then there is no parcel, or the old one.
    pub(crate) fn write(&self, job: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.folder().join(format!("{job}.new"));
        pass("spool.create");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        pass("spool.write");
        file.write_all(bytes)?;
        pass("spool.fsync");
        file.sync_all()?;
        pass("spool.rename");
        fs::rename(&temporary, self.path(job))?;
        pass("spool.fsync-folder");
        File::open(self.folder())?.sync_all()?;
        pass("spool.written");
        Ok(())
    }

    /// A parcel, if it is there and is the one of that digest.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn read(&self, job: &str, digest: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.find(job)?.filter(|bytes| sha256(bytes) == digest))
    }

    /// Whatever lies there under this job's name.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn find(&self, job: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(job)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Drops a parcel; none is no error.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn remove(&self, job: &str) -> io::Result<()> {
        pass("spool.remove");
        let removed = match fs::remove_file(self.path(job)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        pass("spool.removed");
        removed
    }

    /// Drops everything but the parcels of these jobs: what a dead agent left half written or had handed over.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn sweep(&self, keep: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            let is_kept = path.extension().is_some_and(|ending| ending == "parcel")
                && path
                    .file_stem()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| keep.iter().any(|k| k == name));
            if !is_kept {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// How many parcels there are, and their bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let sizes = entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len());
        sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
    }

    /// True if there is room for the reports that can be written at once, and for the ledger. Makes the ballast again
    /// if there is room for it too, and gives it up if there is not even room for the ledger.
    ///
    /// # Errors
    /// What the system answers.
    pub(crate) fn has_room(&self) -> io::Result<bool> {
        let free = self.free()?;
        let ballast = self.state.join("ballast");
        let is_there = ballast.try_exists()?;
        if is_there && free < LEDGER_ROOM {
            tracing::warn!(free, "ballast_given_up");
            fs::remove_file(&ballast)?;
        } else if !is_there && free > self.room.saturating_add(LEDGER_ROOM).saturating_add(2 * BALLAST) {
            let file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&ballast)?;
            posix_fallocate(&file, 0, i64::try_from(BALLAST).unwrap_or(i64::MAX))?;
        }
        Ok(free >= self.room.saturating_add(LEDGER_ROOM))
    }

    /// Bytes that may still be written to the state folder's disk.
    fn free(&self) -> io::Result<u64> {
        let answer = statvfs(&self.state)?;
        Ok(answer.blocks_available().saturating_mul(answer.fragment_size()))
    }
}

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_reads_back_only_if_it_is_the_one_of_that_digest() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 0).unwrap();
        spool.write("a", b"bytes").unwrap();
        assert_eq!(spool.read("a", &sha256(b"bytes")).unwrap(), Some(b"bytes".to_vec()));
        assert_eq!(spool.read("a", &sha256(b"other")).unwrap(), None);
        spool.remove("a").unwrap();
        spool.remove("a").unwrap();
        assert_eq!(spool.read("a", &sha256(b"bytes")).unwrap(), None);
    }

    #[test]
    fn a_sweep_keeps_only_the_parcels_that_the_ledger_names() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 0).unwrap();
        for job in ["a", "b"] {
            spool.write(job, b"bytes").unwrap();
        }
        fs::write(folder.path().join("spool/a.new"), b"half").unwrap();
        spool.sweep(&["a".to_owned()]).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path().join("spool")).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(spool.read("a", &sha256(b"bytes")).unwrap().is_some());
    }

    #[test]
    fn without_room_for_the_largest_report_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Spool::open(folder.path(), 0).unwrap().has_room().unwrap());
        assert!(!Spool::open(folder.path(), u64::MAX / 2).unwrap().has_room().unwrap());
    }
}
