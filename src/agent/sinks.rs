// SPDX-License-Identifier: Apache-2.0
//! The uploaders of this agent: one for each sink, at work while the agent is.
//!
//! Over all scanners one at a time uploads to a sink; the others' rounds end at once.

use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::context::Context;
use crate::agent::metrics::Metrics;
use crate::agent::upload::{self, Keep, Store, Times, Uploader};
use crate::error::Failure;
use crate::secret::Vault;

/// Rounds at the end of an agent that works until it is idle: what is delivered then is delivered in the first ones.
const LAST_ROUNDS: usize = 10;
/// Pause after one of them that failed.
const PAUSE: Duration = Duration::from_secs(60);

/// The uploaders of one agent.
pub(crate) struct Sinks {
    uploaders: Vec<Arc<Uploader>>,
    tasks: JoinSet<()>,
    last: CancellationToken,
    stop: CancellationToken,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Sinks {
    /// Starts an uploader for each configured sink.
    ///
    /// # Errors
    /// A TLS library that cannot be set up.
    pub(crate) fn start(context: &Context) -> Result<Self, Failure> {
        let (mut uploaders, mut tasks) = (Vec::new(), JoinSet::new());
        let (last, stop) = (CancellationToken::new(), CancellationToken::new());
        let names = context.config.sinks.iter().map(upload::name_of).collect();
        let keep = Keep { sinks: names, time: context.config.keep };
        for sink in &context.config.sinks {
            let store = Store { cloud: context.cloud.clone(), scope: context.own("") };
            let vault = Vault::here(Some((context.cloud.clone(), context.own(""))));
            let holder = context.host.instance.as_str();
            let uploader = Uploader::new(store, sink, holder, vault, Times::default()).map_err(|error| {
                Failure::new(format!("cannot upload: {error}"), "`snapscan doctor` tries each sink")
            })?;
            let uploader = Arc::new(uploader.keeping(keep.clone()));
            uploaders.push(Arc::clone(&uploader));
            let (clock, metrics) = (context.cloud.clock, Arc::clone(&context.metrics));
            let (last, stop) = (last.clone(), stop.clone());
            tasks.spawn(async move { upload::run(&uploader, &clock, &metrics, &last, &stop).await });
        }
        let (clock, metrics) = (context.cloud.clock, Arc::clone(&context.metrics));
        Ok(Self { uploaders, tasks, last, stop, clock, metrics })
    }

    /// Stops. With `to_the_end` what is in the outbox is uploaded first, as far as the sinks take it.
    pub(crate) async fn stop(mut self, to_the_end: bool) {
        if to_the_end {
            self.last.cancel()
        } else {
            self.stop.cancel()
        }
        while self.tasks.join_next().await.is_some() {}
        if !to_the_end {
            return;
        }
        for uploader in &self.uploaders {
            for _ in 0..LAST_ROUNDS {
                let round = uploader.round().await;
                if let Ok(round) = &round {
                    self.metrics.uploaded(uploader.sink(), round);
                }
                match round {
                    Ok(round) if round.delivered + round.refused > 0 => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(sink = uploader.sink(), %error, "upload_round_failed");
                        self.clock.sleep(PAUSE).await;
                    }
                }
            }
        }
    }
}
