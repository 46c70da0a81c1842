// SPDX-License-Identifier: Apache-2.0
//! How a call is made: the one function that every cloud is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Answer, Call, Class, Clock, Error, Region, Request};

/// What a session may do. Each purpose is a session of its own, so that what reads cannot create, and what creates
/// cannot delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// The scanner's own role: queue, outbox, table, secrets, its host.
    Scanner,
    /// Makes snapshots, copies, volumes and attachments.
    Create,
    /// Looks, and reads blocks.
    Read,
    /// Looks, and deletes, detaches and unshares what is ours.
    Release,
    /// Shares a snapshot of ours with the service account.
    Share,
    /// Reads blocks of one snapshot that somebody else made and keeps.
    Borrow,
}

/// In whose name, where, and what for a call is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The account that is acted in; the signing role is found by it.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// What for.
    pub purpose: Purpose,
    /// The job, for the session's name in the customer's log; empty outside of one.
    pub job: String,
}

impl Scope {
    /// The same place for another purpose.
    #[must_use]
    pub fn to(&self, purpose: Purpose) -> Self {
        Self { purpose, ..self.clone() }
    }
}

/// Something that answers calls.
#[async_trait::async_trait]
pub trait Service: Send + Sync {
    /// Makes the call.
    ///
    /// # Errors
    /// By class; `Unknown` if it may have taken effect all the same.
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error>;
}

/// A cloud, and the time in it.
#[derive(Clone)]
pub struct Cloud {
    /// Who answers.
    pub service: Arc<dyn Service>,
    /// The clock that goes with it.
    pub clock: Clock,
}

impl Cloud {
    /// Makes a request and waits for its own answer.
    ///
    /// # Errors
    /// What the service answers.
    pub async fn ask<R: Request>(&self, scope: &Scope, request: R) -> Result<R::Answer, Error> {
        let action = R::ACTION;
        let answer = self.service.call(scope, request.into()).await?;
        R::answer(answer).ok_or_else(|| Error {
            class: Class::Permanent,
            action: action.name().to_owned(),
            code: "WrongAnswer".to_owned(),
            message: "the service answered something else".to_owned(),
            after: None,
        })
    }
}
