// SPDX-License-Identifier: Apache-2.0
//! The keys at the top of a YAML document, of which only plain and quoted words and lists of them are read.

/// The value of a key at the top level; `None` if it is not there, or is no single word or line.
pub(super) fn scalar(bytes: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let (value, _) = top_level(bytes, key)?;
    word(value).filter(|value| !value.is_empty())
}

/// The words of a list at the top level, written as `[a, b]`, as lines with dashes, or as one word.
pub(super) fn list(bytes: &[u8], key: &[u8]) -> Vec<Vec<u8>> {
    let Some((value, rest)) = top_level(bytes, key) else { return Vec::new() };
    if let Some(inside) = value.strip_prefix(b"[") {
        let inside = inside.split(|&byte| byte == b']').next().unwrap_or_default();
        return inside.split(|&byte| byte == b',').filter_map(word).filter(|word| !word.is_empty()).collect();
    }
    if !value.is_empty() {
        return word(value).into_iter().collect();
    }
    let lines = rest.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.map_while(|line| line.strip_prefix(b"- ")).filter_map(word).collect()
}

/// The text behind `KEY:` without comment, and all that follows its line.
fn top_level<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        let value = line.strip_prefix(key).and_then(|line| line.strip_prefix(b":"));
        if let Some(value) = value.filter(|value| value.first().is_none_or(u8::is_ascii_whitespace)) {
            return Some((without_comment(value).trim_ascii(), rest));
        }
    }
    None
}

/// A hash begins a comment at the start and behind a blank, unless it is inside quotes.
fn without_comment(text: &[u8]) -> &[u8] {
    let mut quote = None;
    let mut before = b' ';
    for (at, &byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'#') if before.is_ascii_whitespace() => return text.get(..at).unwrap_or_default(),
            (None, b'\'' | b'"') if before.is_ascii_whitespace() || before == byte => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        before = byte;
    }
    text
}

/// A word without its quotes; `None` if it begins something else than a word.
fn word(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    match text.first() {
        Some(b'"' | b'\'') => {
            let quote = text.first().copied().unwrap_or_default();
            let inside = text.get(1..)?.strip_suffix(&[quote])?;
            Some(if quote == b'"' { unescape(inside) } else { doubled(inside) })
        }
        Some(b'|' | b'>' | b'{' | b'[' | b'&' | b'*' | b'!') => None,
        _ => Some(text.to_vec()),
    }
}

/// In double quotes a backslash stands before what it escapes.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    out
}

/// In single quotes a quote is written twice.
fn doubled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(byte);
        if byte == b'\'' {
            bytes.next();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{list, scalar};

    const TEXT: &[u8] = b"# snap\nname: core # the base\nversion: \"16-2.61\"\nsummary: 'it''s #1'\ndescription: |\n  name: no\n\
                          architectures:\n- amd64\n  - arm64\nother: [a, 'b']\none: all\n";

    #[test]
    fn words_and_lists_are_read_as_any_yaml_reader_would() {
        assert_eq!(scalar(TEXT, b"name").unwrap(), b"core");
        assert_eq!(scalar(TEXT, b"version").unwrap(), b"16-2.61");
        assert_eq!(scalar(TEXT, b"summary").unwrap(), b"it's #1");
        assert_eq!(scalar(TEXT, b"description"), None);
        assert_eq!(scalar(TEXT, b"nam"), None);
        assert_eq!(list(TEXT, b"architectures"), [b"amd64", b"arm64"]);
        assert_eq!(list(TEXT, b"other"), [b"a", b"b"]);
        assert_eq!(list(TEXT, b"one"), [b"all"]);
        assert!(list(TEXT, b"none").is_empty());
    }
}
