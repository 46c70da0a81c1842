// SPDX-License-Identifier: Apache-2.0
//! How long to wait before a call that failed is made again, by its class.
//!
//! Reading changes nothing, so a call whose answer was lost is simply made again. Throttling holds back all calls on
//! the snapshot, or of the account, that it speaks of.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use snapscan_cloud::{Class, Clock, Error};

use super::YOUNG;

/// Tries of a call that fails without effect.
const TRIES: u32 = 5;
/// Throttled answers to one call, after which it is given up: with the longest pause some ten minutes.
const THROTTLED: u32 = 24;
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const PAUSE_YOUNG: Duration = Duration::from_secs(5);

/// The patience of one job with the block service.
pub(super) struct Patience {
    clock: Clock,
    begun: u64,
    /// Milliseconds of the clock until which nothing is asked: of the account, then of each snapshot.
    closed_until: Vec<AtomicU64>,
    throttled: AtomicU64,
    /// Makes the pauses of calls that failed together differ.
    spread: AtomicU64,
}

impl Patience {
    pub(super) fn new(clock: Clock, snapshots: usize) -> Self {
        Patience {
            clock,
            begun: clock.milliseconds(),
            closed_until: (0..=snapshots).map(|_| AtomicU64::new(0)).collect(),
            throttled: AtomicU64::new(0),
            spread: AtomicU64::new(0),
        }
    }

    /// Answers that asked for fewer calls.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Makes a call on one of the snapshots until it succeeds or there is no more hope.
    pub(super) async fn ask<T, F>(&self, snapshot: usize, call: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (mut failed, mut throttled) = (0, 0);
        loop {
            self.wait_until_open(snapshot).await;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.class {
                Class::Throttled if throttled < THROTTLED => {
                    throttled += 1;
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    // Where the service does not say whose rate it was, it is taken to be the account's.
                    let gate = if error.code.ends_with("RESOURCE_LEVEL_THROTTLE") { snapshot + 1 } else { 0 };
                    self.close(gate, self.pause(throttled).max(error.after.unwrap_or_default()));
                }
                Class::Transient | Class::Unknown if failed < TRIES => {
                    failed += 1;
                    self.clock.sleep(self.pause(failed).max(error.after.unwrap_or_default())).await;
                }
                Class::NotFound if self.is_young() => self.clock.sleep(PAUSE_YOUNG).await,
                _ => return Err(error),
            }
        }
    }

    fn is_young(&self) -> bool {
        u128::from(self.clock.milliseconds().saturating_sub(self.begun)) < YOUNG.as_millis()
    }

    /// Doubles with each try; up to half as long again, so that not all come back at once.
    fn pause(&self, tries: u32) -> Duration {
        let pause = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
        // Multiples of the golden ratio's fraction are spread evenly.
        let spread = self.spread.fetch_add(1, Ordering::Relaxed).wrapping_mul(618) % 1000;
        pause + pause * u32::try_from(spread).unwrap_or(0) / 2000
    }

    fn close(&self, gate: usize, pause: Duration) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let until = self.clock.milliseconds().saturating_add(pause);
        if let Some(closed) = self.closed_until.get(gate) {
            closed.fetch_max(until, Ordering::Relaxed);
        }
    }

    async fn wait_until_open(&self, snapshot: usize) {
        loop {
            let gates = [self.closed_until.first(), self.closed_until.get(snapshot + 1)];
            let until = gates.into_iter().flatten().map(|gate| gate.load(Ordering::Relaxed)).max();
            let left = until.unwrap_or(0).saturating_sub(self.clock.milliseconds());
            if left == 0 {
                return;
            }
            self.clock.sleep(Duration::from_millis(left)).await;
        }
    }
}
