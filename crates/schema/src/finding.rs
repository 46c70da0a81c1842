// SPDX-License-Identifier: Apache-2.0
//! What was found: packages, keys, and configuration facts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Evidence, Text, Time};

/// One thing that was found on the machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// An installed package.
    Package(Package),
    /// A public key that rpm keeps among its packages (`gpg-pubkey`).
    Key(Package),
    /// A fact of the machine's configuration.
    Fact(Fact),
}

/// One entry of a package database.
///
/// Shape: `version` is whole as the ecosystem's own tool prints it (`1:2.3-1`, `1.2.3-r0`); rpm alone has epoch,
///        version and release apart. An absent epoch is not 0.
/// Order: by every field in the order of declaration, `None` first.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// Whose package: `deb`, `rpm`, `apk`, `pacman`, `opkg`, `portage`, `snap`, `flatpak`, `bottlerocket`, `cos`.
    pub ecosystem: Text,
    /// The name.
    pub name: Text,
    /// rpm's epoch.
    pub epoch: Option<u32>,
    /// The version.
    pub version: Text,
    /// rpm's release, portage's revision.
    pub release: Option<Text>,
    /// The architecture in the ecosystem's own words.
    pub arch: Option<Text>,
    /// The source package's name; for rpm the source rpm's file name.
    pub source: Option<Text>,
    /// The source package's version where the database names it.
    pub source_version: Option<Text>,
    /// The state in the ecosystem's own words (`install ok installed`).
    pub status: Option<Text>,
    /// The licence as the database states it.
    pub licence: Option<Text>,
    /// Who made it.
    pub vendor: Option<Text>,
    /// The modularity label (`nodejs:18:8090020231019152822:a75119d5`).
    pub modularity: Option<Text>,
    /// When it was installed, where that is known.
    pub install_time: Option<Time>,
    /// The package URL; see [`crate::purl`].
    pub purl: Option<String>,
    /// Where this was read.
    pub evidence: Evidence,
    /// Names of fields that are percent-escaped, since their bytes are not UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// One fact of the machine's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What sort: `sshd`, `account`, `group`, `sudo`, `sysctl`, `unit`, `cron`, `mount`, `mode`, `capability`.
    pub topic: Text,
    /// Of what: an option's, account's, unit's or file's name.
    pub subject: Text,
    /// What is so.
    pub values: BTreeMap<String, Value>,
    /// Where this was read.
    pub evidence: Evidence,
    /// Names of fields that are percent-escaped (`subject`, or a key of `values`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
}

/// A value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(i64),
    /// A word.
    Text(Text),
    /// Several words, in the order that matters there.
    List(Vec<Text>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Value::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Text(bytes.into())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Value::Bool(yes)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

impl Value {
    fn needs_escape(&self) -> bool {
        match self {
            Value::Text(text) => text.needs_escape(),
            Value::List(list) => list.iter().any(Text::needs_escape),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

impl Package {
    /// Names in `escaped` what JSON cannot carry as it is.
    pub fn seal(&mut self) {
        let fields = [
            ("ecosystem", Some(&self.ecosystem)),
            ("name", Some(&self.name)),
            ("version", Some(&self.version)),
            ("release", self.release.as_ref()),
            ("arch", self.arch.as_ref()),
            ("source", self.source.as_ref()),
            ("source_version", self.source_version.as_ref()),
            ("status", self.status.as_ref()),
            ("licence", self.licence.as_ref()),
            ("vendor", self.vendor.as_ref()),
            ("modularity", self.modularity.as_ref()),
        ];
        let bad = fields.iter().filter(|(_, text)| text.is_some_and(Text::needs_escape));
        self.escaped = bad.map(|(name, _)| (*name).to_owned()).collect();
        self.evidence.seal();
    }
}

impl Fact {
    /// Names in `escaped` what JSON cannot carry as it is.
    pub fn seal(&mut self) {
        self.escaped = self.values.iter().filter(|(_, v)| v.needs_escape()).map(|(k, _)| k.clone()).collect();
        if self.subject.needs_escape() {
            self.escaped.insert(0, "subject".to_owned());
        }
        self.evidence.seal();
    }
}

impl Finding {
    /// Names in `escaped` what JSON cannot carry as it is.
    pub fn seal(&mut self) {
        match self {
            Finding::Package(package) | Finding::Key(package) => package.seal(),
            Finding::Fact(fact) => fact.seal(),
        }
    }

    /// The package, if this is one.
    pub fn package(&self) -> Option<&Package> {
        match self {
            Finding::Package(package) => Some(package),
            Finding::Key(_) | Finding::Fact(_) => None,
        }
    }

    /// The fact, if this is one.
    pub fn fact(&self) -> Option<&Fact> {
        match self {
            Finding::Fact(fact) => Some(fact),
            Finding::Package(_) | Finding::Key(_) => None,
        }
    }
}
