// SPDX-License-Identifier: Apache-2.0
//! A folder as a cloud: honest, durable, and the default where nothing is configured.
//!
//! ```text
//!  cloud.toml      accounts, the scanner's host, clock, latencies        ┐
//!  instances.toml  volumes.toml  snapshots.toml  images.toml             │ what a person writes;
//!  keys.toml  secrets.toml                                               │ each may be missing
//!  host.toml       spot notice, termination, busy volumes: for tests     ┘
//!  volumes/<vol>.img    raw, sparse                 ┐ bytes of both kinds: given and made
//!  snapshots/<snap>.img raw, sparse                 ┘
//!  state.sqlite    what was made, changed or deleted since, the queue, the table, the log
//!  outbox/<key>    objects as files
//!  devices/<serial> a link to each volume that is attached to the scanner's host
//! ```
//!
//! Each call is one transaction, so several processes may have the same folder open. What is due by the clock (a
//! deletion that waited for its snapshot, an attachment) is settled at the beginning of the next transaction.
//!
//! A volume's file that has no write permission at all counts as immutable: its snapshots, and volumes of these, are
//! hard links to it. Others are copied, holes remaining holes.
//!
//! | module | answers |
//! |---|---|
//! | `world`, `records`, `defaults` | what do the files say, and what if they say nothing? |
//! | `build` | how is such a folder made? |
//! | `open` | how does a call reach its answer? |
//! | `store` | where is what was made kept? |
//! | `call` | what do all answers need? |
//! | `machines`, `snapshots`, `copies`, `volumes`, `blocks`, `queue`, `outbox`, `table`, `host` | how does AWS answer? |
//! | `due` | what happens by itself? |
//! | `bytes` | how are files copied, and where are their holes? |
//! | `events`, `subjects` | what happened, and what would it have cost? |

mod blocks;
mod build;
mod bytes;
mod call;
mod copies;
mod defaults;
mod due;
mod events;
mod host;
mod machines;
mod open;
mod outbox;
mod queue;
mod records;
mod snapshots;
mod store;
mod subjects;
mod table;
#[cfg(test)]
mod tests;
mod volumes;
mod world;

pub use build::Builder;
pub use events::{Count, Event, EventKind, Span, counts, dead_letters, events, spans};
pub use open::Local;
pub use records::{HostState, ImageRecord, InstanceRecord, KeyRecord, SnapshotRecord, VolumeRecord};
pub use world::{Account, Host, Latency, Paging, Settings, World};
