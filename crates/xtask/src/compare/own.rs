// SPDX-License-Identifier: Apache-2.0
//! Reads a filesystem by one of our readers.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use snapscan_disk::fs::{
    Entry, Extent, Extents, File, FileSystem, FileType, Identity, Metadata, Node, Timestamp,
};
use snapscan_disk::{Error, Result};

use super::digest::{CHUNK, Content, PLAIN};
use super::{Depth, Record, Tree};

/// Reads all that the reader shows. What it cannot read is in `errors` of the record concerned.
pub(crate) fn read(fs: &dyn FileSystem, depth: Depth) -> Tree {
    let mut walk = Walk { fs, tree: Tree::new(), digests: HashMap::new(), entered: HashSet::new(), depth };
    let mut waiting = vec![(fs.root(), Vec::new(), None)];
    while let Some((node, path, told)) = waiting.pop() {
        walk.enter(node, path, told, &mut waiting);
    }
    walk.tree
}

/// A node to be read, its path, and the type that its folder told.
type Waiting = (Node, Vec<u8>, Option<FileType>);

struct Walk<'a> {
    fs: &'a dyn FileSystem,
    tree: Tree,
    digests: HashMap<Identity, Vec<u8>>,
    /// Folders that were entered: a loop on the disk ends here.
    entered: HashSet<Identity>,
    depth: Depth,
}

impl Walk<'_> {
    fn enter(&mut self, node: Node, path: Vec<u8>, told: Option<FileType>, waiting: &mut Vec<Waiting>) {
        let metadata = self.fs.metadata(node);
        let directory = metadata.as_ref().is_ok_and(|metadata| metadata.kind == FileType::Directory);
        let mut record = match metadata {
            Ok(metadata) => self.record(node, &metadata),
            Err(error) => unreadable(&error),
        };
        if told.is_some_and(|told| told != record.kind) {
            record.errors.push(format!("its folder tells type {told:?}"));
        }
        if directory {
            let identity = Identity { inode: record.inode, ..Identity::default() };
            if self.entered.insert(identity) {
                self.list(node, &path, &mut record, waiting);
            } else {
                record.errors.push("a folder with two names".into());
            }
        }
        self.tree.insert(path, record);
    }

    fn list(&self, node: Node, path: &[u8], record: &mut Record, waiting: &mut Vec<Waiting>) {
        let mut entries = Vec::new();
        let mut each = |entry: Result<Entry>| {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => record.errors.push(format!("an entry: {error}")),
            }
            ControlFlow::Continue(())
        };
        if let Err(error) = self.fs.entries(node, &mut each) {
            record.errors.push(format!("entries: {error}"));
        }
        for entry in entries {
            match self.fs.lookup(node, &entry.name) {
                Ok(Some(found)) if found == entry.node => {}
                other => record.errors.push(format!("lookup of {}: {other:?}", entry.name.escape_ascii())),
            }
            let mut below = path.to_vec();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(&entry.name);
            waiting.push((entry.node, below, entry.kind));
        }
    }

    fn record(&mut self, node: Node, metadata: &Metadata) -> Record {
        let mut errors = Vec::new();
        let mut keep = |what: &str, error: Error| errors.push(format!("{what}: {error}"));
        let xattrs = self.fs.xattrs(node).unwrap_or_else(|error| {
            keep("xattrs", error);
            Vec::new()
        });
        let content = match self.content(node, metadata) {
            Ok(content) => content,
            Err(error) => {
                keep("content", error);
                None
            }
        };
        Record {
            kind: metadata.kind,
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            size: metadata.size,
            rdev: metadata.rdev,
            links: metadata.links,
            inode: metadata.identity.inode,
            mtime: metadata.mtime,
            ctime: metadata.ctime,
            xattrs,
            content,
            stale: metadata.stale,
            errors,
        }
    }

    fn content(&mut self, node: Node, metadata: &Metadata) -> Result<Option<Vec<u8>>> {
        match metadata.kind {
            FileType::Symlink => self.fs.link_target(node).map(Some),
            FileType::File if self.depth == Depth::Content => {
                if let Some(digest) = self.digests.get(&metadata.identity) {
                    return Ok(Some(digest.clone()));
                }
                let digest = digest(self.fs.open(node)?.as_ref())?;
                if metadata.links > 1 {
                    self.digests.insert(metadata.identity, digest.clone());
                }
                Ok(Some(digest))
            }
            _ => Ok(None),
        }
    }
}

fn digest(file: &dyn File) -> Result<Vec<u8>> {
    let size = file.size();
    let mut content = Content::new(size);
    let mut buf = vec![0; usize::try_from(CHUNK).unwrap_or(usize::MAX)];
    let extents = file.extents(0..size)?;
    without_gaps(&extents, size)?;
    let mut from = 0;
    for (start, end) in data(&extents, size) {
        let mut at = (start - start % CHUNK).max(from);
        while at < end {
            let len = usize::try_from((size - at).min(CHUNK)).unwrap_or(usize::MAX);
            let chunk = buf.get_mut(..len).unwrap_or_default();
            if file.read_at(at, chunk)? != len {
                return Err(Error::node("file", format!("fewer than {len} bytes at {at} of {size}")));
            }
            content.add(at, chunk);
            at += CHUNK;
        }
        from = at;
    }
    Ok(content.finish())
}

/// What is to be read: all of a small file, what may hold data of a large one.
fn data(extents: &[Extent], size: u64) -> Vec<(u64, u64)> {
    if size <= PLAIN {
        return vec![(0, size)];
    }
    let holds = extents.iter().filter(|extent| matches!(extent.place, Extents::Data(_) | Extents::Inline));
    holds.map(|extent| (extent.range.start, extent.range.end)).collect()
}

/// The contract of [`File::extents`]: in order, without gaps, to the end.
fn without_gaps(extents: &[Extent], size: u64) -> Result<()> {
    let mut at = 0;
    for extent in extents {
        if extent.range.start != at || extent.range.end <= at {
            return Err(Error::node("extents", format!("{:?} follows byte {at}", extent.range)));
        }
        at = extent.range.end;
    }
    if at == size { Ok(()) } else { Err(Error::node("extents", format!("end at {at} of {size}"))) }
}

/// The record of what could not even be looked at.
fn unreadable(error: &Error) -> Record {
    Record {
        kind: FileType::File,
        mode: 0,
        uid: 0,
        gid: 0,
        size: 0,
        rdev: (0, 0),
        links: 0,
        inode: 0,
        mtime: Timestamp::default(),
        ctime: Timestamp::default(),
        xattrs: Vec::new(),
        content: None,
        stale: false,
        errors: vec![format!("metadata: {error}")],
    }
}
