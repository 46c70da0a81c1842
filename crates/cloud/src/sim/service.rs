// SPDX-License-Identifier: Apache-2.0
//! The wrapper: what a call meets on its way to the cloud and back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dice::Dice;
use super::fault::{Plan, When};
use super::late::Late;
use super::latency::Latency;
use super::quota::{self, Quotas, Used};
use super::stale::Stale;
use crate::{Action, Answer, Call, Cloud, Error, Scope, Service};

/// What is simulated; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What everything by chance comes from.
    pub seed: u64,
    /// How long actions take.
    pub latency: Latency,
    /// Rates and limits, where there are any.
    pub quotas: Option<Quotas>,
    /// For how long at most a new id is unknown.
    pub late: Duration,
    /// For how long at most a thing's state before the last one may still be shown.
    pub stale: Duration,
    /// Which calls fail.
    pub plan: Plan,
}

/// A cloud with latency, quotas, late ids and faults.
pub struct Sim {
    cloud: Cloud,
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<Action, u64>,
    late: Late,
    stale: Stale,
    used: Used,
}

impl Sim {
    /// The cloud as it would be with all that.
    pub fn new(cloud: Cloud, settings: Settings) -> Arc<Self> {
        Arc::new(Self { cloud, settings, state: Mutex::default() })
    }

    /// It as a cloud, with the same clock.
    pub fn cloud(self: &Arc<Self>) -> Cloud {
        Cloud { service: Arc::<Self>::clone(self), clock: self.cloud.clock }
    }

    /// How often each action was called, refused and failed calls included.
    pub fn counts(&self) -> BTreeMap<Action, u64> {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, action: Action) -> u64 {
        let mut state = self.state();
        let count = state.counts.entry(action).or_default();
        *count = count.saturating_add(1);
        *count
    }

    async fn within_quotas(&self, quotas: &Quotas, scope: &Scope, call: &Call) -> Result<(), Error> {
        let now = self.cloud.clock.milliseconds();
        self.state().used.rate(scope, call, now)?;
        let volumes = quota::volumes(&self.cloud, scope, call).await?;
        let pending = self.state().used.pending(quotas, scope, call, &volumes);
        for limit in pending {
            limit.check(&self.cloud, scope, call).await?;
        }
        quota::attachments(quotas, &self.cloud, scope, call).await?;
        self.state().used.spacing(quotas, call, &volumes, now)
    }
}

#[async_trait::async_trait]
impl Service for Sim {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let (action, plan) = (call.action(), &self.settings.plan);
        let nth = self.count(action);
        let mut dice = Dice::of_call(self.settings.seed, action, nth);
        let latency = self.settings.latency.of(action, &mut dice);
        if !latency.is_zero() {
            self.cloud.clock.sleep(latency).await;
        }
        if let Some(error) = plan.strikes(action, nth, When::Before) {
            return Err(error);
        }
        if let Some(error) = self.state().late.refuses(&call, self.cloud.clock.milliseconds()) {
            return Err(error);
        }
        if let Some(quotas) = &self.settings.quotas {
            self.within_quotas(quotas, scope, &call).await?;
        }
        let mut answer = self.cloud.service.call(scope, call).await?;
        {
            let mut state = self.state();
            let now = self.cloud.clock.milliseconds();
            state.used.made(scope, &answer, now);
            state.late.sees(&mut answer, now, self.settings.late, &mut dice);
            state.stale.sees(&mut answer, now, self.settings.stale, &mut dice);
        }
        match plan.strikes(action, nth, When::After) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}
