// SPDX-License-Identifier: Apache-2.0
//! The queue of jobs, and where messages go that nobody can use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Waits for messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// Messages wanted, at most 10.
    pub most: u32,
    /// How long to wait for the first one, at most 20 s.
    pub wait: Duration,
    /// How long they stay hidden.
    pub lease: Duration,
}

/// One message, hidden from others until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The queue's own id of it, the same at each delivery.
    pub id: String,
    /// What extends or deletes this very delivery.
    pub receipt: String,
    /// Its body.
    pub body: String,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    /// When it was sent.
    pub sent: Timestamp,
}

/// Keeps a message hidden for so long from now; zero shows it at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendLease {
    /// The delivery.
    pub receipt: String,
    /// How long from now; at most 12 h after it was received.
    pub lease: Duration,
}

/// Takes a message off the queue for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMessage {
    /// The delivery.
    pub receipt: String,
}

/// Puts a message on the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// The body, at most 1 MiB.
    pub body: String,
    /// How long it stays hidden at first, at most 900 s.
    pub delay: Duration,
}

/// Puts a message on the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bury {
    /// The body as it was received.
    pub body: String,
    /// Why nobody can use it.
    pub reason: String,
}

/// How many messages there are; only approximately so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Waiting.
    pub visible: u64,
    /// With somebody.
    pub leased: u64,
    /// Not to be seen yet.
    pub delayed: u64,
    /// On the dead-letter queue.
    pub dead: u64,
}

/// Counts the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountMessages {}
