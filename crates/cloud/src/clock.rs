// SPDX-License-Identifier: Apache-2.0
//! What time it is, as a value that is handed in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant and so many seconds more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A clock that runs as the wall's does, or faster, or (under tokio's paused time) only as tests wait.
///
/// Processes that share a fast clock share its epoch, so they agree on the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The wall's time, in milliseconds since 1970, from which on this clock runs faster.
    epoch: u64,
    /// How many of its seconds pass in one of the wall's.
    speed: u32,
    /// The wall's milliseconds when `begun` was taken; tokio's clock carries on from there.
    wall: u64,
    begun: Instant,
}

impl Clock {
    /// The wall's clock.
    pub fn real() -> Self {
        Self::fast(0, 1)
    }

    /// A clock that showed the wall's time at `epoch` (milliseconds since 1970) and runs `speed` times as fast since.
    pub fn fast(epoch: u64, speed: u32) -> Self {
        Self { epoch, speed: speed.max(1), wall: wall_milliseconds(), begun: Instant::now() }
    }

    /// A clock that shows `now` and then only what tokio's clock adds: for tests with paused time.
    pub fn from(now: Timestamp) -> Self {
        let wall = u64::try_from(now.0).unwrap_or(0).saturating_mul(1000);
        Self { epoch: 0, speed: 1, wall, begun: Instant::now() }
    }

    /// The time in milliseconds since 1970.
    pub fn milliseconds(&self) -> u64 {
        let elapsed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.of_wall(self.wall.saturating_add(elapsed))
    }

    /// What this clock shows when the wall's shows `wall`, both in milliseconds since 1970.
    fn of_wall(&self, wall: u64) -> u64 {
        if self.speed == 1 {
            return wall;
        }
        self.epoch.saturating_add(wall.saturating_sub(self.epoch).saturating_mul(u64::from(self.speed)))
    }

    /// A time that somebody told by the wall's clock, as this clock shows it.
    pub fn told(&self, wall: Timestamp) -> Timestamp {
        let wall = u64::try_from(wall.0).unwrap_or(0).saturating_mul(1000);
        Timestamp(i64::try_from(self.of_wall(wall) / 1000).unwrap_or(i64::MAX))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.milliseconds() / 1000).unwrap_or(i64::MAX))
    }

    /// Waits so long by this clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real_duration(duration)).await;
    }

    /// How long the wall's clock takes for `duration` of this one.
    pub fn real_duration(&self, duration: Duration) -> Duration {
        duration / self.speed
    }

    /// What another process needs for the same clock: its epoch in milliseconds since 1970, and its speed.
    pub fn shared(&self) -> (u64, u32) {
        (self.epoch, self.speed)
    }

    /// How many of its seconds pass in one of the wall's.
    pub fn speed(&self) -> u32 {
        self.speed
    }
}

fn wall_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_as_it_is_waited_for() {
        let clock = Clock::from(Timestamp(1_000));
        clock.sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), Timestamp(1_090));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_runs_so_many_times_faster() {
        let clock = Clock::fast(wall_milliseconds(), 600);
        let before = clock.now();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!((1_199..=1_201).contains(&clock.now().since(before).as_secs()));
        assert_eq!(clock.real_duration(Duration::from_secs(600)), Duration::from_secs(1));
        let clock = Clock::fast(1_000_000, 600);
        assert_eq!(clock.told(Timestamp(1_010)), Timestamp(1_000 + 6_000));
        assert_eq!(Clock::real().told(Timestamp(1_010)), Timestamp(1_010));
    }
}
