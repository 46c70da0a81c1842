// SPDX-License-Identifier: Apache-2.0
//! ext4, read-only, in user space.

pub mod journal;

use std::sync::Arc;

use super::{EachEntry, File, FileSystem, Info, Metadata, Node, Xattr};
use crate::error::{Error, Result};
use crate::source::BlockSource;

/// True if `source` has this filesystem's magic.
///
/// # Errors
/// What the source answers, but for its end.
pub fn probe(_source: &dyn BlockSource) -> Result<bool> {
    Ok(false)
}

/// An open ext4 filesystem.
pub struct Ext4 {
    info: Info,
}

impl Ext4 {
    /// Opens what [`probe`] found.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`, what the source answers.
    pub fn open(_source: Arc<dyn BlockSource>) -> Result<Self> {
        Err(Error::Unsupported("ext4".into()))
    }
}

impl FileSystem for Ext4 {
    fn info(&self) -> &Info {
        &self.info
    }
    fn root(&self) -> Node {
        Node(0)
    }
    fn metadata(&self, _: Node) -> Result<Metadata> {
        Err(Error::NotADirectory)
    }
    fn lookup(&self, _: Node, _: &[u8]) -> Result<Option<Node>> {
        Ok(None)
    }
    fn entries(&self, _: Node, _: &mut EachEntry<'_>) -> Result<()> {
        Ok(())
    }
    fn open(&self, _: Node) -> Result<Box<dyn File>> {
        Err(Error::NotADirectory)
    }
    fn link_target(&self, _: Node) -> Result<Vec<u8>> {
        Err(Error::NotADirectory)
    }
    fn xattrs(&self, _: Node) -> Result<Vec<Xattr>> {
        Ok(Vec::new())
    }
}
