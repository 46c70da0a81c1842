// SPDX-License-Identifier: Apache-2.0
//! The files of a machine as its own programs would see them.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::fs::path::MachinePath;
use crate::fs::{Entry, File, FileSystem, FileType, Metadata, Node, Xattr};
use crate::limits::ZEROS_BYTES;
use crate::source::rounds::Rounds;

use super::resolve::{Follow, Resolved};

/// One filesystem of a machine; the number is its place in the machine's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FsId(pub u16);

/// An object in one of a machine's filesystems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Which filesystem.
    pub fs: FsId,
    /// Which object of it.
    pub node: Node,
}

/// What a name in a folder led to, nothing included.
type Names = HashMap<(Location, Vec<u8>), Option<Location>>;

/// Answers that are kept: enough for every path that profile `os` asks for.
const KEPT: usize = 1 << 16;

/// Many filesystems as one tree.
pub struct Tree {
    filesystems: Vec<Part>,
    root: Location,
    /// What is mounted over which folder.
    mounts: HashMap<Location, Location>,
    /// Those of these folders over which lies what is in the tree elsewhere already.
    again: HashSet<Location>,
    rounds: Option<Arc<Rounds>>,
    pub(super) names: Mutex<Names>,
    pub(super) kinds: Mutex<HashMap<Location, Metadata>>,
}

struct Part {
    fs: Arc<dyn FileSystem>,
    /// The name of the volume it lies on, for evidence.
    volume: Vec<u8>,
}

/// What a file held.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its bytes, as far as they were read.
    pub bytes: Vec<u8>,
    /// What kept the rest from being read: a limit, damage, the end of a truncated image.
    pub problem: Option<Error>,
    /// Where it was in the end.
    pub at: Resolved,
}

impl Tree {
    /// A tree of one filesystem, whose root is the machine's.
    pub fn new(fs: Arc<dyn FileSystem>, volume: impl Into<Vec<u8>>) -> Self {
        let root = Location { fs: FsId(0), node: fs.root() };
        Tree::with_root(vec![(fs, volume.into())], root)
    }

    /// A tree of filesystems, each with the name of its volume, of which one holds the root folder (which need not be
    /// that filesystem's own root: ostree deployments).
    pub fn with_root(filesystems: Vec<(Arc<dyn FileSystem>, Vec<u8>)>, root: Location) -> Self {
        Tree {
            filesystems: filesystems.into_iter().map(|(fs, volume)| Part { fs, volume }).collect(),
            root,
            mounts: HashMap::new(),
            again: HashSet::new(),
            rounds: None,
            names: Mutex::default(),
            kinds: Mutex::default(),
        }
    }

    /// Lets [`Tree::prefetch`] run attempts over the caches that share `rounds`.
    pub fn set_rounds(&mut self, rounds: Arc<Rounds>) {
        self.rounds = Some(rounds);
    }

    /// The same filesystems with another root folder, without mounts.
    #[must_use]
    pub fn moved_to(mut self, root: Location) -> Self {
        self.root = root;
        self.mounts.clear();
        self.again.clear();
        self.names = Mutex::default();
        self
    }

    pub(super) fn rounds(&self) -> Option<&Rounds> {
        self.rounds.as_deref()
    }

    /// Mounts `target` over the folder at `at`; false if there is no such folder.
    ///
    /// # Errors
    /// What resolving the folder met.
    pub fn mount(&mut self, at: &MachinePath, target: Location) -> Result<bool> {
        let Some(folder) = self.resolve(at, Follow::Links)? else { return Ok(false) };
        if folder.metadata.kind != FileType::Directory {
            return Ok(false);
        }
        if target == self.root || self.mounts.values().any(|&mounted| mounted == target) {
            self.again.insert(folder.location);
        } else {
            self.again.remove(&folder.location);
        }
        self.mounts.insert(folder.location, target);
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(true)
    }

    /// The root folder.
    pub fn root(&self) -> Location {
        self.root
    }

    /// The filesystem of a location.
    ///
    /// # Errors
    /// `Corrupt` if the location is not of this tree.
    pub fn filesystem(&self, id: FsId) -> Result<&Arc<dyn FileSystem>> {
        let part = self.filesystems.get(usize::from(id.0)).map(|part| &part.fs);
        part.ok_or_else(|| Error::whole("location", "it belongs to another machine"))
    }

    /// The name of the volume that a filesystem lies on.
    pub fn volume(&self, id: FsId) -> &[u8] {
        self.filesystems.get(usize::from(id.0)).map_or(b"", |part| &part.volume)
    }

    /// The filesystems in the order of their ids.
    pub fn filesystems(&self) -> impl Iterator<Item = (FsId, &Arc<dyn FileSystem>)> {
        (0..).map(FsId).zip(self.filesystems.iter().map(|part| &part.fs))
    }

    /// What is mounted over this folder, or the folder itself.
    pub fn cross(&self, mut location: Location) -> Location {
        // A mount over a mount is followed as often as there are mounts.
        for _ in 0..=self.mounts.len() {
            match self.mounts.get(&location) {
                Some(&over) if over != location => location = over,
                _ => break,
            }
        }
        location
    }

    /// True if the entry `node` of `folder` is covered by something that the tree shows at another place too, where it was
    /// mounted first: who visits all names must not go in again.
    pub fn is_again(&self, folder: Location, node: Node) -> bool {
        self.again.contains(&Location { fs: folder.fs, node })
    }

    /// Metadata with an identity that tells the machine's filesystems apart.
    ///
    /// # Errors
    /// As [`FileSystem::metadata`].
    pub fn metadata(&self, location: Location) -> Result<Metadata> {
        let mut metadata = self.filesystem(location.fs)?.metadata(location.node)?;
        metadata.identity.device = self.device(location.fs, metadata.identity.device);
        Ok(metadata)
    }

    /// The same for many nodes of one filesystem.
    ///
    /// # Errors
    /// As [`FileSystem::metadata_many`], each for itself.
    pub fn metadata_many(&self, fs: FsId, nodes: &[Node]) -> Vec<Result<Metadata>> {
        let Ok(filesystem) = self.filesystem(fs) else { return Vec::new() };
        let mut all = filesystem.metadata_many(nodes);
        for metadata in all.iter_mut().flatten() {
            metadata.identity.device = self.device(fs, metadata.identity.device);
        }
        all
    }

    /// The device number of an identity: our own readers leave 0, the kernel's reader gives the kernel's.
    fn device(&self, fs: FsId, given: u64) -> u64 {
        if given == 0 { u64::from(fs.0) } else { given.saturating_add(1 << 32) }
    }

    /// Calls `each` for the entries of a folder, what is mounted over them included.
    ///
    /// # Errors
    /// As [`FileSystem::entries`].
    pub fn entries(
        &self,
        folder: Location,
        each: &mut dyn FnMut(Result<(Entry, Location)>) -> ControlFlow<()>,
    ) -> Result<()> {
        let fs = self.filesystem(folder.fs)?;
        fs.entries(folder.node, &mut |entry| {
            each(entry.map(|entry| {
                let location = self.cross(Location { fs: folder.fs, node: entry.node });
                (entry, location)
            }))
        })
    }

    /// Opens the regular file at a location.
    ///
    /// # Errors
    /// As [`FileSystem::open`].
    pub fn open(&self, location: Location) -> Result<Box<dyn File>> {
        self.filesystem(location.fs)?.open(location.node)
    }

    /// The target of a link, as it stands.
    ///
    /// # Errors
    /// As [`FileSystem::link_target`].
    pub fn link_target(&self, location: Location) -> Result<Vec<u8>> {
        self.filesystem(location.fs)?.link_target(location.node)
    }

    /// Extended attributes.
    ///
    /// # Errors
    /// As [`FileSystem::xattrs`].
    pub fn xattrs(&self, location: Location) -> Result<Vec<Xattr>> {
        self.filesystem(location.fs)?.xattrs(location.node)
    }

    /// Reads the file at `path`, links followed, up to `limit` bytes; `None` if nothing is there.
    /// What is read before a problem is kept beside it.
    ///
    /// # Errors
    /// What resolving met; `WrongType` if it is no regular file.
    pub fn read(&self, path: &MachinePath, limit: u64) -> Result<Option<Content>> {
        match self.resolve(path, Follow::Links)? {
            Some(at) => self.read_resolved(at, limit).map(Some),
            None => Ok(None),
        }
    }

    /// The same for a path that is resolved already.
    ///
    /// # Errors
    /// `WrongType` if it is no regular file; what opening it met.
    pub fn read_resolved(&self, at: Resolved, limit: u64) -> Result<Content> {
        if at.metadata.kind != FileType::File {
            return Err(Error::WrongType("regular file"));
        }
        let file = self.open(at.location)?;
        let size = file.size().min(limit);
        let mut problem = (file.size() > limit).then_some(Error::Limit { what: "file, bytes", limit });
        file.advise(0..size);
        let mut bytes = Vec::new();
        let mut chunk = vec![0; index(size.clamp(1, ZEROS_BYTES))];
        while wide(bytes.len()) < size {
            let want = size.saturating_sub(wide(bytes.len())).min(wide(chunk.len()));
            let Some(part) = chunk.get_mut(..index(want)) else { break };
            match file.read_at(wide(bytes.len()), part) {
                Ok(0) => break,
                Ok(read) => {
                    let read = part.get(..read).unwrap_or_default();
                    if wide(read.len()) == ZEROS_BYTES && read.iter().all(|&byte| byte == 0) {
                        problem = Some(Error::Limit { what: "zeros in one file, bytes", limit: ZEROS_BYTES });
                        break;
                    }
                    bytes.extend_from_slice(read);
                }
                Err(error) => {
                    problem = Some(error);
                    break;
                }
            }
        }
        Ok(Content { bytes, problem, at })
    }

    pub(super) fn keep_name(&self, folder: Location, name: &[u8], found: Option<Location>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < KEPT {
            names.insert((folder, name.to_vec()), found);
        }
    }

    pub(super) fn keep_kind(&self, location: Location, metadata: Metadata) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() < KEPT {
            kinds.insert(location, metadata);
        }
    }
}
