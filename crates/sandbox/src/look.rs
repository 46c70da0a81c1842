// SPDX-License-Identifier: Apache-2.0
//! Looking glasses for people: names and content, without a mount and without root.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::parent::run::{Ask, look};
use crate::wire::request::Work;
use crate::{Error, Options, Target, Watch};

/// How names are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Folders within folders too.
    pub recursive: bool,
    /// Mode, owner, size, time and target, not only names.
    pub long: bool,
    /// The SHA-256 of each file.
    pub digest: bool,
    /// Tab-separated, with a header line and all columns.
    pub tsv: bool,
}

/// What a look could not see, in words for people.
pub type Problems = Vec<String>;

/// Lists what is under `path` in the target's machine, or in one of its filesystems if `volume` names its place.
///
/// # Errors
/// What opening the target met; `NoSuchPath`, `NoSuchVolume`; `Crashed`; `Output`.
pub fn list(
    target: Target,
    options: &Options,
    volume: Option<&[u8]>,
    path: &[u8],
    listing: Listing,
    out: &mut dyn Write,
) -> Result<Problems, Error> {
    let work = Work::List { volume: volume.map(<[u8]>::to_vec), path: path.to_vec(), listing };
    look(&Ask::new(target, options, &Watch::default(), None)?, &work, out)
}

/// Writes the content of the file at `path`, links followed.
///
/// # Errors
/// What opening the target met; `NoSuchPath`, `NoSuchVolume`, `Path` if it is no file or cannot be read; `Crashed`;
/// `Output`.
pub fn cat(
    target: Target,
    options: &Options,
    volume: Option<&[u8]>,
    path: &[u8],
    out: &mut dyn Write,
) -> Result<(), Error> {
    let work = Work::Cat { volume: volume.map(<[u8]>::to_vec), path: path.to_vec() };
    look(&Ask::new(target, options, &Watch::default(), None)?, &work, out).map(drop)
}

/// Bytes as one field of a tab-separated line: `\t \n \r \\`, and `\xNN` for what is no UTF-8 or a control character.
pub fn tsv(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => text.push_str("\\t"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => {
                    c.to_string().bytes().for_each(|b| text.push_str(&format!("\\x{b:02x}")))
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// The same for a person's eyes: besides, marks that reorder text are escaped.
pub fn shown(bytes: &[u8]) -> String {
    let reorders =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text = tsv(bytes);
    if !text.contains(reorders) {
        return text;
    }
    let escaped = |c: char| if reorders(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_reach_the_terminal() {
        assert_eq!(tsv(b"a\tb\n\\\xff\x1b[31m\xc2\x9b"), "a\\tb\\n\\\\\\xff\\x1b[31m\\xc2\\x9b");
        assert_eq!(shown("x\u{202e}gpj".as_bytes()), "x\\u{202e}gpj");
        assert_eq!(tsv("übung".as_bytes()), "übung");
    }
}
