// SPDX-License-Identifier: Apache-2.0
//! A fact put together from its parts.

use snapscan_schema::{Evidence, Fact, Text, Value};

/// A fact of `topic` about `subject`.
pub(super) fn fact<'a>(
    topic: &str,
    subject: impl Into<Text>,
    evidence: Evidence,
    values: impl IntoIterator<Item = (&'a str, Value)>,
) -> Fact {
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Fact { topic: topic.into(), subject: subject.into(), values, evidence, escaped: Vec::new() }
}

/// A list of words as a value.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Value {
    Value::List(words.into_iter().map(Text::from).collect())
}
