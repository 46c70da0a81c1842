// SPDX-License-Identifier: Apache-2.0
//! How many jobs wait for their snapshots with few requests: one list for all of an account and region.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use snapscan_cloud::ec2::{DescribeSnapshots, Find, Snapshot};
use snapscan_cloud::service::{Purpose, Scope};
use snapscan_cloud::{AccountId, Class, Cloud, Region, SnapshotId};
use tokio::sync::mpsc;

use super::{Error, Place, Resources};

/// Between two looks at the same account and region.
const POLL: Duration = Duration::from_secs(5);
/// Ids in a list at most.
const IDS: usize = 200;

/// What one look showed.
type Round = Result<Arc<HashMap<SnapshotId, Snapshot>>, snapscan_cloud::Error>;

struct Waiter {
    ids: Vec<SnapshotId>,
    rounds: mpsc::UnboundedSender<Round>,
}

/// Who waits, by account and region.
type Waiting = HashMap<(AccountId, Region), Vec<Waiter>>;

/// The shared look at snapshots that are waited for.
#[derive(Clone)]
pub(super) struct Waits {
    cloud: Cloud,
    waiting: Arc<Mutex<Waiting>>,
}

impl Waits {
    pub(super) fn new(cloud: Cloud) -> Self {
        Self { cloud, waiting: Arc::default() }
    }

    /// What each look from now on shows, until the receiver is dropped.
    fn join(&self, at: &Place, ids: &[SnapshotId]) -> mpsc::UnboundedReceiver<Round> {
        let (rounds, receiver) = mpsc::unbounded_channel();
        let key = (at.account.clone(), at.region.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = waiting.entry(key.clone()).or_default();
        waiters.push(Waiter { ids: ids.to_vec(), rounds });
        if waiters.len() == 1 {
            tokio::spawn(self.clone().poll(key));
        }
        receiver
    }

    /// Looks again and again, while anybody waits.
    async fn poll(self, key: (AccountId, Region)) {
        let scope = Scope {
            account: key.0.clone(),
            region: key.1.clone(),
            purpose: Purpose::Read,
            // One list for many jobs: a session of none of them.
            job: String::new(),
        };
        loop {
            self.cloud.clock.sleep(POLL).await;
            let Some(ids) = self.wanted(&key) else { return };
            let round = self.look(&scope, &ids).await.map(Arc::new);
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            for waiter in waiting.get(&key).into_iter().flatten() {
                // Whoever left in the meantime is forgotten before the next look.
                let _left = waiter.rounds.send(round.clone());
            }
        }
    }

    /// All that is waited for here; `None`, and the end of the poll, if nobody waits.
    fn wanted(&self, key: &(AccountId, Region)) -> Option<Vec<SnapshotId>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = waiting.get_mut(key)?;
        waiters.retain(|waiter| !waiter.rounds.is_closed());
        if waiters.is_empty() {
            waiting.remove(key);
            return None;
        }
        let ids: BTreeSet<_> = waiters.iter().flat_map(|waiter| waiter.ids.iter().cloned()).collect();
        Some(ids.into_iter().collect())
    }

    async fn look(
        &self,
        scope: &Scope,
        ids: &[SnapshotId],
    ) -> Result<HashMap<SnapshotId, Snapshot>, snapscan_cloud::Error> {
        let mut found = HashMap::new();
        for some in ids.chunks(IDS) {
            let mut token = None;
            loop {
                let find = Find::Ids(some.to_vec());
                let page = self.cloud.ask(scope, DescribeSnapshots { find, token }).await?;
                found.extend(page.items.into_iter().map(|one| (one.id.clone(), one)));
                token = page.token;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl Resources {
    /// Waits until all of these are complete, in this order.
    ///
    /// # Errors
    /// `Failed` as soon as one of them is in error, `Late` after `limit`, `Look` if looking is not allowed.
    pub(crate) async fn wait_completed(
        &self,
        at: &Place,
        ids: &[SnapshotId],
        limit: Duration,
    ) -> Result<Vec<Snapshot>, Error> {
        let mut rounds = self.waits.join(at, ids);
        let until = self.cloud.clock.now().plus(limit);
        let mut pending = ids.to_vec();
        loop {
            let left = until.since(self.cloud.clock.now());
            let late = Error::Late { pending: pending.clone(), waited: limit };
            let next = tokio::time::timeout(self.cloud.clock.real_duration(left), rounds.recv()).await;
            let Ok(Some(round)) = next else { return Err(late) };
            let seen = match round {
                Ok(seen) => seen,
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(Error::Look(error)),
            };
            let mine: Vec<_> = ids.iter().filter_map(|id| seen.get(id)).collect();
            let bad: Vec<_> = mine.iter().filter(|one| one.state == "error").copied().cloned().collect();
            if !bad.is_empty() {
                return Err(Error::Failed(bad));
            }
            // One that is missing is young: the list may not know it yet.
            let done: Vec<_> = mine.into_iter().filter(|one| one.state == "completed").cloned().collect();
            if done.len() == ids.len() {
                return Ok(done);
            }
            pending = ids.iter().filter(|id| done.iter().all(|one| one.id != **id)).cloned().collect();
        }
    }
}

/// True if the next look may succeed.
pub(super) fn is_passing(error: &snapscan_cloud::Error) -> bool {
    matches!(
        error.class,
        Class::Throttled | Class::Quota | Class::Transient | Class::Unknown | Class::NotFound | Class::State
    )
}
