// SPDX-License-Identifier: Apache-2.0
//! How a change is made durable: SQLite behind one thread, each change one synchronous commit.
//!
//! Several processes may have the file open (agent, `snapscan ledger`, `reap`, `doctor`): writers wait for each other
//! (`BEGIN IMMEDIATE`, busy time-out), readers never wait (write-ahead log).

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use snapscan_cloud::IntentId;

use crate::agent::boundary;

/// The version of the tables that this program writes.
const SCHEMA_VERSION: i64 = 1;
/// How long a writer waits for another process.
const BUSY: Duration = Duration::from_secs(10);
/// The database's name in the state folder.
const FILE: &str = "ledger.db";

const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES ('epoch', 0);
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, target TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, profile TEXT NOT NULL,
        attempt INTEGER NOT NULL, receipt TEXT NOT NULL, boot TEXT NOT NULL, epoch INTEGER NOT NULL,
        state TEXT NOT NULL, digest TEXT, disposition TEXT, seen INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;
    CREATE TABLE intents (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, account TEXT NOT NULL,
        region TEXT NOT NULL, job TEXT NOT NULL, sources TEXT NOT NULL, about TEXT NOT NULL,
        expected INTEGER NOT NULL, state TEXT NOT NULL, boot TEXT NOT NULL, epoch INTEGER NOT NULL,
        planned INTEGER NOT NULL, from_time INTEGER NOT NULL, until_time INTEGER NOT NULL, deadline INTEGER NOT NULL,
        lookups INTEGER NOT NULL, first_look INTEGER, last_look INTEGER,
        trouble TEXT, trouble_since INTEGER, why TEXT) STRICT;
    CREATE INDEX intents_by_job ON intents (job);
    CREATE INDEX intents_open ON intents (state);
    CREATE TABLE made (
        intent INTEGER NOT NULL REFERENCES intents (seq) ON DELETE CASCADE, id TEXT NOT NULL,
        seen INTEGER, deleted INTEGER, absent INTEGER, gone INTEGER,
        PRIMARY KEY (intent, id)) STRICT;
    CREATE INDEX made_by_id ON made (id);
    CREATE TABLE spent (
        account TEXT NOT NULL, day INTEGER NOT NULL, what TEXT NOT NULL, amount INTEGER NOT NULL,
        PRIMARY KEY (account, day, what)) STRICT;
";

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database cannot be opened.
    #[error("cannot open the ledger {path}: {error}")]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What happened.
        error: rusqlite::Error,
    },
    /// There is none.
    #[error("there is no ledger in {0}: no agent has worked with this state folder")]
    Missing(PathBuf),
    /// A newer program wrote it.
    #[error("the ledger has version {found}, and this program knows {SCHEMA_VERSION}: use the newer program")]
    TooNew {
        /// Its version.
        found: i64,
    },
    /// A read or a commit failed: disk full, locked by another process, damaged.
    #[error("the ledger cannot be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A change that the table of legal ones does not have.
    #[error("intent {intent} is {state} and cannot become {step}")]
    Illegal {
        /// The intent.
        intent: IntentId,
        /// Its state.
        state: &'static str,
        /// What was asked.
        step: &'static str,
    },
    /// No such row.
    #[error("the ledger has no {0}")]
    NoRow(String),
    /// A row holds what this program does not write.
    #[error("the ledger's row {row} is damaged: {what}")]
    Damaged {
        /// Which row.
        row: String,
        /// What is wrong with it.
        what: String,
    },
    /// The writer thread has ended.
    #[error("the ledger's writer has stopped")]
    Stopped,
}

/// Who opens the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The agent: a new epoch begins, and what is older is a dead agent's.
    Agent,
    /// Somebody beside it: the epoch stays.
    Beside,
}

type Task = Box<dyn FnOnce(&mut Connection) + std::marker::Send>;

/// A handle to the ledger; clones share the one writer.
#[derive(Clone)]
pub(crate) struct Ledger {
    tasks: mpsc::Sender<Task>,
    epoch: i64,
    boot: String,
    /// Where a test lets the process "die": the commit stands or not, and whoever asked never goes on.
    #[cfg(test)]
    pub(crate) halt: Option<std::sync::Arc<crate::agent::resources::tests::Halt>>,
}

impl Ledger {
    /// Opens the ledger of a state folder.
    ///
    /// # Errors
    /// `Missing` if somebody beside an agent asks for one that is not there; what the database says.
    pub(crate) fn open(folder: &Path, opening: Opening) -> Result<Self, Error> {
        let path = folder.join(FILE);
        if opening == Opening::Beside && !path.exists() {
            return Err(Error::Missing(folder.to_owned()));
        }
        let open = |error| Error::Open { path: path.clone(), error };
        let mut connection = Connection::open(&path).map_err(open)?;
        configure(&connection).map_err(open)?;
        let epoch = prepare(&mut connection, opening)?;
        let (tasks, queue) = mpsc::channel::<Task>();
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || queue.into_iter().for_each(|task| task(&mut connection)))
            .map_err(|_| Error::Stopped)?;
        Ok(Self {
            tasks,
            epoch,
            boot: boot_id(),
            #[cfg(test)]
            halt: None,
        })
    }

    /// Counts the agents that have had this ledger; rows carry the number of theirs.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The boot that this process runs in.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Looks something up.
    pub(super) async fn read<T, F>(&self, ask: F) -> Result<T, Error>
    where
        T: std::marker::Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + std::marker::Send + 'static,
    {
        self.run(move |connection| ask(connection)).await
    }

    /// Changes something, in one commit. `step` names the crash points before and after it.
    pub(super) async fn write<T, F>(&self, step: &'static str, change: F) -> Result<T, Error>
    where
        T: std::marker::Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, Error> + std::marker::Send + 'static,
    {
        #[cfg(test)]
        if let Some(halt) = &self.halt {
            halt.pass(&format!("ledger.{step}.before")).await;
        }
        let answer = self
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let answer = change(&transaction)?;
                boundary::pass(&format!("ledger.{step}.before"));
                transaction.commit()?;
                boundary::pass(&format!("ledger.{step}.after"));
                Ok(answer)
            })
            .await;
        #[cfg(test)]
        if let Some(halt) = &self.halt {
            halt.pass(&format!("ledger.{step}.after")).await;
        }
        answer
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: std::marker::Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Error> + std::marker::Send + 'static,
    {
        let (reply, answer) = mpsc::sync_channel(1);
        let task: Task = Box::new(move |connection| {
            // Whoever asked may be gone; the commit stands all the same.
            let _gone = reply.send(work(connection));
        });
        self.tasks.send(task).map_err(|_| Error::Stopped)?;
        // A blocking thread waits, so that tokio's paused clock does not run ahead while a commit is under way.
        let waited = tokio::task::spawn_blocking(move || answer.recv()).await;
        waited.map_err(|_| Error::Stopped)?.map_err(|_| Error::Stopped)?
    }

    /// Makes every later commit fail, as a full disk does.
    #[cfg(test)]
    pub(crate) async fn refuse_writes(&self, refuse: bool) {
        let on = if refuse { "ON" } else { "OFF" };
        let set = move |connection: &mut Connection| {
            Ok(connection.execute_batch(&format!("PRAGMA query_only = {on}"))?)
        };
        self.run(set).await.unwrap();
    }
}

/// Settings of a connection.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if boundary::sabotaged("ledger-unsynced") { "OFF" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Makes the tables where there are none, and begins an epoch if an agent opens. Answers the epoch.
fn prepare(connection: &mut Connection, opening: Opening) -> Result<i64, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        SCHEMA_VERSION => {}
        found => return Err(Error::TooNew { found }),
    }
    if opening == Opening::Agent {
        transaction.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'", [])?;
    }
    let epoch = transaction
        .query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::NoRow("epoch".to_owned()))?;
    boundary::pass("ledger.opened.before");
    transaction.commit()?;
    boundary::pass("ledger.opened.after");
    Ok(epoch)
}

/// The kernel's id of this boot; empty where there is none.
fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}
