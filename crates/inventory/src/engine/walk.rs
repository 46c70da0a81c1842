// SPDX-License-Identifier: Apache-2.0
//! A parallel walk over every name of a tree, bounded in memory whatever the tree.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use snapscan_disk::fs::{FileType, Metadata, Node};
use snapscan_disk::machine::{Location, Tree};
use snapscan_disk::{Error, limits};
use snapscan_schema::{Note, Reason};

use super::ahead::Ahead;
use crate::problems::Problems;
use crate::sink::{Found, reason_of};
use crate::{Extractor, Sink, Walk};

/// Entries of a folder whose metadata are asked for together.
const BATCH: usize = 512;
/// Folders that may wait at once beyond [`ORDERED`].
const MOST_WAITING: usize = 200_000;
/// Folders that may wait in order.
const ORDERED: usize = 16_384;
/// Bytes of the paths of folders that may wait at once: a path can be as long as [`limits::PATH_BYTES`].
const MOST_WAITING_BYTES: usize = 24 << 20;
/// Folders that are walked: to know them again takes 17 bytes of each, in a table that doubles at 1,835,008.
const MOST_FOLDERS: usize = 1_800_000;

/// What a walk found.
#[derive(Default)]
pub struct Walked {
    /// What each extractor found, in the order given.
    pub found: Vec<Vec<Found>>,
    /// Names met.
    pub names: u64,
    /// What could not be walked, as [`Problems::into_parts`] gives it; the extractors share it.
    pub problems: (Vec<Note>, BTreeMap<Reason, u64>),
}

/// A folder that waits to be walked.
struct Folder {
    path: Vec<u8>,
    location: Location,
    depth: usize,
    /// It lies in an encrypted folder, which has its line already.
    in_encrypted: bool,
}

/// Folders that wait to be walked. They are taken level by level, and within a level in the order of their inodes, which is
/// about that of the disk; where very many wait, the one that was added last, so that they become fewer.
#[derive(Default)]
struct Waiting {
    /// By depth and location; the number tells apart what has the same.
    ordered: BTreeMap<(usize, Location, u64), Folder>,
    more: Vec<Folder>,
    /// How many were added so far.
    added: u64,
    /// Bytes of their paths.
    bytes: usize,
}

impl Waiting {
    /// Adds a folder; gives it back if there is no room.
    fn push(&mut self, folder: Folder) -> Result<(), Folder> {
        let bytes = self.bytes.saturating_add(folder.path.len());
        if self.more.len() >= MOST_WAITING || bytes > MOST_WAITING_BYTES {
            return Err(folder);
        }
        self.bytes = bytes;
        self.added = self.added.saturating_add(1);
        if self.ordered.len() < ORDERED {
            self.ordered.insert((folder.depth, folder.location, self.added), folder);
        } else {
            self.more.push(folder);
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Folder> {
        let folder = self.more.pop().or_else(|| Some(self.ordered.pop_first()?.1))?;
        self.bytes = self.bytes.saturating_sub(folder.path.len());
        Some(folder)
    }

    fn is_empty(&self) -> bool {
        self.ordered.is_empty() && self.more.is_empty()
    }
}

/// What the threads of one walk share.
struct Shared<'a> {
    tree: &'a Tree,
    extractors: &'a [&'a Extractor],
    /// What runs ahead, if anything may.
    ahead: Option<Ahead<'a>>,
    waiting: Mutex<Waiting>,
    /// Told when a folder is added, and when one is done.
    more: Condvar,
    /// Folders that wait or are being walked; the walk ends at none.
    open: AtomicUsize,
    seen: Mutex<HashSet<Location>>,
    names: &'a AtomicU64,
    problems: Mutex<Problems>,
}

/// Walks the whole tree and shows every name to the extractors. `names` counts while it goes. Uses rayon's current
/// pool, one walker a thread. If it may read ahead, each thread that finds nobody at it does so before it walks a folder.
pub fn walk(tree: &Tree, extractors: &[&Extractor], names: &AtomicU64, reads_ahead: bool) -> Walked {
    let shared = Shared {
        ahead: reads_ahead.then(|| Ahead::new(tree)),
        tree,
        extractors,
        waiting: Mutex::default(),
        more: Condvar::new(),
        open: AtomicUsize::new(1),
        seen: Mutex::default(),
        names,
        problems: Mutex::default(),
    };
    let root = Folder { path: b"/".to_vec(), location: tree.root(), depth: 0, in_encrypted: false };
    let _fits = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(root);
    let per_thread = rayon::broadcast(|_| shared.work());
    let mut found: Vec<Vec<Found>> = extractors.iter().map(|_| Vec::new()).collect();
    for sinks in per_thread {
        found.iter_mut().zip(sinks).for_each(|(all, one)| all.push(one));
    }
    let problems = shared.problems.into_inner().unwrap_or_else(PoisonError::into_inner).into_parts();
    Walked { found, names: names.load(Ordering::Relaxed), problems }
}

impl Shared<'_> {
    fn work(&self) -> Vec<Found> {
        let mut sinks: Vec<Sink<'_>> =
            self.extractors.iter().map(|one| Sink::new(self.tree, one.max_bytes)).collect();
        while self.open.load(Ordering::Acquire) > 0 {
            if self.ahead.as_ref().is_some_and(Ahead::step) {
                continue;
            }
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match next {
                Some(folder) => {
                    self.walk_folder(&folder, &mut sinks);
                    self.open.fetch_sub(1, Ordering::AcqRel);
                    drop(self.waiting.lock());
                    self.more.notify_all();
                }
                // Another thread walks a folder that may hold more: wait until it adds some or the walk ends.
                None => {
                    let guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if guard.is_empty() && self.open.load(Ordering::Acquire) > 0 {
                        drop(self.more.wait(guard));
                    }
                }
            }
        }
        sinks.into_iter().map(Sink::into_found).collect()
    }

    fn walk_folder(&self, folder: &Folder, sinks: &mut [Sink<'_>]) {
        if folder.depth > limits::WALK_DEPTH || folder.path.len() > limits::PATH_BYTES {
            self.problem(Reason::LimitReached, &folder.path, "folders deeper than the walk goes");
            return;
        }
        let (is_new, is_full) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = seen.len() >= MOST_FOLDERS;
            (if is_full { !seen.contains(&folder.location) } else { seen.insert(folder.location) }, is_full)
        };
        if is_new && is_full {
            self.problem(Reason::LimitReached, &folder.path, "more folders than are walked");
            return;
        }
        if !is_new {
            self.problem(Reason::SubtreeDamaged, &folder.path, "this folder has two names: a loop");
            return;
        }
        if let Some(ahead) = &self.ahead {
            ahead.meet(folder.location);
        }
        let mut batch: Vec<(Vec<u8>, Location)> = Vec::with_capacity(BATCH);
        let walked = self.tree.entries(folder.location, &mut |entry| {
            match entry {
                // Its files stand in the report by the path where it was mounted first.
                Ok((entry, _)) if self.tree.is_again(folder.location, entry.node) => {}
                Ok((entry, location)) => batch.push((entry.name, location)),
                Err(error) => self.failed(&folder.path, &error),
            }
            if batch.len() >= BATCH {
                self.look(folder, &mut batch, sinks);
            }
            ControlFlow::Continue(())
        });
        self.look(folder, &mut batch, sinks);
        if let Err(error) = walked {
            self.failed(&folder.path, &error);
        }
    }

    /// Asks for the metadata of a batch, filesystem by filesystem, and shows each name.
    fn look(&self, folder: &Folder, batch: &mut Vec<(Vec<u8>, Location)>, sinks: &mut [Sink<'_>]) {
        self.names.fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        batch.sort_by_key(|(_, location)| *location);
        for group in batch.chunk_by(|(_, one), (_, other)| one.fs == other.fs) {
            let Some((_, first)) = group.first() else { continue };
            let nodes: Vec<Node> = group.iter().map(|(_, location)| location.node).collect();
            let metadata = self.tree.metadata_many(first.fs, &nodes);
            for ((name, location), metadata) in group.iter().zip(metadata) {
                let path = join(&folder.path, name);
                match metadata {
                    Ok(metadata) => self.show(folder, path, *location, &metadata, sinks),
                    Err(error) => self.failed(&path, &error),
                }
            }
        }
        batch.clear();
    }

    fn show(
        &self,
        folder: &Folder,
        path: Vec<u8>,
        location: Location,
        metadata: &Metadata,
        sinks: &mut [Sink<'_>],
    ) {
        let met = Walk { tree: self.tree, path: &path, location, metadata };
        for (extractor, sink) in self.extractors.iter().zip(sinks) {
            if let Some(walk) = extractor.walk {
                walk(&met, sink);
            }
        }
        if metadata.kind == FileType::Directory {
            if metadata.encrypted && !folder.in_encrypted {
                self.problem(Reason::EncryptedNames, &path, "names and content are encrypted");
            }
            let depth = folder.depth.saturating_add(1);
            let next = Folder { path, location, depth, in_encrypted: metadata.encrypted };
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.open.fetch_add(1, Ordering::AcqRel);
            match waiting.push(next) {
                Ok(()) => self.more.notify_one(),
                Err(folder) => {
                    self.open.fetch_sub(1, Ordering::AcqRel);
                    drop(waiting);
                    let why = "more folders than can wait to be walked";
                    self.problem(Reason::LimitReached, &folder.path, why);
                }
            }
        }
    }

    fn failed(&self, path: &[u8], error: &Error) {
        self.problem(reason_of(error), path, &error.to_string());
    }

    fn problem(&self, code: Reason, path: &[u8], why: &str) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let detail = [path, b": ", why.as_bytes()].concat();
        problems.add(Note { code, detail: detail.into() });
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len().saturating_add(name.len()).saturating_add(1));
    path.extend_from_slice(folder);
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
