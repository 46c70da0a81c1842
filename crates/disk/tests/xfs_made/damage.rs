// SPDX-License-Identifier: Apache-2.0
//! Damaged images: no panic, no hang, no wrong answer where the damage is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use snapscan_disk::fs::{FileSystem, FileType, Node, Note, xfs};
use snapscan_disk::source::{cache::Cache, rounds::Rounds};
use snapscan_disk::{BlockSource, SourceError};

use super::recipe::{make, scratch};
use super::walk;

const PAGE: u64 = 512;

/// A source with changed bytes that keeps which 512-byte pages were read.
struct Changed {
    inner: Arc<dyn BlockSource>,
    /// What is added to a byte by exclusive or.
    bits: BTreeMap<u64, u8>,
    read: Mutex<BTreeSet<u64>>,
}

impl Changed {
    fn new(image: &Path, bits: BTreeMap<u64, u8>) -> Arc<Changed> {
        Arc::new(Changed { inner: walk::source(image), bits, read: Mutex::default() })
    }

    fn taken(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.read.lock().unwrap())
    }
}

impl BlockSource for Changed {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        self.inner.read_at(offset, buf)?;
        let end = offset + buf.len() as u64;
        self.read.lock().unwrap().extend(offset / PAGE..end.div_ceil(PAGE));
        for (at, bits) in self.bits.range(offset..end) {
            buf[(at - offset) as usize] ^= bits;
        }
        Ok(())
    }
}

/// Reads what can be read, each folder once; answers how many nodes.
fn read_all(fs: &xfs::Xfs) -> usize {
    let mut seen = BTreeSet::from([fs.root()]);
    let mut waiting = vec![fs.root()];
    while let Some(node) = waiting.pop() {
        let Ok(metadata) = fs.metadata(node) else { continue };
        let _attributes = fs.xattrs(node);
        match metadata.kind {
            FileType::Directory => {
                let mut names = Vec::new();
                let _whole = fs.entries(node, &mut |entry| {
                    names.extend(entry);
                    if names.len() < 10_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                for entry in names.iter().step_by(7) {
                    let _found = fs.lookup(node, &entry.name);
                }
                waiting.extend(names.iter().map(|entry| entry.node).filter(|&node| seen.insert(node)));
            }
            FileType::Symlink => drop(fs.link_target(node)),
            FileType::File => {
                let Ok(file) = fs.open(node) else { continue };
                let _extents = file.extents(0..u64::MAX);
                for offset in [0, 1 << 20, file.size() / 2] {
                    let _read = file.read_at(offset, &mut [0; 9000]);
                }
            }
            _ => {}
        }
    }
    seen.len()
}

/// Numbers that look random and are the same each time (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn flip(options: &[&str], rounds: u32) {
    let folder = scratch();
    let Some((image, recipe)) = make(folder.path(), options, 300) else { return };
    let whole = Changed::new(&image, BTreeMap::new());
    assert_eq!(read_all(&xfs::Xfs::open(Arc::clone(&whole) as _).unwrap()), recipe.len());
    let pages: Vec<u64> = whole.taken().into_iter().collect();
    let mut numbers = Numbers(0x5eed_5eed_5eed_5eed);
    let mut opened = 0;
    for _ in 0..rounds {
        let bits = (0..1 + numbers.below(12)).map(|_| {
            let page = pages[numbers.below(pages.len() as u64) as usize];
            (page * PAGE + numbers.below(PAGE), 1 << numbers.below(8))
        });
        let source = Changed::new(&image, bits.collect());
        if let Ok(fs) = xfs::Xfs::open(source) {
            assert!(read_all(&fs) >= 1);
            opened += 1;
        }
    }
    assert!(opened > rounds / 2, "{opened} of {rounds} were opened at all");
}

#[test]
fn flipped_bits_of_version_4_never_panic_or_hang() {
    flip(&["-m", "crc=0,finobt=0,reflink=0", "-b", "size=512", "-i", "size=256"], 300);
}

#[test]
fn flipped_bits_of_version_5_never_panic_or_hang() {
    flip(&[], 150);
}

/// Names of a folder without a lookup.
fn names(fs: &xfs::Xfs, folder: Node) -> Vec<(Vec<u8>, Node)> {
    let mut all = Vec::new();
    let mut each = |entry: Result<snapscan_disk::fs::Entry, _>| {
        let entry = entry.unwrap();
        all.push((entry.name, entry.node));
        ControlFlow::Continue(())
    };
    fs.entries(folder, &mut each).unwrap();
    all
}

/// Changes the index of a folder of 3,000 names (not its entries), and looks every name up.
fn index_lies(change: impl Fn(u64) -> Option<u8>) -> Vec<Note> {
    let folder = scratch();
    let options = ["-m", "crc=0,finobt=0,reflink=0"];
    let Some((image, _)) = make(folder.path(), &options, 3000) else { return Vec::new() };
    let source = Changed::new(&image, BTreeMap::new());
    let fs = xfs::Xfs::open(Arc::clone(&source) as _).unwrap();
    let node = fs.lookup(fs.root(), b"folder-3000").unwrap().unwrap();
    source.taken();
    let all = names(&fs, node);
    let entries = source.taken();
    all.iter().for_each(|(name, node_of)| assert_eq!(fs.lookup(node, name).unwrap(), Some(*node_of)));
    let index: Vec<u64> = source.taken().difference(&entries).copied().collect();
    assert!(index.len() >= 7 * 8, "a root and leaves of 4 KiB: {}", index.len());
    let bytes = index.iter().flat_map(|page| page * PAGE..(page + 1) * PAGE);
    let bits = bytes.filter_map(|at| change(at % 4096).map(|bits| (at, bits))).collect();
    let fs = xfs::Xfs::open(Changed::new(&image, bits)).unwrap();
    for (name, expected) in &all {
        assert_eq!(fs.lookup(node, name).unwrap(), Some(*expected), "{}", name.escape_ascii());
    }
    assert_eq!(fs.lookup(node, b"no such name").unwrap(), None);
    fs.notes()
}

#[test]
fn index_of_garbage_is_ignored_with_a_note() {
    let notes = index_lies(|at| (at == 8).then_some(0xff));
    assert!(notes.iter().all(|note| matches!(note, Note::IndexIgnored(_))) && !notes.is_empty());
}

#[test]
fn index_that_points_elsewhere_is_ignored_with_a_note() {
    // The last byte of each address of a leaf; in a node it is the last byte of a block's number.
    let notes = index_lies(|at| (at >= 16 && at % 8 == 7).then_some(0x02));
    assert!(notes.iter().all(|note| matches!(note, Note::IndexIgnored(_))) && !notes.is_empty());
}

#[test]
fn reader_that_waits_for_rounds_sees_the_same_in_few_of_them() {
    let folder = scratch();
    let Some((image, _)) = make(folder.path(), &[], 3000) else { return };
    let fs = xfs::Xfs::open(walk::source(&image)).unwrap();
    let node = fs.lookup(fs.root(), b"folder-3000").unwrap().unwrap();
    let all = names(&fs, node);
    let rounds = Arc::new(Rounds::default());
    let cached: Arc<dyn BlockSource> = Cache::new(walk::source(&image), &rounds, 64 << 20);
    let fs = xfs::Xfs::open(cached).unwrap();
    let opened = rounds.count();
    // All names side by side: the folder's inode, its node, its leaves, its blocks.
    let mut found = vec![None; all.len()];
    rounds.run(|| {
        for ((name, _), found) in all.iter().zip(&mut found) {
            match fs.lookup(node, name) {
                Ok(answer) => *found = answer,
                Err(error) => assert!(error.is_not_resident(), "{error}"),
            }
        }
    });
    assert_eq!(found, all.iter().map(|(_, node)| Some(*node)).collect::<Vec<_>>());
    assert!(rounds.count() - opened <= 5, "{} rounds", rounds.count() - opened);
    let before = rounds.count();
    let nodes: Vec<Node> = all.iter().map(|(_, node)| *node).collect();
    let mut inodes = Vec::new();
    rounds.run(|| inodes = fs.metadata_many(&nodes));
    assert!(inodes.iter().all(Result::is_ok));
    assert!(rounds.count() - before <= 1, "{} rounds for inodes", rounds.count() - before);
    assert_eq!(fs.notes(), []);
}
