// SPDX-License-Identifier: Apache-2.0
//! The two pools, so that waiting costs nothing: jobs that wait for snapshots, and jobs that are read.
//!
//! | pool | bounded by | holds |
//! |---|---|---|
//! | pending | `agent.pending`, hundreds | a lease; no worker, no attachment |
//! | inspect | `agent.inspect`, and the host's memory for as many workers | a worker, room for a report |
//!
//! Volumes that can be attached at once are counted apart: [`Slots`] holds what AWS says at the start.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Config;

/// In which pool a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// It waits, mostly.
    Pending,
    /// It reads.
    Inspect,
    /// The job is safe: only the network is waited for.
    Free,
}

/// The two pools.
#[derive(Clone)]
pub(crate) struct Pools {
    pending: Arc<Semaphore>,
    inspect: Arc<Semaphore>,
    readers: usize,
}

/// A job's place in one of the pools, given back when it is dropped.
#[derive(Default)]
pub(crate) struct Seat {
    /// Which.
    pub(crate) pool: Option<Pool>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pools {
    /// Pools as the configuration wants them, and no more readers than the host's memory has room for.
    pub(crate) fn new(config: &Config, memory: Option<u64>) -> Self {
        let fit = memory.map_or(usize::MAX, |memory| {
            // A quarter is left for the agent itself and for the kernel's cache.
            usize::try_from(memory / 4 * 3 / config.sandbox.memory.max(1)).unwrap_or(usize::MAX)
        });
        let inspect = config.agent.inspect.min(fit).max(1);
        Self {
            pending: Arc::new(Semaphore::new(config.agent.pending.clamp(1, Semaphore::MAX_PERMITS))),
            inspect: Arc::new(Semaphore::new(inspect)),
            readers: inspect,
        }
    }

    /// Jobs that may still be leased.
    pub(crate) fn free(&self) -> usize {
        self.pending.available_permits()
    }

    /// Jobs that may be read at once.
    pub(crate) fn readers(&self) -> usize {
        self.readers
    }

    /// A seat in the pending pool; `None` if it is full.
    pub(crate) fn wait(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.pending).try_acquire_owned().ok()?;
        Some(Seat { pool: Some(Pool::Pending), _permit: Some(permit) })
    }

    /// Waits until a job can be leased.
    pub(crate) async fn until_free(&self) {
        // It is given back at once; the loop takes its own.
        drop(self.pending.acquire().await);
    }

    /// Waits for a seat in the inspect pool; the pending one is kept until then.
    pub(crate) async fn inspect(&self) -> Seat {
        let permit = Arc::clone(&self.inspect).acquire_owned().await.ok();
        Seat { pool: Some(Pool::Inspect), _permit: permit }
    }
}

impl Seat {
    /// A seat of a job that needs none any more.
    pub(crate) fn free() -> Self {
        Self { pool: Some(Pool::Free), _permit: None }
    }
}

/// How many volumes can be attached at once, and under which names.
#[derive(Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    names: Arc<Mutex<BTreeSet<String>>>,
}

/// Names of attached volumes, free again when this is dropped.
pub(crate) struct Taken {
    /// One a volume.
    pub(crate) names: Vec<String>,
    slots: Slots,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// So many, under names that are not among those in use.
    /// Source: EC2 User Guide, "Device names for volumes": `/dev/sd[f-p]` and `/dev/xvd[b-c][a-z]` for volumes of EBS.
    pub(crate) fn new(free: usize, in_use: &BTreeSet<String>) -> Self {
        let short = ('f'..='p').map(|last| format!("/dev/sd{last}"));
        let long =
            ('b'..='c').flat_map(|first| ('a'..='z').map(move |last| format!("/dev/xvd{first}{last}")));
        let names: BTreeSet<String> = short.chain(long).filter(|name| !in_use.contains(name)).collect();
        let free = free.min(names.len());
        Self { free: Arc::new(Semaphore::new(free)), names: Arc::new(Mutex::new(names)) }
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes so many, or waits until others give theirs back.
    pub(crate) async fn take(&self, volumes: usize) -> Option<Taken> {
        let many = u32::try_from(volumes).ok()?;
        let permit = Arc::clone(&self.free).acquire_many_owned(many).await.ok()?;
        let mut free = self.names();
        let names = std::iter::from_fn(|| free.pop_first()).take(volumes).collect();
        drop(free);
        Some(Taken { names, slots: self.clone(), _permit: permit })
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.slots.names().extend(self.names.drain(..));
    }
}

/// Bytes of the host's memory, as the kernel says; `None` where it does not.
/// Source: proc(5), /proc/meminfo.
pub(crate) fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::config;

    #[tokio::test]
    async fn no_more_jobs_are_read_than_memory_has_room_for() {
        let mut config = config();
        config.agent.inspect = 8;
        config.sandbox.memory = 1 << 30;
        let pools = Pools::new(&config, Some(4 << 30));
        assert_eq!(pools.inspect.available_permits(), 3);
        assert_eq!(Pools::new(&config, Some(1 << 20)).inspect.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_seat_is_free_again_when_it_is_dropped() {
        let mut config = config();
        config.agent.pending = 1;
        let pools = Pools::new(&config, None);
        let seat = pools.wait();
        assert!(seat.is_some() && pools.wait().is_none());
        drop(seat);
        assert_eq!(pools.free(), 1);
    }

    #[tokio::test]
    async fn a_slot_has_a_name_that_nobody_else_has_until_it_is_given_back() {
        let slots = Slots::new(2, &["/dev/sdf".to_owned()].into());
        let taken = slots.take(2).await.unwrap();
        assert_eq!(
            (taken.names.as_slice(), slots.free()),
            (&["/dev/sdg".to_owned(), "/dev/sdh".to_owned()][..], 0)
        );
        drop(taken);
        assert_eq!(slots.take(1).await.unwrap().names, ["/dev/sdg"]);
    }
}
