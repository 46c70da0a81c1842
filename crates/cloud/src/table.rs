// SPDX-License-Identifier: Apache-2.0
//! A table of rows that are written only if nobody else wrote them meanwhile.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// Counts its writes; the first is 1.
    pub version: u64,
    /// What it says.
    pub value: String,
    /// From when on it counts as gone. Readers see it as gone from then on, whether it was removed or not.
    pub expires: Option<Timestamp>,
}

/// One row, if there is one that has not expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRow {
    /// Its key.
    pub key: String,
}

/// Writes a row, if the one that is there has this version. Answers whether it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutRow {
    /// Its key.
    pub key: String,
    /// What it shall say.
    pub value: String,
    /// The version that it must have now; `None` if there must be none, or an expired one.
    pub expected: Option<u64>,
    /// From when on it counts as gone.
    pub expires: Option<Timestamp>,
}

/// Removes a row, if it has this version. Answers whether it was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRow {
    /// Its key.
    pub key: String,
    /// The version that it must have now.
    pub expected: u64,
}

/// Rows whose key begins so, ascending, without expired ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRows {
    /// How keys begin; never empty.
    pub prefix: String,
    /// Where the last page ended.
    pub token: Option<String>,
}
