// SPDX-License-Identifier: Apache-2.0
//! The contract of every filesystem reader, and the readers.
//!
//! A reader works by [`Node`], not by path: it walks no paths and follows no links; [`crate::machine`] does. It keeps
//! parsed state (superblock, group headers, the extents of an open file) and no cache of blocks; the source has one.
//! Readers are plain code that reads and waits. Within an attempt of [`crate::source::rounds::Rounds`] any call may
//! fail with `NotResident`; a reader passes that on like any other error and keeps nothing half-made, so that the same
//! call works when it is made again.

mod ahead;
pub mod conformance;
pub mod ext4;
pub mod kernel;
pub mod mem;
pub mod path;
pub mod xfs;

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::bytes::uuid_text;
use crate::error::{Error, Result};
use crate::source::BlockSource;

/// A filesystem that can be read.
pub trait FileSystem: Send + Sync {
    /// What it is and how it was opened.
    fn info(&self) -> &Info;

    /// Its root folder. Filesystems with several (subvolumes) name the others in [`FileSystem::roots`].
    fn root(&self) -> Node;

    /// All its roots with their names; most have one, with an empty name.
    fn roots(&self) -> Vec<(Vec<u8>, Node)> {
        vec![(Vec::new(), self.root())]
    }

    /// Type, mode, owner and the rest of one node.
    ///
    /// # Errors
    /// `Corrupt` with scope `Node` (or `Subtree` for a folder) if the inode is not valid; what the source answers.
    fn metadata(&self, node: Node) -> Result<Metadata>;

    /// The same for many, in the order given; a reader may fetch in disk order.
    fn metadata_many(&self, nodes: &[Node]) -> Vec<Result<Metadata>> {
        nodes.iter().map(|&node| self.metadata(node)).collect()
    }

    /// The node of `name` in a folder, by its index where there is one; `None` if there is no such name.
    /// An index that lies falls back to a scan, and [`FileSystem::notes`] says so.
    ///
    /// # Errors
    /// `NotADirectory`; `Corrupt`; what the source answers.
    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Option<Node>>;

    /// Calls `each` for all entries of a folder, in the order of the disk, without `.` and `..`, until it breaks.
    /// An entry that is not valid is passed as an error, and the rest follows. No lock is held during the call.
    ///
    /// # Errors
    /// `NotADirectory`; `Corrupt` if the folder as a whole cannot be read; what the source answers.
    fn entries(&self, directory: Node, each: &mut EachEntry<'_>) -> Result<()>;

    /// Opens a regular file.
    ///
    /// # Errors
    /// `WrongType` for anything else; `Corrupt`; what the source answers.
    fn open(&self, node: Node) -> Result<Box<dyn File>>;

    /// The target of a symbolic link as it stands on the disk.
    ///
    /// # Errors
    /// `WrongType` for anything else; `Corrupt`; what the source answers.
    fn link_target(&self, node: Node) -> Result<Vec<u8>>;

    /// All extended attributes with their full names (`security.capability`), sorted by name.
    ///
    /// # Errors
    /// `Corrupt`; what the source answers.
    fn xattrs(&self, node: Node) -> Result<Vec<Xattr>>;

    /// What was noticed so far that whoever reads the report should know.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }

    /// Mounts met below that were not entered, each with its path and kind; their mount points look like empty folders.
    /// Only a filesystem of the host's kernel has any.
    fn left_out(&self) -> Vec<(path::MachinePath, String)> {
        Vec::new()
    }

    /// Says that these nodes' metadata will be asked for soon.
    fn advise(&self, _nodes: &[Node]) {}

    /// Runs ahead of a walk over all names. Each step says, as [`BlockSource::advise`] does, what the next inodes in use
    /// and the folders among them will need, in the order of the disk; it waits until those inodes are there. What cannot
    /// be read is left out: the walk meets it. A step answers in how many further blocks of [`LARGE_BLOCK`](crate::source::LARGE_BLOCK)
    /// bytes that lies, so that who walks can stop where no more would be kept.
    fn walk_ahead(&self) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        Box::new(std::iter::empty())
    }
}

/// What [`FileSystem::entries`] calls for each entry.
pub type EachEntry<'a> = dyn FnMut(Result<Entry>) -> ControlFlow<()> + 'a;

/// An open regular file: owned, shareable.
pub trait File: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Reads from `offset` until `buf` is full or the file ends; answers how many bytes. Holes are zeros.
    ///
    /// # Errors
    /// `Corrupt`; `Unsupported` for content that is not stored plainly (encrypted, compressed); what the source says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;

    /// Where the bytes of `range` lie, in order, without gaps.
    ///
    /// # Errors
    /// As [`File::read_at`].
    fn extents(&self, range: Range<u64>) -> Result<Vec<Extent>>;

    /// Says that these bytes will be read soon.
    fn advise(&self, _range: Range<u64>) {}
}

/// A handle of a file, folder or other object: opaque, ordered, valid as long as its filesystem.
/// It is not the inode number, though a reader may use that inside; [`Identity`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u64);

/// What makes two names the same file: the hard-link key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The filesystem, told apart within one machine; 0 from a reader, set by the machine.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
    /// The generation of that number where there is one.
    pub generation: u32,
}

/// What kind of object a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the field's own: inode(7)")]
pub enum FileType {
    File,
    Directory,
    Symlink,
    Fifo,
    CharDevice,
    BlockDevice,
    Socket,
}

impl FileType {
    /// The letter that `find -printf %y` prints: one of `f d l p c b s`.
    pub fn letter(self) -> char {
        match self {
            FileType::File => 'f',
            FileType::Directory => 'd',
            FileType::Symlink => 'l',
            FileType::Fifo => 'p',
            FileType::CharDevice => 'c',
            FileType::BlockDevice => 'b',
            FileType::Socket => 's',
        }
    }

    /// The type in the upper four bits of a mode (inode(7)); `None` if they name none.
    pub fn from_mode(mode: u32) -> Option<FileType> {
        Some(match mode & 0o170_000 {
            0o100_000 => FileType::File,
            0o040_000 => FileType::Directory,
            0o120_000 => FileType::Symlink,
            0o010_000 => FileType::Fifo,
            0o020_000 => FileType::CharDevice,
            0o060_000 => FileType::BlockDevice,
            0o140_000 => FileType::Socket,
            _ => return None,
        })
    }
}

/// A point in time as a filesystem keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970 UTC, negative before.
    pub seconds: i64,
    /// Nanoseconds, below a thousand million.
    pub nanos: u32,
}

/// What a node is, but not its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Its type.
    pub kind: FileType,
    /// Permission bits with setuid, setgid and sticky: the lower twelve.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file's content, or of a link's target; what the disk says for the rest.
    pub size: u64,
    /// Major and minor number of a device, else zeros.
    pub rdev: (u32, u32),
    /// Names that this object has.
    pub links: u32,
    /// Last change of content.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Last access.
    pub atime: Timestamp,
    /// The hard-link key.
    pub identity: Identity,
    /// Content or names are encrypted, and no key is here.
    pub encrypted: bool,
    /// May differ from what the machine itself would see: the journal announces a change that was not applied.
    pub stale: bool,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name: bytes, without slash or NUL.
    pub name: Vec<u8>,
    /// What it names.
    pub node: Node,
    /// The type, where the folder keeps it.
    pub kind: Option<FileType>,
}

/// One extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xattr {
    /// The full name.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// A run of a file's bytes and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The bytes of the file.
    pub range: Range<u64>,
    /// Where they are.
    pub place: Extents,
}

/// Where a run of a file's bytes lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extents {
    /// On the filesystem's source, from this byte.
    Data(u64),
    /// Nowhere: zeros.
    Hole,
    /// Reserved, never written: zeros.
    Unwritten,
    /// Inside the inode or in another form that is not plain blocks.
    Inline,
}

/// What kind of filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// ext2, ext3 or ext4; which of them is only a matter of features.
    Ext4,
    /// XFS, version 4 or 5.
    Xfs,
    /// Whatever the host's kernel shows beneath a directory.
    Kernel,
    /// Made in memory for a test.
    Memory,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
            Kind::Kernel => "directory",
            Kind::Memory => "memory",
        })
    }
}

/// In what state a filesystem was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing was in its journal, or it has none.
    Clean,
    /// The journal was applied in memory.
    Replayed {
        /// Bytes of the journal that were live.
        journal_bytes: u64,
    },
    /// The journal could not be applied (whole): what is read may be old or damaged.
    Stale {
        /// Why, in words.
        why: String,
    },
}

/// What a filesystem is and how it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Which reader.
    pub kind: Kind,
    /// The name that blkid gives it: `ext2`, `ext3`, `ext4`, `xfs`.
    pub type_name: &'static str,
    /// Its UUID.
    pub uuid: Option<[u8; 16]>,
    /// Its label, without padding.
    pub label: Vec<u8>,
    /// Bytes of a block.
    pub block_size: u32,
    /// Bytes of the whole filesystem by its own account.
    pub size: u64,
    /// Clean, replayed or stale.
    pub state: State,
}

impl Info {
    /// The UUID as people write it.
    pub fn uuid_text(&self) -> Option<String> {
        self.uuid.as_ref().map(uuid_text)
    }
}

/// Something a reader noticed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A folder's index missed a name that a scan found. The text names the folder's inode.
    IndexIgnored(String),
    /// A checksum did not match although the content was plausible.
    ChecksumMismatch(String),
    /// An announced change of this inode was not applied.
    InodeStale(String),
    /// A copy of a damaged superblock or header was used.
    BackupUsed(String),
}

/// Opens whatever of our readers' filesystems lies on `source`; `None` if it is none of them.
///
/// # Errors
/// `Corrupt`, `Unsupported`, what the source answers.
pub fn open(source: &Arc<dyn BlockSource>) -> Result<Option<Arc<dyn FileSystem>>> {
    if ext4::probe(source.as_ref())? {
        return Ok(Some(Arc::new(ext4::Ext4::open(Arc::clone(source))?)));
    }
    if xfs::probe(source.as_ref())? {
        return Ok(Some(Arc::new(xfs::Xfs::open(Arc::clone(source))?)));
    }
    Ok(None)
}

/// Passes `Ok` on, and turns "not here" into `None`: for reads of magic numbers near the end of small sources.
pub(crate) fn if_long_enough<T>(result: Result<T, crate::error::SourceError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(crate::error::SourceError::PastEnd { .. }) => Ok(None),
        Err(error) => Err(Error::Source(error)),
    }
}
