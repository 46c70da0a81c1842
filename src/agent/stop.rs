// SPDX-License-Identifier: Apache-2.0
//! Why a step of a job could not go on, and how the job ends by that: the one place that turns errors into dispositions.
//!
//! | class of a cloud's error | stop |
//! |---|---|
//! | throttled | retry `THROTTLED`, after what the service asked for, 15 s at least |
//! | quota | retry `QUOTA`, after five minutes |
//! | state, conflict | retry `NOT_YET`, after a minute |
//! | transient, unknown | retry `CLOUD_UNREACHABLE`, after a minute |
//! | not found | permanent `TARGET_GONE` |
//! | denied | permanent `ACCESS_DENIED` |
//! | key | permanent `KMS_KEY_UNUSABLE` where nobody could use it, else `KMS_DENIED` |
//! | lease lost | lease lost |
//! | permanent | permanent `CLOUD_REFUSED` |

use std::time::Duration;

use snapscan_cloud::owned::NotOurs;
use snapscan_cloud::{Class, Error};
use snapscan_schema::{Disposition, Reason};

use crate::agent::resources;

/// AWS makes one snapshot of a volume in so long.
pub(crate) const SNAPSHOT_PAUSE: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(300);

/// Why a step could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The world may change.
    #[error("{}: {detail}", code.code())]
    Retry {
        /// Why.
        code: Reason,
        /// How long to wait at least.
        after: Duration,
        /// What was being done, to what, and what happened.
        detail: String,
    },
    /// It will not.
    #[error("{}: {detail}", code.code())]
    Permanent {
        /// Why.
        code: Reason,
        /// What was being done, to what, and what happened.
        detail: String,
    },
    /// The message itself cannot be used.
    #[error("the message cannot be used: {0}")]
    Poison(String),
    /// The queue took the message back: nothing may be said about it any more.
    #[error("the queue took the message back")]
    LeaseLost,
    /// The scanner stops.
    #[error("the scanner stops")]
    Drained,
}

impl Stop {
    /// A stop that passes.
    pub(crate) fn retry(code: Reason, after: Duration, detail: impl Into<String>) -> Self {
        Stop::Retry { code, after, detail: detail.into() }
    }

    /// A stop that stays.
    pub(crate) fn permanent(code: Reason, detail: impl Into<String>) -> Self {
        Stop::Permanent { code, detail: detail.into() }
    }

    /// The scanner's own disk, ledger or worker failed; another attempt, perhaps elsewhere, may not.
    pub(crate) fn fault(doing: &str, error: impl std::fmt::Display) -> Self {
        Stop::retry(Reason::ScannerFault, SOON, format!("{doing}: {error}"))
    }

    /// A call failed; `doing` says what it was made for.
    pub(crate) fn call(doing: &str, error: &Error) -> Self {
        let detail = format!("{doing}: {error}");
        match error.class {
            Class::Throttled => {
                let after = error.after.unwrap_or(SNAPSHOT_PAUSE).max(SNAPSHOT_PAUSE);
                Stop::retry(Reason::Throttled, after, detail)
            }
            Class::Quota => Stop::retry(Reason::Quota, error.after.unwrap_or(LATER), detail),
            Class::State | Class::Conflict => Stop::retry(Reason::NotYet, SOON, detail),
            Class::Transient | Class::Unknown => Stop::retry(Reason::CloudUnreachable, SOON, detail),
            Class::NotFound => Stop::permanent(Reason::TargetGone, detail),
            Class::Denied => Stop::permanent(Reason::AccessDenied, detail),
            Class::Key if is_unusable(&error.code) => Stop::permanent(Reason::KmsKeyUnusable, detail),
            Class::Key => Stop::permanent(Reason::KmsDenied, detail),
            Class::LeaseLost => Stop::LeaseLost,
            Class::Permanent => Stop::permanent(Reason::CloudRefused, detail),
        }
    }

    /// Something was not made; `doing` says what for.
    pub(crate) fn resources(doing: &str, error: &resources::Error) -> Self {
        use resources::Error;
        let detail = format!("{doing}: {error}");
        match error {
            Error::Ledger(_) => Stop::retry(Reason::ScannerFault, SOON, detail),
            Error::Refused { error, .. } | Error::Look(error) => Stop::call(doing, error),
            Error::Unknown { .. } => Stop::retry(Reason::CloudUnreachable, SOON, detail),
            Error::NotOurs(NotOurs::Cloud(error)) => Stop::call(doing, error),
            Error::NotOurs(NotOurs::Absent(_)) => Stop::retry(Reason::NotYet, SOON, detail),
            Error::NotOurs(_) => Stop::permanent(Reason::CloudRefused, detail),
            Error::Failed(_) => Stop::retry(Reason::SnapshotFailed, LATER, detail),
            Error::Late { .. } => Stop::retry(Reason::NotYet, LATER, detail),
            Error::Ghost { .. } => Stop::permanent(Reason::KmsDenied, detail),
            Error::Stuck { .. } => Stop::retry(Reason::NoSlot, LATER, detail),
        }
    }

    /// How the job ends by this; `touched` says whether something was made in the target's account. A lost lease has
    /// no say about the message any more, so there is none for it.
    pub(crate) fn disposition(&self, touched: bool) -> Option<Disposition> {
        Some(match self {
            Stop::Retry { code, after, .. } => {
                Disposition::Retry { after: after.as_secs(), code: *code, touched }
            }
            Stop::Permanent { code, .. } => Disposition::Permanent { code: *code },
            Stop::Poison(reason) => Disposition::Poison { reason: reason.clone() },
            Stop::Drained => Disposition::Retry { after: 0, code: Reason::Drained, touched },
            Stop::LeaseLost => return None,
        })
    }

    /// The code that logs and metrics carry.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Stop::Retry { code, .. } | Stop::Permanent { code, .. } => code.code(),
            Stop::Poison(_) => "POISON",
            Stop::LeaseLost => Reason::LeaseLost.code(),
            Stop::Drained => Reason::Drained.code(),
        }
    }
}

/// True for codes that say that the key is of no use to anybody, and not only to us.
fn is_unusable(code: &str) -> bool {
    matches!(
        code,
        "ValidationException/INVALID_CUSTOMER_KEY" | "KMSInvalidStateException" | "DisabledException"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_error_decides_how_the_job_ends() {
        let rows = [
            ("SnapshotCreationPerVolumeRateExceeded", "THROTTLED"),
            ("ConcurrentSnapshotLimitExceeded", "QUOTA"),
            ("IncorrectState", "NOT_YET"),
            ("InternalError", "CLOUD_UNREACHABLE"),
            ("Timeout", "CLOUD_UNREACHABLE"),
            ("InvalidVolume.NotFound", "TARGET_GONE"),
            ("UnauthorizedOperation", "ACCESS_DENIED"),
            ("AccessDeniedException/DEPENDENCY_ACCESS_DENIED", "KMS_DENIED"),
            ("ValidationException/INVALID_CUSTOMER_KEY", "KMS_KEY_UNUSABLE"),
            ("MessageNotInflight", "LEASE_LOST"),
            ("InvalidParameterValue", "CLOUD_REFUSED"),
        ];
        for (code, reason) in rows {
            let stop = Stop::call("looking", &Error::of("ec2:X", code, "words"));
            assert_eq!(stop.code(), reason, "{code}");
            assert_eq!(stop.disposition(true).is_none(), reason == "LEASE_LOST");
        }
    }

    #[test]
    fn what_is_not_made_says_what_to_wait_for() {
        let stuck = resources::Error::Stuck {
            volume: snapscan_cloud::VolumeId::parse("vol-0a").unwrap(),
            state: "attaching".to_owned(),
            waited: SOON,
        };
        let rows = [
            (Stop::resources("snapshotting", &resources::Error::Failed(Vec::new())), Reason::SnapshotFailed),
            (Stop::resources("attaching", &stuck), Reason::NoSlot),
            (Stop::fault("spooling", "disk full"), Reason::ScannerFault),
            (Stop::Drained, Reason::Drained),
        ];
        for (stop, reason) in rows {
            assert_eq!(stop.code(), reason.code());
            let ended = stop.disposition(true);
            assert!(matches!(ended, Some(Disposition::Retry { code, touched: true, .. }) if code == reason));
        }
    }

    #[test]
    fn a_volume_is_snapshotted_again_after_fifteen_seconds_at_the_earliest() {
        let error = Error::of("ec2:CreateSnapshots", "SnapshotCreationPerVolumeRateExceeded", "too soon");
        let ended = Stop::call("snapshotting", &error).disposition(false);
        assert_eq!(ended, Some(Disposition::Retry { after: 15, code: Reason::Throttled, touched: false }));
    }
}
