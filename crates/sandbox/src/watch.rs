// SPDX-License-Identifier: Apache-2.0
//! How far a scan is, for whoever waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a scan is doing, written by it and read by others.
#[derive(Debug, Default)]
pub struct Watch {
    stage: Mutex<&'static str>,
    /// Names met in a walk.
    pub names: AtomicU64,
}

impl Watch {
    /// Says what is being done from now on.
    pub(crate) fn enter(&self, stage: &'static str) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// What is being done.
    pub fn stage(&self) -> &'static str {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many names were met so far.
    pub fn names(&self) -> u64 {
        self.names.load(Ordering::Relaxed)
    }
}
