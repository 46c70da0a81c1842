// SPDX-License-Identifier: Apache-2.0
//! The kernel's tree as a [`FileSystem`].

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{RawDir, fgetxattr, flistxattr, fstatfs, readlinkat};
use rustix::io::Errno;

use super::crossing::Crossing;
use super::file::KernelFile;
use super::names::Names;
use super::place::{Seen, look, look_in, refused, reopen};
use crate::error::{Error, Result};
use crate::fs::path::MachinePath;
use crate::fs::{EachEntry, Entry, File, FileSystem, FileType, Info, Kind, Metadata, Node, State, Xattr};
use crate::limits;

/// Bytes of folder entries taken from the kernel at once.
const ENTRIES_AT_ONCE: usize = 32 << 10;

/// What lies beneath one open directory.
pub struct KernelFs {
    root: OwnedFd,
    info: Info,
    names: Mutex<Names>,
    crossing: Crossing,
}

impl KernelFs {
    /// Takes a directory that is open, for reading or as a mere place (`O_PATH`).
    ///
    /// # Errors
    /// `NotADirectory`; what the kernel answers.
    pub fn new(root: OwnedFd) -> Result<Self> {
        let seen = look(&root, &MachinePath::root())?;
        if seen.metadata.kind != FileType::Directory {
            return Err(Error::NotADirectory);
        }
        let stat = fstatfs(&seen.fd).map_err(refused)?;
        let block_size = u32::try_from(stat.f_bsize).unwrap_or(0);
        let info = Info {
            kind: Kind::Kernel,
            type_name: "directory",
            uuid: None,
            label: Vec::new(),
            block_size,
            size: stat.f_blocks.saturating_mul(block_size.into()),
            state: State::Clean,
        };
        let crossing = Crossing::new(seen.device);
        Ok(KernelFs { root, info, names: Mutex::new(Names::new()), crossing })
    }

    /// The mounts met below that were not entered, and what they are: `proc`, `tmpfs`, `nfs`.
    /// Their mount points look like empty folders.
    pub fn not_crossed(&self) -> Vec<(MachinePath, String)> {
        self.crossing.left_out()
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        // The table is whole after every statement that can panic: there is none.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, node: Node) -> Result<(MachinePath, Seen)> {
        let path = self.names().path(node)?;
        let seen = look(&self.root, &path)?;
        Ok((path, seen))
    }

    /// A folder to be listed; `None` in its second place if it is a mount that is not entered.
    fn folder(&self, node: Node) -> Result<(MachinePath, Option<Seen>)> {
        let (path, seen) = self.look(node)?;
        if seen.metadata.kind != FileType::Directory {
            return Err(Error::NotADirectory);
        }
        let enter = self.crossing.may_enter(&seen, || path.clone())?;
        Ok((path, enter.then_some(seen)))
    }
}

impl FileSystem for KernelFs {
    fn left_out(&self) -> Vec<(MachinePath, String)> {
        self.not_crossed()
    }

    fn info(&self) -> &Info {
        &self.info
    }

    fn root(&self) -> Node {
        Node(0)
    }

    fn metadata(&self, node: Node) -> Result<Metadata> {
        Ok(self.look(node)?.1.metadata)
    }

    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Option<Node>> {
        let (_, Some(seen)) = self.folder(directory)? else { return Ok(None) };
        if matches!(name, b"" | b"." | b"..") || name.iter().any(|&byte| byte == b'/' || byte == 0) {
            return Ok(None);
        }
        match look_in(&seen, name)? {
            Some(_) => self.names().child(directory, name).map(Some),
            None => Ok(None),
        }
    }

    fn entries(&self, directory: Node, each: &mut EachEntry<'_>) -> Result<()> {
        let (path, Some(seen)) = self.folder(directory)? else { return Ok(()) };
        let fd = reopen(&self.root, &path, &seen)?;
        let mut buf = Vec::with_capacity(ENTRIES_AT_ONCE);
        let mut raw = RawDir::new(fd, buf.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            // The kernel cannot go on after an error, so it is one of the whole folder.
            let entry = entry.map_err(refused)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let child = self.names().child(directory, name);
            let kind = kind_of(entry.file_type());
            let entry = child.map(|node| Entry { name: name.to_vec(), node, kind });
            if each(entry) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn open(&self, node: Node) -> Result<Box<dyn File>> {
        let (path, seen) = self.look(node)?;
        if seen.metadata.kind != FileType::File {
            return Err(Error::WrongType("file"));
        }
        if !self.crossing.may_enter(&seen, || path.clone())? {
            return Err(Error::Unsupported("a file that is a mount of no disk's filesystem".into()));
        }
        let fd = reopen(&self.root, &path, &seen)?;
        Ok(Box::new(KernelFile { fd, size: seen.metadata.size }))
    }

    fn link_target(&self, node: Node) -> Result<Vec<u8>> {
        let (_, seen) = self.look(node)?;
        if seen.metadata.kind != FileType::Symlink {
            return Err(Error::WrongType("symbolic link"));
        }
        Ok(readlinkat(&seen.fd, "", Vec::new()).map_err(refused)?.into_bytes())
    }

    /// Of files and folders only. The kernel gives those of links, devices and sockets by path alone (`O_PATH` is not
    /// enough for fgetxattr(2)), and paths are what this reader does without; they carry security labels at most.
    fn xattrs(&self, node: Node) -> Result<Vec<Xattr>> {
        let (path, seen) = self.look(node)?;
        let readable = matches!(seen.metadata.kind, FileType::File | FileType::Directory);
        if !readable || !self.crossing.may_enter(&seen, || path.clone())? {
            return Ok(Vec::new());
        }
        xattrs_of(&reopen(&self.root, &path, &seen)?)
    }
}

/// The attributes of an open file or folder, sorted by name.
fn xattrs_of(fd: &OwnedFd) -> Result<Vec<Xattr>> {
    let mut list = vec![0; limits::XATTR_BYTES];
    let used = match flistxattr(fd, list.as_mut_slice()) {
        Ok(used) => used,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(errno) => return Err(refused(errno)),
    };
    let mut value = if used > 0 { vec![0; limits::XATTR_BYTES] } else { Vec::new() };
    let mut xattrs = Vec::new();
    let list = list.get(..used).unwrap_or_default();
    for name in list.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        match fgetxattr(fd, name, value.as_mut_slice()) {
            Ok(len) => {
                let value = value.get(..len).unwrap_or_default().to_vec();
                xattrs.push(Xattr { name: name.to_vec(), value });
            }
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(refused(errno)),
        }
    }
    xattrs.sort();
    Ok(xattrs)
}

/// The type that a folder entry tells.
fn kind_of(kind: rustix::fs::FileType) -> Option<FileType> {
    use rustix::fs::FileType as Kernel;
    Some(match kind {
        Kernel::RegularFile => FileType::File,
        Kernel::Directory => FileType::Directory,
        Kernel::Symlink => FileType::Symlink,
        Kernel::Fifo => FileType::Fifo,
        Kernel::CharacterDevice => FileType::CharDevice,
        Kernel::BlockDevice => FileType::BlockDevice,
        Kernel::Socket => FileType::Socket,
        Kernel::Unknown => return None,
    })
}
