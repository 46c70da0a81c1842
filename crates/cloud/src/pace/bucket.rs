// SPDX-License-Identifier: Apache-2.0
//! One quota: a bucket of tokens that fills as time passes.
//!
//! Its rate halves when the service throttles and grows back to the allowed one within a minute, since others use the same
//! quota and how much they use is not known.

use std::time::Duration;

/// Seconds in which a rate grows from nothing to the allowed one.
const RECOVERY_SECONDS: f64 = 60.0;
/// No rate falls below this part of the allowed one: else it would never be tried again.
const SLOWEST: f64 = 1.0 / 64.0;
/// Throttling of calls that were under way together counts once: milliseconds.
const ONE_THROTTLING: u64 = 1_000;

/// A bucket of tokens. All times are milliseconds of one clock.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Tokens that it holds at most, as far as that is one.
    size: f64,
    /// Tokens a second that it may get.
    allowed: f64,
    /// Tokens a second that it gets now.
    rate: f64,
    /// Tokens in it; negative while the service has told us to wait.
    tokens: f64,
    /// When it was last looked at.
    at: u64,
    /// When it was last throttled.
    throttled: Option<u64>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(capacity: f64, allowed: f64, now: u64) -> Self {
        Self { size: capacity, allowed, rate: allowed, tokens: capacity.max(1.0), at: now, throttled: None }
    }

    /// How long until a token may be taken that leaves `reserve` (a part of the bucket, 0 to 1) to others.
    pub(crate) fn wait(&mut self, now: u64, reserve: f64) -> Duration {
        self.fill(now);
        let wanted = (1.0 + reserve * self.capacity()).min(self.capacity());
        // Sums of many small numbers fall short by a little.
        let lacking = wanted - self.tokens - 1e-6;
        if lacking <= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((lacking / self.rate).clamp(0.001, 3_600.0))
    }

    /// Takes a token that [`wait`](Self::wait) allowed.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// Gives a token back that was not used.
    pub(crate) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.capacity());
    }

    /// The service throttled: half the rate, nothing left, and nothing before `after`.
    pub(crate) fn throttle(&mut self, now: u64, after: Option<Duration>) {
        self.fill(now);
        let is_new = self.throttled.is_none_or(|then| now.saturating_sub(then) >= ONE_THROTTLING);
        if is_new {
            self.rate = (self.rate / 2.0).max(self.allowed * SLOWEST);
            self.throttled = Some(now);
        }
        let debt = after.unwrap_or_default().as_secs_f64().min(3_600.0) * self.rate;
        self.tokens = self.tokens.min(-debt);
    }

    /// So many times its size and its rates from now on: the share of the quota has changed.
    pub(crate) fn scale(&mut self, factor: f64, now: u64) {
        self.fill(now);
        self.rate *= factor;
        self.allowed *= factor;
        self.size *= factor;
        self.tokens = self.tokens.min(self.capacity());
    }

    /// True if a new bucket would be the same.
    pub(crate) fn is_fresh(&mut self, now: u64) -> bool {
        self.fill(now);
        self.tokens >= self.capacity() && self.rate >= self.allowed
    }

    /// Tokens a second that it gets now.
    #[cfg(test)]
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// At least 1, or nobody would ever get one.
    fn capacity(&self) -> f64 {
        self.size.max(1.0)
    }

    fn fill(&mut self, now: u64) {
        let seconds = Duration::from_millis(now.saturating_sub(self.at)).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + seconds * self.rate).min(self.capacity());
        self.rate = (self.rate + seconds * self.allowed / RECOVERY_SECONDS).min(self.allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what may be taken at `now`.
    fn drain(bucket: &mut Bucket, now: u64, reserve: f64) -> u32 {
        let mut taken = 0;
        while bucket.wait(now, reserve).is_zero() {
            bucket.take();
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_bucket_gives_its_size_at_once_and_its_rate_from_then_on() {
        let mut bucket = Bucket::new(100.0, 5.0, 0);
        assert_eq!(drain(&mut bucket, 0, 0.0), 100);
        assert_eq!(bucket.wait(0, 0.0).as_millis(), 199);
        let later: u32 = (1..=60).map(|second| drain(&mut bucket, second * 1_000, 0.0)).sum();
        assert_eq!(later, 300);
        assert_eq!(drain(&mut bucket, 600_000, 0.0), 100);
    }

    #[test]
    fn what_is_reserved_is_left_to_others() {
        let mut bucket = Bucket::new(100.0, 5.0, 0);
        assert_eq!(drain(&mut bucket, 0, 0.2), 80);
        assert_eq!(drain(&mut bucket, 0, 0.0), 20);
        let mut tiny = Bucket::new(0.4, 0.5, 0);
        assert_eq!(drain(&mut tiny, 0, 0.2), 1);
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_it_grows_back_within_a_minute() {
        let mut bucket = Bucket::new(100.0, 8.0, 0);
        (0..64).for_each(|_| bucket.throttle(0, None));
        assert!((bucket.rate() - 4.0).abs() < 0.01);
        bucket.throttle(1_000, None);
        assert!((bucket.rate() - 2.06).abs() < 0.01, "{}", bucket.rate());
        assert_eq!(drain(&mut bucket, 1_000, 0.0), 0);
        bucket.wait(61_000, 0.0);
        assert!((bucket.rate() - 8.0).abs() < 0.01);
        (0..100).for_each(|n| bucket.throttle(100_000 + n * 1_000, None));
        assert!(bucket.rate() >= 8.0 / 64.0);
    }

    #[test]
    fn nothing_goes_before_the_service_said_so() {
        let mut bucket = Bucket::new(100.0, 8.0, 0);
        bucket.throttle(0, Some(Duration::from_secs(30)));
        assert!(bucket.wait(0, 0.0) >= Duration::from_secs(30));
    }
}
