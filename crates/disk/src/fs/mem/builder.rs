// SPDX-License-Identifier: Apache-2.0
//! How a test says what its tree holds.

use std::sync::Arc;

use super::{Call, Content, MemTree, Object, Pieces, empty_directory, fresh};
use crate::bytes::{index, wide};
use crate::error::{Error, Result};
use crate::fs::path::MachinePath;
use crate::fs::{FileType, Info, Kind, Metadata, Node, Note, State, Timestamp, Xattr};

/// Collects objects for a [`MemTree`]. Parents are made as needed (mode 0755, owner root, time 0).
///
/// What makes an object makes it the current one, and the setters (`mode`, `owner`, `mtime`, …) change that. The root
/// is current at the beginning; `dir` of a folder that is there makes that one current again. Paths are taken
/// component by component: a symbolic link on the way is a mistake, not followed. Mistakes come out of
/// [`MemBuilder::build`].
pub struct MemBuilder {
    tree: MemTree,
    current: Node,
    mistake: Option<Error>,
}

impl Default for MemBuilder {
    fn default() -> Self {
        let info = Info {
            kind: Kind::Memory,
            type_name: "memory",
            uuid: None,
            label: Vec::new(),
            block_size: 4096,
            size: 0,
            state: State::Clean,
        };
        let mut root = fresh(FileType::Directory, 0o755, 0);
        root.links = 2;
        let root =
            Object { metadata: root, content: empty_directory(), xattrs: Vec::new(), faults: Vec::new() };
        let tree = MemTree { info, objects: vec![root], notes: Vec::new() };
        MemBuilder { tree, current: Node(0), mistake: None }
    }
}

/// What there is.
impl MemBuilder {
    /// A folder, mode 0755. One that is there stays as it is.
    #[must_use]
    pub fn dir(mut self, path: impl AsRef<[u8]>) -> Self {
        match self.make_directory(&MachinePath::new(path)) {
            Ok(node) => self.current = node,
            Err(error) => self.mistaken(error),
        }
        self
    }

    /// A regular file, mode 0644, with these bytes. It takes the place of what had that name.
    #[must_use]
    pub fn file(self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        let size = wide(bytes.len());
        self.sparse(path, size, vec![(0, bytes)])
    }

    /// A regular file of `size` bytes that has only these pieces (offset, bytes); the rest is holes.
    #[must_use]
    pub fn sparse(mut self, path: impl AsRef<[u8]>, size: u64, mut pieces: Pieces) -> Self {
        pieces.retain(|(_, bytes)| !bytes.is_empty());
        pieces.sort();
        self.put(path.as_ref(), FileType::File, 0o644, Content::File(Arc::new(pieces)));
        self.set(|metadata| metadata.size = size)
    }

    /// A symbolic link, mode 0777, with this target.
    #[must_use]
    pub fn symlink(mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let target = target.as_ref().to_vec();
        let size = wide(target.len());
        self.put(path.as_ref(), FileType::Symlink, 0o777, Content::Target(target));
        self.set(|metadata| metadata.size = size)
    }

    /// One more name for an object that is there and is no folder.
    #[must_use]
    pub fn hardlink(mut self, path: impl AsRef<[u8]>, existing: impl AsRef<[u8]>) -> Self {
        let path = MachinePath::new(path);
        let existing = MachinePath::new(existing);
        match self.find(&existing) {
            Ok(node) if self.kind(node) != Some(FileType::Directory) => {
                if let Err(error) = self.name(&path, node) {
                    self.mistaken(error);
                }
                self.current = node;
            }
            Ok(_) => self.mistaken(mistake(format!("{existing:?} is a folder and can have no second name"))),
            Err(error) => self.mistaken(error),
        }
        self
    }

    /// A FIFO, mode 0644.
    #[must_use]
    pub fn fifo(mut self, path: impl AsRef<[u8]>) -> Self {
        self.put(path.as_ref(), FileType::Fifo, 0o644, Content::Nothing);
        self
    }

    /// A socket, mode 0755.
    #[must_use]
    pub fn socket(mut self, path: impl AsRef<[u8]>) -> Self {
        self.put(path.as_ref(), FileType::Socket, 0o755, Content::Nothing);
        self
    }

    /// A character or block device, mode 0600, with its major and minor number.
    #[must_use]
    pub fn device(mut self, path: impl AsRef<[u8]>, kind: FileType, major: u32, minor: u32) -> Self {
        if !matches!(kind, FileType::CharDevice | FileType::BlockDevice) {
            self.mistaken(mistake(format!("{kind:?} is no kind of device")));
        }
        self.put(path.as_ref(), kind, 0o600, Content::Nothing);
        self.set(|metadata| metadata.rdev = (major, minor))
    }
}

/// How the current object is.
impl MemBuilder {
    /// Permission bits with setuid, setgid and sticky.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        self.set(|metadata| metadata.mode = mode)
    }

    /// Owner and group.
    #[must_use]
    pub fn owner(self, uid: u32, gid: u32) -> Self {
        self.set(|metadata| (metadata.uid, metadata.gid) = (uid, gid))
    }

    /// Time of the last change of content.
    #[must_use]
    pub fn mtime(self, seconds: i64, nanos: u32) -> Self {
        self.set(|metadata| metadata.mtime = Timestamp { seconds, nanos })
    }

    /// An extended attribute by its full name.
    #[must_use]
    pub fn xattr(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref().to_vec();
        if let Some(object) = self.object() {
            object.xattrs.retain(|xattr| xattr.name != name);
            object.xattrs.push(Xattr { name, value: value.as_ref().to_vec() });
            object.xattrs.sort();
        }
        self
    }

    /// Anything else of its metadata.
    #[must_use]
    pub fn set(mut self, change: impl FnOnce(&mut Metadata)) -> Self {
        if let Some(object) = self.object() {
            change(&mut object.metadata);
        }
        self
    }

    /// Makes this call on it answer an error.
    #[must_use]
    pub fn fails(mut self, call: Call, error: Error) -> Self {
        if let Some(object) = self.object() {
            object.faults.push((call, error));
        }
        self
    }

    /// Adds an entry that is not valid to the current folder.
    #[must_use]
    pub fn bad_entry(mut self, error: Error) -> Self {
        match self.object() {
            Some(Object { content: Content::Directory(_, bad), .. }) => bad.push(error),
            _ => self.mistaken(Error::NotADirectory),
        }
        self
    }
}

/// How the filesystem is.
impl MemBuilder {
    /// Changes what [`crate::fs::FileSystem::info`] answers: label, UUID, type name.
    #[must_use]
    pub fn info(mut self, change: impl FnOnce(&mut Info)) -> Self {
        change(&mut self.tree.info);
        self
    }

    /// Something that [`crate::fs::FileSystem::notes`] answers.
    #[must_use]
    pub fn note(mut self, note: Note) -> Self {
        self.tree.notes.push(note);
        self
    }

    /// The tree.
    ///
    /// # Errors
    /// The first mistake: a parent that is no folder, a hard link to nothing or to a folder.
    pub fn build(self) -> Result<MemTree> {
        match self.mistake {
            Some(error) => Err(error),
            None => Ok(self.tree),
        }
    }
}

impl MemBuilder {
    fn mistaken(&mut self, error: Error) {
        self.mistake.get_or_insert(error);
    }

    fn object(&mut self) -> Option<&mut Object> {
        self.tree.objects.get_mut(index(self.current.0))
    }

    fn at(&mut self, node: Node) -> Option<&mut Object> {
        self.tree.objects.get_mut(index(node.0))
    }

    fn kind(&self, node: Node) -> Option<FileType> {
        self.tree.objects.get(index(node.0)).map(|object| object.metadata.kind)
    }

    /// The node of a path that is there.
    fn find(&self, path: &MachinePath) -> Result<Node> {
        let mut node = Node(0);
        for name in path.components() {
            node = match self.tree.objects.get(index(node.0)).map(|object| &object.content) {
                Some(Content::Directory(names, _)) => names.get(name).copied(),
                _ => None,
            }
            .ok_or_else(|| mistake(format!("{path:?} is not there")))?;
        }
        Ok(node)
    }

    /// The folder of this path, made with its parents if need be.
    fn make_directory(&mut self, path: &MachinePath) -> Result<Node> {
        let mut node = Node(0);
        for name in path.components() {
            let found = match self.at(node).map(|object| &object.content) {
                Some(Content::Directory(names, _)) => names.get(name).copied(),
                _ => None,
            };
            node = match found {
                Some(child) if self.kind(child) == Some(FileType::Directory) => child,
                Some(_) => return Err(mistake(format!("{path:?} leads through what is no folder"))),
                None => {
                    let child = self.add(FileType::Directory, 0o755, empty_directory());
                    self.enter(node, name, child);
                    child
                }
            };
        }
        Ok(node)
    }

    /// Makes an object, names it, and makes it current.
    fn put(&mut self, path: &[u8], kind: FileType, mode: u32, content: Content) {
        let node = self.add(kind, mode, content);
        if let Err(error) = self.name(&MachinePath::new(path), node) {
            self.mistaken(error);
        }
        self.current = node;
    }

    fn add(&mut self, kind: FileType, mode: u32, content: Content) -> Node {
        let number = self.tree.objects.len();
        let metadata = fresh(kind, mode, number);
        self.tree.objects.push(Object { metadata, content, xattrs: Vec::new(), faults: Vec::new() });
        Node(wide(number))
    }

    fn name(&mut self, path: &MachinePath, node: Node) -> Result<()> {
        if path == &MachinePath::root() {
            return Err(mistake("the root is a folder".into()));
        }
        let parent = self.make_directory(&path.parent())?;
        self.enter(parent, path.name(), node);
        Ok(())
    }

    /// Enters a name into a folder and counts the links of both, and of what had that name.
    fn enter(&mut self, parent: Node, name: &[u8], node: Node) {
        let Some(Content::Directory(names, _)) = self.at(parent).map(|object| &mut object.content) else {
            return;
        };
        let old = names.insert(name.to_vec(), node);
        if let Some(object) = old.and_then(|old| self.at(old)) {
            object.metadata.links = object.metadata.links.saturating_sub(1);
        }
        let directory = self.kind(node) == Some(FileType::Directory);
        if let Some(object) = self.at(node) {
            object.metadata.links = object.metadata.links.saturating_add(if directory { 2 } else { 1 });
        }
        if let Some(object) = self.at(parent).filter(|_| directory) {
            object.metadata.links = object.metadata.links.saturating_add(1);
        }
    }
}

fn mistake(why: String) -> Error {
    Error::whole("tree of a test", why)
}
