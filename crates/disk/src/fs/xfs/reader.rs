// SPDX-License-Identifier: Apache-2.0
//! XFS as a [`FileSystem`].

use std::sync::Arc;

use super::file::XfsFile;
use super::inode::Inode;
use super::recovery::Recovered;
use super::superblock::Superblock;
use super::volume::Volume;
use super::{ahead, attr, cluster, dir, symlink};
use crate::error::Result;
use crate::fs::{EachEntry, File, FileSystem, Info, Kind, Metadata, Node, Note, Xattr};
use crate::source::BlockSource;

/// An open XFS filesystem.
pub struct Xfs {
    volume: Arc<Volume>,
    info: Info,
}

impl Xfs {
    /// Opens what [`super::probe`] found.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`, what the source answers.
    pub fn open(source: Arc<dyn BlockSource>) -> Result<Self> {
        let (mut superblock, note) = Superblock::read(source.as_ref())?;
        let recovered = Recovered::load(&source, &superblock)?;
        if let (Some(overlay), None) = (&recovered.overlay, &note) {
            superblock = Superblock::read_again(overlay.as_ref())?;
        }
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

    fn walk_ahead(&self) -> Box<dyn Iterator<Item = u64> + Send + '_> {
        ahead::steps(&self.volume)
    }
}
