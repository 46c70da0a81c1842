// SPDX-License-Identifier: Apache-2.0
//! A lease of a message: how long it is still ours, and what keeps it so.
//!
//! Time left is counted from before the last successful extension was *sent*, less a margin, so the queue never gives
//! the message to another while we still think that it is ours. It is counted on a clock that goes on while the machine
//! is suspended (CLOCK_BOOTTIME). A third of the lease after each extension the next one is sent; one that fails is
//! repeated sooner, until the time is up or the queue says that the delivery is no longer ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use snapscan_cloud::queue::ExtendLease;
use snapscan_cloud::{Class, Clock, Cloud, Scope};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How leases are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// How long a message is hidden at a time.
    pub(crate) lease: Duration,
    /// What is held back of it.
    pub(crate) margin: Duration,
}

/// A lease. Its heartbeat ends with it.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    heart: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    lost: CancellationToken,
    time: Ticks,
}

struct State {
    receipt: String,
    /// Until then, in milliseconds of [`Ticks`].
    until: u64,
}

impl Lease {
    /// A lease of a message whose delivery was asked for at `sent` (milliseconds of [`Ticks`]), with a heartbeat.
    pub(crate) fn keep(cloud: &Cloud, scope: Scope, terms: Terms, receipt: String, sent: u64) -> Self {
        let time = Ticks { clock: cloud.clock };
        let state = Mutex::new(State { receipt, until: until(sent, terms) });
        let shared = Arc::new(Shared { state, lost: CancellationToken::new(), time });
        let heart = tokio::spawn(beat(Arc::clone(&shared), cloud.clone(), scope, terms));
        Self { shared, heart: Some(heart) }
    }

    /// What is left of a lease after a restart: a receipt that may or may not delete the message. It is not kept.
    pub(crate) fn leftover(clock: Clock, receipt: String) -> Self {
        let state = Mutex::new(State { receipt, until: 0 });
        let lost = CancellationToken::new();
        lost.cancel();
        Self { shared: Arc::new(Shared { state, lost, time: Ticks { clock } }), heart: None }
    }

    /// A handle for others, which does not keep it.
    pub(crate) fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// What extends or deletes this delivery.
    pub(crate) fn receipt(&self) -> String {
        self.shared.state().receipt.clone()
    }

    /// How long it is still ours.
    pub(crate) fn left(&self) -> Duration {
        self.shared.left()
    }

    /// True once it is no longer ours.
    pub(crate) fn is_lost(&self) -> bool {
        self.shared.lost.is_cancelled() || self.left().is_zero()
    }

    /// Waits until it is no longer ours.
    pub(crate) async fn lost(&self) {
        self.shared.lost.cancelled().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(heart) = &self.heart {
            heart.abort();
        }
    }
}

/// A lease as the loop that polls sees it.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    /// The message was delivered again to this scanner: the new receipt takes the old one's place.
    pub(crate) fn adopt(&self, receipt: String, sent: u64, terms: Terms) {
        let mut state = self.0.state();
        state.receipt = receipt;
        state.until = state.until.max(until(sent, terms));
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> Duration {
        Duration::from_millis(self.state().until.saturating_sub(self.time.now()))
    }
}

fn until(sent: u64, terms: Terms) -> u64 {
    let whole = terms.lease.saturating_sub(terms.margin).as_millis();
    sent.saturating_add(u64::try_from(whole).unwrap_or(u64::MAX))
}

/// The heartbeat.
async fn beat(shared: Arc<Shared>, cloud: Cloud, scope: Scope, terms: Terms) {
    let (calm, hurried) = (terms.lease / 3, terms.lease / 30);
    let mut pause = calm;
    loop {
        let left = shared.left();
        if left.is_zero() {
            break;
        }
        cloud.clock.sleep(pause.min(left)).await;
        let sent = shared.time.now();
        let receipt = shared.state().receipt.clone();
        let request = ExtendLease { receipt: receipt.clone(), lease: terms.lease };
        // An answer that takes longer than what is left would be of no use any more.
        let patience = cloud.clock.real_duration(shared.left().max(Duration::from_millis(1)));
        match tokio::time::timeout(patience, cloud.ask(&scope, request)).await {
            Ok(Ok(())) => {
                shared.state().until = until(sent, terms);
                pause = calm;
            }
            // Another receipt was adopted meanwhile: that one says whether the message is ours.
            Ok(Err(error)) if error.class == Class::LeaseLost && shared.state().receipt == receipt => break,
            Ok(Err(error)) => {
                tracing::warn!(job = scope.job, %error, left = ?shared.left(), "lease_not_extended");
                pause = hurried;
            }
            Err(_) => pause = hurried,
        }
    }
    tracing::warn!(job = scope.job, code = "LEASE_LOST", "lease_lost");
    shared.lost.cancel();
}

/// A clock that goes on while the machine is suspended; its zero means nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticks {
    /// The cloud's clock, which stands still while the machine is suspended.
    pub(crate) clock: Clock,
}

impl Ticks {
    /// Milliseconds.
    pub(crate) fn now(self) -> u64 {
        self.clock.milliseconds().saturating_add(suspended())
    }
}

/// Milliseconds that this machine was suspended since its boot.
/// Source: clock_gettime(2): CLOCK_BOOTTIME is CLOCK_MONOTONIC with the time of suspension added.
fn suspended() -> u64 {
    let read = |id| clock_gettime(id).map_or(Duration::ZERO, Duration::from);
    // Read in this order, the difference is never too large by the time between the two calls.
    let boot = read(ClockId::CLOCK_BOOTTIME);
    let monotonic = read(ClockId::CLOCK_MONOTONIC);
    u64::try_from(boot.saturating_sub(monotonic).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
