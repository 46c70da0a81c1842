// SPDX-License-Identifier: Apache-2.0
//! How the conditional table answers.

use rusqlite::{OptionalExtension, params};

use super::call::{Said, Turn, refuse};
use super::events::EventKind;
use super::store::{signed, unsigned};
use crate::Timestamp;
use crate::ec2::Page;
use crate::table::{DeleteRow, GetRow, ListRows, PutRow, Row};

impl Turn<'_> {
    pub(super) fn get_row(&self, call: &GetRow) -> Said<Option<Row>> {
        Ok(self.row(&call.key)?.filter(|row| self.is_alive(row)))
    }

    /// A row that follows an expired one goes on counting, so that nobody takes it for the one they knew.
    pub(super) fn put_row(&mut self, call: &PutRow) -> Said<bool> {
        if call.key.is_empty() {
            return refuse("ValidationException", "a row's key is empty");
        }
        let there = self.row(&call.key)?;
        let alive = there.as_ref().filter(|row| self.is_alive(row)).map(|row| row.version);
        if alive != call.expected {
            return Ok(false);
        }
        let version = there.map_or(0, |row| row.version).saturating_add(1);
        self.tx.execute(
            "INSERT OR REPLACE INTO rows VALUES(?1, ?2, ?3, ?4)",
            params![call.key, signed(version), call.value, call.expires.map(|at| at.0)],
        )?;
        self.note(EventKind::Changed, &call.key, 0);
        Ok(true)
    }

    pub(super) fn delete_row(&mut self, call: &DeleteRow) -> Said<bool> {
        let alive = self.row(&call.key)?.filter(|row| self.is_alive(row));
        if alive.map(|row| row.version) != Some(call.expected) {
            return Ok(false);
        }
        self.tx.execute("DELETE FROM rows WHERE key = ?1", [&call.key])?;
        self.note(EventKind::Gone, &call.key, 0);
        Ok(true)
    }

    pub(super) fn list_rows(&self, call: &ListRows) -> Said<Page<Row>> {
        if call.prefix.is_empty() {
            return refuse("ValidationException", "rows are listed by a prefix that is not empty");
        }
        let mut select = self.tx.prepare_cached(
            "SELECT key, version, value, expires FROM rows WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key",
        )?;
        let rows = select.query_map([&call.prefix], row)?;
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        let alive = rows.into_iter().filter(|row| self.is_alive(row)).collect();
        self.page(alive, |row| row.key.clone(), call.token.as_deref())
    }

    fn row(&self, key: &str) -> Said<Option<Row>> {
        let sql = "SELECT key, version, value, expires FROM rows WHERE key = ?1";
        Ok(self.tx.query_row(sql, [key], row).optional()?)
    }

    fn is_alive(&self, row: &Row) -> bool {
        row.expires.is_none_or(|at| at > self.seconds())
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        key: row.get(0)?,
        version: unsigned(row.get(1)?),
        value: row.get(2)?,
        expires: row.get::<_, Option<i64>>(3)?.map(Timestamp),
    })
}
