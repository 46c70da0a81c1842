// SPDX-License-Identifier: Apache-2.0
//! How what a job made is taken away: newest first, until nothing is left that a little patience would help.
//!
//! Works without a ledger that can be written: what it cannot write down it says in the log, and goes on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use snapscan_cloud::IntentId;
use snapscan_cloud::service::{Purpose, Scope};
use tokio::task::{JoinError, JoinSet};

use super::Resources;
use super::lookup::Looked;
use super::undo::Undone;
use crate::agent::ledger::{self, Event, Intent, Kind, State, Trouble};

/// How long a release waits for what is about to go.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(3);
/// After so long without access nobody tries any more.
const ORPHANED: i64 = 30 * 86_400;

/// Jobs whose things are taken away at once, beside those that release themselves.
const AT_ONCE: usize = 8;

/// The jobs that are being released: two at once would trip over each other's rows.
pub(super) type Turns = Arc<Mutex<HashSet<String>>>;

/// A job's turn to be released, until it is dropped.
struct Turn {
    turns: Turns,
    job: String,
}

impl Turn {
    fn take(turns: &Turns, job: &str) -> Option<Self> {
        let is_free = turns.lock().unwrap_or_else(PoisonError::into_inner).insert(job.to_owned());
        is_free.then(|| Self { turns: turns.clone(), job: job.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
    }
}

/// What a release came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// Things that are gone now and were not before.
    pub(crate) released: usize,
    /// Things, and calls of which it is not known whether they made something, that are left.
    pub(crate) held: usize,
    /// Those among the rows that are left that somebody must look at.
    pub(crate) loud: usize,
    /// What is gone now: its kind and id.
    pub(crate) taken: Vec<String>,
    /// The rows that are left.
    pub(crate) left: Vec<Left>,
}

/// A row that is left.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Left {
    /// The intent.
    pub(crate) intent: String,
    /// What it makes.
    pub(crate) kind: &'static str,
    /// What of it is left; empty where nothing is known.
    pub(crate) ids: Vec<String>,
    /// Its state, or its trouble.
    pub(crate) state: &'static str,
    /// Why it is left.
    pub(crate) why: String,
    /// Must somebody look at it?
    pub(crate) loud: bool,
}

impl Released {
    fn add(&mut self, other: Option<Result<Released, JoinError>>) {
        let Some(Ok(other)) = other else { return };
        self.released += other.released;
        self.held += other.held;
        self.loud += other.loud;
        self.taken.extend(other.taken);
        self.left.extend(other.left);
    }
}

/// What is left of a row after a step, and whether a few seconds help.
#[derive(Default)]
struct Step {
    why: Option<String>,
    is_soon: bool,
    /// Something of it was seen and is not gone.
    is_there: bool,
}

impl Resources {
    /// Takes away all that the ledger holds for a job. May be called any number of times, also for a job whose last
    /// release is still under way: then nothing is done, and what is held is answered.
    ///
    /// # Errors
    /// What the ledger says when it is read; a release goes on where it cannot be written.
    pub(crate) async fn release(&self, job: &str) -> Result<Released, ledger::Error> {
        // Taken first: rows that were read before another release had ended would be old.
        let turn = Turn::take(&self.turns, job);
        let rows = self.ledger.open_of(job).await?;
        let released = self.release_in(turn, rows).await;
        let Released { released: gone, held, loud, .. } = released;
        tracing::info!(job, released = gone, held, loud, "resources_released");
        Ok(released)
    }

    /// Takes away what these rows made, several jobs at a time.
    pub(crate) async fn release_jobs(&self, rows: Vec<Intent>) -> Released {
        let mut jobs: BTreeMap<String, Vec<Intent>> = BTreeMap::new();
        for row in rows {
            jobs.entry(row.job.clone()).or_default().push(row);
        }
        let mut sum = Released::default();
        let mut tasks = JoinSet::new();
        for (job, rows) in jobs {
            if tasks.len() >= AT_ONCE {
                sum.add(tasks.join_next().await);
            }
            let resources = self.clone();
            tasks.spawn(async move {
                let turn = Turn::take(&resources.turns, &job);
                resources.release_in(turn, rows).await
            });
        }
        while let Some(done) = tasks.join_next().await {
            sum.add(Some(done));
        }
        sum
    }

    /// Without a turn nothing is done, and what is held is answered.
    async fn release_in(&self, turn: Option<Turn>, rows: Vec<Intent>) -> Released {
        match turn {
            Some(_held) => self.release_rows(rows).await,
            None => account(&rows, &HashMap::new(), Vec::new()),
        }
    }

    /// Takes away what these rows made, in this order: newest first.
    async fn release_rows(&self, mut rows: Vec<Intent>) -> Released {
        let until = self.cloud.clock.now().plus(PATIENCE);
        let before: HashSet<_> = rows.iter().flat_map(gone).collect();
        let mut steps: HashMap<IntentId, Step> = HashMap::new();
        loop {
            let mut attached = HashSet::new();
            for row in rows.iter_mut().filter(|row| !row.state.is_final()) {
                let step = self.settle(row, &attached).await;
                if row.kind == Kind::Attachment && step.is_there {
                    attached.extend(row.sources.iter().cloned());
                }
                steps.insert(row.id.clone(), step);
            }
            let is_soon = rows
                .iter()
                .any(|row| !row.state.is_final() && steps.get(&row.id).is_some_and(|step| step.is_soon));
            if !is_soon || self.cloud.clock.now() >= until {
                break;
            }
            self.cloud.clock.sleep(PAUSE).await;
        }
        let taken = rows.iter().flat_map(gone).filter(|one| !before.contains(one)).collect();
        account(&rows, &steps, taken)
    }

    /// One step towards the end of a row.
    async fn settle(&self, row: &mut Intent, attached: &HashSet<String>) -> Step {
        let scope = Scope {
            account: row.account.clone(),
            region: row.region.clone(),
            purpose: Purpose::Release,
            job: row.job.clone(),
        };
        let mut step = Step::default();
        let mut trouble = None;
        match row.state {
            State::Planned => self.note(row, Event::Dropped).await,
            // Whoever called is gone: what became of it is unknown.
            State::Called => {
                self.note(row, Event::Lost("the caller did not see the answer".to_owned())).await
            }
            State::Bound => self.note(row, Event::Releasing).await,
            State::Unknown | State::Releasing | State::Closed | State::Orphaned => {}
        }
        if row.state == State::Unknown && !self.is_resolved(row).await {
            match self.look_for(&scope, row).await {
                Looked::Through => {}
                Looked::Not(why) => step.why = Some(why),
                Looked::Loud(what, why) => trouble = Some((what, why)),
            }
        }
        if row.state == State::Unknown && row.is_complete() && trouble.is_none() {
            self.note(row, Event::Bound(Vec::new())).await;
            self.note(row, Event::Releasing).await;
        }
        if row.state.is_final() {
            return step;
        }
        let things: Vec<_> = row.held().cloned().collect();
        for thing in things {
            if row.kind == Kind::Volume && attached.contains(&thing.id) {
                step.why = Some("it is still attached".to_owned());
                continue;
            }
            match self.undo(&scope, row, &thing).await {
                Undone::Gone => {}
                Undone::Soon(why) => {
                    (step.why, step.is_soon, step.is_there) = (Some(why), true, true);
                }
                Undone::Later(why) => (step.why, step.is_there) = (Some(why), true),
                Undone::Missing => {
                    step.why = Some("it is not there, which proves nothing yet".to_owned());
                }
                Undone::Loud(what, why) => (trouble, step.is_there) = (Some((what, why)), true),
            }
        }
        self.judge(row, trouble, step).await
    }

    /// A share or attachment of something that is gone needs no lookup.
    async fn is_resolved(&self, row: &Intent) -> bool {
        row.made.is_empty() && self.is_gone_with_its_source(row).await
    }

    /// What becomes of a row after its things were seen to.
    async fn judge(&self, row: &mut Intent, trouble: Option<(Trouble, String)>, mut step: Step) -> Step {
        if let Some((what, why)) = trouble {
            self.say(row, what, &why).await;
            step.why = Some(why);
            return step;
        }
        if row.trouble.is_some() {
            self.note(row, Event::Eased).await;
        }
        let is_nothing_held = row.held().next().is_none();
        let is_certain = row.state == State::Releasing
            || row.is_looked_through()
            || (row.made.is_empty() && self.is_gone_with_its_source(row).await);
        if is_nothing_held && is_certain {
            self.note(row, Event::Closed).await;
        } else if is_nothing_held && step.why.is_none() {
            step.why = Some(format!("looked for {} times, and not yet for long enough", row.lookups));
        }
        step
    }

    /// Says aloud that something stays.
    async fn say(&self, row: &mut Intent, what: Trouble, why: &str) {
        let now = self.cloud.clock.now();
        self.note(row, Event::Troubled(what, why.to_owned(), now)).await;
        tracing::error!(
            intent = %row.id, kind = row.kind.name(), job = row.job, account = %row.account, region = %row.region,
            trouble = what.name(), why, "resource_stays"
        );
        let since = row.trouble.map_or(now, |(_, since)| since);
        if what == Trouble::Denied && now.0 - since.0 >= ORPHANED {
            self.note(row, Event::Orphaned).await;
        }
    }

    /// Writes an event down if that is possible, and goes on in any case.
    pub(super) async fn note(&self, row: &mut Intent, event: Event) {
        let written = self.ledger.advance(&row.id, event.clone()).await;
        match written {
            Ok(after) => *row = after,
            Err(error) => {
                tracing::error!(intent = %row.id, event = event.step().name(), %error, "ledger_unwritten");
                // The next process looks again at what this one could not write down.
                if let Ok(after) = row.clone().after(&event) {
                    *row = after;
                }
            }
        }
    }
}

/// What of a row is gone: kind and id.
fn gone(row: &Intent) -> Vec<String> {
    let gone = row.made.iter().filter(|made| made.gone.is_some());
    gone.map(|made| format!("{} {}", row.kind.name(), made.id)).collect()
}

/// Counts what is left.
fn account(rows: &[Intent], steps: &HashMap<IntentId, Step>, taken: Vec<String>) -> Released {
    let mut sum = Released { released: taken.len(), taken, ..Released::default() };
    for row in rows.iter().filter(|row| row.state != State::Closed) {
        let ids: Vec<_> = row.held().map(|made| made.id.clone()).collect();
        sum.held += ids.len().max(1);
        sum.loud += usize::from(row.is_loud());
        let why = steps.get(&row.id).and_then(|step| step.why.clone());
        sum.left.push(Left {
            intent: row.id.to_string(),
            kind: row.kind.name(),
            ids,
            state: row.word(),
            why: why.unwrap_or_else(|| row.why.clone()),
            loud: row.is_loud(),
        });
    }
    sum
}
