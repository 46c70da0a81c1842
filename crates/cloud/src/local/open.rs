// SPDX-License-Identifier: Apache-2.0
//! How a call reaches its answer: one transaction each, on a thread that may wait.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Notify;

use super::call::{Refusal, Said, Turn};
use super::events::{self, EventKind, Happened};
use super::subjects::subjects;
use super::world::World;
use super::{blocks, store};
use crate::queue::Receive;
use crate::{Action, Answer, Call, Clock, Error, Purpose, Scope, Service};

/// How long to wait at most before looking again for messages that another process sent.
const LOOK: Duration = Duration::from_millis(100);

/// What the files consist of, besides `secrets.toml`, which is one too.
const FILES: [&str; 8] = [
    "cloud.toml",
    "instances.toml",
    "volumes.toml",
    "snapshots.toml",
    "images.toml",
    "keys.toml",
    "secrets.toml",
    "host.toml",
];

/// A folder as a cloud.
#[derive(Clone)]
pub struct Local {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    clock: Clock,
    database: Mutex<Connection>,
    world: Mutex<Read>,
    /// Told of each message that may have become visible.
    arrived: Notify,
}

/// The files as they were read, and the times at which they had been written then.
struct Read {
    world: Arc<World>,
    written: [Option<(SystemTime, u64)>; FILES.len()],
}

impl Local {
    /// Opens the cloud in `folder`; makes an empty one if there is none.
    ///
    /// # Errors
    /// What the system answers, in words.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let settings = World::read(folder).map_err(broken)?.settings;
        let clock = match settings.speed {
            0 | 1 => Clock::real(),
            speed => Clock::fast(settings.epoch, speed),
        };
        Self::with_clock(folder, clock)
    }

    /// Opens the cloud in `folder` with a clock of the caller's.
    ///
    /// # Errors
    /// What the system answers, in words.
    pub fn with_clock(folder: &Path, clock: Clock) -> Result<Self, Error> {
        let open = || -> io::Result<Self> {
            for name in ["volumes", "snapshots", "outbox", "devices"] {
                fs::create_dir_all(folder.join(name))?;
            }
            let folder = folder.canonicalize()?;
            let read = Read { written: written(&folder), world: Arc::new(World::read(&folder)?) };
            let database = Mutex::new(store::open(&folder).map_err(io::Error::other)?);
            let (world, arrived) = (Mutex::new(read), Notify::new());
            Ok(Self { inner: Arc::new(Inner { folder, clock, database, world, arrived }) })
        };
        let local = open().map_err(broken)?;
        local.inner.mend().map_err(|refusal| broken(io::Error::other(refusal.message)))?;
        Ok(local)
    }

    /// The clock that all processes with this cloud share.
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// Makes one call, waiting on this thread.
    async fn ask(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let (inner, scope) = (Arc::clone(&self.inner), scope.clone());
        let action = call.action();
        let done = tokio::task::spawn_blocking(move || inner.call(&scope, call)).await;
        let result = done.unwrap_or_else(|_| {
            Err(Refusal { code: "ConnectionLost".to_owned(), message: "the local cloud gave up".to_owned() })
        });
        result.map_err(|refusal| Error::of(action.name(), &refusal.code, refusal.message))
    }

    /// Waits for messages as long as the request says.
    async fn receive(&self, scope: &Scope, request: &Receive) -> Result<Answer, Error> {
        // A long poll looks many times and is one call, also if whoever asked is gone before it is answered.
        let (inner, own) = (Arc::clone(&self.inner), scope.clone());
        let counted = tokio::task::spawn_blocking(move || inner.count(&own, Action::Receive)).await;
        if let Ok(Err(refusal)) = counted {
            return Err(Error::of(Action::Receive.name(), &refusal.code, refusal.message));
        }
        let clock = self.inner.clock;
        let wait = u64::try_from(request.wait.as_millis()).unwrap_or(u64::MAX);
        let end = clock.milliseconds().saturating_add(wait);
        loop {
            let arrived = self.inner.arrived.notified();
            let answer = self.ask(scope, Call::Receive(request.clone())).await?;
            let left = Duration::from_millis(end.saturating_sub(clock.milliseconds()));
            let none = matches!(&answer, Answer::Receive(messages) if messages.is_empty());
            if !none || left.is_zero() {
                return Ok(answer);
            }
            let nap = clock.real_duration(left).min(LOOK).max(Duration::from_millis(1));
            // Woken or not, it looks again.
            let _ = tokio::time::timeout(nap, arrived).await;
        }
    }

    /// Settles, once it is due, what a call has set going: whoever waits for a device asks nothing meanwhile.
    fn settle_later(&self, action: Action) {
        let latency = self.inner.world().map(|world| world.settings.latency).unwrap_or_default();
        let seconds = match action {
            Action::AttachVolume => latency.attach,
            Action::DetachVolume => latency.detach,
            _ => return,
        };
        let (inner, clock) = (Arc::downgrade(&self.inner), self.inner.clock);
        tokio::spawn(async move {
            clock.sleep(Duration::from_millis(seconds.saturating_mul(1000).saturating_add(1))).await;
            let Some(inner) = inner.upgrade() else { return };
            // What fails here is settled by the next call, which can tell of it.
            let _ = tokio::task::spawn_blocking(move || inner.settle()).await;
        });
    }
}

#[async_trait::async_trait]
impl Service for Local {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, Error> {
        let action = call.action();
        let answer = match &call {
            Call::Receive(request) => self.receive(scope, request).await?,
            _ => self.ask(scope, call).await?,
        };
        match action {
            Action::Send | Action::ExtendLease => self.inner.arrived.notify_waiters(),
            Action::AttachVolume | Action::DetachVolume => self.settle_later(action),
            _ => {}
        }
        Ok(answer)
    }
}

impl Inner {
    /// Makes one call in one transaction.
    fn call(&self, scope: &Scope, call: Call) -> Said<Answer> {
        let action = call.action();
        let world = self.world()?;
        let block = match &call {
            Call::GetSnapshotBlock(get) => Some(get.clone()),
            _ => None,
        };
        let subjects = subjects(&call);
        let answer = self.transact(&world, scope, action, subjects, |turn| turn.answer(call))?;
        match block {
            Some(get) => blocks::read(&self.folder, &get).map(Answer::GetSnapshotBlock),
            None => Ok(answer),
        }
    }

    /// Does `work` in a transaction, and writes down what came of it.
    fn transact<T: Outcome>(
        &self,
        world: &World,
        scope: &Scope,
        action: Action,
        subjects: Vec<String>,
        work: impl FnOnce(&mut Turn<'_>) -> Said<T>,
    ) -> Said<T> {
        let mut database = lock(&self.database);
        let logged = events::is_logged(action);
        // What only counts need not be on the disk before it is answered; a log with effects must be.
        let mode = if logged || action == Action::Receive { "FULL" } else { "NORMAL" };
        database.pragma_update(None, "synchronous", mode)?;
        let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = self.clock.milliseconds();
        let mut turn = Turn {
            tx: &tx,
            world,
            folder: &self.folder,
            now,
            scope,
            happened: Vec::new(),
            dropped: Vec::new(),
        };
        turn.settle()?;
        let settled = turn.dropped.len();
        tx.execute_batch("SAVEPOINT call")?;
        let result = work(&mut turn);
        let (mut happened, mut dropped) = (turn.happened, turn.dropped);
        let refused = result.as_ref().err().map(|refusal| refusal.code.as_str());
        if refused.is_some() {
            tx.execute_batch("ROLLBACK TO call")?;
            happened.clear();
            dropped.truncate(settled);
        }
        if happened.is_empty() && logged {
            let kind = if refused.is_some() { EventKind::Refused } else { EventKind::Answered };
            happened.push(Happened { at: now, kind, ids: subjects, size_gib: 0 });
        }
        for happened in &happened {
            events::append(&tx, scope, true, action.name(), happened, refused)?;
        }
        if result.as_ref().map_or(action != Action::Receive, Outcome::counts) {
            events::count(&tx, scope, action)?;
        }
        tx.commit()?;
        // What is left behind here is swept when the cloud is opened again.
        dropped.iter().for_each(|path| drop(fs::remove_file(path)));
        result
    }

    /// Counts a call, whatever comes of it.
    fn count(&self, scope: &Scope, action: Action) -> Said<()> {
        let mut database = lock(&self.database);
        let tx = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        events::count(&tx, scope, action)?;
        Ok(tx.commit()?)
    }

    /// Settles what is due.
    fn settle(&self) -> Said<()> {
        let world = self.world()?;
        self.transact(&world, &own(&world), Action::Watch, Vec::new(), |_| Ok(()))
    }

    /// Sets right what a process left behind that ended within a call.
    fn mend(&self) -> Said<()> {
        let world = self.world()?;
        self.transact(&world, &own(&world), Action::Watch, Vec::new(), |turn| turn.mend())
    }

    /// What the files say now.
    fn world(&self) -> Said<Arc<World>> {
        let written = written(&self.folder);
        let mut read = lock(&self.world);
        if read.written != written {
            *read = Read { world: Arc::new(World::read(&self.folder)?), written };
        }
        Ok(Arc::clone(&read.world))
    }
}

/// Whether a result counts as a call.
trait Outcome {
    fn counts(&self) -> bool {
        true
    }
}

impl Outcome for Answer {
    /// A long poll looks many times and is one call: it is counted when it begins, and its looks are not.
    fn counts(&self) -> bool {
        !matches!(self, Answer::Receive(_))
    }
}

impl Outcome for () {
    fn counts(&self) -> bool {
        false
    }
}

/// The scanner's own scope, for what the cloud does by itself.
fn own(world: &World) -> Scope {
    let settings = &world.settings;
    let (account, region) = (settings.host.account.clone(), settings.region.clone());
    Scope { account, region, purpose: Purpose::Scanner, job: String::new() }
}

fn written(folder: &Path) -> [Option<(SystemTime, u64)>; FILES.len()] {
    FILES.map(|name| {
        let file = fs::metadata(folder.join(name)).ok()?;
        Some((file.modified().ok()?, file.len()))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(error: io::Error) -> Error {
    Error::of("local:Open", "LocalCloudBroken", error.to_string())
}
