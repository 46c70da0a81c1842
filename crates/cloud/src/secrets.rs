// SPDX-License-Identifier: Apache-2.0
//! Secrets, which never print.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Asks for a secret by name or ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSecret {
    /// Its name.
    pub name: String,
}

/// A secret's value. It does not print; whoever takes it out wipes it after use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value.
    pub fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
