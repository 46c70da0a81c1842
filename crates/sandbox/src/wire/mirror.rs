// SPDX-License-Identifier: Apache-2.0
//! The words of the schema as they go over this wire: every field always, bytes as they are, nothing derived.
//!
//! The schema's own form is made for JSON: it leaves fields out and lets a value's type be guessed, which a compact
//! format cannot carry. What follows from other fields (`escaped`, `purl`) is not sent: the parent makes it itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use snapscan_schema::{self as schema, Reason, Text, Time};

/// A type of this wire with the fields of one of the schema's, and the way there and back. Fields that are not named
/// stay behind.
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the fields are those of the schema")]
        pub struct $name { $(pub $field: $type,)* }

        impl From<schema::$name> for $name {
            fn from(theirs: schema::$name) -> Self {
                $name { $($field: theirs.$field.into(),)* }
            }
        }

        impl From<$name> for schema::$name {
            fn from(ours: $name) -> Self {
                schema::$name { $($field: ours.$field.into(),)* ..Default::default() }
            }
        }
    };
}

mirror! {
    /// Where a finding was read.
    Evidence { volume: Text, path: Text, line: Option<u64>, record: Option<u64>, }
}

mirror! {
    /// A package or key, without its URL.
    Package {
        ecosystem: Text, name: Text, epoch: Option<u32>, version: Text, release: Option<Text>, arch: Option<Text>,
        source: Option<Text>, source_version: Option<Text>, status: Option<Text>, licence: Option<Text>,
        vendor: Option<Text>, modularity: Option<Text>, install_time: Option<Time>, evidence: Evidence,
    }
}

mirror! {
    /// A kernel.
    Kernel { release: Text, default: Option<bool>, evidence: Evidence, }
}

/// A fact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the schema")]
pub struct Fact {
    pub topic: Text,
    pub subject: Text,
    pub values: BTreeMap<String, Value>,
    pub evidence: Evidence,
}

/// A value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kinds are those of the schema")]
pub enum Value {
    Bool(bool),
    Number(i64),
    Text(Text),
    List(Vec<Text>),
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kinds are those of the schema")]
pub enum Finding {
    Package(Package),
    Key(Package),
    Fact(Fact),
}

/// A note on a line of coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the schema")]
pub struct Note {
    pub code: Reason,
    pub detail: Text,
}

/// What a header says of the machine as a whole; kernels and the fields of the release file come one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the schema")]
pub struct About {
    pub system: Option<System>,
    pub architecture: Option<String>,
    pub hostname: Option<Text>,
    pub machine_id: Option<Text>,
}

/// The operating system without the fields of its release file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the schema")]
pub struct System {
    pub id: Text,
    pub id_like: Vec<Text>,
    pub version_id: Option<Text>,
    pub codename: Option<Text>,
    pub name: Option<Text>,
    pub pretty_name: Option<Text>,
    pub evidence: Option<Evidence>,
}

impl From<schema::Finding> for Finding {
    fn from(theirs: schema::Finding) -> Self {
        match theirs {
            schema::Finding::Package(package) => Finding::Package(package.into()),
            schema::Finding::Key(key) => Finding::Key(key.into()),
            schema::Finding::Fact(fact) => Finding::Fact(Fact {
                topic: fact.topic,
                subject: fact.subject,
                values: fact.values.into_iter().map(|(key, value)| (key, value.into())).collect(),
                evidence: fact.evidence.into(),
            }),
        }
    }
}

impl From<Finding> for schema::Finding {
    fn from(ours: Finding) -> Self {
        match ours {
            Finding::Package(package) => schema::Finding::Package(package.into()),
            Finding::Key(key) => schema::Finding::Key(key.into()),
            Finding::Fact(fact) => schema::Finding::Fact(schema::Fact {
                topic: fact.topic,
                subject: fact.subject,
                values: fact.values.into_iter().map(|(key, value)| (key, value.into())).collect(),
                evidence: fact.evidence.into(),
                escaped: Vec::new(),
            }),
        }
    }
}

impl From<schema::Value> for Value {
    fn from(theirs: schema::Value) -> Self {
        match theirs {
            schema::Value::Bool(yes) => Value::Bool(yes),
            schema::Value::Number(number) => Value::Number(number),
            schema::Value::Text(text) => Value::Text(text),
            schema::Value::List(list) => Value::List(list),
        }
    }
}

impl From<Value> for schema::Value {
    fn from(ours: Value) -> Self {
        match ours {
            Value::Bool(yes) => schema::Value::Bool(yes),
            Value::Number(number) => schema::Value::Number(number),
            Value::Text(text) => schema::Value::Text(text),
            Value::List(list) => schema::Value::List(list),
        }
    }
}

impl From<schema::Note> for Note {
    fn from(theirs: schema::Note) -> Self {
        Note { code: theirs.code, detail: theirs.detail }
    }
}

impl From<Note> for schema::Note {
    fn from(ours: Note) -> Self {
        schema::Note { code: ours.code, detail: ours.detail }
    }
}

impl From<schema::System> for System {
    fn from(theirs: schema::System) -> Self {
        System {
            id: theirs.id,
            id_like: theirs.id_like,
            version_id: theirs.version_id,
            codename: theirs.codename,
            name: theirs.name,
            pretty_name: theirs.pretty_name,
            evidence: theirs.evidence.map(Evidence::from),
        }
    }
}

impl From<System> for schema::System {
    fn from(ours: System) -> Self {
        schema::System {
            id: ours.id,
            id_like: ours.id_like,
            version_id: ours.version_id,
            codename: ours.codename,
            name: ours.name,
            pretty_name: ours.pretty_name,
            evidence: ours.evidence.map(schema::Evidence::from),
            ..schema::System::default()
        }
    }
}

impl Finding {
    /// Where it was read.
    pub fn evidence(&self) -> &Evidence {
        match self {
            Finding::Package(package) | Finding::Key(package) => &package.evidence,
            Finding::Fact(fact) => &fact.evidence,
        }
    }
}
