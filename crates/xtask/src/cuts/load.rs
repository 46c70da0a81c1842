// SPDX-License-Identifier: Apache-2.0
//! The load: threads that change a filesystem in every way until they are told to stop.

mod change;
mod content;
pub(super) mod random;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::variant::Variant;
use change::Worker;
use random::Random;

/// Threads at a time; more than the processors of the smallest machine, so that transactions mix.
const THREADS: u64 = 4;

/// How long a cut waits for the load at most.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Threads at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts to change the filesystem that is mounted at `root`.
    ///
    /// # Errors
    /// If the threads' folders cannot be made.
    pub(super) fn start(root: &Path, variant: &Variant, random: &mut Random) -> Result<Load> {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut threads = Vec::new();
        for number in 0..THREADS {
            let seed = Random::new(random.below(u64::MAX));
            let mut worker = Worker::new(root, number, variant.kind, seed)?;
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // A full disk or a name that another thread has taken away is part of the game.
                    if worker.change().is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        Ok(Load { stop, done, threads })
    }

    /// Waits until so many changes succeeded since the start, or a full disk lets none succeed for long.
    pub(super) fn reach(&self, operations: u64) {
        let start = Instant::now();
        while self.done.load(Ordering::Relaxed) < operations && start.elapsed() < LONGEST_WAIT {
            std::thread::park_timeout(Duration::from_micros(300));
        }
    }

    /// Stops; how many changes succeeded.
    ///
    /// # Errors
    /// If a thread panicked.
    pub(super) fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a thread of the load panicked"))?;
        }
        Ok(self.done.load(Ordering::Relaxed))
    }
}
