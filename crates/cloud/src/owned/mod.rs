// SPDX-License-Identifier: Apache-2.0
//! What is ours: the only place that says so, and the only one that knows the tags that say it.
//!
//! Calls that delete, detach, attach, share or unshare take an [`Owned`] id, and only [`Owner`] makes one, by looking at
//! the thing again just before. A tag alone proves nothing: whoever may tag in the account could mark a foreign snapshot
//! as ours. So every thing we make carries a MAC (HMAC-SHA-256, with the deployment's own key) over account, region,
//! source and intent, in a tag and, for snapshots, once more in the description, which copies of tags do not take along.
//!
//! | kind | is ours if |
//! |---|---|
//! | snapshot | tags and description agree, its volume is one that the MAC names, or its id one that the answer to our own call named, or it was begun with such a one and is of the same instance; begun within the job's window |
//! | copy | tags and description agree, the MAC is over the source snapshot, begun within the window |
//! | volume | the tag's MAC is over our snapshot, it was made of that one, within the window |
//! | attachment | of a volume of ours, to this instance or a terminated one |
//! | share | on a snapshot or copy of ours, with the account that the intent names |
//!
//! And it is the only one that meets this rule for its intent and source: of two, neither is touched.
//!
//! | module | answers |
//! |---|---|
//! | `owner` | who asks, what does the ledger know, and why is something not ours? |
//! | `mac` | how is a MAC made? |
//! | `marks` | which tags and description must a call that creates carry? |
//! | `rule` | does this thing, as it was just described, meet the rule of its kind? |
//! | `look` | how is it looked at again? |
//! | `abandoned` | and where no ledger knows it any more? |
//! | `extra` | and a member of a set that nobody asked for? |
//! | [`kinds`] | which kinds are there, what makes them, what releases them? |

mod abandoned;
mod extra;
pub mod kinds;
mod look;
mod mac;
mod marks;
mod owner;
mod rule;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use extra::{Extra, Whole};
pub use marks::{Marks, TAG_DEPLOYMENT, TAG_INTENT, TAG_JOB, TAG_MAC, TAG_SOURCE, tag_keys};
pub use owner::{Expected, NotOurs, Origin, Owner};

/// The id of something that was looked at just now and is ours.
///
/// It can be deserialised because calls travel to a cloud in another process; nothing else may make one that way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned<T>(T);

impl<T> Owned<T> {
    /// The id.
    pub fn id(&self) -> &T {
        &self.0
    }
}
