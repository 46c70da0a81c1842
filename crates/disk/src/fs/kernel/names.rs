// SPDX-License-Identifier: Apache-2.0
//! The table of names that have been seen: a node is an index into it.
//!
//! The same name in the same folder has the same node, so that a second walk does not grow the table. Names lie end to
//! end in one vector: a table of two million names of usual length takes about 120 MiB.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::bytes::index;
use crate::error::{Error, Result};
use crate::fs::Node;
use crate::fs::path::MachinePath;
use crate::limits;

/// No further name with this hash.
const NONE: u32 = u32::MAX;

/// One name in one folder.
struct Name {
    parent: u32,
    start: u32,
    len: u16,
    /// The next name with the same hash.
    next: u32,
}

/// All names seen so far; index 0 is the root.
pub(super) struct Names {
    names: Vec<Name>,
    bytes: Vec<u8>,
    by_hash: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Names {
    /// A table that has the root only.
    pub(super) fn new() -> Self {
        Names {
            names: vec![Name { parent: 0, start: 0, len: 0, next: NONE }],
            bytes: Vec::new(),
            by_hash: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// The node of a name in a folder.
    ///
    /// # Errors
    /// `Limit` if the table is full; `Corrupt` if the folder is no node.
    pub(super) fn child(&mut self, parent: Node, name: &[u8]) -> Result<Node> {
        let parent = self.number(parent)?;
        let hash = self.hasher.hash_one((parent, name));
        let first = self.by_hash.get(&hash).copied().unwrap_or(NONE);
        let mut at = first;
        while let Some(seen) = self.names.get(index(at.into())) {
            if seen.parent == parent && self.text(seen) == name {
                return Ok(Node(at.into()));
            }
            at = seen.next;
        }
        let full = Error::Limit { what: "names of a directory tree", limit: limits::KERNEL_NAMES.into() };
        let number = u32::try_from(self.names.len()).ok().filter(|number| *number < limits::KERNEL_NAMES);
        let start = u32::try_from(self.bytes.len()).ok();
        let (Some(number), Some(start), Ok(len)) = (number, start, u16::try_from(name.len())) else {
            return Err(full);
        };
        self.bytes.extend_from_slice(name);
        self.names.push(Name { parent, start, len, next: first });
        self.by_hash.insert(hash, number);
        Ok(Node(number.into()))
    }

    /// The path of a node from the root.
    ///
    /// # Errors
    /// `Corrupt` if there is no such node.
    pub(super) fn path(&self, node: Node) -> Result<MachinePath> {
        let mut chain = Vec::new();
        let mut at = self.number(node)?;
        // A parent has a smaller number than what is in it, so this ends.
        while let Some(name) = self.names.get(index(at.into())).filter(|_| at != 0) {
            chain.push(self.text(name));
            at = name.parent;
        }
        Ok(chain.iter().rev().fold(MachinePath::root(), |path, name| path.join(name)))
    }

    fn number(&self, node: Node) -> Result<u32> {
        match u32::try_from(node.0) {
            Ok(number) if index(node.0) < self.names.len() => Ok(number),
            _ => Err(Error::node("node", format!("{} is not one of {}", node.0, self.names.len()))),
        }
    }

    fn text(&self, name: &Name) -> &[u8] {
        let rest = self.bytes.get(index(name.start.into())..).unwrap_or_default();
        rest.get(..usize::from(name.len)).unwrap_or_default()
    }
}
