// SPDX-License-Identifier: Apache-2.0
//! Bytes of a customer's disk on their way into JSON: one rule, reversible.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name or field as it stands on the disk: any bytes, usually UTF-8.
///
/// Shape:  in a format that is not for people (postcard) the bytes; in JSON a plain string if the bytes are UTF-8; else percent-escaped by [`escape`], and the object that holds
///         the field names it in its `escaped` list. Without that mark a `%` is just a percent sign.
/// Order:  by raw bytes, before any escaping; no Unicode normalization.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// The bytes as they stand on the disk.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if JSON cannot carry these bytes as they are.
    pub fn needs_escape(&self) -> bool {
        std::str::from_utf8(&self.0).is_err()
    }

    /// What JSON carries: the string itself, or its percent-escaped form.
    pub fn to_json(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(escape(&self.0)),
        }
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Percent-escapes bytes: printable ASCII but `%` stays, all else becomes `%XX`.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes [`escape`]. A `%` that two hexadecimal digits do not follow stays as it is.
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
        match pair.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(text.into_bytes())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Text(bytes)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_json())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_json())
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    /// Takes the string as it stands; who reads a report unescapes the fields that its `escaped` list names.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer).map(Text::from)
        } else {
            Vec::deserialize(deserializer).map(Text)
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Bytes from the disk; percent-escaped where the holder's `escaped` list names this field"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_survive_the_round_trip() {
        let raw = b"caf\xe9 100%\x1b[31m";
        let json = Text::from(&raw[..]).to_json().into_owned();
        assert_eq!(json, "caf%E9 100%25%1B[31m");
        assert_eq!(unescape(&json), raw);
    }

    #[test]
    fn utf8_is_left_alone_percent_signs_included() {
        assert_eq!(Text::from("100% é").to_json(), "100% é");
    }
}
