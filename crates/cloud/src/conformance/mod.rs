// SPDX-License-Identifier: Apache-2.0
//! Whether a cloud behaves as our code relies on: one case for each fact.
//!
//! The same suite runs against a local cloud, a simulated one, AWS's own client over a simulated AWS, and, once someone
//! asks for it, a real account. Where a cloud is known to differ its case is listed as an expected failure, and breaks the
//! run when it begins to pass ([`surprises`]). What the suite makes it takes away again; [`run_capped`] also where a case
//! failed half-way, and spends no more than it was given.
//!
//! | module | answers |
//! |---|---|
//! | `case` | what is a case, and how does it fail? |
//! | `stage` | where does it take place, and how is something waited for? |
//! | `lists`, `snapshots`, `blocks`, `copies`, `volumes` | how do EC2 and EBS behave? |
//! | `sessions` | what may which session do? |
//! | `queue`, `stores` | how do queue, outbox and table behave? |
//! | `cap`, `prices` | what may all this cost, and what does it cost at worst? |
//! | `sweep` | what is left of a run that did not go as planned? |

mod blocks;
mod cap;
mod capped;
mod case;
mod copies;
mod lists;
mod prices;
mod queue;
mod sessions;
mod snapshots;
mod stage;
mod stores;
mod sweep;
mod volumes;

pub use cap::CAP;
pub use capped::{Bill, run_capped};
pub use case::{Case, surprises};
pub use prices::PRICES_DATED;
pub use stage::World;

use crate::Cloud;

/// Runs all cases, one after the other; each names the section of facts that it is about.
pub async fn run(cloud: &Cloud, world: &World) -> Vec<Case> {
    all(&stage::Stage::new(cloud, world)).await
}

async fn all(stage: &stage::Stage<'_>) -> Vec<Case> {
    let mut cases = case::Cases::default();
    lists::run(stage, &mut cases).await;
    sessions::run(stage, &mut cases).await;
    queue::run(stage, &mut cases).await;
    stores::run(stage, &mut cases).await;
    let set = snapshots::make(stage, &mut cases).await;
    if let Some(set) = &set {
        sessions::of_a_set(stage, &mut cases, set).await;
        blocks::run(stage, &mut cases, set).await;
        copies::run(stage, &mut cases, set).await;
        volumes::run(stage, &mut cases, set).await;
        snapshots::release(stage, &mut cases, set).await;
    }
    cases.all
}
