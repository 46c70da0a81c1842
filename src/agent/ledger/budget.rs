// SPDX-License-Identifier: Apache-2.0
//! What was spent in an account on a day: dollars, blocks. A restart does not make it less.

use rusqlite::{OptionalExtension, params};
use snapscan_cloud::{AccountId, Timestamp};

use super::store::{Error, Ledger};

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Ledger {
    /// Adds to what was spent of something (such as `microdollars` or `blocks`) on the day of `now` (UTC), and answers
    /// the day's sum.
    ///
    /// # Errors
    /// What the database says; then it is not known to be recorded, and must not be spent.
    pub(crate) async fn spend(
        &self,
        account: &AccountId,
        what: &'static str,
        amount: u64,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let (account, day) = (account.clone(), now.0.div_euclid(DAY));
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        self.write("spent", move |db| {
            let sum: i64 = db.query_row(
                "INSERT INTO spent VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET amount = min(amount, 9223372036854775807 - ?4) + ?4 RETURNING amount",
                params![account.as_str(), day, what, amount],
                |row| row.get(0),
            )?;
            Ok(u64::try_from(sum).unwrap_or(0))
        })
        .await
    }

    /// What was spent on the day of `now`.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn spent(
        &self,
        account: &AccountId,
        what: &'static str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let (account, day) = (account.clone(), now.0.div_euclid(DAY));
        self.read(move |db| {
            let ask = "SELECT amount FROM spent WHERE account = ?1 AND day = ?2 AND what = ?3";
            let sum: Option<i64> =
                db.query_row(ask, params![account.as_str(), day, what], |row| row.get(0)).optional()?;
            Ok(u64::try_from(sum.unwrap_or(0)).unwrap_or(0))
        })
        .await
    }
}
