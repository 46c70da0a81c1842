// SPDX-License-Identifier: Apache-2.0
//! From a path to what it leads to, with symbolic links that never leave the machine's root.
//!
//! Source: path_resolution(7), as a process sees it whose root folder is the machine's.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::fs::path::MachinePath;
use crate::fs::{FileType, Metadata};
use crate::limits::{LINKS_IN_PATH, NAME_BYTES, PATH_BYTES};

use super::tree::{Location, Tree};

/// Whether a link at the end of a path is followed. Links on the way always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Follow it.
    Links,
    /// Answer the link itself.
    NotLast,
}

/// What a path led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The object.
    pub location: Location,
    /// Its path without links.
    pub path: MachinePath,
    /// What it is.
    pub metadata: Metadata,
}

impl Tree {
    /// Follows a path from the root; `None` if something on it does not exist or is no folder.
    ///
    /// # Errors
    /// `LinkLoop` after 40 links; `Limit` for a path that grew over 4,096 bytes; what the filesystems met.
    pub fn resolve(&self, path: &MachinePath, follow: Follow) -> Result<Option<Resolved>> {
        self.resolve_from(self.start()?, path.relative(), follow)
    }

    /// The root folder as something resolved.
    ///
    /// # Errors
    /// What reading its metadata met.
    pub fn start(&self) -> Result<Resolved> {
        let location = self.root();
        Ok(Resolved { location, path: MachinePath::root(), metadata: self.kind(location)? })
    }

    /// Follows `path` from a folder that was resolved: as [`Tree::resolve`]. An absolute path begins at the root.
    ///
    /// # Errors
    /// As [`Tree::resolve`].
    pub fn resolve_from(&self, folder: Resolved, path: &[u8], follow: Follow) -> Result<Option<Resolved>> {
        let mut above = self.above(&folder)?;
        let mut here = folder;
        let mut links = 0_u32;
        let mut left: VecDeque<Vec<u8>> = components(path);
        if path.first() == Some(&b'/') {
            (above, here) = (Vec::new(), self.start()?);
        }
        while let Some(name) = left.pop_front() {
            if here.metadata.kind != FileType::Directory {
                return Ok(None);
            }
            if name == b".." {
                if let Some(parent) = above.pop() {
                    here = parent;
                }
                continue;
            }
            let Some(location) = self.step(here.location, &name)? else { return Ok(None) };
            let metadata = self.kind(location)?;
            let is_last = left.is_empty();
            if metadata.kind == FileType::Symlink && !(is_last && follow == Follow::NotLast) {
                links = links.saturating_add(1);
                if links > LINKS_IN_PATH {
                    return Err(Error::LinkLoop(LINKS_IN_PATH));
                }
                let target = self.link_target(location)?;
                if target.first() == Some(&b'/') {
                    (above, here) = (Vec::new(), self.start()?);
                }
                for component in components(&target).into_iter().rev() {
                    left.push_front(component);
                }
                if left.iter().map(Vec::len).fold(0, usize::saturating_add) > PATH_BYTES {
                    return Err(Error::Limit { what: "path, bytes", limit: crate::bytes::wide(PATH_BYTES) });
                }
                continue;
            }
            let path = here.path.join(&name);
            // Links could lead on, below a folder that holds itself, forty times as far as one path may go.
            if path.as_bytes().len() > PATH_BYTES {
                return Err(Error::Limit { what: "path, bytes", limit: crate::bytes::wide(PATH_BYTES) });
            }
            above.push(std::mem::replace(&mut here, Resolved { location, path, metadata }));
        }
        Ok(Some(here))
    }

    /// The folders above one that was resolved, from the root.
    fn above(&self, folder: &Resolved) -> Result<Vec<Resolved>> {
        let mut above = Vec::new();
        if folder.path == MachinePath::root() {
            return Ok(above);
        }
        let mut here = self.start()?;
        let names: Vec<&[u8]> = folder.path.components().collect();
        for name in names.iter().take(names.len().saturating_sub(1)) {
            let Some(location) = self.step(here.location, name)? else { break };
            let next = Resolved { location, path: here.path.join(name), metadata: self.kind(location)? };
            above.push(std::mem::replace(&mut here, next));
        }
        above.push(here);
        Ok(above)
    }

    /// One name in one folder, mounts crossed.
    pub(super) fn step(&self, folder: Location, name: &[u8]) -> Result<Option<Location>> {
        if name.len() > NAME_BYTES {
            return Ok(None);
        }
        let key = (folder, name.to_vec());
        let known = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let node = self.filesystem(folder.fs)?.lookup(folder.node, name)?;
        let found = node.map(|node| self.cross(Location { fs: folder.fs, node }));
        self.keep_name(folder, name, found);
        Ok(found)
    }

    /// Metadata that is kept, since every path through a folder asks for it.
    pub(super) fn kind(&self, location: Location) -> Result<Metadata> {
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&location).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let metadata = self.metadata(location)?;
        self.keep_kind(location, metadata);
        Ok(metadata)
    }
}

fn components(path: &[u8]) -> VecDeque<Vec<u8>> {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.map(<[u8]>::to_vec).collect()
}
