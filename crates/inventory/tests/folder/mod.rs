// SPDX-License-Identifier: Apache-2.0
//! A folder of the host as a machine's tree, read as `snapscan scan FOLDER` reads it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::machine::Tree;

/// Opens a folder; its volume is called `root`.
pub(crate) fn tree(folder: &Path) -> Tree {
    let opened = File::open(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let fs = KernelFs::new(opened.into()).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    Tree::new(Arc::new(fs), "root")
}
