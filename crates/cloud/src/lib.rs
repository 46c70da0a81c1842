// SPDX-License-Identifier: Apache-2.0
//! What snapscan needs of a cloud, and nothing that it does not.
//!
//! Every request to a cloud is a [`Call`], and every cloud is a [`Service`]: one function from a [`Scope`] and a call to
//! an answer. So whatever must see all requests (pacing, counting, faults, the crash test's boundaries, the wire) wraps
//! one function. Callers use [`Cloud::ask`], which is typed: each request names its own answer.
//!
//! ```text
//!  agent ─ Cloud::ask ─► Paced ─► (Counted) ─► Sim ─► Local          a folder
//!                                                  └► Remote ─ socket ─► a cloud in another process
//!                                                  └► Aws (crate cloud-aws)
//! ```
//!
//! | module | answers |
//! |---|---|
//! | [`call`] | which calls are there, what does each need and answer? |
//! | [`ec2`], [`ebs`], [`queue`], [`identity`], [`secrets`], [`outbox`], [`table`], [`host`] | what do they carry? |
//! | [`service`] | how is a call made? |
//! | [`error`] | what went wrong, and what does that mean for whoever asked? |
//! | [`ids`], [`clock`] | what is a thing called, and what time is it? |
//! | [`dry_run`] | may a session do something, asked without doing it? |
//! | [`owned`] | what is ours? The only place that says so |
//! | [`local`] | a folder as a cloud |
//! | [`remote`] | a cloud in another process |
//! | [`sim`] | latency, quotas, late ids and faults around any cloud |
//! | [`pace`] | rates per account, region and action |
//! | [`conformance`] | does a cloud behave as our code relies on? |
#![forbid(unsafe_code)]

pub mod call;
pub mod clock;
pub mod conformance;
pub mod dry_run;
pub mod ebs;
pub mod ec2;
pub mod error;
pub mod host;
pub mod identity;
pub mod ids;
pub mod local;
pub mod outbox;
pub mod owned;
pub mod pace;

pub mod queue;
pub mod remote;
pub mod secrets;
pub mod service;
pub mod sim;
pub mod table;

pub use call::{Action, Answer, Call, Request};
pub use clock::{Clock, Timestamp};
pub use error::{Class, Error};
pub use ids::{AccountId, ImageId, InstanceId, IntentId, Region, SnapshotId, VolumeId};
pub use owned::{Owned, Owner};
pub use service::{Cloud, Purpose, Scope, Service};
