// SPDX-License-Identifier: Apache-2.0
//! How the agent comes to a stop: asked by a signal, a spot notice or the Auto Scaling group.
//!
//! | stage | new leases | pending jobs | jobs that are read | jobs in the spool |
//! |---|---|---|---|---|
//! | `Running` | yes | go on | go on | are handed over |
//! | `Asked` | no | go back at once | go on | are handed over |
//! | `Over`, `agent.drain` later | no | – | stop at the next step, release, go back | wait for the restart |

use std::sync::Arc;
use std::time::Duration;

use snapscan_cloud::host::Watch;
use snapscan_cloud::{Cloud, Scope};
use tokio::sync::watch;

/// How often a spot notice is looked for. Source: EC2 User Guide, "Spot Instance interruption notices".
const LOOK: Duration = Duration::from_secs(5);

/// How far the stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Nobody asked for one.
    Running,
    /// No new leases; pending jobs go back.
    Asked,
    /// Whatever is not in the spool stops.
    Over,
}

/// The stop of an agent; clones share it.
#[derive(Clone)]
pub(crate) struct Drain {
    stage: Arc<watch::Sender<Stage>>,
}

impl Drain {
    /// An agent that runs.
    pub(crate) fn new() -> Self {
        Self { stage: Arc::new(watch::Sender::new(Stage::Running)) }
    }

    /// How far it is.
    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Waits until it is as far as that.
    pub(crate) async fn reached(&self, stage: Stage) {
        let mut changes = self.stage.subscribe();
        // The sender lives as long as `self`.
        let _reached = changes.wait_for(|now| *now >= stage).await;
    }

    /// Goes on to a stage, never back.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let forward = stage > *now;
            *now = (*now).max(stage);
            forward
        });
    }

    /// Asks for a stop, and lets running jobs go on for so long.
    pub(crate) fn ask(&self, why: &str, cloud: &Cloud, drain: Duration) {
        if self.stage() != Stage::Running {
            return;
        }
        tracing::info!(why, drain_seconds = drain.as_secs(), "drain_asked");
        self.advance(Stage::Asked);
        let (later, clock) = (self.clone(), cloud.clock);
        tokio::spawn(async move {
            clock.sleep(drain).await;
            later.advance(Stage::Over);
        });
    }

    /// Asks for a stop as soon as the host is about to be taken away; ends then.
    pub(crate) async fn watch_host(&self, cloud: &Cloud, scope: &Scope, drain: Duration) {
        loop {
            // A metadata service that does not answer says nothing about an interruption.
            let notice = cloud.ask(scope, Watch {}).await.unwrap_or_default();
            if notice.interruption.is_some() {
                return self.ask("spot interruption", cloud, drain);
            }
            if notice.terminating {
                return self.ask("the group takes the instance away", cloud, drain);
            }
            cloud.clock.sleep(LOOK).await;
        }
    }

    /// Asks for a stop at SIGTERM or SIGINT; a second one ends waiting at once.
    ///
    /// # Errors
    /// What the system answers about the signals.
    pub(crate) fn watch_signals(&self, cloud: &Cloud, drain: Duration) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (this, cloud) = (self.clone(), cloud.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                match this.stage() {
                    Stage::Running => this.ask("signal", &cloud, drain),
                    Stage::Asked | Stage::Over => this.advance(Stage::Over),
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::tests::silent_cloud;

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_to_stop_is_over_when_the_time_to_drain_has_passed() {
        let (drain, cloud) = (Drain::new(), silent_cloud());
        drain.ask("test", &cloud, Duration::from_secs(90));
        assert_eq!(drain.stage(), Stage::Asked);
        let begun = cloud.clock.now();
        drain.reached(Stage::Over).await;
        assert_eq!(cloud.clock.now().since(begun).as_secs(), 90);
    }

    #[tokio::test]
    async fn a_stop_never_goes_back() {
        let drain = Drain::new();
        drain.advance(Stage::Over);
        drain.advance(Stage::Asked);
        assert_eq!(drain.stage(), Stage::Over);
    }
}
