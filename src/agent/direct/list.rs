// SPDX-License-Identifier: Apache-2.0
//! Which blocks a snapshot has, listed piece by piece where somebody asks.
//!
//! A page may be short, or empty, and still not be the last: only a missing token ends the list. What lies before the
//! last index of a page is known; what lies behind it is not, until the next page is read.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use snapscan_cloud::ebs::{BlockPage, ListSnapshotBlocks};
use snapscan_cloud::{Class, Error, SnapshotId, Timestamp};

/// Blocks of a piece: 4 GiB of the volume, which one full page covers.
const PIECE: u64 = 8192;
/// Entries that are asked for in a page, the most there can be.
const ENTRIES: u32 = 10_000;
/// Pages in a row without a single new block, after which the list is given up.
const EMPTY_PAGES: u32 = 1000;
/// Tokens are listed anew so long before they expire.
const MARGIN: Duration = Duration::from_secs(300);

/// Where a block lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Here, by its token.
    At(String),
    /// Nowhere: it was never written.
    Never,
}

/// The list of one snapshot, as far as it is known.
pub(super) struct Listing {
    snapshot: SnapshotId,
    /// Bytes of the volume; 0 before the first page.
    size: AtomicU64,
    pieces: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Piece>>>>,
}

/// One piece of the list. Who needs it holds its lock while it is listed, so that nobody lists it twice.
#[derive(Default)]
struct Piece {
    tokens: BTreeMap<u64, String>,
    /// All blocks of the piece before this index are known.
    known_until: u64,
    /// Where the next page begins, if the piece is not known to its end.
    next: Option<String>,
    expires: Option<Timestamp>,
}

impl Listing {
    pub(super) fn new(snapshot: SnapshotId) -> Self {
        Listing { snapshot, size: AtomicU64::new(0), pieces: Mutex::default() }
    }

    pub(super) fn snapshot(&self) -> &SnapshotId {
        &self.snapshot
    }

    /// The volume's size in bytes; 0 before anything was listed.
    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Where block `index` lies; `ask` lists a page where that is needed.
    ///
    /// # Errors
    /// What listing answers.
    pub(super) async fn place<F>(
        &self,
        index: u64,
        now: Timestamp,
        ask: impl Fn(ListSnapshotBlocks) -> F,
    ) -> Result<Place, Error>
    where
        F: Future<Output = Result<BlockPage, Error>>,
    {
        let piece = self.piece(index);
        let mut piece = piece.lock().await;
        if piece.expires.is_some_and(|expires| expires <= now.plus(MARGIN)) {
            *piece = Piece::default();
        }
        let start = index - index % PIECE;
        let mut empty = 0;
        let mut restarted = false;
        while piece.known_until <= index {
            let token = piece.next.take();
            let goes_on = token.is_some();
            let request = ListSnapshotBlocks { snapshot: self.snapshot.clone(), start, token, most: ENTRIES };
            match ask(request).await {
                Ok(page) => {
                    self.size.store(page.size_gib.saturating_mul(1 << 30), Ordering::Relaxed);
                    empty = if page.blocks.is_empty() { empty + 1 } else { 0 };
                    piece.add(start, page).map_err(|what| self.malformed(&what))?;
                }
                // The token of the page was too old: from the beginning of the piece, once.
                Err(error) if error.class == Class::State && goes_on && !restarted => {
                    restarted = true;
                    *piece = Piece::default();
                }
                Err(error) => return Err(error),
            }
            if empty > EMPTY_PAGES {
                return Err(self.malformed("it goes on and on without a block"));
            }
        }
        Ok(piece.tokens.get(&index).map_or(Place::Never, |token| Place::At(token.clone())))
    }

    /// Forgets the piece around a block, whose token was refused.
    pub(super) async fn forget(&self, index: u64) {
        let piece = self.piece(index);
        *piece.lock().await = Piece::default();
    }

    fn piece(&self, index: u64) -> Arc<tokio::sync::Mutex<Piece>> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pieces.entry(index / PIECE).or_default())
    }

    fn malformed(&self, what: &str) -> Error {
        Error {
            class: Class::Permanent,
            action: "ebs:ListSnapshotBlocks".to_owned(),
            code: "MalformedList".to_owned(),
            message: format!("the list of {}: {what}", self.snapshot),
            after: None,
        }
    }
}

impl Piece {
    /// Adds a page to a piece that begins at `start`.
    fn add(&mut self, start: u64, page: BlockPage) -> Result<(), String> {
        let mut from = self.known_until.max(start);
        for (index, token) in page.blocks {
            if index < from {
                return Err(format!("block {index} comes where {from} is the next there can be"));
            }
            from = index + 1;
            if index < start + PIECE {
                self.tokens.insert(index, token);
            }
        }
        self.known_until = from;
        match page.token {
            None => self.known_until = u64::MAX,
            Some(_) if from >= start + PIECE => {}
            token => self.next = token,
        }
        let expires = Timestamp(page.expires);
        // The tokens of a page that says nothing of their end are tried.
        if page.expires > 0 {
            self.expires = Some(self.expires.map_or(expires, |known| known.min(expires)));
        }
        Ok(())
    }
}
