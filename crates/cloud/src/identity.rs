// SPDX-License-Identifier: Apache-2.0
//! Whose credentials are used.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Timestamp};

/// Asks whose credentials sign. With a scope of a target account this assumes its role first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// Assume the role without its external id: this must be refused, or anybody could.
    pub without_external_id: bool,
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The role or user, as AWS names it.
    pub arn: String,
    /// What the service's clock showed when it answered (the `Date` of the answer), if it said so.
    pub date: Option<Timestamp>,
}
