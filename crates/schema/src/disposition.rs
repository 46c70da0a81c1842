// SPDX-License-Identifier: Apache-2.0
//! How a job ends: the one table.
//!
//! | disposition | meaning | what becomes of the message |
//! |---|---|---|
//! | `complete`, `partial` | a report exists | outbox, then ack |
//! | `retry` | the world may change: throttled, quota, not yet, unreachable, drained | a new message, then the old one is deleted |
//! | `permanent` | it will not: denied, gone, excluded, unsupported encryption | an outcome record in the outbox, then ack |
//! | `poison` | the message itself | dead-letter queue at once |
//!
//! Nothing but poison ever goes to the dead-letter queue, so an alarm on it means something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Reason, Report};

/// How a job ended, and so what becomes of its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "disposition")]
pub enum Disposition {
    /// A report exists, and all that matters was read: outbox, then ack.
    Complete,
    /// A report exists, and says what was not read: outbox, then ack.
    Partial,
    /// The world may change: a new message, then the old one is deleted.
    Retry {
        /// Seconds to wait at least.
        after: u64,
        /// Why.
        code: Reason,
        /// Whether the target was touched, so that the attempt counts.
        touched: bool,
    },
    /// It will not: an outcome record in the outbox, then ack; not tried again before the next schedule.
    Permanent {
        /// Why.
        code: Reason,
    },
    /// The message itself: dead-letter queue at once.
    Poison {
        /// Why.
        reason: String,
    },
}

/// What becomes of a job's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The report goes to the outbox, then the message is deleted.
    Deliver,
    /// An outcome record goes to the outbox, then the message is deleted.
    Record,
    /// A new message is sent, then the old one is deleted.
    Resend,
    /// The message goes to the dead-letter queue with a reason, then it is deleted.
    Bury,
}

impl Disposition {
    /// How a job with this report ended.
    pub fn of(report: &Report) -> Self {
        if report.coverage.is_incomplete() { Disposition::Partial } else { Disposition::Complete }
    }

    /// What becomes of the message.
    pub fn fate(&self) -> Fate {
        match self {
            Disposition::Complete | Disposition::Partial => Fate::Deliver,
            Disposition::Retry { .. } => Fate::Resend,
            Disposition::Permanent { .. } => Fate::Record,
            Disposition::Poison { .. } => Fate::Bury,
        }
    }

    /// Its name, as metrics and logs have it.
    pub fn name(&self) -> &'static str {
        match self {
            Disposition::Complete => "complete",
            Disposition::Partial => "partial",
            Disposition::Retry { .. } => "retry",
            Disposition::Permanent { .. } => "permanent",
            Disposition::Poison { .. } => "poison",
        }
    }

    /// The code, where there is one.
    pub fn code(&self) -> Option<Reason> {
        match self {
            Disposition::Retry { code, .. } | Disposition::Permanent { code } => Some(*code),
            Disposition::Complete | Disposition::Partial | Disposition::Poison { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disposition_decides_what_becomes_of_the_message() {
        let retry = Disposition::Retry { after: 15, code: Reason::Throttled, touched: false };
        let permanent = Disposition::Permanent { code: Reason::TargetGone };
        let poison = Disposition::Poison { reason: "no JSON".to_owned() };
        let rows = [
            (Disposition::Complete, Fate::Deliver, None),
            (Disposition::Partial, Fate::Deliver, None),
            (retry, Fate::Resend, Some(Reason::Throttled)),
            (permanent, Fate::Record, Some(Reason::TargetGone)),
            (poison, Fate::Bury, None),
        ];
        for (disposition, fate, code) in rows {
            assert_eq!((disposition.fate(), disposition.code()), (fate, code));
            let json = serde_json::to_value(&disposition).unwrap();
            assert_eq!(json["disposition"], disposition.name());
            assert_eq!(serde_json::from_value::<Disposition>(json).unwrap(), disposition);
        }
    }
}
