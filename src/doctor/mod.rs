// SPDX-License-Identifier: Apache-2.0
//! What is in order for an agent to work here, and what is not: found out without changing anything.
//!
//! | module | looks at |
//! |---|---|
//! | [`settings`] | each setting with its origin, and whether each secret is there |
//! | [`host`] | the state folder, the barriers of the sandbox, devices |
//! | [`cloud`] | clock, queue, outbox, table, the scanner's own role, and which sessions open |
//! | [`permissions`] | what each session may do |
//! | [`probe`] | how that is asked |
//! | [`held`] | what the ledger says is held |
//! | [`qualys`] | where findings go |
//! | [`show`] | how all this is told |

mod cloud;
mod examine;
mod held;
mod host;
mod permissions;
mod probe;
mod qualys;
mod settings;
pub(crate) mod show;

pub(crate) use examine::examine;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// In order.
    Good,
    /// Worth knowing, and no obstacle.
    Note,
    /// An agent could not work, or not safely.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// `host`, `sandbox`, `cloud` …
    pub(crate) topic: &'static str,
    /// What was looked at.
    pub(crate) subject: String,
    /// How it is.
    pub(crate) state: State,
    /// In words, and what to do.
    pub(crate) detail: String,
}

impl Check {
    fn new(topic: &'static str, subject: impl Into<String>, state: State, detail: impl Into<String>) -> Self {
        Self { topic, subject: subject.into(), state, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests;
