// SPDX-License-Identifier: Apache-2.0
//! What was spent in an account on a day. A restart does not make it less.
//!
//! An amount is [reserved](Ledger::reserve) before it is spent, and what was not needed is [given back](Ledger::give_back)
//! after it. A process that dies in between has counted too much, by one step a job, and never too little: a job that ends
//! the agent each time cannot spend without end.

use rusqlite::{Connection, OptionalExtension, params};
use snapscan_cloud::{AccountId, Timestamp};

use super::store::{Error, Ledger};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Something that has a ceiling for each account and day (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Whose.
    pub(crate) account: AccountId,
    /// Of what, such as `microdollars`.
    pub(crate) what: &'static str,
    /// As much as may be spent on a day.
    pub(crate) ceiling: u64,
}

/// What may be spent, because it is counted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reserved {
    /// How much.
    pub(crate) amount: u64,
    /// As part of which day, counted from 1970.
    pub(crate) day: i64,
}

impl Ledger {
    /// Counts up to `most` as spent on the day of `now`: less where the ceiling is nearer, nothing where it is reached.
    ///
    /// # Errors
    /// What the database says; then it is not known to be counted, and must not be spent.
    pub(crate) async fn reserve(
        &self,
        budget: &Allowance,
        most: u64,
        now: Timestamp,
    ) -> Result<Reserved, Error> {
        let (budget, day) = (budget.clone(), now.0.div_euclid(DAY));
        self.write("spent", move |db| {
            let spent = spent(db, &budget, day)?;
            let amount = budget.ceiling.saturating_sub(spent).min(most);
            if amount > 0 {
                set(db, &budget, day, spent.saturating_add(amount))?;
            }
            Ok(Reserved { amount, day })
        })
        .await
    }

    /// Counts this part of what was reserved as not spent after all.
    ///
    /// # Errors
    /// What the database says; then it stays counted.
    pub(crate) async fn give_back(&self, budget: &Allowance, unspent: Reserved) -> Result<(), Error> {
        let budget = budget.clone();
        self.write("spent", move |db| {
            let spent = spent(db, &budget, unspent.day)?;
            // A day that is forgotten has nothing that could be given back.
            if spent > 0 {
                set(db, &budget, unspent.day, spent.saturating_sub(unspent.amount))?;
            }
            Ok(())
        })
        .await
    }

    /// What was spent or is reserved on the day of `now`.
    ///
    /// # Errors
    /// What the database says.
    #[cfg(test)]
    pub(crate) async fn spent(&self, budget: &Allowance, now: Timestamp) -> Result<u64, Error> {
        let (budget, day) = (budget.clone(), now.0.div_euclid(DAY));
        self.read(move |db| spent(db, &budget, day)).await
    }
}

fn spent(db: &Connection, budget: &Allowance, day: i64) -> Result<u64, Error> {
    let ask = "SELECT amount FROM spent WHERE account = ?1 AND day = ?2 AND what = ?3";
    let key = params![budget.account.as_str(), day, budget.what];
    let sum: Option<i64> = db.query_row(ask, key, |row| row.get(0)).optional()?;
    Ok(u64::try_from(sum.unwrap_or(0)).unwrap_or(0))
}

fn set(db: &Connection, budget: &Allowance, day: i64, amount: u64) -> Result<(), Error> {
    let amount = i64::try_from(amount).unwrap_or(i64::MAX);
    let row = params![budget.account.as_str(), day, budget.what, amount];
    db.execute("INSERT OR REPLACE INTO spent VALUES (?1, ?2, ?3, ?4)", row)?;
    Ok(())
}
