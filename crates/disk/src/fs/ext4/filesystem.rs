// SPDX-License-Identifier: Apache-2.0
//! The contract of every filesystem reader, kept by ext4.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::dir::Directory;
use super::file::OpenFile;
use super::htree::{self, Answer};
use super::inode::{Inode, flag};
use super::volume::Volume;
use super::{Ext4, ahead, link, xattr};
use crate::bytes::wide;
use crate::error::{Error, Result};
use crate::fs::{EachEntry, Entry, File, FileSystem, FileType, Info, Metadata, Node, Note, Xattr};

/// The root folder's inode.
const ROOT: u64 = 2;

impl FileSystem for Ext4 {
    fn info(&self) -> &Info {
        &self.info
    }

    fn root(&self) -> Node {
        Node(ROOT)
    }

    fn metadata(&self, node: Node) -> Result<Metadata> {
        metadata(&self.volume, &self.volume.inode(node)?)
    }

    fn metadata_many(&self, nodes: &[Node]) -> Vec<Result<Metadata>> {
        self.volume.many(nodes, |inode| metadata(&self.volume, &inode))
    }

    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Option<Node>> {
        let folder = Directory::open(&self.volume, directory)?;
        // Names that are not stored as they are seen are not where their hash says.
        let as_stored = !folder.inode.has(flag::ENCRYPT) && !folder.inode.has(flag::CASEFOLD);
        if !folder.is_indexed() || !as_stored {
            return scan_for(&folder, name);
        }
        let why = match htree::lookup(&folder, name)? {
            Answer::Found(node) => return Ok(Some(node)),
            Answer::Absent => return Ok(None),
            Answer::Unusable(why) => why,
        };
        let found = scan_for(&folder, name)?;
        self.volume.note(Note::IndexIgnored(format!("folder {}: {why}", directory.0)));
        Ok(found)
    }

    fn entries(&self, directory: Node, each: &mut EachEntry<'_>) -> Result<()> {
        let folder = Directory::open(&self.volume, directory)?;
        let hash = folder.name_hash()?;
        folder.scan(&mut |entry| {
            each(entry.and_then(|entry| {
                let name = folder.shown(&entry, hash.as_ref())?;
                Ok(Entry { name, node: Node(u64::from(entry.inode)), kind: entry.kind })
            }))
        })
    }

    fn open(&self, node: Node) -> Result<Box<dyn File>> {
        let inode = self.volume.inode(node)?;
        if inode.kind != FileType::File {
            return Err(Error::WrongType("regular file"));
        }
        Ok(Box::new(OpenFile::new(Arc::clone(&self.volume), inode)?))
    }

    fn link_target(&self, node: Node) -> Result<Vec<u8>> {
        let inode = self.volume.inode(node)?;
        if inode.kind != FileType::Symlink {
            return Err(Error::WrongType("symbolic link"));
        }
        link::target(&self.volume, &inode)
    }

    fn xattrs(&self, node: Node) -> Result<Vec<Xattr>> {
        xattr::all(&self.volume, &self.volume.inode(node)?)
    }

    fn notes(&self) -> Vec<Note> {
        self.volume.notes()
    }

    fn advise(&self, nodes: &[Node]) {
        self.volume.advise_nodes(nodes);
    }

    fn walk_ahead(&self) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        ahead::steps(&self.volume)
    }
}

/// What an inode says, with the length of an encrypted link's target as programs see it.
fn metadata(volume: &Volume, inode: &Inode<'_>) -> Result<Metadata> {
    let mut metadata = inode.metadata(volume.stale);
    if inode.kind == FileType::Symlink && metadata.encrypted {
        metadata.size = wide(link::target(volume, inode)?.len());
    }
    Ok(metadata)
}

/// Looks through all entries. If the name is not among those that could be read, what could not is the answer.
fn scan_for(folder: &Directory<'_>, name: &[u8]) -> Result<Option<Node>> {
    let hash = folder.name_hash()?;
    let plain = !folder.inode.has(flag::ENCRYPT);
    let folds = folder.inode.has(flag::CASEFOLD);
    let (mut found, mut similar, mut problem) = (None, None, None);
    folder.scan(&mut |entry| {
        match entry {
            Ok(entry) => {
                let is_it = if plain {
                    entry.name == name
                } else {
                    folder.shown(&entry, hash.as_ref()).is_ok_and(|shown| shown == name)
                };
                if is_it {
                    found = Some(Node(u64::from(entry.inode)));
                    return ControlFlow::Break(());
                }
                if folds && plain && entry.name.eq_ignore_ascii_case(name) {
                    similar = Some(Node(u64::from(entry.inode)));
                }
            }
            Err(error) => problem = Some(error),
        }
        ControlFlow::Continue(())
    })?;
    match (found.or(similar), problem) {
        (None, Some(problem)) => Err(problem),
        (found, _) => Ok(found),
    }
}
