// SPDX-License-Identifier: Apache-2.0
//! Intents as rows of the database.

use rusqlite::{Connection, Row, Transaction, params};
use snapscan_cloud::{AccountId, IntentId, Region, Timestamp};

use super::event::{Event, Kind, State, Step, Trouble};
use super::intents::{Intent, Made, NewIntent, Tally};
use super::store::{Error, Ledger};

impl Ledger {
    /// Writes down what is about to be made, before anything is asked of a cloud.
    ///
    /// # Errors
    /// What the database says; then nothing may be made.
    pub(crate) async fn plan(&self, new: NewIntent, now: Timestamp) -> Result<Intent, Error> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        self.plan_as(&id, new, now).await
    }

    /// Writes an intent down under an id that is already chosen.
    ///
    /// # Errors
    /// What the database says; then nothing may be made.
    pub(crate) async fn plan_as(&self, id: &str, new: NewIntent, now: Timestamp) -> Result<Intent, Error> {
        let id = id.to_owned();
        let (boot, epoch) = (self.boot().to_owned(), self.epoch());
        self.write(Step::Planned.name(), move |db| {
            db.execute(
                "INSERT INTO intents (id, kind, account, region, job, sources, about, expected, state, boot, epoch,
                     planned, from_time, until_time, deadline, lookups)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12, ?12, 0)",
                params![
                    id,
                    new.kind.name(),
                    new.account.as_str(),
                    new.region.as_str(),
                    new.job,
                    serde_json::json!(new.sources).to_string(),
                    new.about,
                    new.expected,
                    State::Planned.name(),
                    boot,
                    epoch,
                    now.0
                ],
            )?;
            load(db, &id)
        })
        .await
    }

    /// Writes down what happened to an intent, and answers the row as it is then.
    ///
    /// # Errors
    /// `Illegal` if the table of changes does not have it; what the database says.
    pub(crate) async fn advance(&self, id: &IntentId, event: Event) -> Result<Intent, Error> {
        let id = id.clone();
        self.write(event.step().name(), move |db| {
            let intent = load(db, id.as_str())?.after(&event)?;
            save(db, &intent)?;
            Ok(intent)
        })
        .await
    }

    /// One intent.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    #[cfg(test)]
    pub(crate) async fn intent(&self, id: &IntentId) -> Result<Intent, Error> {
        let id = id.clone();
        self.read(move |db| load(db, id.as_str())).await
    }

    /// The open intents of a job, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn open_of(&self, job: &str) -> Result<Vec<Intent>, Error> {
        let job = job.to_owned();
        self.read(move |db| {
            select(db, "WHERE job = ?1 AND state NOT IN ('closed', 'orphaned') ORDER BY seq DESC", &job)
        })
        .await
    }

    /// The open intents that agents before `epoch` planned, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn open_before(&self, epoch: i64) -> Result<Vec<Intent>, Error> {
        self.read(move |db| {
            select(db, "WHERE epoch < ?1 AND state NOT IN ('closed', 'orphaned') ORDER BY seq DESC", &epoch)
        })
        .await
    }

    /// All intents, newest first; only open and orphaned ones unless `all` is asked for.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn intents(&self, all: bool) -> Result<Vec<Intent>, Error> {
        self.read(move |db| select(db, "WHERE ?1 OR state != 'closed' ORDER BY seq DESC", &all)).await
    }

    /// The intents that made this thing (a snapshot, a copy, a volume), newest first.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn makers(&self, id: &str) -> Result<Vec<Intent>, Error> {
        let id = id.to_owned();
        self.read(move |db| {
            let clause = "WHERE seq IN (SELECT intent FROM made WHERE made.id = ?1)
                AND kind IN ('snapshot set', 'snapshot', 'copy', 'volume') ORDER BY seq DESC";
            select(db, clause, &id)
        })
        .await
    }

    /// Sums over all rows.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn tally(&self) -> Result<Tally, Error> {
        let rows = self.intents(true).await?;
        let mut tally = Tally::default();
        for row in &rows {
            let held = row.held().count() as u64;
            tally.made += row.made.len() as u64;
            tally.held += held;
            tally.released += row.made.len() as u64 - held;
            tally.unresolved += u64::from(matches!(row.state, State::Called | State::Unknown));
            tally.loud += u64::from(row.is_loud());
        }
        Ok(tally)
    }
}

/// Writes what an event may have changed.
fn save(db: &Transaction<'_>, intent: &Intent) -> Result<(), Error> {
    db.execute(
        "UPDATE intents SET state = ?2, expected = ?3, from_time = ?4, until_time = ?5, deadline = ?6, lookups = ?7,
             first_look = ?8, last_look = ?9, trouble = ?10, trouble_since = ?11, why = ?12 WHERE seq = ?1",
        params![
            intent.seq,
            intent.state.name(),
            intent.expected,
            intent.from.0,
            intent.until.0,
            intent.deadline.0,
            intent.lookups,
            intent.looks.map(|looks| looks.0.0),
            intent.looks.map(|looks| looks.1.0),
            intent.trouble.map(|trouble| trouble.0.name()),
            intent.trouble.map(|trouble| trouble.1.0),
            intent.why
        ],
    )?;
    let mut put = db.prepare_cached("INSERT OR REPLACE INTO made VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for made in &intent.made {
        let time = |time: Option<Timestamp>| time.map(|time| time.0);
        let times = (time(made.seen), time(made.deleted), time(made.absent), time(made.gone));
        put.execute(params![intent.seq, made.id, times.0, times.1, times.2, times.3])?;
    }
    Ok(())
}

fn load(db: &Connection, id: &str) -> Result<Intent, Error> {
    let found = select(db, "WHERE id = ?1", &id)?;
    found.into_iter().next().ok_or_else(|| Error::NoRow(format!("intent {id}")))
}

fn select(db: &Connection, clause: &str, value: &dyn rusqlite::ToSql) -> Result<Vec<Intent>, Error> {
    let mut rows = db.prepare_cached(&format!("SELECT * FROM intents {clause}"))?;
    let mut rows = rows.query([value])?;
    let mut intents = Vec::new();
    while let Some(row) = rows.next()? {
        intents.push(intent(db, row)?);
    }
    Ok(intents)
}

fn intent(db: &Connection, row: &Row<'_>) -> Result<Intent, Error> {
    let name: String = row.get("id")?;
    let damaged = |what: &str| Error::Damaged { row: format!("intent {name}"), what: what.to_owned() };
    let text = |column: &str| row.get::<_, String>(column);
    let time = |column: &str| row.get::<_, i64>(column).map(Timestamp);
    let maybe = |column: &str| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp));
    let trouble: Option<String> = row.get("trouble")?;
    let seq = row.get("seq")?;
    Ok(Intent {
        seq,
        id: IntentId::parse(&name).ok_or_else(|| damaged("id"))?,
        kind: Kind::find(&text("kind")?).ok_or_else(|| damaged("kind"))?,
        account: AccountId::parse(&text("account")?).ok_or_else(|| damaged("account"))?,
        region: Region::parse(&text("region")?).ok_or_else(|| damaged("region"))?,
        job: text("job")?,
        sources: serde_json::from_str(&text("sources")?).map_err(|_| damaged("sources"))?,
        about: text("about")?,
        expected: row.get("expected")?,
        state: State::find(&text("state")?).ok_or_else(|| damaged("state"))?,
        boot: text("boot")?,
        epoch: row.get("epoch")?,
        planned: time("planned")?,
        from: time("from_time")?,
        until: time("until_time")?,
        deadline: time("deadline")?,
        lookups: row.get("lookups")?,
        looks: maybe("first_look")?.zip(maybe("last_look")?),
        trouble: trouble.and_then(|name| Trouble::find(&name)).zip(maybe("trouble_since")?),
        why: row.get::<_, Option<String>>("why")?.unwrap_or_default(),
        made: made(db, seq)?,
    })
}

fn made(db: &Connection, seq: i64) -> Result<Vec<Made>, Error> {
    let mut rows = db.prepare_cached("SELECT * FROM made WHERE intent = ?1 ORDER BY id")?;
    let made = rows.query_map([seq], |row| {
        let maybe = |column: &str| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp));
        Ok(Made {
            id: row.get("id")?,
            seen: maybe("seen")?,
            deleted: maybe("deleted")?,
            absent: maybe("absent")?,
            gone: maybe("gone")?,
        })
    })?;
    Ok(made.collect::<rusqlite::Result<_>>()?)
}
