// SPDX-License-Identifier: Apache-2.0
//! Paragraphs of `Name: value` lines, as dpkg and opkg keep their records.
//!
//! Source: deb822(5): fields end with the line, lines that begin with a blank continue the field before, an empty line
//!         ends the paragraph, names of fields know no case.

use memchr::memchr;

/// Cuts bytes into paragraphs and counts lines.
pub struct Paragraphs<'a> {
    rest: &'a [u8],
    /// The number of the next line, from 1.
    line: u64,
}

/// One paragraph: the values of the fields that were asked for.
#[derive(Debug, Clone)]
pub struct Paragraph<'a, const N: usize> {
    /// The number of its first line, from 1.
    pub line: u64,
    /// The first line of each field's value, without blanks around it, in the order in which they were asked for.
    pub values: [Option<&'a [u8]>; N],
    /// The number of the first line that is no field, no continuation, or a second value of a field that was asked for.
    /// What comes after it was not looked at, since it may belong to another package.
    pub malformed: Option<u64>,
    /// How it ends.
    pub end: End,
    /// The name of its last field.
    pub last_field: &'a [u8],
}

/// How a paragraph ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an empty line.
    EmptyLine,
    /// With the file, after a whole line.
    File,
    /// With the file, inside a line.
    InsideLine,
}

impl<'a> Paragraphs<'a> {
    /// All paragraphs of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Paragraphs { rest: bytes, line: 1 }
    }

    /// The next paragraph with the values of the fields `names`, given in lower case.
    pub fn next<const N: usize>(&mut self, names: &[&[u8]; N]) -> Option<Paragraph<'a, N>> {
        let mut line = self.next_line()?;
        while is_empty(line.0) {
            line = self.next_line()?;
        }
        let first = self.line.saturating_sub(1);
        let mut paragraph =
            Paragraph { line: first, values: [None; N], malformed: None, end: End::File, last_field: b"" };
        loop {
            let (text, closed) = line;
            if paragraph.malformed.is_none() && !paragraph.take(text, names) {
                paragraph.malformed = Some(self.line.saturating_sub(1));
            }
            if !closed {
                paragraph.end = End::InsideLine;
                return Some(paragraph);
            }
            match self.next_line() {
                None => return Some(paragraph),
                Some((text, closed)) if is_empty(text) => {
                    paragraph.end = if closed { End::EmptyLine } else { End::InsideLine };
                    return Some(paragraph);
                }
                Some(next) => line = next,
            }
        }
    }

    /// The next line without its end, and whether it has one.
    fn next_line(&mut self) -> Option<(&'a [u8], bool)> {
        if self.rest.is_empty() {
            return None;
        }
        self.line = self.line.saturating_add(1);
        let (line, rest, closed) = match memchr(b'\n', self.rest) {
            Some(end) => {
                let rest = self.rest.get(end.saturating_add(1)..).unwrap_or_default();
                (self.rest.get(..end).unwrap_or_default(), rest, true)
            }
            None => (self.rest, &b""[..], false),
        };
        self.rest = rest;
        Some((line, closed))
    }
}

impl<'a, const N: usize> Paragraph<'a, N> {
    /// Takes one line; false if it is not one of this format.
    fn take(&mut self, line: &'a [u8], names: &[&[u8]; N]) -> bool {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return !self.last_field.is_empty();
        }
        let Some(colon) = memchr(b':', line).filter(|&colon| colon > 0) else { return false };
        let name = line.get(..colon).unwrap_or_default();
        if !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        self.last_field = name;
        let wanted = names.iter().position(|wanted| name.eq_ignore_ascii_case(wanted));
        match wanted.and_then(|at| self.values.get_mut(at)) {
            Some(Some(_)) => false,
            Some(value) => {
                *value = Some(line.get(colon.saturating_add(1)..).unwrap_or_default().trim_ascii());
                true
            }
            None => true,
        }
    }
}

fn is_empty(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&[u8]; 2] = &[b"package", b"version"];

    fn all(text: &[u8]) -> Vec<Paragraph<'_, 2>> {
        let mut paragraphs = Paragraphs::new(text);
        std::iter::from_fn(|| paragraphs.next(NAMES)).collect()
    }

    #[test]
    fn fields_are_found_whatever_their_case_and_lines_are_counted() {
        let found = all(b"\n\nPackage: a\nDescription: x\n .\n Version: 9\nversion:  1 \n\npackage:b\n\n");
        assert_eq!(found[0].values, [Some(&b"a"[..]), Some(b"1")]);
        assert_eq!((found[0].line, found[0].end, found[0].last_field), (3, End::EmptyLine, &b"version"[..]));
        assert_eq!(found[1].values, [Some(&b"b"[..]), None]);
        assert_eq!(found[1].line, 9);
    }

    #[test]
    fn the_end_of_the_file_is_told_from_the_end_of_a_paragraph() {
        assert_eq!(all(b"Package: a\n")[0].end, End::File);
        assert_eq!(all(b"Package: a")[0].end, End::InsideLine);
        assert!(all(b"").is_empty() && all(b"\n \n").is_empty());
    }

    #[test]
    fn nothing_after_a_line_that_is_no_field_is_believed() {
        let found = all(b"Package: a\n\0\0\0\nVersion: 2\n\n Package: b\n\nPackage: c\nPackage: d\n\n");
        assert_eq!((found[0].values[1], found[0].malformed), (None, Some(2)));
        assert_eq!(found[1].malformed, Some(5));
        assert_eq!((found[2].values[0], found[2].malformed), (Some(&b"c"[..]), Some(8)));
    }
}
