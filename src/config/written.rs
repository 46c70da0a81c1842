// SPDX-License-Identifier: Apache-2.0
//! What was written, and where: the first stage.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody wrote it.
    Default,
    /// A line of a file, counted from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag => f.write_str("flag --set"),
        }
    }
}

/// A value as it was written. It does not print: it may be a secret in a wrong place.
#[derive(Clone)]
pub(crate) enum Raw {
    /// A text in quotes.
    Text(String),
    /// A whole number.
    Integer(String),
    /// A number with a point.
    Float(String),
    /// Yes or no.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// Something that no setting takes.
    Other(&'static str),
    /// A text from environment or command line, where everything is text.
    Loose(String),
}

impl Raw {
    /// What it is, for a person who wrote something else than was wanted; texts are not repeated.
    pub(crate) fn shown(&self) -> String {
        match self {
            Raw::Text(text) | Raw::Loose(text) if text.is_empty() => "empty".to_owned(),
            Raw::Text(_) | Raw::Loose(_) => "a text".to_owned(),
            Raw::Integer(number) | Raw::Float(number) => format!("the number {number}"),
            Raw::Flag(flag) => format!("{flag}"),
            Raw::List(_) => "a list".to_owned(),
            Raw::Other(what) => (*what).to_owned(),
        }
    }
}

/// A value, and where it was written.
#[derive(Clone)]
pub(crate) struct Setting {
    /// The value.
    pub(crate) raw: Raw,
    /// Where.
    pub(crate) origin: Origin,
}

/// Everything that was written, by dotted name, the winning value of each.
#[derive(Default)]
pub(crate) struct Written {
    /// The values.
    pub(crate) settings: BTreeMap<String, Setting>,
    /// What could not be read at all.
    pub(crate) problems: Vec<String>,
}

impl Written {
    /// Writes a value over an earlier one.
    pub(crate) fn set(&mut self, name: &str, raw: Raw, origin: Origin) {
        self.settings.insert(name.to_owned(), Setting { raw, origin });
    }

    /// Writes a document over what is there.
    pub(crate) fn document(&mut self, path: &Path, text: &str) {
        match DeTable::parse(text) {
            Ok(table) => self.table(&Place { path, text }, "", table.get_ref()),
            Err(error) => {
                let line = error.span().map_or(1, |span| line(text, &span));
                // The library's own text would repeat the line, which may hold a secret.
                self.problems.push(format!("{}:{line}: {}", path.display(), error.message()));
            }
        }
    }

    fn table(&mut self, place: &Place<'_>, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let line = line(place.text, &key.span());
            match value.get_ref() {
                DeValue::Table(inner) if inner.is_empty() => {
                    self.problems.push(format!("{}:{line}: [{name}] says nothing", place.path.display()));
                }
                DeValue::Table(inner) => self.table(place, &format!("{name}."), inner),
                value => self.set(&name, raw(value), Origin::File(place.path.to_owned(), line)),
            }
        }
    }
}

struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Raw::Integer(number.as_str().to_owned()),
        DeValue::Float(number) => Raw::Float(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts
                .collect::<Option<Vec<_>>>()
                .map_or(Raw::Other("a list of other things than texts"), Raw::List)
        }
        other => Raw::Other(match other {
            DeValue::Integer(_) => "a number that is not decimal",
            DeValue::Datetime(_) => "a date",
            _ => "a table",
        }),
    }
}

/// The line that a span begins on, counted from 1.
fn line(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}
