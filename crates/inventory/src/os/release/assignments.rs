// SPDX-License-Identifier: Apache-2.0
//! Files of shell assignments without a shell: `KEY=value`, quoted as a shell quotes.
//!
//! Source: os-release(5). Where a shell would run something (a blank in a value without quotes, `$NAME`), the text is taken
//!         as it stands, as systemd and CPython do.

use std::collections::BTreeMap;

use snapscan_schema::Text;

/// What a file of assignments says.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// Keys and values; of several assignments to one key the last counts.
    pub(super) fields: BTreeMap<String, Text>,
    /// Lines (from 1) that are no assignment, no comment and not empty, or whose quotes do not end.
    pub(super) malformed: Vec<u64>,
}

/// Lines that are remembered as malformed.
const MOST_MALFORMED: usize = 20;

impl Assignments {
    /// Reads a whole file.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut all = Assignments::default();
        let (mut rest, mut line) = (bytes, 1_u64);
        while !rest.is_empty() {
            let before = rest;
            rest = all.take(rest, line);
            let used = before.len().saturating_sub(rest.len());
            let lines = memchr::memchr_iter(b'\n', before.get(..used).unwrap_or_default()).count();
            line = line.saturating_add(u64::try_from(lines).unwrap_or(u64::MAX));
        }
        all
    }

    /// Takes one line, or several if its quotes hold line ends; answers what follows.
    fn take<'a>(&mut self, bytes: &'a [u8], line: u64) -> &'a [u8] {
        let (text, after) = split_line(bytes);
        let trimmed = text.trim_ascii_start();
        if trimmed.is_empty() || trimmed.first() == Some(&b'#') {
            return after;
        }
        let Some((key, value)) = key_of(trimmed) else {
            self.note(line);
            return after;
        };
        // The value may go on behind the end of this line.
        let start = text.len().saturating_sub(value.len());
        match value_of(bytes.get(start..).unwrap_or_default()) {
            Some((value, rest)) => {
                self.fields.insert(key, value.into());
                rest
            }
            None => {
                self.note(line);
                self.fields.insert(key, value.trim_ascii().into());
                after
            }
        }
    }

    fn note(&mut self, line: u64) {
        if self.malformed.len() < MOST_MALFORMED {
            self.malformed.push(line);
        }
    }
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => {
            (bytes.get(..end).unwrap_or_default(), bytes.get(end.saturating_add(1)..).unwrap_or_default())
        }
        None => (bytes, b""),
    }
}

/// The key and what follows its `=`.
fn key_of(line: &[u8]) -> Option<(String, &[u8])> {
    let equals = memchr::memchr(b'=', line)?;
    let key = line.get(..equals)?;
    let key = key.strip_prefix(b"export ").unwrap_or(key).trim_ascii_start();
    let starts_well = key.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_');
    let goes_well = key.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !starts_well || !goes_well {
        return None;
    }
    Some((String::from_utf8(key.to_vec()).ok()?, line.get(equals.saturating_add(1)..)?))
}

/// The value at the start of `bytes`, and what follows its line; `None` if a quote does not end.
fn value_of(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    // How much of the value stays when blanks at its end go.
    let mut keep = 0;
    let mut quote = None;
    let mut bytes_left = bytes.iter().copied();
    let mut comment = false;
    while let Some(byte) = bytes_left.next() {
        match (quote, byte) {
            (None, b'\n') => break,
            (None, _) if comment => {}
            (None, b'#') if value.len() > keep => comment = true,
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                keep = value.len();
            }
            (Some(open), _) if open == byte => {
                quote = None;
                keep = value.len();
            }
            (None | Some(b'"'), b'\\') => {
                escaped(quote, bytes_left.next(), &mut value);
                keep = value.len();
            }
            (None, b' ' | b'\t') => value.push(byte),
            _ => {
                value.push(byte);
                keep = value.len();
            }
        }
    }
    if quote.is_some() {
        return None;
    }
    value.truncate(keep);
    let left = bytes_left.len();
    Some((value, bytes.get(bytes.len().saturating_sub(left)..).unwrap_or_default()))
}

/// What a backslash and the byte behind it stand for: inside double quotes only `$`, quotes, backquote and backslash are
/// escaped; a line end vanishes.
fn escaped(quote: Option<u8>, next: Option<u8>, value: &mut Vec<u8>) {
    match next {
        None => value.push(b'\\'),
        Some(b'\n') => {}
        Some(byte) => {
            if quote.is_some() && !matches!(byte, b'$' | b'"' | b'\\' | b'`') {
                value.push(b'\\');
            }
            value.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> String {
        let all = Assignments::read(line.as_bytes());
        String::from_utf8_lossy(all.fields["A"].as_bytes()).into_owned()
    }

    /// Expected values are those of `dash -c '. ./file; printf %s "$A"'`, but for the last two, which a shell would run.
    #[test]
    fn values_are_quoted_as_a_shell_quotes() {
        for (line, expected) in [
            ("A=plain", "plain"),
            ("A=\"two words\"", "two words"),
            ("A='it is $A \\n'", "it is $A \\n"),
            (r#"A="a \"b\" \$c \\d \`e\`""#, r#"a "b" $c \d `e`"#),
            (r#"A="a \x b""#, r"a \x b"),
            (r"A=a\ b\\", r"a b\"),
            ("A=a\"b c\"'d'", "ab cd"),
            ("A=", ""),
            ("A=\"\"", ""),
            ("A=a # why", "a"),
            ("A=a#b", "a#b"),
            ("A=1\nA=2\n", "2"),
            ("A=\"one\ntwo\"\nB=3", "one\ntwo"),
            ("A=a\\\nb", "ab"),
            ("A=a\r\n", "a\r"),
            ("A=two words  ", "two words"),
            ("A=\"$HOME\"", "$HOME"),
        ] {
            assert_eq!(value(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_assignment_is_named_by_its_line() {
        let all = Assignments::read(b"# c\n\nA=1\nnonsense\n1B=2\nC=\"open\nD=4\n");
        assert_eq!(all.malformed, [4, 5, 6]);
        assert_eq!(all.fields["C"].as_bytes(), b"\"open");
        assert_eq!(all.fields["D"].as_bytes(), b"4");
    }
}
