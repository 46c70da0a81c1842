// SPDX-License-Identifier: Apache-2.0
//! One suite of facts that every filesystem reader must show, about one made tree.
//!
//! [`reference()`] describes the tree as data. A test puts it wherever a reader looks ([`in_memory`] for one), gives the
//! reader to [`violated`] and expects an empty list. Only tests use this module; it is public so that tests of other
//! crates, which bring readers of their own, can hold them to the same facts.

mod files;
mod folders;
mod nodes;
mod reference;

pub use reference::{Item, What, in_memory, reference};

use super::{FileSystem, Node};
use crate::source::BlockSource;

/// The facts that `fs` does not show, in words; empty if it is right. `fs` holds `items` and nothing else, but for
/// ext4's `lost+found`. With `source`, data is also looked up where [`super::File::extents`] says it lies.
pub fn violated(fs: &dyn FileSystem, items: &[Item], source: Option<&dyn BlockSource>) -> Vec<String> {
    let mut facts = Facts { fs, items, source, violated: Vec::new() };
    facts.nodes();
    facts.folders();
    facts.files();
    facts.violated
}

/// One run of the suite.
struct Facts<'a> {
    fs: &'a dyn FileSystem,
    items: &'a [Item],
    source: Option<&'a dyn BlockSource>,
    violated: Vec<String>,
}

impl<'a> Facts<'a> {
    /// A fact about one path.
    fn that(&mut self, path: &[u8], holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violated.push(format!("/{}: {}", path.escape_ascii(), otherwise()));
        }
    }

    /// The node of a path, name by name.
    fn reach(&mut self, path: &[u8]) -> Option<Node> {
        let mut node = self.fs.root();
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            match self.fs.lookup(node, name) {
                Ok(Some(child)) => node = child,
                other => {
                    let name = name.escape_ascii();
                    self.that(path, false, || format!("lookup of {name} gives {other:?}"));
                    return None;
                }
            }
        }
        Some(node)
    }
}
