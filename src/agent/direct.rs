// SPDX-License-Identifier: Apache-2.0
//! Blocks of snapshots for the sandbox, by the EBS direct interface.
//!
//! Blocks are fetched many at once; which there are is listed lazily, a page where somebody asks. A block counts as
//! zeros only when the list around its place was read. Each block's checksum is verified: the body of an answer is not
//! covered by its signature (Amazon EBS User Guide, "Use checksums with the EBS direct APIs").

mod list;
mod purse;
mod retry;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use snapscan_cloud::ebs::{Block, GetSnapshotBlock};
use snapscan_cloud::{Class, Cloud, Error, Scope, SnapshotId};
use snapscan_sandbox::blocks::{BLOCK_BYTES, Done, Fetch, Fetched, Refusal, Wanted};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use list::{Listing, Place};
pub(crate) use purse::Purse;
use retry::Patience;

/// Blocks that a job fetches at once: at 40 to 100 ms each they stay below 1,000 a second and snapshot.
const AT_ONCE: usize = 64;
/// How often a block that came damaged is fetched in all.
const DAMAGED: u32 = 3;
/// How often a block is listed anew because its token was refused.
const RELISTED: u32 = 3;
/// How long a snapshot that was just made may be unknown to the block service.
const YOUNG: Duration = Duration::from_secs(60);

/// The snapshots of one job, as a source of blocks.
pub(crate) struct Direct {
    inner: Arc<Inner>,
    runtime: Handle,
}

struct Inner {
    cloud: Cloud,
    /// In whose name each of the snapshots is read.
    scopes: Vec<Scope>,
    snapshots: Vec<Listing>,
    patience: Patience,
    permits: Semaphore,
    purse: Arc<Purse>,
    stop: CancellationToken,
    gets: AtomicU64,
    lists: AtomicU64,
    /// The first error that will not pass, for the job's disposition.
    failed: Mutex<Option<Error>>,
}

/// Calls that were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// `GetSnapshotBlock`, repeats included.
    pub(crate) gets: u64,
    /// `ListSnapshotBlocks`, repeats included.
    pub(crate) lists: u64,
    /// Answers that asked for fewer calls.
    pub(crate) throttled: u64,
}

impl Direct {
    /// The blocks of these snapshots, numbered in their order, each fetched in the name of its scope on the runtime that
    /// this is called on. Ends with `stop`; pays from `purse`.
    pub(crate) fn new(
        cloud: Cloud,
        snapshots: Vec<(Scope, SnapshotId)>,
        purse: Arc<Purse>,
        stop: CancellationToken,
    ) -> Self {
        let patience = Patience::new(cloud.clock, snapshots.len());
        let (scopes, snapshots): (Vec<_>, Vec<_>) = snapshots.into_iter().unzip();
        let inner = Inner {
            cloud,
            scopes,
            snapshots: snapshots.into_iter().map(Listing::new).collect(),
            patience,
            permits: Semaphore::new(AT_ONCE),
            purse,
            stop,
            gets: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            failed: Mutex::new(None),
        };
        Direct { inner: Arc::new(inner), runtime: Handle::current() }
    }

    /// Lists the beginning of each snapshot; answers their volumes' sizes in bytes. So what is not allowed, or has no
    /// key, is met before a worker starts.
    ///
    /// # Errors
    /// What the cloud answers.
    pub(crate) async fn open(&self) -> Result<Vec<u64>, Error> {
        let mut sizes = Vec::new();
        for volume in 0..self.inner.snapshots.len() {
            self.inner.place(volume, 0).await?;
            sizes.push(self.inner.snapshots[volume].size());
        }
        Ok(sizes)
    }

    /// The calls that were made so far.
    pub(crate) fn calls(&self) -> Calls {
        Calls {
            gets: self.inner.gets.load(Ordering::Relaxed),
            lists: self.inner.lists.load(Ordering::Relaxed),
            throttled: self.inner.patience.throttled(),
        }
    }

    /// The first error that kept a block from being had, and will not pass: what the job ends by.
    pub(crate) fn failed(&self) -> Option<Error> {
        self.inner.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Fetch for Direct {
    fn fetch(&self, wanted: Wanted, done: Done) {
        let inner = Arc::clone(&self.inner);
        self.runtime.spawn(async move {
            // Held until the block is written: so many lie in memory at most.
            let permit = tokio::select! {
                biased;
                () = inner.stop.cancelled() => None,
                permit = inner.permits.acquire() => permit.ok(),
            };
            let fetched = tokio::select! {
                biased;
                () = inner.stop.cancelled() => Fetched::Refused(Refusal::Cancelled),
                fetched = inner.fetch(wanted) => fetched,
            };
            if let Err(error) = tokio::task::spawn_blocking(move || done(fetched)).await {
                tracing::error!(%error, "block_answer_failed");
            }
            drop(permit);
        });
    }
}

impl Inner {
    async fn fetch(&self, wanted: Wanted) -> Fetched {
        let volume = usize::try_from(wanted.volume).unwrap_or(usize::MAX);
        if volume >= self.snapshots.len() {
            return unavailable(format!("there is no volume {volume}"));
        }
        match self.get(volume, wanted.index).await {
            Ok(fetched) => fetched,
            Err(error) if error.code == purse::EMPTY => Fetched::Refused(Refusal::Budget(error.message)),
            Err(error) => {
                let refused = unavailable(error.to_string());
                if matches!(error.class, Class::Denied | Class::Key | Class::NotFound | Class::Permanent) {
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                }
                refused
            }
        }
    }

    async fn get(&self, volume: usize, index: u64) -> Result<Fetched, Error> {
        let snapshot = self.snapshots[volume].snapshot();
        let (mut damaged, mut relisted) = (0, 0);
        loop {
            let token = match self.place(volume, index).await? {
                Place::Never => return Ok(Fetched::Zero),
                Place::At(token) => token,
            };
            let request = GetSnapshotBlock { snapshot: snapshot.clone(), index, token };
            let block = self.patience.ask(volume, || {
                let request = request.clone();
                async {
                    self.purse.pay_get().await?;
                    self.gets.fetch_add(1, Ordering::Relaxed);
                    self.cloud.ask(&self.scopes[volume], request).await
                }
            });
            match block.await {
                Ok(block) => match verify(block).await {
                    Some(bytes) => return Ok(Fetched::Bytes(bytes)),
                    None => damaged += 1,
                },
                // The token is too old, though its page did not say so.
                Err(error) if error.class == Class::State && relisted < RELISTED => {
                    relisted += 1;
                    self.snapshots[volume].forget(index).await;
                }
                Err(error) => return Err(error),
            }
            if damaged >= DAMAGED {
                return Ok(unavailable(format!(
                    "block {index} of {snapshot} came {damaged} times with another checksum than it says"
                )));
            }
        }
    }

    /// Where a block lies: the page around it is listed if nobody did so yet.
    async fn place(&self, volume: usize, index: u64) -> Result<Place, Error> {
        let (now, scope) = (self.cloud.clock.now(), &self.scopes[volume]);
        self.snapshots[volume]
            .place(index, now, |request| {
                self.patience.ask(volume, move || {
                    let request = request.clone();
                    async {
                        self.purse.pay_list().await?;
                        self.lists.fetch_add(1, Ordering::Relaxed);
                        self.cloud.ask(scope, request).await
                    }
                })
            })
            .await
    }
}

/// The block's bytes, if they are whole and have the checksum that came with them.
async fn verify(block: Block) -> Option<Vec<u8>> {
    let check = move || {
        let whole = block.bytes.len() == BLOCK_BYTES;
        let sum = whole.then(|| STANDARD.encode(Sha256::digest(&block.bytes)))?;
        (sum == block.checksum).then_some(block.bytes)
    };
    tokio::task::spawn_blocking(check).await.ok().flatten()
}

fn unavailable(why: String) -> Fetched {
    Fetched::Refused(Refusal::Unavailable(why))
}
