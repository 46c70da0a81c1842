// SPDX-License-Identifier: Apache-2.0
//! How far a scan is, for whoever waits; and the way to end it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a scan is doing, written by it and read by others.
#[derive(Debug, Default)]
pub struct Watch {
    stage: Mutex<&'static str>,
    names: AtomicU64,
    cancelled: AtomicBool,
}

impl Watch {
    /// Says how far it is.
    pub(crate) fn set(&self, stage: &'static str, names: u64) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.names.store(names, Ordering::Relaxed);
    }

    /// What is being done.
    pub fn stage(&self) -> &'static str {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many names were met so far.
    pub fn names(&self) -> u64 {
        self.names.load(Ordering::Relaxed)
    }

    /// Ends the scan: its reader is killed within a tenth of a second, and it answers [`Cancelled`](crate::Error::Cancelled).
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// True once it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}
