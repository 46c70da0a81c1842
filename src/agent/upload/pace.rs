// SPDX-License-Identifier: Apache-2.0
//! How long is waited: what the other side asks for, and what we choose where it only fails.
//!
//! Source: Qualys, "HTTP Response Headers" and "API Rate Limits". Limits count per subscription and interface and are
//! shared with every other client of the customer.

use std::time::Duration;

use reqwest::header::HeaderMap;

/// What is waited where an answer asks for a wait and does not say how long.
const UNSAID: Duration = Duration::from_secs(60);
/// What is waited where too many calls run at once (code 1960): they end soon.
const CONCURRENT: Duration = Duration::from_secs(10);
/// No window is longer.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The first wait after a failure; it doubles.
const FIRST: Duration = Duration::from_secs(2);
/// The longest wait after a failure.
const LAST: Duration = Duration::from_secs(300);

/// Headers of limits, in both spellings that the documentation has. Names compare without case.
const LIMITS: [&str; 6] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-towait-sec",
    "x-concurrency-limit-limit",
    "x-concurrencylimit-limit",
    "x-concurrency-limit-running",
];

/// True if an answer speaks of limits.
pub(super) fn speaks_of_limits(headers: &HeaderMap) -> bool {
    LIMITS.iter().any(|name| headers.contains_key(*name))
}

/// How long to wait after an answer that asks for it.
pub(super) fn asked(headers: &HeaderMap, body: &str) -> Duration {
    let seconds =
        |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok().map(Duration::from_secs);
    let said = seconds("x-ratelimit-towait-sec").filter(|wait| !wait.is_zero()).or(seconds("retry-after"));
    let unsaid = if body.contains("1960") { CONCURRENT } else { UNSAID };
    said.unwrap_or(unsaid).min(LONGEST)
}

/// How long to wait after an accepted call, where the window is used up by it.
pub(super) fn used_up(headers: &HeaderMap) -> Option<Duration> {
    let remaining = headers.get("x-ratelimit-remaining")?.to_str().ok()?.trim().parse::<u64>().ok()?;
    (remaining == 0).then(|| asked(headers, ""))
}

/// How long to wait before the repeat number `failures`, counted from 1.
pub(super) fn back_off(failures: u32) -> Duration {
    FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LAST)
}

/// A wait and up to a tenth more, so that clients that were stopped together do not come back together. `of` is the
/// request's id: its digits are as good as drawn.
pub(super) fn spread(wait: Duration, of: &str) -> Duration {
    let drawn: u32 =
        of.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 100;
    wait + wait * drawn / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_wait_is_the_one_that_was_asked_for() {
        for (pairs, body, seconds) in [
            (&[("X-RateLimit-ToWait-Sec", "7")][..], "", 7),
            (&[("X-RATELIMIT-TOWAIT-SEC", "7"), ("Retry-After", "9")], "", 7),
            (&[("X-RateLimit-ToWait-Sec", "0"), ("Retry-After", "9")], "", 9),
            (&[("Retry-After", "9")], "", 9),
            (&[("Retry-After", "Fri, 21 Nov 2026 00:00:00 GMT")], "", 60),
            (&[], "", 60),
            (&[], "code 1960", 10),
            (&[("X-RateLimit-ToWait-Sec", "999999")], "", 86_400),
        ] {
            assert_eq!(asked(&headers(pairs), body), Duration::from_secs(seconds), "{pairs:?}");
        }
    }

    #[test]
    fn both_spellings_of_the_concurrency_limit_speak_of_limits() {
        assert!(speaks_of_limits(&headers(&[("X-Concurrency-Limit-Limit", "2")])));
        assert!(speaks_of_limits(&headers(&[("X-ConcurrencyLimit-Limit", "2")])));
        assert!(!speaks_of_limits(&headers(&[("Content-Type", "text/plain")])));
    }

    #[test]
    fn repeats_wait_longer_each_time_up_to_five_minutes() {
        let waits: Vec<u64> = (1..=9).map(|n| back_off(n).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(back_off(u32::MAX), LAST);
    }
}
