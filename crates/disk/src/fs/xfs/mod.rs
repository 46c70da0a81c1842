// SPDX-License-Identifier: Apache-2.0
//! XFS, versions 4 and 5, read-only, in user space.
//!
//! A node is an inode number. Nothing but the superblock (and the log, if it is dirty) is read to open: inode numbers
//! say where inodes lie, so headers and trees of the allocation groups are never needed.
//!
//! | module | answers |
//! |---|---|
//! | `superblock`, `features`, `geometry` | what filesystem is it, can it be read, where do its numbers lead? |
//! | `inode`, `cluster` | what is one node, what are many? |
//! | `fork`, `extent`, `btree` | where do the blocks of a file lie? |
//! | `dir`, `attr`, `da` | names: of entries and of attributes, and the hash tree of both |
//! | `symlink`, `file` | content |
//! | `log`, `recovery` | what did the machine not write in place before the snapshot? |
//! | `crc`, `volume` | proofs on metadata blocks; what all share |

mod attr;
mod btree;
mod cluster;
mod crc;
mod da;
mod dir;
mod extent;
mod features;
mod file;
mod fork;
mod geometry;
mod inode;
pub mod log;
mod recovery;
mod superblock;
mod symlink;
mod volume;

use std::sync::Arc;

use self::file::XfsFile;
use self::inode::Inode;
use self::recovery::Recovered;
use self::superblock::Superblock;
use self::volume::Volume;
use super::{EachEntry, File, FileSystem, Info, Kind, Metadata, Node, Note, Xattr};
use crate::error::Result;
use crate::source::BlockSource;

/// True if `source` begins with this filesystem's magic.
///
/// # Errors
/// What the source answers, but for its end.
pub fn probe(source: &dyn BlockSource) -> Result<bool> {
    superblock::probe(source)
}

/// An open XFS filesystem.
pub struct Xfs {
    volume: Arc<Volume>,
    info: Info,
}

impl Xfs {
    /// Opens what [`probe`] found.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`, what the source answers.
    pub fn open(source: Arc<dyn BlockSource>) -> Result<Self> {
        let (superblock, note) = Superblock::read(source.as_ref())?;
        let recovered = Recovered::load(&source, &superblock)?;
        let info = Info {
            kind: Kind::Xfs,
            type_name: "xfs",
            uuid: Some(superblock.uuid),
            label: superblock.label.clone(),
            block_size: superblock.geometry.block_size,
            size: superblock.geometry.bytes(superblock.geometry.blocks),
            state: recovered.state,
        };
        let notes = note.into_iter().collect();
        let volume = Volume::new(source, recovered.overlay, superblock, recovered.stale_inodes, notes);
        Ok(Xfs { volume: Arc::new(volume), info })
    }

    fn inode(&self, node: Node) -> Result<Inode> {
        Inode::read(&self.volume, node.0)
    }
}

impl FileSystem for Xfs {
    fn info(&self) -> &Info {
        &self.info
    }

    fn root(&self) -> Node {
        Node(self.volume.superblock.root)
    }

    fn metadata(&self, node: Node) -> Result<Metadata> {
        let inode = self.inode(node)?;
        Ok(inode.core.metadata(node.0, self.volume.is_stale(node.0)))
    }

    fn metadata_many(&self, nodes: &[Node]) -> Vec<Result<Metadata>> {
        cluster::metadata_many(&self.volume, nodes)
    }

    fn lookup(&self, directory: Node, name: &[u8]) -> Result<Option<Node>> {
        Ok(dir::lookup(&self.volume, &self.inode(directory)?, name)?.map(Node))
    }

    fn entries(&self, directory: Node, each: &mut EachEntry<'_>) -> Result<()> {
        dir::entries(&self.volume, &self.inode(directory)?, each)
    }

    fn open(&self, node: Node) -> Result<Box<dyn File>> {
        Ok(Box::new(XfsFile::open(&self.volume, node.0)?))
    }

    fn link_target(&self, node: Node) -> Result<Vec<u8>> {
        symlink::target(&self.volume, &self.inode(node)?)
    }

    fn xattrs(&self, node: Node) -> Result<Vec<Xattr>> {
        attr::list(&self.volume, &self.inode(node)?)
    }

    fn notes(&self) -> Vec<Note> {
        self.volume.notes()
    }

    fn advise(&self, nodes: &[Node]) {
        cluster::advise(&self.volume, nodes);
    }
}
