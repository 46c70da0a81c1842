// SPDX-License-Identifier: Apache-2.0
//! When rounds are, and what is said about them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Error;
use super::round::{Round, Uploader};
use crate::agent::metrics::Metrics;
use snapscan_cloud::Clock;

/// Between rounds where all is well.
const PAUSE: Duration = Duration::from_secs(15);
/// Between rounds where something failed.
const FAILED: Duration = Duration::from_secs(60);

/// Uploads to a sink, round after round, until `last` lets a round be the last one, or `stop` cuts it off. A round that
/// is cut off loses nothing, but nobody uploads until its lease has run out.
pub(crate) async fn run(
    uploader: &Uploader,
    clock: &Clock,
    metrics: &Metrics,
    last: &CancellationToken,
    stop: &CancellationToken,
) {
    let mut told = None;
    while !last.is_cancelled() && !stop.is_cancelled() {
        let round = tokio::select! {
            round = uploader.round() => round,
            () = stop.cancelled() => return,
        };
        if let Ok(round) = &round {
            metrics.uploaded(uploader.sink(), round);
        }
        let pause = say(uploader, &round, &mut told);
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = last.cancelled() => return,
            () = stop.cancelled() => return,
        }
    }
}

/// Logs what a round did, a stop only once, and answers when the next one is due.
fn say(uploader: &Uploader, round: &Result<Round, Error>, told: &mut Option<String>) -> Duration {
    let sink = uploader.sink();
    match round {
        Ok(round) => {
            if round.delivered + round.refused + round.superseded > 0 {
                let Round { delivered, refused, superseded, .. } = round;
                tracing::info!(sink, delivered, refused, superseded, "reports_uploaded");
            }
            if round.stopped != *told {
                match &round.stopped {
                    Some(why) => tracing::error!(sink, why, "upload_stopped"),
                    None => tracing::info!(sink, "upload_resumed"),
                }
                told.clone_from(&round.stopped);
            }
            if round.stopped.is_some() { FAILED } else { PAUSE }
        }
        Err(error) => {
            tracing::warn!(sink, %error, "upload_round_failed");
            FAILED
        }
    }
}
