// SPDX-License-Identifier: Apache-2.0
//! The database that holds what was made, changed or deleted since the files were written.
//!
//! A row hides the thing of the same id in the files; a row without a body says that the thing is gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::records::{SnapshotRecord, VolumeRecord};
use super::world::World;
use crate::ec2::Tags;
use crate::{AccountId, Region};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS snapshots(id TEXT PRIMARY KEY, due INTEGER, body TEXT);
    CREATE INDEX IF NOT EXISTS snapshots_due ON snapshots(due) WHERE due IS NOT NULL;
    CREATE TABLE IF NOT EXISTS volumes(id TEXT PRIMARY KEY, due INTEGER, body TEXT);
    CREATE INDEX IF NOT EXISTS volumes_due ON volumes(due) WHERE due IS NOT NULL;
    CREATE TABLE IF NOT EXISTS tokens(
        account TEXT, region TEXT, token TEXT, request TEXT, volume TEXT, PRIMARY KEY(account, region, token));
    CREATE TABLE IF NOT EXISTS starts(volume TEXT PRIMARY KEY, at INTEGER);
    CREATE TABLE IF NOT EXISTS messages(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, sent INTEGER, visible INTEGER, received INTEGER,
        receipt TEXT, deliveries INTEGER);
    CREATE TABLE IF NOT EXISTS dead(seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, reason TEXT, at INTEGER);
    CREATE TABLE IF NOT EXISTS objects(key TEXT PRIMARY KEY, size INTEGER, stored INTEGER);
    CREATE TABLE IF NOT EXISTS rows(key TEXT PRIMARY KEY, version INTEGER, value TEXT, expires INTEGER);
    CREATE TABLE IF NOT EXISTS protected(instance TEXT PRIMARY KEY, protect INTEGER);
    CREATE TABLE IF NOT EXISTS numbers(name TEXT PRIMARY KEY, value INTEGER);
    CREATE TABLE IF NOT EXISTS counts(
        account TEXT, job TEXT, action TEXT, n INTEGER, PRIMARY KEY(account, job, action));
    CREATE TABLE IF NOT EXISTS events(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, account TEXT, region TEXT, purpose TEXT, job TEXT,
        action TEXT, kind TEXT, ids TEXT, code TEXT, size_gib INTEGER);
";

/// Opens the database of a folder, and makes it if there is none.
pub(super) fn open(folder: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(folder.join("state.sqlite"))?;
    database.busy_timeout(Duration::from_secs(60))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    let known: i64 = database.query_row(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'events'",
        [],
        |row| row.get(0),
    )?;
    if known == 0 {
        database.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
    }
    Ok(database)
}

/// Something that is kept: a snapshot or a volume.
pub(super) trait Kept: Serialize + DeserializeOwned + Clone {
    /// Its table.
    const TABLE: &'static str;
    /// Those in the files, by id.
    fn given(world: &World) -> BTreeMap<String, &Self>;
    /// The one of this id in the files.
    fn given_one<'w>(world: &'w World, id: &str) -> Option<&'w Self>;
    fn id(&self) -> &str;
    fn account(&self) -> &AccountId;
    fn region(&self) -> Option<&Region>;
    fn tags(&self) -> &Tags;
    /// When something happens to it by itself.
    fn due(&self) -> Option<u64>;
}

impl Kept for SnapshotRecord {
    const TABLE: &'static str = "snapshots";

    fn given(world: &World) -> BTreeMap<String, &Self> {
        world.snapshots.iter().map(|(id, record)| (id.to_string(), record)).collect()
    }

    fn given_one<'w>(world: &'w World, id: &str) -> Option<&'w Self> {
        world.snapshots.get(&crate::SnapshotId::parse(id)?)
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn due(&self) -> Option<u64> {
        self.deleting.then_some(self.ready)
    }
}

impl Kept for VolumeRecord {
    const TABLE: &'static str = "volumes";

    fn given(world: &World) -> BTreeMap<String, &Self> {
        world.volumes.iter().map(|(id, record)| (id.to_string(), record)).collect()
    }

    fn given_one<'w>(world: &'w World, id: &str) -> Option<&'w Self> {
        world.volumes.get(&crate::VolumeId::parse(id)?)
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn due(&self) -> Option<u64> {
        let attached = self.attachment.as_ref().filter(|at| !at.shown).map(|at| at.attached);
        let detached = self.attachment.as_ref().and_then(|at| at.detached);
        [self.ghost, self.deleted, attached, detached].into_iter().flatten().min()
    }
}

/// The thing of this id, if it is there.
pub(super) fn get<T: Kept>(tx: &Transaction<'_>, world: &World, id: &str) -> rusqlite::Result<Option<T>> {
    let mut select = tx.prepare_cached(&format!("SELECT body FROM {} WHERE id = ?1", T::TABLE))?;
    match select.query_row([id], |row| row.get::<_, Option<String>>(0)).optional()? {
        Some(Some(body)) => Ok(Some(parse(&body)?)),
        Some(None) => Ok(None),
        None => Ok(T::given_one(world, id).cloned()),
    }
}

/// All things, by id.
pub(super) fn all<T: Kept>(tx: &Transaction<'_>, world: &World) -> rusqlite::Result<BTreeMap<String, T>> {
    let given = T::given(world).into_iter();
    let mut things: BTreeMap<String, T> = given.map(|(id, thing)| (id, thing.clone())).collect();
    let mut select = tx.prepare_cached(&format!("SELECT id, body FROM {}", T::TABLE))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        match row.get::<_, Option<String>>(1)? {
            Some(body) => things.insert(id, parse(&body)?),
            None => things.remove(&id),
        };
    }
    Ok(things)
}

/// The things to which something happens until `now`, the earliest first.
pub(super) fn due<T: Kept>(tx: &Transaction<'_>, now: u64) -> rusqlite::Result<Vec<T>> {
    let mut select =
        tx.prepare_cached(&format!("SELECT body FROM {} WHERE due <= ?1 ORDER BY due, id", T::TABLE))?;
    let bodies = select.query_map([signed(now)], |row| row.get::<_, String>(0))?;
    bodies.map(|body| parse(&body?)).collect()
}

/// Keeps a thing, or what has become of it.
pub(super) fn put<T: Kept>(tx: &Transaction<'_>, thing: &T) -> rusqlite::Result<()> {
    let body = serde_json::to_string(thing).map_err(wrap)?;
    tx.prepare_cached(&format!("INSERT OR REPLACE INTO {}(id, due, body) VALUES(?1, ?2, ?3)", T::TABLE))?
        .execute(params![thing.id(), thing.due().map(signed), body])?;
    Ok(())
}

/// Removes a thing.
pub(super) fn remove<T: Kept>(tx: &Transaction<'_>, world: &World, id: &str) -> rusqlite::Result<()> {
    let sql = match T::given_one(world, id) {
        Some(_) => format!("INSERT OR REPLACE INTO {}(id, due, body) VALUES(?1, NULL, NULL)", T::TABLE),
        None => format!("DELETE FROM {} WHERE id = ?1", T::TABLE),
    };
    tx.execute(&sql, [id])?;
    Ok(())
}

/// The next number of a name: 1, 2, 3 …
pub(super) fn number(tx: &Transaction<'_>, name: &str) -> rusqlite::Result<u64> {
    tx.execute(
        "INSERT INTO numbers VALUES(?1, 1) ON CONFLICT(name) DO UPDATE SET value = value + 1",
        [name],
    )?;
    tx.query_row("SELECT value FROM numbers WHERE name = ?1", [name], |row| row.get(0)).map(unsigned)
}

/// The last number of a name that was given; 0 if none was.
pub(super) fn last_number(tx: &Transaction<'_>, name: &str) -> rusqlite::Result<u64> {
    let last =
        tx.query_row("SELECT value FROM numbers WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    Ok(unsigned(last.unwrap_or(0)))
}

fn parse<T: DeserializeOwned>(body: &str) -> rusqlite::Result<T> {
    serde_json::from_str(body).map_err(wrap)
}

fn wrap(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

/// As the database keeps numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As they are.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
