// SPDX-License-Identifier: Apache-2.0
//! A store of objects that outlives the scanner: S3, or a folder.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Stores an object, if there is none of that name. Answers whether it was stored; `false` leaves the old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutObject {
    /// Its name: letters, digits, `/ - _ .`, no empty or dotted part.
    pub key: String,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// An object's bytes, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetObject {
    /// Its name.
    pub key: String,
}

/// Names that begin so, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListObjects {
    /// How names begin.
    pub prefix: String,
    /// Only names after this one.
    pub after: Option<String>,
    /// Names wanted, at most 1,000.
    pub most: u32,
}

/// Names of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// Name, bytes and time of each.
    pub objects: Vec<Object>,
    /// True if there are more after the last one.
    pub more: bool,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored: Timestamp,
}

/// Removes an object; none is no error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteObject {
    /// Its name.
    pub key: String,
}
