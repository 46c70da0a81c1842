// SPDX-License-Identifier: Apache-2.0
//! The text of LVM's metadata as a tree.

/// Sections within sections; LVM's own metadata has four levels.
const DEPTH: u32 = 16;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// An integer.
    Number(i64),
    /// A string, or a number with a fraction as it was written.
    Text(String),
    /// Several of these.
    Array(Vec<Value>),
    /// Names in braces.
    Section(Section),
}

/// Names with values, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Section(pub(super) Vec<(String, Value)>);

impl Section {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A number that is not negative.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An array; empty if there is none.
    pub(super) fn array(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Some(Value::Array(values)) => values,
            _ => &[],
        }
    }

    /// True if an array holds a string.
    pub(super) fn has(&self, name: &str, text: &str) -> bool {
        self.array(name).iter().any(|value| matches!(value, Value::Text(known) if known == text))
    }

    /// The sections in it, with their names.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }

    /// The sections in one that it holds.
    pub(super) fn sections_of(&self, name: &str) -> impl Iterator<Item = (&str, &Section)> {
        let found = self.sections().find(|(known, _)| *known == name);
        found.into_iter().flat_map(|(_, section)| section.sections())
    }
}

/// Parses a text.
///
/// Shape:  `name = value`, `name { … }`, values are integers, fractions, strings in double quotes with `\"` and
///         `\\`, strings in single quotes, and arrays in brackets with commas; `#` begins a comment; a NUL ends it all.
/// Errors: what was met instead, with its line.
/// Source: lvm2, libdm/libdm-config.c.
pub(super) fn parse(text: &[u8]) -> Result<Section, String> {
    let mut parser = Parser { rest: text.split(|byte| *byte == 0).next().unwrap_or_default(), line: 1 };
    let section = parser.section(0)?;
    match parser.peek() {
        None => Ok(section),
        Some(byte) => Err(parser.unexpected(byte)),
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> Parser<'a> {
    /// The next byte that is neither space nor comment.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            match byte {
                b'\n' => {
                    self.line = self.line.saturating_add(1);
                    self.rest = rest;
                }
                b'#' => {
                    let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                }
                byte if byte.is_ascii_whitespace() => self.rest = rest,
                byte => return Some(*byte),
            }
        }
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn unexpected(&self, byte: u8) -> String {
        format!("line {}: unexpected {:?}", self.line, char::from(byte))
    }

    fn ended(&self) -> String {
        format!("line {}: the text ends too early", self.line)
    }

    /// Bytes up to space, comment, or a sign of the grammar.
    fn word(&mut self) -> &'a [u8] {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"#={}[],\"'".contains(byte);
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Names with values up to a closing brace or the end.
    fn section(&mut self, depth: u32) -> Result<Section, String> {
        if depth > DEPTH {
            return Err(format!("line {}: more than {DEPTH} sections in each other", self.line));
        }
        let mut section = Section::default();
        while let Some(byte) = self.peek() {
            if byte == b'}' {
                break;
            }
            let name = String::from_utf8_lossy(self.word()).into_owned();
            if name.is_empty() {
                return Err(self.unexpected(byte));
            }
            let value = match self.peek() {
                Some(b'=') => {
                    self.skip();
                    self.value()?
                }
                Some(b'{') => {
                    self.skip();
                    let inner = self.section(depth.saturating_add(1))?;
                    match self.peek() {
                        Some(b'}') => self.skip(),
                        _ => return Err(self.ended()),
                    }
                    Value::Section(inner)
                }
                Some(other) => return Err(self.unexpected(other)),
                None => return Err(self.ended()),
            };
            section.0.push((name, value));
        }
        Ok(section)
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.peek() != Some(b'[') {
            return self.scalar();
        }
        self.skip();
        let mut values = Vec::new();
        loop {
            match self.peek() {
                Some(b']') => {
                    self.skip();
                    return Ok(Value::Array(values));
                }
                Some(b',') if !values.is_empty() => self.skip(),
                Some(_) => values.push(self.scalar()?),
                None => return Err(self.ended()),
            }
        }
    }

    fn scalar(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote).map(Value::Text),
            Some(byte) => {
                let word = String::from_utf8_lossy(self.word());
                match word.parse() {
                    Ok(number) => Ok(Value::Number(number)),
                    Err(_) if is_fraction(&word) => Ok(Value::Text(word.into_owned())),
                    Err(_) => Err(self.unexpected(byte)),
                }
            }
            None => Err(self.ended()),
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<String, String> {
        self.skip();
        let mut text = Vec::new();
        let mut bytes = self.rest.iter().enumerate();
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                _ if byte == quote => {
                    self.rest = self.rest.get(at..).unwrap_or_default();
                    self.skip();
                    return Ok(String::from_utf8_lossy(&text).into_owned());
                }
                b'\\' if quote == b'"' => text.extend(bytes.next().map(|(_, escaped)| *escaped)),
                b'\n' => {
                    self.line = self.line.saturating_add(1);
                    text.push(byte);
                }
                _ => text.push(byte),
            }
        }
        Err(self.ended())
    }
}

fn is_fraction(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::flips::Flips;

    #[test]
    fn every_kind_of_value_is_read() {
        let text = b"# a comment\nvg-1.x { id = \"a\\\"b\\\\c\" # more\n n=-5 f = 1.5 a=[\"x\", 3,\n] e = [] s='\\' sub { } }\nv = 1\0{{";
        let parsed = parse(text).unwrap();
        let (name, vg) = parsed.sections().next().unwrap();
        assert_eq!(name, "vg-1.x");
        assert_eq!(vg.text("id"), Some("a\"b\\c"));
        assert_eq!(vg.get("n"), Some(&Value::Number(-5)));
        assert_eq!(vg.number("n"), None);
        assert_eq!(vg.text("f"), Some("1.5"));
        assert_eq!(vg.array("a"), [Value::Text("x".into()), Value::Number(3)]);
        assert_eq!(vg.array("e"), []);
        assert_eq!(vg.text("s"), Some("\\"));
        assert!(vg.has("a", "x") && !vg.has("a", "y"));
        assert_eq!(parsed.number("v"), Some(1));
    }

    #[test]
    fn each_reason_to_refuse_a_text_is_named_with_its_line() {
        for (text, why) in [
            ("a = 1\n}", "line 2: unexpected '}'"),
            ("a\n=\n", "line 3: the text ends"),
            ("a {\nb = 1", "line 2: the text ends"),
            ("a = \"x", "the text ends"),
            ("a = [1, 2", "the text ends"),
            ("a = [ , ]", "unexpected ','"),
            ("a = x", "unexpected 'x'"),
            ("a = { }", "unexpected '{'"),
            ("a ]", "unexpected ']'"),
            ("a", "the text ends"),
            ("= 1", "unexpected '='"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(parse("a{".repeat(1000).as_bytes()).unwrap_err().contains("more than 16"));
    }

    #[test]
    fn flipped_bits_never_panic() {
        let text = b"vg { id = \"x\" seqno = 3 a = [\"p\", 0, 'q'] s { t = 1.5 } } # end\n";
        let mut flips = Flips::new(5);
        for round in 0..5000 {
            let mut damaged = text.to_vec();
            flips.flip(&mut damaged, 1 + round % 5);
            // Any answer will do.
            let _answer = parse(&damaged);
        }
    }
}
