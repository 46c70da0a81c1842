// SPDX-License-Identifier: Apache-2.0
//! A folder of the host as a machine's tree, links as they stand.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;

/// Reads a folder into memory; its volume is called `root`.
pub(crate) fn tree(folder: &Path) -> Tree {
    let built = add(MemTree::builder(), folder, b"").build();
    Tree::new(Arc::new(built.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))), "root")
}

fn add(mut builder: MemBuilder, folder: &Path, inside: &[u8]) -> MemBuilder {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = [inside, b"/", entry.file_name().as_bytes()].concat();
        let kind = entry.file_type().unwrap();
        builder = if kind.is_symlink() {
            builder.symlink(path, fs::read_link(entry.path()).unwrap().as_os_str().as_bytes())
        } else if kind.is_dir() {
            add(builder.dir(&path), &entry.path(), &path)
        } else {
            builder.file(path, fs::read(entry.path()).unwrap())
        };
    }
    builder
}
