// SPDX-License-Identifier: Apache-2.0
//! Who the uploader of a sink is: a row in the conditional table that runs out.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use snapscan_cloud::Timestamp;
use uuid::Uuid;

use super::Error;
use super::store::Store;

/// How long a lease lasts without renewal.
pub(super) const TERM: Duration = Duration::from_secs(90);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(30);
/// What is held back of it: from then on it counts as lost.
const MARGIN: Duration = Duration::from_secs(15);

/// The right to upload to a sink.
pub(super) struct Lease<'a> {
    store: &'a Store,
    key: String,
    sink: String,
    value: String,
    held: Mutex<Held>,
}

#[derive(Clone, Copy)]
struct Held {
    version: u64,
    /// When it was last known to be ours, plus its term, counted from before the request was sent.
    until: Timestamp,
}

impl<'a> Lease<'a> {
    /// Takes the lease, if nobody has it.
    ///
    /// # Errors
    /// What the table answers.
    pub(super) async fn take(store: &'a Store, sink: &str, holder: &str) -> Result<Option<Self>, Error> {
        let key = format!("uploader/{sink}");
        if store.row(&key).await?.is_some() {
            return Ok(None);
        }
        // The same scanner after a restart is another holder: only this very value is ours.
        let value = format!("{holder} {}", Uuid::new_v4());
        let until = store.now().plus(TERM);
        if !store.put_row(&key, value.clone(), None, Some(until)).await? {
            return Ok(None);
        }
        // Which version a row has that follows an expired one is the table's matter.
        let Some(row) = store.row(&key).await?.filter(|row| row.value == value) else { return Ok(None) };
        let held = Mutex::new(Held { version: row.version, until });
        Ok(Some(Self { store, key, sink: sink.to_owned(), value, held }))
    }

    /// Renews the lease for as long as it is waited for; ends when it is lost.
    pub(super) async fn keep(&self) -> Error {
        loop {
            let held = self.held();
            let left = held.until.since(self.store.now());
            if left <= MARGIN {
                return Error::LeaseLost(self.sink.clone());
            }
            self.store.clock().sleep(RENEWAL.min(left - MARGIN)).await;
            let until = self.store.now().plus(TERM);
            let renewed = self.store.put_row(&self.key, self.value.clone(), Some(held.version), Some(until));
            match renewed.await {
                Ok(true) => self.set(Held { version: held.version + 1, until }),
                Ok(false) if self.is_ours().await => {}
                Ok(false) => return Error::LeaseLost(self.sink.clone()),
                // Whether it took effect is unknown: the next look tells, and the old term runs on meanwhile.
                Err(error) => {
                    tracing::warn!(sink = %self.sink, %error, "uploader_lease_unrenewed");
                    self.is_ours().await;
                    self.store.clock().sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Looks at the row again; takes over its version if it is ours.
    async fn is_ours(&self) -> bool {
        let Ok(Some(row)) = self.store.row(&self.key).await else { return false };
        let ours = row.value == self.value;
        if let (true, Some(until)) = (ours, row.expires) {
            self.set(Held { version: row.version, until });
        }
        ours
    }

    /// Lets others upload at once. Failing does no harm: the lease runs out.
    pub(super) async fn give_back(self) {
        for _ in 0..2 {
            match self.store.delete_row(&self.key, self.held().version).await {
                // A renewal that was cut off in its call may have taken effect all the same.
                Ok(false) if self.is_ours().await => {}
                Ok(_) => return,
                Err(error) => return tracing::debug!(sink = %self.sink, %error, "uploader_lease_left"),
            }
        }
    }

    fn held(&self) -> Held {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}
