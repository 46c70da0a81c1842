// SPDX-License-Identifier: Apache-2.0
//! The filesystems that are cut: how each is made and mounted.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use snapscan_disk::BlockSource;
use snapscan_disk::fs::xfs::log::{self, Geometry, Loaded, Met};
use snapscan_disk::source::{file::FileSource, read_vec};

use crate::mount::Kind;

/// One way to make and mount a filesystem.
pub(super) struct Variant {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    /// The mkfs and its arguments, without the image.
    pub(super) mkfs: Vec<&'static str>,
    /// Options of the mount under load.
    pub(super) options: &'static str,
    /// Bytes of the image.
    pub(super) bytes: u64,
    /// What is logged cannot always be applied by design.
    pub(super) may_be_stale: bool,
}

/// Small journals, so that the log goes round often. Not so with inline data: there the kernel's commit thread starts a
/// handle itself (`ext4_do_writepages` turning inline data into blocks), and on a full journal waits for itself for ever.
const EXT4: [(&str, &str, &str); 13] = [
    ("default", "-J size=4", "commit=1"),
    ("data-journal", "-J size=6", "data=journal"),
    ("1k", "-b 1024 -J size=1", "commit=1"),
    ("ext3", "-O ^extents,^64bit,^metadata_csum,^flex_bg,^huge_file,^dir_nlink,^extra_isize -J size=4", ""),
    ("v1", "-O ^metadata_csum,64bit -J size=4", "journal_checksum,commit=1"),
    ("v1-async", "-O ^metadata_csum,^64bit -J size=4", "data=writeback,journal_async_commit"),
    ("plain", "-O ^metadata_csum,^64bit -b 2048 -J size=2", "commit=1"),
    ("plain-64bit", "-O ^metadata_csum,64bit -J size=4", "data=journal"),
    ("v3-async", "-O metadata_csum,64bit -J size=4", "data=writeback,journal_async_commit"),
    ("inline", "-O inline_data,ea_inode,large_dir -I 512 -J size=64", "commit=1"),
    ("bigalloc", "-O bigalloc -C 16384 -J size=4", ""),
    ("orphan-list", "-O ^orphan_file -I 256 -J size=4", "commit=1"),
    ("fast-commit", "-O fast_commit -J size=16", "commit=1"),
];

/// Makes filesystems smaller than 300 MiB and logs smaller than 64 MiB too, as xfsprogs' own tests do: a small log goes
/// round often.
const MKFS_XFS: &str = "env TEST_DIR=none TEST_DEV=none QA_CHECK_FS=none mkfs.xfs -q -f";

const XFS: [(&str, &str, &str); 11] = [
    ("default", "-m reflink=1", ""),
    ("rmapbt", "-m rmapbt=1,reflink=1 -i sparse=1", ""),
    ("1k", "-b size=1024 -m reflink=1", ""),
    ("small-dir-inode", "-n size=8192 -i size=1024 -m rmapbt=1", "logbsize=256k"),
    ("bigtime-nrext64", "-m bigtime=1,inobtcount=1 -i nrext64=1", "logbsize=64k"),
    ("no-reflink", "-m reflink=0,finobt=0,rmapbt=0 -i sparse=0", "logbsize=32k"),
    ("sunit", "-d su=64k,sw=2 -l su=64k", ""),
    ("sync", "-m rmapbt=1", "wsync,dirsync"),
    ("small-log", "-l size=8m", "logbsize=32k"),
    ("small-log-256k", "-l size=16m -m rmapbt=1 -i nrext64=1", "logbsize=256k"),
    ("small-log-4k", "-s size=4096 -l size=32m,su=4k -n size=65536", "logbsize=32k,wsync"),
];

/// All variants of one kind.
pub(super) fn variants(kind: Kind) -> Vec<Variant> {
    let (command, table, bytes): (_, &[_], _) = match kind {
        Kind::Ext4 => ("mkfs.ext4 -q -F", &EXT4, 256 << 20),
        Kind::Xfs => (MKFS_XFS, &XFS, 512 << 20),
    };
    let words = |text: &'static str| text.split_whitespace();
    table
        .iter()
        .map(|&(name, arguments, options)| Variant {
            kind,
            name,
            mkfs: words(command).chain(words(arguments)).collect(),
            options,
            bytes,
            may_be_stale: name == "fast-commit",
        })
        .collect()
}

/// The records in the log of a cut, by kind.
pub(super) fn records(cut: &Path, kind: Kind) -> Vec<(String, u64)> {
    let met = match kind {
        Kind::Ext4 => None,
        Kind::Xfs => items(cut),
    };
    met.into_iter().flatten().map(|(name, count)| (name.to_owned(), count)).collect()
}

/// The items in the log of an XFS; those that were never met are named too.
fn items(cut: &Path) -> Option<Met> {
    let source: Arc<dyn BlockSource> = Arc::new(FileSource::new(File::open(cut).ok()?).ok()?);
    let geometry = Geometry::parse(&read_vec(source.as_ref(), 0, 512).ok()?).ok()?;
    match log::load(&source, &geometry).ok()? {
        Loaded::Replayed(replay) | Loaded::Stale { replay: Some(replay), .. } => Some(replay.met),
        Loaded::Clean | Loaded::Stale { replay: None, .. } => None,
    }
}
