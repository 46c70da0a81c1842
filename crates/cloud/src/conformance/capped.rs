// SPDX-License-Identifier: Apache-2.0
//! The suite where it costs money: under a cap, and with nothing left whatever happens.

use std::future::Future;
use std::sync::Arc;

use super::cap::Capped;
use super::stage::Stage;
use super::sweep::{Of, sweep};
use super::{Case, World};
use crate::Cloud;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The cases; none of a run that was stopped.
    pub cases: Vec<Case>,
    /// Millionths of a dollar that it cost at worst, all that was taken away at the end included.
    pub microdollars: u64,
    /// Calls that were refused because of the cap.
    pub refused: u64,
    /// What is left of this run, or of earlier ones, and why.
    pub left: Vec<String>,
}

/// Runs all cases for at most so many millionths of a dollar, or until `stop`; then takes away whatever is left of this
/// run. Before it, what runs of more than an hour ago have left goes too: they had the same key.
///
/// Looking for what is left may cost some millionths beyond the cap, for lists of objects and rows.
pub async fn run_capped(
    cloud: &Cloud,
    world: &World,
    microdollars: u64,
    stop: impl Future<Output = ()>,
) -> Bill {
    let capped = Capped::around(cloud, microdollars);
    let cloud = Cloud { service: Arc::clone(&capped) as Arc<dyn crate::Service>, clock: cloud.clock };
    let stage = Stage::new(&cloud, world);
    let mut left = sweep(&stage, Of::Earlier, false).await;
    let cases = tokio::select! {
        biased;
        () = stop => Vec::new(),
        cases = super::all(&stage) => cases,
    };
    capped.open();
    // A run that was stopped may have left a call behind that still takes effect.
    let is_uncertain = capped.book().is_uncertain || cases.is_empty();
    left.extend(sweep(&stage, Of::This, is_uncertain).await);
    let refused = capped.book().refused;
    Bill { cases, microdollars: capped.microdollars(), refused, left }
}
