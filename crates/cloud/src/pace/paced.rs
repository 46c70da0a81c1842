// SPDX-License-Identifier: Apache-2.0
//! A cloud whose calls wait until they may be made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::rates::{self, Shares};
use super::scheduler::{Granted, Next, Scheduler};
use crate::{Answer, Call, Class, Clock, Cloud, Error, Scope, Service};

/// A call that changes something and has not had its turn by then is given up: whoever made it plans with a time in which
/// it takes effect, and a refusal before it left is certain, where a lost answer is not.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cloud whose calls wait for their turn, by rates that all jobs of a process share.
///
/// It makes each call once: what is to be done about an error is for whoever asked. A call that changes something and
/// does not get its turn in time fails as one that AWS throttles does, without effect.
pub struct Paced {
    inner: Arc<dyn Service>,
    line: Arc<Line>,
}

/// All calls that wait, and who lets them go.
struct Line {
    clock: Clock,
    state: Mutex<State>,
    /// Something may go earlier than was thought.
    news: Notify,
}

struct State {
    scheduler: Scheduler<oneshot::Sender<Pass>>,
    /// True while a task lets go what waits.
    has_driver: bool,
}

impl Paced {
    /// The cloud, with these shares of its quotas.
    pub fn new(cloud: &Cloud, shares: Shares) -> Self {
        let state = Mutex::new(State { scheduler: Scheduler::new(shares), has_driver: false });
        let line = Arc::new(Line { clock: cloud.clock, state, news: Notify::new() });
        Self { inner: cloud.service.clone(), line }
    }

    /// Changes the shares: another number of scanners, say.
    pub fn share(&self, shares: Shares) {
        let now = self.line.clock.milliseconds();
        self.line.state().scheduler.share(shares, now);
        self.line.news.notify_one();
    }
}

#[async_trait::async_trait]
impl Service for Paced {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let Some(mut pass) = self.line.turn(scope, &call).await? else {
            return self.inner.call(scope, call).await;
        };
        pass.is_used = true;
        let answer = self.inner.call(scope, call).await;
        if let Err(error) = &answer
            && error.class == Class::Throttled
        {
            pass.throttled(error);
        }
        answer
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the call's turn; `None` if it needs none.
    async fn turn(self: &Arc<Self>, scope: &Scope, call: &Call) -> Result<Option<Pass>, Error> {
        let (sender, mut receiver) = oneshot::channel();
        {
            let mut state = self.state();
            if state.scheduler.wait(scope, call, sender).is_err() {
                return Ok(None);
            }
            self.let_go(&mut state.scheduler);
            if let Ok(pass) = receiver.try_recv() {
                return Ok(Some(pass));
            }
            if !state.has_driver {
                state.has_driver = true;
                tokio::spawn(Arc::clone(self).drive());
            }
        }
        self.news.notify_one();
        if !call.action().changes() {
            return Ok(receiver.await.ok());
        }
        match tokio::time::timeout(self.clock.real_duration(PATIENCE), receiver).await {
            Ok(turn) => Ok(turn.ok()),
            Err(_) => {
                let why = format!("our own rate had no turn for it within {} s", PATIENCE.as_secs());
                Err(Error::of(call.action().name(), "RequestLimitExceeded", why))
            }
        }
    }

    /// Lets go everything that may go now.
    fn let_go(self: &Arc<Self>, scheduler: &mut Scheduler<oneshot::Sender<Pass>>) -> Next<()> {
        loop {
            match scheduler.next(self.clock.milliseconds()) {
                Next::Go(sender, granted) => {
                    let pass = Pass { line: Arc::clone(self), granted, is_used: false };
                    // Whoever waited may have gone. The pass cannot go back by itself: the state is locked.
                    if let Err(mut pass) = sender.send(pass) {
                        scheduler.give_back(&std::mem::take(&mut pass.granted));
                    }
                }
                Next::After(wait) => return Next::After(wait),
                Next::Blocks => return Next::Blocks,
                Next::Nobody => return Next::Nobody,
            }
        }
    }

    /// Lets go what waits, each when its time has come, until nothing waits.
    async fn drive(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                let next = self.let_go(&mut state.scheduler);
                state.has_driver = !matches!(next, Next::Nobody);
                next
            };
            match next {
                Next::Nobody => return,
                Next::After(wait) => {
                    tokio::select! {
                        () = self.clock.sleep(wait) => {}
                        () = self.news.notified() => {}
                    }
                }
                Next::Blocks | Next::Go(..) => self.news.notified().await,
            }
        }
    }
}

/// One call's turn; whatever becomes of the call, its place is free afterwards.
struct Pass {
    line: Arc<Line>,
    granted: Granted,
    /// False until the call is made: then its tokens are spent.
    is_used: bool,
}

impl Pass {
    fn throttled(&self, error: &Error) {
        let now = self.line.clock.milliseconds();
        let mut state = self.line.state();
        for key in self.granted.0.iter().filter(|key| rates::throttled(error, key)) {
            state.scheduler.throttle(key, now, error.after);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let is_done = self.is_used && !self.granted.is_block();
        if is_done || self.granted.0.is_empty() {
            return;
        }
        let scheduler = &mut self.line.state().scheduler;
        match self.is_used {
            true => scheduler.done(true),
            false => scheduler.give_back(&self.granted),
        }
        self.line.news.notify_one();
    }
}
