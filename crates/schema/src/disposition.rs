// SPDX-License-Identifier: Apache-2.0
//! How a job ends: the one table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;

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
