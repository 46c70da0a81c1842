// SPDX-License-Identifier: Apache-2.0
//! A filesystem made in memory, for tests of everything that reads one.
//!
//! ```
//! use snapscan_disk::fs::{FileSystem, mem::MemTree};
//!
//! let tree = MemTree::builder()
//!     .file("/etc/hostname", "web-03\n")
//!     .file("/usr/bin/su", "\x7fELF").mode(0o4755)
//!     .symlink("/bin", "usr/bin")
//!     .build()?;
//! let etc = tree.lookup(tree.root(), b"etc")?.ok_or(snapscan_disk::Error::NotADirectory)?;
//! assert!(tree.lookup(etc, b"hostname")?.is_some());
//! # Ok::<(), snapscan_disk::Error>(())
//! ```

mod builder;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::{
    EachEntry, Entry, Extent, Extents, File, FileSystem, FileType, Info, Metadata, Node, Note, Xattr,
};
use crate::bytes::{index, wide};
use crate::error::{Error, Result};

pub use builder::MemBuilder;

/// A tree of objects in memory. It never changes once built.
pub struct MemTree {
    info: Info,
    objects: Vec<Object>,
    notes: Vec<Note>,
}

/// Which calls on a node a planned fault answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`FileSystem::metadata`].
    Metadata,
    /// [`FileSystem::entries`] and [`FileSystem::lookup`].
    List,
    /// [`FileSystem::open`].
    Open,
    /// [`File::read_at`] and [`File::extents`] of the open file.
    Read,
    /// [`FileSystem::link_target`].
    Target,
    /// [`FileSystem::xattrs`].
    Xattrs,
}

/// One file, folder or other thing; its node is its index.
struct Object {
    metadata: Metadata,
    content: Content,
    xattrs: Vec<Xattr>,
    faults: Vec<(Call, Error)>,
}

/// What an object holds besides its metadata.
enum Content {
    /// Names, plus entries that are not valid.
    Directory(BTreeMap<Vec<u8>, Node>, Vec<Error>),
    /// Pieces of bytes by offset, in order, without overlap; the rest is a hole.
    File(Arc<Pieces>),
    /// A link's target.
    Target(Vec<u8>),
    /// A device, FIFO or socket.
    Nothing,
}

/// The written pieces of a file: offset in the file, bytes.
type Pieces = Vec<(u64, Vec<u8>)>;

impl MemTree {
    /// Starts a tree that has only its root.
    pub fn builder() -> MemBuilder {
        MemBuilder::default()
    }

    fn object(&self, node: Node) -> Result<&Object> {
        self.objects
            .get(index(node.0))
            .ok_or_else(|| Error::node("node", format!("{} is not one of {}", node.0, self.objects.len())))
    }

    fn ask(&self, node: Node, call: Call) -> Result<&Object> {
        let object = self.object(node)?;
        object.fault(call)?;
        Ok(object)
    }
}

impl Object {
    fn fault(&self, call: Call) -> Result<()> {
        match self.faults.iter().find(|(at, _)| *at == call) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

impl FileSystem for MemTree {
    fn info(&self) -> &Info {
        &self.info
    }

    fn root(&self) -> Node {
        Node(0)
    }

    fn metadata(&self, node: Node) -> Result<Metadata> {
        Ok(self.ask(node, Call::Metadata)?.metadata)
    }

    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Option<Node>> {
        match &self.ask(directory, Call::List)?.content {
            Content::Directory(names, _) => Ok(names.get(name).copied()),
            _ => Err(Error::NotADirectory),
        }
    }

    fn entries(&self, directory: Node, each: &mut EachEntry<'_>) -> Result<()> {
        let Content::Directory(names, bad) = &self.ask(directory, Call::List)?.content else {
            return Err(Error::NotADirectory);
        };
        for error in bad {
            if each(Err(error.clone())) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        for (name, &node) in names {
            let kind = Some(self.object(node)?.metadata.kind);
            if each(Ok(Entry { name: name.clone(), node, kind })) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn open(&self, node: Node) -> Result<Box<dyn File>> {
        let object = self.ask(node, Call::Open)?;
        match &object.content {
            Content::File(pieces) => Ok(Box::new(MemFile {
                size: object.metadata.size,
                pieces: Arc::clone(pieces),
                fault: object.fault(Call::Read).err(),
            })),
            _ => Err(Error::WrongType("file")),
        }
    }

    fn link_target(&self, node: Node) -> Result<Vec<u8>> {
        match &self.ask(node, Call::Target)?.content {
            Content::Target(target) => Ok(target.clone()),
            _ => Err(Error::WrongType("symbolic link")),
        }
    }

    fn xattrs(&self, node: Node) -> Result<Vec<Xattr>> {
        Ok(self.ask(node, Call::Xattrs)?.xattrs.clone())
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}

/// An open file of a [`MemTree`].
struct MemFile {
    size: u64,
    pieces: Arc<Pieces>,
    fault: Option<Error>,
}

impl MemFile {
    fn check(&self) -> Result<()> {
        self.fault.clone().map_or(Ok(()), Err)
    }
}

impl File for MemFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.check()?;
        let len = index(self.size.saturating_sub(offset)).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        buf.fill(0);
        for (start, bytes) in self.pieces.iter() {
            // The piece begins either inside of `buf` or before it.
            let to = index(start.saturating_sub(offset));
            let from = index(offset.saturating_sub(*start));
            let source = bytes.get(from..).unwrap_or_default();
            let target = buf.get_mut(to..).unwrap_or_default();
            for (into, byte) in target.iter_mut().zip(source) {
                *into = *byte;
            }
        }
        Ok(len)
    }

    fn extents(&self, range: Range<u64>) -> Result<Vec<Extent>> {
        self.check()?;
        let end = range.end.min(self.size);
        let mut extents = Vec::new();
        let mut at = range.start;
        let mut run = |at: &mut u64, to: u64, place: Extents| {
            let to = to.min(end);
            if *at < to {
                extents.push(Extent { range: *at..to, place });
                *at = to;
            }
        };
        for (start, bytes) in self.pieces.iter() {
            run(&mut at, *start, Extents::Hole);
            run(&mut at, start.saturating_add(wide(bytes.len())), Extents::Inline);
        }
        run(&mut at, end, Extents::Hole);
        Ok(extents)
    }
}

/// A folder without names.
fn empty_directory() -> Content {
    Content::Directory(BTreeMap::new(), Vec::new())
}

/// The metadata of a new object.
fn fresh(kind: FileType, mode: u32, number: usize) -> Metadata {
    Metadata {
        kind,
        mode,
        uid: 0,
        gid: 0,
        size: 0,
        rdev: (0, 0),
        links: 0,
        mtime: Default::default(),
        ctime: Default::default(),
        atime: Default::default(),
        identity: super::Identity { device: 0, inode: wide(number).saturating_add(2), generation: 0 },
        encrypted: false,
        stale: false,
    }
}
