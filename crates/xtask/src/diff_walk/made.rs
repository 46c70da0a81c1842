// SPDX-License-Identifier: Apache-2.0
//! The filesystems that diff-walk makes: every variant that mkfs makes here and the kernel mounts.

mod files;
mod names;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::mount::{Kind, Mounted, make, run};

/// Bytes of a made image; sparse.
const SIZE: u64 = 768 << 20;
/// Bytes of an image for a tree that is given: the largest we test with has 3.5 GiB.
const LARGE: u64 = 10 << 30;

/// A filesystem to be made.
pub(super) struct Variant {
    pub(super) kind: Kind,
    command: Vec<&'static str>,
    /// The folder to copy; the odd tree if none.
    tree: Option<PathBuf>,
}

const VARIANTS: [(&str, Kind, &str); 17] = [
    ("ext4", Kind::Ext4, "mkfs.ext4 -q -F"),
    ("ext4-1k", Kind::Ext4, "mkfs.ext4 -q -F -b 1024"),
    ("ext4-inline", Kind::Ext4, "mkfs.ext4 -q -F -O inline_data"),
    ("ext4-inline-big-inodes", Kind::Ext4, "mkfs.ext4 -q -F -O inline_data -I 1024"),
    ("ext4-bigalloc", Kind::Ext4, "mkfs.ext4 -q -F -O bigalloc -C 65536"),
    ("ext4-ea-inode", Kind::Ext4, "mkfs.ext4 -q -F -O ea_inode,large_dir,metadata_csum_seed"),
    (
        "ext4-32bit-plain",
        Kind::Ext4,
        "mkfs.ext4 -q -F -O ^64bit,^metadata_csum,^flex_bg,^huge_file,uninit_bg",
    ),
    ("ext4-meta-bg", Kind::Ext4, "mkfs.ext4 -q -F -b 1024 -O meta_bg,^resize_inode"),
    ("ext3", Kind::Ext4, "mkfs.ext3 -q -F"),
    ("ext2-small-inodes", Kind::Ext4, "mkfs.ext2 -q -F -I 128 -b 1024"),
    ("xfs", Kind::Xfs, "mkfs.xfs -q -f"),
    ("xfs-1k", Kind::Xfs, "mkfs.xfs -q -f -b size=1024"),
    ("xfs-64k-folders", Kind::Xfs, "mkfs.xfs -q -f -n size=65536"),
    ("xfs-rmapbt", Kind::Xfs, "mkfs.xfs -q -f -m rmapbt=1,reflink=1"),
    ("xfs-nrext64", Kind::Xfs, "mkfs.xfs -q -f -i nrext64=1,size=1024"),
    ("xfs-old", Kind::Xfs, "mkfs.xfs -q -f -m bigtime=0,inobtcount=0,reflink=0,finobt=0 -i sparse=0"),
    ("xfs-4k-sectors", Kind::Xfs, "mkfs.xfs -q -f -s size=4096 -d agcount=8"),
];

/// The variants with their names: all of them for the odd tree, two for a tree that is given.
pub(super) fn variants(tree: Option<&Path>) -> Result<Vec<(String, Variant)>> {
    let wanted = |name: &str| tree.is_none() || matches!(name, "ext4" | "xfs");
    let variant = |&(name, kind, command): &(&str, Kind, &'static str)| {
        let command = command.split(' ').collect();
        (name.to_owned(), Variant { kind, command, tree: tree.map(Path::to_owned) })
    };
    Ok(VARIANTS.iter().filter(|(name, ..)| wanted(name)).map(variant).collect())
}

impl Variant {
    /// A folder for the image: in memory where there is one, since what takes long is that unmounting waits for the
    /// disk. A tree that is given would not fit.
    pub(super) fn scratch(&self) -> Result<TempDir> {
        let memory = Path::new("/dev/shm");
        Ok(if self.tree.is_none() && memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        })
    }

    /// Makes the image in this folder.
    pub(super) fn make(&self, scratch: &Path) -> Result<PathBuf> {
        let size = if self.tree.is_some() { LARGE } else { SIZE };
        let image = make(scratch, &self.command, size)?;
        let mounted = Mounted::writable(&image, self.kind)?;
        match &self.tree {
            Some(tree) => {
                run(Command::new("cp").arg("-a").arg(tree.join(".")).arg(mounted.path()))?;
            }
            None => tree::fill(mounted.path()).with_context(|| format!("{:?}", self.command))?,
        }
        mounted.unmount()?;
        Ok(image)
    }
}
