// SPDX-License-Identifier: Apache-2.0
//! What the agent tells the service manager: ready, alive, stopping.
//!
//! The watchdog is fed only while the loop that polls goes round, so a loop that hangs ends in a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// A round of the loop takes at most this long: a long poll, and the calls around it.
const ROUND: Duration = Duration::from_secs(180);

/// The agent's line to the service manager; without one, nothing happens.
#[derive(Clone, Default)]
pub(crate) struct Health {
    rounds: Arc<AtomicU64>,
}

impl Health {
    /// The agent works: says so, and feeds the watchdog from now on if there is one.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status("waiting for jobs")]);
        if let Some(limit) = sd_notify::watchdog_enabled() {
            tokio::spawn(feed(Arc::clone(&self.rounds), limit / 3));
        }
    }

    /// The loop went round.
    pub(crate) fn round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&self, text: &str) {
        tell(&[NotifyState::Status(text)]);
    }

    /// The agent comes to a stop.
    pub(crate) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

/// Real time, not the cloud's: the watchdog is the host's.
async fn feed(rounds: Arc<AtomicU64>, every: Duration) {
    let mut seen = (rounds.load(Ordering::Relaxed), tokio::time::Instant::now());
    loop {
        let now = rounds.load(Ordering::Relaxed);
        if now != seen.0 {
            seen = (now, tokio::time::Instant::now());
        }
        if seen.1.elapsed() < ROUND {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(seconds = seen.1.elapsed().as_secs(), "loop_stuck");
        }
        tokio::time::sleep(every).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // Without a service manager there is no socket, and nobody to tell.
    let _told = sd_notify::notify(states);
}
