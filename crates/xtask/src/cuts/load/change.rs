// SPDX-License-Identifier: Apache-2.0
//! One change of a filesystem, chosen at random.

use std::fs::{self, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    CWD, FallocateFlags, FileType, Mode, RenameFlags, XattrFlags, fallocate, mknodat, removexattr,
    renameat_with, setxattr,
};

use super::content;
use super::random::Random;
use crate::mount::Kind;

/// Files that a thread keeps at most, so that content is read in a second.
const FILES: usize = 700;
/// Files that are held open after their name is gone.
const ORPHANS: usize = 12;

/// A thread of the load, with what it made so far.
pub(super) struct Worker {
    kind: Kind,
    random: Random,
    /// Its own folder; the one that all threads share.
    home: PathBuf,
    shared: PathBuf,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    orphans: Vec<File>,
    made: u64,
}

type Change = fn(&mut Worker) -> Result<()>;

/// Changes and how often each is chosen.
const CHANGES: [(u64, Change); 24] = [
    (24, Worker::create),
    (8, Worker::create_many),
    (10, Worker::append),
    (8, Worker::overwrite),
    (12, Worker::rename),
    (3, Worker::exchange),
    (16, Worker::unlink),
    (3, Worker::orphan),
    (8, Worker::truncate),
    (5, Worker::punch),
    (5, Worker::preallocate),
    (4, Worker::move_range),
    (2, Worker::scatter),
    (5, Worker::clone_file),
    (10, Worker::set_xattr),
    (6, Worker::remove_xattr),
    (2, Worker::set_acl),
    (6, Worker::hard_link),
    (6, Worker::symlink),
    (5, Worker::make_folder),
    (3, Worker::remove_folder),
    (2, Worker::special),
    (8, Worker::attributes),
    (5, Worker::sync),
];

impl Worker {
    /// A thread that works in folder `number` of `root`, and in one that all share.
    pub(super) fn new(root: &Path, number: u64, kind: Kind, random: Random) -> Result<Self> {
        let (home, shared) = (root.join(format!("thread-{number}")), root.join("shared"));
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&shared)?;
        let folders = vec![home.clone(), shared.clone()];
        Ok(Worker { kind, random, home, shared, folders, files: vec![], orphans: vec![], made: 0 })
    }

    /// Makes one change.
    ///
    /// # Errors
    /// What the kernel says; the caller may go on.
    pub(super) fn change(&mut self) -> Result<()> {
        if self.files.len() > FILES {
            return self.unlink();
        }
        let mut at = self.random.below(CHANGES.iter().map(|(weight, _)| weight).sum());
        for (weight, change) in CHANGES {
            if at < weight {
                return change(self);
            }
            at -= weight;
        }
        Ok(())
    }

    /// A path that is not there, in some folder.
    fn fresh(&mut self) -> PathBuf {
        self.made += 1;
        let folder = self.random.pick(&self.folders).unwrap_or(&self.home).clone();
        let filler = "n".repeat(usize::try_from(self.random.below(60)).unwrap_or(0));
        let thread = self.home.file_name().unwrap_or_default().to_string_lossy().into_owned();
        folder.join(format!("{thread}-{}-{filler}", self.made))
    }

    fn file(&mut self) -> Result<PathBuf> {
        self.random.pick(&self.files).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    /// A file that has content: opening a pipe would wait for ever.
    fn regular(&mut self) -> Result<PathBuf> {
        let path = self.file()?;
        if path.symlink_metadata()?.is_file() {
            Ok(path)
        } else {
            Err(std::io::ErrorKind::InvalidInput.into())
        }
    }

    /// A file that exists, opened for writing, with its length.
    fn opened(&mut self) -> Result<(File, u64)> {
        let path = self.regular()?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }

    fn create(&mut self) -> Result<()> {
        let path = self.fresh();
        let len = content::len(&mut self.random);
        fs::write(&path, content::bytes(&mut self.random, len))?;
        self.files.push(path);
        Ok(())
    }

    /// Many small files in one folder, which gets large; some go again.
    fn create_many(&mut self) -> Result<()> {
        let folder = if self.random.one_in(2) { self.shared.clone() } else { self.home.clone() };
        for _ in 0..self.random.below(40) {
            let name = self.fresh().file_name().unwrap_or_default().to_owned();
            let path = folder.join(name);
            File::create(&path)?;
            if self.random.one_in(3) {
                fs::remove_file(&path)?;
            } else {
                self.files.push(path);
            }
        }
        Ok(())
    }

    fn append(&mut self) -> Result<()> {
        let (file, len) = self.opened()?;
        let more = content::len(&mut self.random);
        file.write_all_at(&content::bytes(&mut self.random, more), len)
    }

    fn overwrite(&mut self) -> Result<()> {
        let (file, len) = self.opened()?;
        let at = self.random.below(len + 10_000);
        let more = content::len(&mut self.random).min(30_000);
        file.write_all_at(&content::bytes(&mut self.random, more), at)
    }

    fn rename(&mut self) -> Result<()> {
        let from = self.file()?;
        // One in four replaces a file that is there.
        let to = if self.random.one_in(4) { self.file()? } else { self.fresh() };
        fs::rename(&from, &to)?;
        self.files.retain(|path| *path != from && *path != to);
        self.files.push(to);
        Ok(())
    }

    fn exchange(&mut self) -> Result<()> {
        let (one, other) = (self.file()?, self.file()?);
        Ok(renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE)?)
    }

    fn unlink(&mut self) -> Result<()> {
        let path = self.file()?;
        self.files.retain(|other| *other != path);
        fs::remove_file(path)
    }

    /// Unlinks a file that stays open.
    fn orphan(&mut self) -> Result<()> {
        let path = self.regular()?;
        let file = File::open(&path)?;
        self.files.retain(|other| *other != path);
        fs::remove_file(path)?;
        self.orphans.push(file);
        if self.orphans.len() > ORPHANS {
            self.orphans.clear();
        }
        Ok(())
    }

    fn truncate(&mut self) -> Result<()> {
        let (file, len) = self.opened()?;
        let to = if self.random.one_in(3) {
            len + self.random.below(3_000_000)
        } else {
            self.random.below(len + 1)
        };
        file.set_len(to)
    }

    fn punch(&mut self) -> Result<()> {
        let (file, len) = self.opened()?;
        let at = self.random.below(len.max(1));
        let how = if self.random.one_in(2) { FallocateFlags::PUNCH_HOLE } else { FallocateFlags::ZERO_RANGE };
        let bytes = 1 + self.random.below(100_000);
        Ok(fallocate(&file, how | FallocateFlags::KEEP_SIZE, at, bytes)?)
    }

    fn preallocate(&mut self) -> Result<()> {
        let (file, len) = self.opened()?;
        let how = if self.random.one_in(2) { FallocateFlags::KEEP_SIZE } else { FallocateFlags::empty() };
        let (at, bytes) = (self.random.below(len + 50_000), 1 + self.random.below(300_000));
        Ok(fallocate(&file, how, at, bytes)?)
    }

    /// Cuts out or inserts a range, which moves all that follows.
    fn move_range(&mut self) -> Result<()> {
        const UNIT: u64 = 65_536;
        let (file, len) = self.opened()?;
        let how =
            if self.random.one_in(2) { FallocateFlags::COLLAPSE_RANGE } else { FallocateFlags::INSERT_RANGE };
        let at = self.random.below(len / UNIT + 1) * UNIT;
        Ok(fallocate(&file, how, at, UNIT)?)
    }

    /// Writes every other block, so that the map of the file gets levels.
    fn scatter(&mut self) -> Result<()> {
        let (file, _) = self.opened()?;
        for block in 0..self.random.below(400) {
            file.write_all_at(&[b'x'; 600], block * 8192)?;
        }
        if self.random.one_in(2) { file.sync_data() } else { Ok(()) }
    }

    /// Copies a file; where the filesystem can, the blocks are shared.
    fn clone_file(&mut self) -> Result<()> {
        let (from, to) = (self.regular()?, self.fresh());
        fs::copy(from, &to)?;
        self.files.push(to);
        Ok(())
    }

    fn set_xattr(&mut self) -> Result<()> {
        let path = if self.random.one_in(8) { self.random.pick(&self.folders).cloned() } else { None };
        let path = path.map_or_else(|| self.file(), Ok)?;
        let name = self.xattr_name();
        let most = match self.kind {
            Kind::Ext4 => *self.random.pick(&[20, 200, 900, 3000]).unwrap_or(&20),
            Kind::Xfs => *self.random.pick(&[20, 200, 200, 2000, 5000, 60_000]).unwrap_or(&20),
        };
        let len = self.random.below(most);
        Ok(setxattr(&path, name, &content::bytes(&mut self.random, len), XattrFlags::empty())?)
    }

    fn remove_xattr(&mut self) -> Result<()> {
        let path = self.file()?;
        let name = self.xattr_name();
        Ok(removexattr(&path, name)?)
    }

    fn xattr_name(&mut self) -> String {
        let space = *self.random.pick(&["user", "user", "trusted", "security"]).unwrap_or(&"user");
        format!("{space}.attribute-{}", self.random.below(6))
    }

    fn set_acl(&mut self) -> Result<()> {
        let path = self.file()?;
        let acl = content::acl(&mut self.random);
        Ok(setxattr(&path, "system.posix_acl_access", &acl, XattrFlags::empty())?)
    }

    fn hard_link(&mut self) -> Result<()> {
        let (from, to) = (self.file()?, self.fresh());
        fs::hard_link(from, &to)?;
        self.files.push(to);
        Ok(())
    }

    fn symlink(&mut self) -> Result<()> {
        let len = *self.random.pick(&[5, 50, 61, 300, 1000, 2000, 4000]).unwrap_or(&5);
        let to = self.fresh();
        let target = "a/link's target/".repeat(len / 16 + 1);
        symlink(target.get(..len).unwrap_or("x"), &to)?;
        self.files.push(to);
        Ok(())
    }

    fn make_folder(&mut self) -> Result<()> {
        let path = self.fresh();
        fs::DirBuilder::new().mode(0o750).create(&path)?;
        self.folders.push(path);
        Ok(())
    }

    /// Removes a folder, or moves it to another one.
    fn remove_folder(&mut self) -> Result<()> {
        let own: Vec<PathBuf> = self.folders.iter().skip(2).cloned().collect();
        let folder = self.random.pick(&own).cloned().ok_or(std::io::ErrorKind::NotFound)?;
        if self.random.one_in(3) {
            let to = self.fresh();
            fs::rename(&folder, &to)?;
            let moved = |path: &PathBuf| {
                path.strip_prefix(&folder).map_or_else(|_| path.clone(), |rest| to.join(rest))
            };
            self.folders = self.folders.iter().map(moved).collect();
            self.files = self.files.iter().map(moved).collect();
            return Ok(());
        }
        self.folders.retain(|path| !path.starts_with(&folder));
        self.files.retain(|path| !path.starts_with(&folder));
        fs::remove_dir_all(folder)
    }

    fn special(&mut self) -> Result<()> {
        let path = self.fresh();
        let kinds = [FileType::Fifo, FileType::Socket, FileType::CharacterDevice, FileType::BlockDevice];
        let kind = *self.random.pick(&kinds).unwrap_or(&FileType::Fifo);
        let number = |random: &mut Random, end| u32::try_from(random.below(end)).unwrap_or(0);
        let device = rustix::fs::makedev(number(&mut self.random, 4096), number(&mut self.random, 1 << 20));
        mknodat(CWD, &path, kind, Mode::from_raw_mode(0o640), device)?;
        self.files.push(path);
        Ok(())
    }

    fn attributes(&mut self) -> Result<()> {
        let path = self.file()?;
        let id = |random: &mut Random| u32::try_from(random.below(3_000_000_000)).ok();
        match self.random.below(4) {
            0 => {
                let mode = u32::try_from(self.random.below(0o10_000)).unwrap_or(0);
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
            }
            1 => chown(path, id(&mut self.random), id(&mut self.random)),
            2 => lchown(path, id(&mut self.random), None),
            _ => {
                let back = Duration::from_nanos(self.random.below(1 << 60));
                self.opened()?.0.set_modified(SystemTime::now() - back)
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        let (file, _) = self.opened()?;
        match self.random.below(10) {
            0 => Ok(rustix::fs::syncfs(&file)?),
            1..5 => file.sync_data(),
            _ => file.sync_all(),
        }
    }
}
