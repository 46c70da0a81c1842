// SPDX-License-Identifier: Apache-2.0
//! What the uploader reads from and writes to outbox and table.

use serde::Serialize;
use serde::de::DeserializeOwned;
use snapscan_cloud::outbox::{DeleteObject, GetObject, ListObjects, PutObject};
use snapscan_cloud::table::{DeleteRow, GetRow, PutRow, Row};
use snapscan_cloud::{Clock, Cloud, Error as CloudError, Scope, Timestamp};

use super::Error;

/// Outbox and table, in the scanner's own name.
#[derive(Clone)]
pub(crate) struct Store {
    /// The cloud.
    pub(crate) cloud: Cloud,
    /// The scanner's own scope.
    pub(crate) scope: Scope,
}

impl Store {
    /// The cloud's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.cloud.clock
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.cloud.clock.now()
    }

    /// All names that begin so, ascending.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::new();
        loop {
            let request = ListObjects { prefix: prefix.to_owned(), after: names.last().cloned(), most: 1000 };
            let page = self.cloud.ask(&self.scope, request).await?;
            let end = page.objects.is_empty() || !page.more;
            names.extend(page.objects.into_iter().map(|object| object.key));
            if end {
                return Ok(names);
            }
        }
    }

    /// An object's bytes, if there is one.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.cloud.ask(&self.scope, GetObject { key: key.to_owned() }).await?)
    }

    /// An object, if there is one.
    ///
    /// # Errors
    /// What the outbox answers; `Broken` if the object is something else.
    pub(crate) async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.get(key).await? else { return Ok(None) };
        let broken = |error: serde_json::Error| Error::Broken { key: key.to_owned(), why: error.to_string() };
        serde_json::from_slice(&bytes).map(Some).map_err(broken)
    }

    /// Stores an object if there is none of that name; the first one stays.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(crate) async fn write<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<(), Error> {
        let broken = |error: serde_json::Error| Error::Broken { key: key.to_owned(), why: error.to_string() };
        let bytes = serde_json::to_vec(value).map_err(broken)?;
        self.cloud.ask(&self.scope, PutObject { key: key.to_owned(), bytes }).await?;
        Ok(())
    }

    /// Removes an object.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.cloud.ask(&self.scope, DeleteObject { key: key.to_owned() }).await?)
    }

    /// A row that has not expired.
    ///
    /// # Errors
    /// What the table answers.
    pub(crate) async fn row(&self, key: &str) -> Result<Option<Row>, CloudError> {
        let row = self.cloud.ask(&self.scope, GetRow { key: key.to_owned() }).await?;
        let now = self.now();
        Ok(row.filter(|row| row.expires.is_none_or(|end| end > now)))
    }

    /// Writes a row over the one that was seen; answers whether it was still that one.
    ///
    /// # Errors
    /// What the table answers.
    pub(crate) async fn put_row(
        &self,
        key: &str,
        value: String,
        seen: Option<u64>,
        expires: Option<Timestamp>,
    ) -> Result<bool, CloudError> {
        self.cloud.ask(&self.scope, PutRow { key: key.to_owned(), value, expected: seen, expires }).await
    }

    /// Removes a row of this version.
    ///
    /// # Errors
    /// What the table answers.
    pub(crate) async fn delete_row(&self, key: &str, expected: u64) -> Result<bool, CloudError> {
        self.cloud.ask(&self.scope, DeleteRow { key: key.to_owned(), expected }).await
    }
}
