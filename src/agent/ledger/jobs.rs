// SPDX-License-Identifier: Apache-2.0
//! Jobs: was this message seen before, and how far did it come?
//!
//! The spool commit is the only point of no return: a row before it is undone by a restart, a row after it is finished.

use rusqlite::{Connection, Row, params};
use snapscan_cloud::Timestamp;
use snapscan_schema::{Disposition, Job};

use super::store::{Error, Ledger};

/// What to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing of it is here, or what was is undone: it runs.
    New,
    /// This very agent works on it: the new receipt handle is adopted, the message goes on its way with it.
    Alive,
    /// Its report is in the spool, from before a restart: it is handed over, then acked.
    Spooled {
        /// The report's SHA-256.
        digest: String,
    },
    /// It was handed over: acked.
    HandedOver,
    /// The same id with another target, account, region or profile: buried.
    Poison {
        /// In what it differs.
        reason: String,
    },
    /// It failed for good before, and somebody sent it again: it runs again.
    PermanentBefore,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobState {
    /// Its message was seen.
    Seen,
    /// It is worked on: its target may have been touched.
    Working,
    /// Its report is in the spool.
    Spooled {
        /// The report's SHA-256.
        digest: String,
    },
    /// Its report or outcome is where it outlives this instance.
    HandedOver,
    /// Its message was acked.
    Done(Disposition),
}

impl JobState {
    /// Its stable name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            JobState::Seen => "seen",
            JobState::Working => "working",
            JobState::Spooled { .. } => "spooled",
            JobState::HandedOver => "handed over",
            JobState::Done(_) => "done",
        }
    }
}

/// A row of the ledger.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JobRow {
    /// The job's id.
    pub(crate) id: String,
    /// Its target, as JSON.
    pub(crate) target: String,
    /// Its account; empty for local targets.
    pub(crate) account: String,
    /// Its region; empty for local targets.
    pub(crate) region: String,
    /// Its profile.
    pub(crate) profile: String,
    /// The attempt of the message.
    pub(crate) attempt: u32,
    /// With which its message is deleted or kept hidden.
    pub(crate) receipt: String,
    /// The boot in which it was seen last.
    pub(crate) boot: String,
    /// The agent that saw it last.
    pub(crate) epoch: i64,
    /// How far it is.
    pub(crate) state: JobState,
    /// When it was seen first.
    pub(crate) seen: Timestamp,
    /// When the row was changed last.
    pub(crate) changed: Timestamp,
}

impl std::fmt::Debug for JobRow {
    /// Without the receipt handle, which is a right to the message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, attempt, epoch, state, .. } = self;
        write!(f, "JobRow {{ {id}, attempt {attempt}, epoch {epoch}, {state:?} }}")
    }
}

impl Ledger {
    /// Writes down that a message came, and says what to do with it.
    ///
    /// # Errors
    /// What the database says; then the message stays on the queue.
    pub(crate) async fn job_seen(&self, job: &Job, receipt: &str, now: Timestamp) -> Result<Seen, Error> {
        let target = serde_json::to_string(&job.target)
            .map_err(|error| Error::Damaged { row: format!("job {}", job.id), what: error.to_string() })?;
        let fresh = JobRow {
            id: job.id.clone(),
            target,
            account: job.account.clone().unwrap_or_default(),
            region: job.region.clone().unwrap_or_default(),
            profile: job.profile.clone(),
            attempt: job.attempt,
            receipt: receipt.to_owned(),
            boot: self.boot().to_owned(),
            epoch: self.epoch(),
            state: JobState::Seen,
            seen: now,
            changed: now,
        };
        self.write("job-seen", move |db| {
            let Some(old) = find(db, &fresh.id)? else {
                put(db, &fresh)?;
                return Ok(Seen::New);
            };
            let seen = compare(&old, &fresh);
            match &seen {
                // The row is the other job's, the one that was here first.
                Seen::Poison { .. } => {}
                Seen::New | Seen::PermanentBefore => put(db, &JobRow { seen: old.seen, ..fresh })?,
                Seen::Alive | Seen::Spooled { .. } | Seen::HandedOver => {
                    put(db, &JobRow { state: old.state, seen: old.seen, ..fresh })?;
                }
            }
            Ok(seen)
        })
        .await
    }

    /// Takes a newer receipt handle for a job's message.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    pub(crate) async fn set_receipt(&self, job: &str, receipt: &str, now: Timestamp) -> Result<(), Error> {
        let (job, receipt) = (job.to_owned(), receipt.to_owned());
        self.write("receipt", move |db| {
            let set = "UPDATE jobs SET receipt = ?2, changed = ?3 WHERE id = ?1";
            one(db.execute(set, params![job, receipt, now.0])?, &job)
        })
        .await
    }

    /// The job is worked on: its target may be touched from now on.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    pub(crate) async fn working(&self, job: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state("working", job, JobState::Working, now).await
    }

    /// The job's report is in the spool: the point of no return.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    pub(crate) async fn spooled(&self, job: &str, digest: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state("spooled", job, JobState::Spooled { digest: digest.to_owned() }, now).await
    }

    /// The job's report or outcome is where it outlives this instance.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    pub(crate) async fn handed_over(&self, job: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state("handed-over", job, JobState::HandedOver, now).await
    }

    /// The job's message is off the queue.
    ///
    /// # Errors
    /// `NoRow`; what the database says.
    pub(crate) async fn done(
        &self,
        job: &str,
        disposition: &Disposition,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.set_state("done", job, JobState::Done(disposition.clone()), now).await
    }

    /// One job.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn job(&self, id: &str) -> Result<Option<JobRow>, Error> {
        let id = id.to_owned();
        self.read(move |db| find(db, &id)).await
    }

    /// All jobs, the one changed last first.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn jobs(&self) -> Result<Vec<JobRow>, Error> {
        self.read(|db| {
            let mut rows = db.prepare_cached("SELECT * FROM jobs ORDER BY changed DESC, id")?;
            let mut rows = rows.query([])?;
            let mut jobs = Vec::new();
            while let Some(row) = rows.next()? {
                jobs.push(job(row)?);
            }
            Ok(jobs)
        })
        .await
    }

    /// Forgets what nobody asks for any more. The queue forgets a message after 14 days, so `before` is longer ago.
    ///
    /// | row | goes if |
    /// |---|---|
    /// | job | its message was settled before this instant, and no intent of it is left that is not closed |
    /// | intent | closed, with nothing left, and its call was over before this instant |
    /// | spending | of a day before this one |
    ///
    /// So a job that is seen, worked on, in the spool or not acked stays however old it is, and so does whatever is, or
    /// may be, held. A message that comes all the same is a new job's: it costs a scan, and finds its delivery done.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn forget(&self, before: Timestamp) -> Result<(), Error> {
        self.write("forgot", move |db| {
            db.execute(
                "DELETE FROM intents WHERE state = 'closed' AND until_time < ?1
                 AND NOT EXISTS (SELECT 1 FROM made WHERE made.intent = intents.seq AND made.gone IS NULL)",
                [before.0],
            )?;
            db.execute(
                "DELETE FROM jobs WHERE state = 'done' AND changed < ?1
                 AND NOT EXISTS (SELECT 1 FROM intents WHERE intents.job = jobs.id AND intents.state != 'closed')",
                [before.0],
            )?;
            db.execute("DELETE FROM spent WHERE day < ?1", [before.0.div_euclid(86_400)])?;
            Ok(())
        })
        .await
    }

    async fn set_state(
        &self,
        step: &'static str,
        id: &str,
        state: JobState,
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = id.to_owned();
        self.write(step, move |db| {
            let old = find(db, &id)?.ok_or_else(|| Error::NoRow(format!("job {id}")))?;
            put(db, &JobRow { state, changed: now, ..old })
        })
        .await
    }
}

/// What a message means beside the row that is there.
fn compare(old: &JobRow, fresh: &JobRow) -> Seen {
    let fields = [
        ("target", &old.target, &fresh.target),
        ("account", &old.account, &fresh.account),
        ("region", &old.region, &fresh.region),
        ("profile", &old.profile, &fresh.profile),
    ];
    if let Some((field, ..)) = fields.iter().find(|(_, old, fresh)| old != fresh) {
        return Seen::Poison {
            reason: format!("a job with id {} and another {field} was here before", old.id),
        };
    }
    let is_mine = old.epoch == fresh.epoch;
    match &old.state {
        JobState::HandedOver | JobState::Done(Disposition::Complete | Disposition::Partial) => {
            Seen::HandedOver
        }
        JobState::Done(Disposition::Permanent { .. }) => Seen::PermanentBefore,
        JobState::Done(Disposition::Retry { .. } | Disposition::Poison { .. }) => Seen::New,
        JobState::Seen | JobState::Working | JobState::Spooled { .. } if is_mine => Seen::Alive,
        JobState::Spooled { digest } => Seen::Spooled { digest: digest.clone() },
        JobState::Seen | JobState::Working => Seen::New,
    }
}

fn put(db: &Connection, row: &JobRow) -> Result<(), Error> {
    let (digest, disposition) = match &row.state {
        JobState::Spooled { digest } => (Some(digest), None),
        JobState::Done(disposition) => (None, Some(serde_json::json!(disposition).to_string())),
        _ => (None, None),
    };
    db.execute(
        "INSERT OR REPLACE INTO jobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            row.id,
            row.target,
            row.account,
            row.region,
            row.profile,
            row.attempt,
            row.receipt,
            row.boot,
            row.epoch,
            row.state.name(),
            digest,
            disposition,
            row.seen.0,
            row.changed.0
        ],
    )?;
    Ok(())
}

fn one(changed: usize, job: &str) -> Result<(), Error> {
    if changed == 0 { Err(Error::NoRow(format!("job {job}"))) } else { Ok(()) }
}

fn find(db: &Connection, id: &str) -> Result<Option<JobRow>, Error> {
    let mut rows = db.prepare_cached("SELECT * FROM jobs WHERE id = ?1")?;
    let mut rows = rows.query([id])?;
    rows.next()?.map(job).transpose()
}

fn job(row: &Row<'_>) -> Result<JobRow, Error> {
    let id: String = row.get("id")?;
    let damaged = |what: &str| Error::Damaged { row: format!("job {id}"), what: what.to_owned() };
    let name: String = row.get("state")?;
    let state = match name.as_str() {
        "seen" => JobState::Seen,
        "working" => JobState::Working,
        "spooled" => JobState::Spooled { digest: row.get("digest")? },
        "handed over" => JobState::HandedOver,
        "done" => {
            let text: String = row.get("disposition")?;
            JobState::Done(serde_json::from_str(&text).map_err(|_| damaged("disposition"))?)
        }
        _ => return Err(damaged("state")),
    };
    Ok(JobRow {
        target: row.get("target")?,
        account: row.get("account")?,
        region: row.get("region")?,
        profile: row.get("profile")?,
        attempt: row.get("attempt")?,
        receipt: row.get("receipt")?,
        boot: row.get("boot")?,
        epoch: row.get("epoch")?,
        state,
        seen: Timestamp(row.get("seen")?),
        changed: Timestamp(row.get("changed")?),
        id,
    })
}
