// SPDX-License-Identifier: Apache-2.0
//! How far the filesystems are let run ahead of a walk.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, TryLockError};

use snapscan_disk::machine::{Location, Tree};

/// Blocks of 512 KiB that are announced in one walk. A walk goes by the tree and not by the disk, so they must all be kept
/// until it comes to them; these, and 512 that it reads by itself, are what the agent keeps for a worker.
const MOST: u64 = 1_536;

/// Runs ahead of a walk, step by step.
pub(super) struct Ahead<'a> {
    tree: &'a Tree,
    state: Mutex<State<'a>>,
}

#[derive(Default)]
struct State<'a> {
    /// The filesystems that were come upon, each with the steps that are still to be taken.
    steps: VecDeque<Box<dyn Iterator<Item = u64> + Send + 'a>>,
    /// Blocks that were announced.
    announced: u64,
}

impl<'a> Ahead<'a> {
    /// Nothing is announced before a filesystem is [come upon](Ahead::meet).
    pub(super) fn new(tree: &'a Tree) -> Self {
        Ahead { tree, state: Mutex::default() }
    }

    /// A folder is about to be walked. If it is a filesystem's own root, all of that will be; else only a part, and what is
    /// announced might come for nothing.
    pub(super) fn meet(&self, folder: Location) {
        let Ok(filesystem) = self.tree.filesystem(folder.fs) else { return };
        if filesystem.root() == folder.node {
            let steps = filesystem.walk_ahead();
            self.state.lock().unwrap_or_else(PoisonError::into_inner).steps.push_back(steps);
        }
    }

    /// Takes a step, which may have to wait for a read. False if there is none to take, or another thread takes one.
    pub(super) fn step(&self) -> bool {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if state.announced >= MOST {
            return false;
        }
        let Some(steps) = state.steps.front_mut() else { return false };
        match steps.next() {
            Some(blocks) => state.announced = state.announced.saturating_add(blocks),
            None => drop(state.steps.pop_front()),
        }
        true
    }
}
