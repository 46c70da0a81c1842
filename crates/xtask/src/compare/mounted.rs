// SPDX-License-Identifier: Apache-2.0
//! Reads a mounted filesystem by std and system calls, without any of our readers.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, lgetxattr, llistxattr, major, minor, seek};
use rustix::io::Errno;
use snapscan_disk::fs::{FileType, Timestamp, Xattr};

use super::digest::{CHUNK, Content, PLAIN};
use super::{Depth, Record, Tree};

/// Reads all that is mounted at `root`, mounts below it left out.
///
/// # Errors
/// The first thing that the kernel cannot read, with its path: an oracle has no excuses.
pub(crate) fn read(root: &Path, depth: Depth) -> Result<Tree> {
    let device = fs::symlink_metadata(root).with_context(|| root.display().to_string())?.dev();
    let mut walk = Walk { tree: Tree::new(), digests: HashMap::new(), device, depth };
    walk.enter(root, Vec::new())?;
    Ok(walk.tree)
}

struct Walk {
    tree: Tree,
    /// Digests of files with several names, by inode.
    digests: HashMap<u64, Vec<u8>>,
    device: u64,
    depth: Depth,
}

impl Walk {
    fn enter(&mut self, host: &Path, path: Vec<u8>) -> Result<()> {
        let record = self.record(host).with_context(|| host.display().to_string())?;
        let directory = record.kind == FileType::Directory;
        self.tree.insert(path.clone(), record);
        if directory && fs::symlink_metadata(host)?.dev() == self.device {
            for entry in fs::read_dir(host).with_context(|| host.display().to_string())? {
                let name = entry.with_context(|| host.display().to_string())?.file_name();
                let mut below = path.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(name.as_bytes());
                self.enter(&host.join(&name), below)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, host: &Path) -> Result<Record> {
        let stat = fs::symlink_metadata(host)?;
        let kind = FileType::from_mode(stat.mode()).context("no known type")?;
        let device = matches!(kind, FileType::CharDevice | FileType::BlockDevice);
        let time =
            |seconds, nanos: i64| Ok::<_, anyhow::Error>(Timestamp { seconds, nanos: nanos.try_into()? });
        Ok(Record {
            kind,
            mode: stat.mode() & 0o7777,
            uid: stat.uid(),
            gid: stat.gid(),
            size: stat.size(),
            rdev: if device { (major(stat.rdev()), minor(stat.rdev())) } else { (0, 0) },
            links: stat.nlink().try_into()?,
            inode: stat.ino(),
            mtime: time(stat.mtime(), stat.mtime_nsec())?,
            ctime: time(stat.ctime(), stat.ctime_nsec())?,
            xattrs: xattrs(host)?,
            content: self.content(host, kind, &stat)?,
            stale: false,
            errors: Vec::new(),
        })
    }

    fn content(&mut self, host: &Path, kind: FileType, stat: &fs::Metadata) -> Result<Option<Vec<u8>>> {
        match kind {
            FileType::Symlink => Ok(Some(fs::read_link(host)?.as_os_str().as_bytes().to_vec())),
            FileType::File if self.depth == Depth::Content => {
                if let Some(digest) = self.digests.get(&stat.ino()) {
                    return Ok(Some(digest.clone()));
                }
                let digest = digest(&File::open(host)?, stat.size())?;
                if stat.nlink() > 1 {
                    self.digests.insert(stat.ino(), digest.clone());
                }
                Ok(Some(digest))
            }
            _ => Ok(None),
        }
    }
}

fn digest(file: &File, size: u64) -> Result<Vec<u8>> {
    let mut content = Content::new(size);
    let mut buf = vec![0; usize::try_from(CHUNK)?];
    let mut at = 0;
    while at < size {
        if size > PLAIN {
            // A chunk that lies in a hole from end to end adds nothing.
            at = match seek(file, SeekFrom::Data(at)) {
                Ok(data) => data - data % CHUNK,
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(errno.into()),
            };
        }
        let len = usize::try_from((size - at).min(CHUNK))?;
        let chunk = buf.get_mut(..len).context("chunk")?;
        file.read_exact_at(chunk, at)?;
        content.add(at, chunk);
        at += CHUNK;
    }
    Ok(content.finish())
}

/// All attributes, sorted by name, of the object itself: a link's too.
fn xattrs(host: &Path) -> io::Result<Vec<Xattr>> {
    let mut list = vec![0; 64 << 10];
    let used = match llistxattr(host, list.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        used => used?,
    };
    list.truncate(used);
    let mut xattrs = Vec::new();
    for name in list.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let len = lgetxattr(host, name, value.as_mut_slice())?;
        value.truncate(len);
        xattrs.push(Xattr { name: name.to_vec(), value });
    }
    xattrs.sort();
    Ok(xattrs)
}
