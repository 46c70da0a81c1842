// SPDX-License-Identifier: Apache-2.0
//! Where a finding was read, so that a person can look there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Text;

/// A place inside the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The volume that holds the file, by the name that coverage gives it.
    pub volume: Text,
    /// The file's path inside the machine, absolute, links resolved.
    pub path: Text,
    /// The line in a text file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The record in a database: rpm's package number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Names of fields that are percent-escaped (`volume`, `path`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

impl Evidence {
    /// Names in `escaped` what JSON cannot carry as it is.
    pub fn seal(&mut self) {
        let bad = [("volume", &self.volume), ("path", &self.path)];
        self.escaped =
            bad.iter().filter(|(_, t)| t.needs_escape()).map(|(name, _)| (*name).to_owned()).collect();
    }
}
