// SPDX-License-Identifier: Apache-2.0
//! The log of a local cloud: what was made, changed and removed, and what was tried in vain.
//!
//! The crash test's judge and the bill made by hand read this, and nothing that the agent itself says. The log also
//! answers how long each thing existed and how often each action was asked for.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, params};

use super::store::{signed, unsigned};
use crate::{Action, Scope};

/// What an event says about its things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// They exist from now on.
    Made,
    /// They changed.
    Changed,
    /// They are gone from now on.
    Gone,
    /// The call was answered; what it set going is told by a later event, or it changed nothing.
    Answered,
    /// The call was refused.
    Refused,
}

impl EventKind {
    const ALL: [EventKind; 5] =
        [EventKind::Made, EventKind::Changed, EventKind::Gone, EventKind::Answered, EventKind::Refused];

    fn name(self) -> &'static str {
        match self {
            EventKind::Made => "made",
            EventKind::Changed => "changed",
            EventKind::Gone => "gone",
            EventKind::Answered => "answered",
            EventKind::Refused => "refused",
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts the entries; their order is that of the transactions.
    pub seq: u64,
    /// When, in milliseconds of the clock since 1970. What happens by itself has the time at which it was due.
    pub at: u64,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The session's purpose; empty for what happened by itself.
    pub purpose: String,
    /// The job.
    pub job: String,
    /// The action, such as `ec2:DeleteSnapshot`.
    pub action: String,
    /// What happened.
    pub kind: EventKind,
    /// The things: ids, keys of objects and rows, numbers of messages.
    pub ids: Vec<String>,
    /// Why it was refused.
    pub code: Option<String>,
    /// Size of what was made or is gone.
    pub size_gib: u64,
}

/// How long something existed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What.
    pub id: String,
    /// The account.
    pub account: String,
    /// The job that made it.
    pub job: String,
    /// Its size in GiB.
    pub size_gib: u64,
    /// When it was made, in milliseconds since 1970.
    pub made: u64,
    /// When it was gone, if it is.
    pub gone: Option<u64>,
}

impl Span {
    /// Seconds for which it existed until `now`, in milliseconds since 1970.
    pub fn seconds(&self, now: u64) -> u64 {
        self.gone.unwrap_or(now).saturating_sub(self.made) / 1000
    }
}

/// How often something was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The account that was acted in.
    pub account: String,
    /// The job.
    pub job: String,
    /// The action, such as `ebs:GetSnapshotBlock`.
    pub action: String,
    /// How often, refused ones included.
    pub calls: u64,
}

/// What a call has done to things, before it is written down.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) at: u64,
    pub(super) kind: EventKind,
    pub(super) ids: Vec<String>,
    pub(super) size_gib: u64,
}

/// True if calls of this kind are logged even where they change nothing.
pub(super) fn is_logged(action: Action) -> bool {
    let own = matches!(
        action,
        Action::ExtendLease
            | Action::DeleteMessage
            | Action::Send
            | Action::Bury
            | Action::PutObject
            | Action::DeleteObject
            | Action::PutRow
            | Action::DeleteRow
    );
    own || action.changes()
}

/// Writes an entry; `asked` is false for what happened by itself.
pub(super) fn append(
    tx: &Transaction<'_>,
    scope: &Scope,
    asked: bool,
    action: &str,
    happened: &Happened,
    code: Option<&str>,
) -> rusqlite::Result<()> {
    let purpose = if asked { format!("{:?}", scope.purpose) } else { String::new() };
    tx.prepare_cached(
        "INSERT INTO events(at, account, region, purpose, job, action, kind, ids, code, size_gib)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        signed(happened.at),
        scope.account.as_str(),
        scope.region.as_str(),
        purpose,
        scope.job,
        action,
        happened.kind.name(),
        happened.ids.join("\n"),
        code,
        signed(happened.size_gib),
    ])?;
    Ok(())
}

/// Counts a call.
pub(super) fn count(tx: &Transaction<'_>, scope: &Scope, action: Action) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO counts VALUES(?1, ?2, ?3, 1) ON CONFLICT(account, job, action) DO UPDATE SET n = n + 1",
    )?
    .execute(params![scope.account.as_str(), scope.job, action.name()])?;
    Ok(())
}

/// The whole log of the cloud in `folder`, oldest first.
///
/// # Errors
/// What the database answers.
pub fn events(folder: &Path) -> rusqlite::Result<Vec<Event>> {
    let Some(database) = look(folder)? else { return Ok(Vec::new()) };
    let mut select = database.prepare(
        "SELECT seq, at, account, region, purpose, job, action, kind, ids, code, size_gib FROM events ORDER BY seq",
    )?;
    let rows = select.query_map([], |row| {
        let (kind, ids): (String, String) = (row.get(7)?, row.get(8)?);
        Ok(Event {
            seq: unsigned(row.get(0)?),
            at: unsigned(row.get(1)?),
            account: row.get(2)?,
            region: row.get(3)?,
            purpose: row.get(4)?,
            job: row.get(5)?,
            action: row.get(6)?,
            kind: EventKind::ALL.into_iter().find(|it| it.name() == kind).unwrap_or(EventKind::Answered),
            ids: ids.lines().map(str::to_owned).collect(),
            code: row.get(9)?,
            size_gib: unsigned(row.get(10)?),
        })
    })?;
    rows.collect()
}

/// How long each snapshot and each volume existed that was made since the cloud was begun, in the order of their making.
pub fn spans(events: &[Event]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let lasting = |id: &&String| id.starts_with("snap-") || id.starts_with("vol-");
    for event in events {
        for id in event.ids.iter().filter(lasting) {
            match (event.kind, places.get(id.as_str()).and_then(|&place| spans.get_mut(place))) {
                (EventKind::Made, None) => {
                    places.insert(id, spans.len());
                    spans.push(Span {
                        id: id.clone(),
                        account: event.account.clone(),
                        job: event.job.clone(),
                        size_gib: event.size_gib,
                        made: event.at,
                        gone: None,
                    });
                }
                (EventKind::Gone, Some(span)) => span.gone = span.gone.or(Some(event.at)),
                _ => {}
            }
        }
    }
    spans
}

/// How often each action was asked for, by account and job.
///
/// # Errors
/// What the database answers.
pub fn counts(folder: &Path) -> rusqlite::Result<Vec<Count>> {
    let Some(database) = look(folder)? else { return Ok(Vec::new()) };
    let mut select =
        database.prepare("SELECT account, job, action, n FROM counts ORDER BY account, job, action")?;
    let rows = select.query_map([], |row| {
        Ok(Count {
            account: row.get(0)?,
            job: row.get(1)?,
            action: row.get(2)?,
            calls: unsigned(row.get(3)?),
        })
    })?;
    rows.collect()
}

/// The messages that nobody could use: body and reason, oldest first.
///
/// # Errors
/// What the database answers.
pub fn dead_letters(folder: &Path) -> rusqlite::Result<Vec<(String, String)>> {
    let Some(database) = look(folder)? else { return Ok(Vec::new()) };
    let mut select = database.prepare("SELECT body, reason FROM dead ORDER BY seq")?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Opens the database to look only; `None` if nothing ever happened in this folder.
fn look(folder: &Path) -> rusqlite::Result<Option<Connection>> {
    let path = folder.join("state.sqlite");
    if !path.exists() {
        return Ok(None);
    }
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map(Some)
}
