// SPDX-License-Identifier: Apache-2.0
//! The few elements of an AppStream file that say what it describes.
//!
//! Source: AppStream specification, "Upstream Metadata". No entities but XML's own five and numbers are replaced, and none
//!         is ever defined or loaded.

use memchr::memmem;

/// What an AppStream component says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Component {
    /// `name` without a language.
    pub(super) name: Option<Vec<u8>>,
    /// `project_license`.
    pub(super) licence: Option<Vec<u8>>,
    /// The version of the first `release`, which is the newest.
    pub(super) version: Option<Vec<u8>>,
}

/// Elements inside elements; real files have six.
const DEEPEST: usize = 64;

/// Reads one file.
pub(super) fn component(bytes: &[u8]) -> Component {
    let mut component = Component::default();
    let mut rest = bytes;
    let mut releases = 0_u32;
    // Names of the elements that are open.
    let mut open: Vec<&[u8]> = Vec::new();
    while let Some(start) = memchr::memchr(b'<', rest) {
        rest = rest.get(start.saturating_add(1)..).unwrap_or_default();
        if let Some(after) = skip(rest) {
            rest = after;
            continue;
        }
        let Some(end) = memchr::memchr(b'>', rest) else { break };
        let tag = rest.get(..end).unwrap_or_default();
        rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        if tag.starts_with(b"/") {
            open.pop();
            continue;
        }
        let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or_default();
        match (open.as_slice(), name) {
            ([_], b"name") if attribute(tag, b"xml:lang").is_none() => {
                component.name.get_or_insert_with(|| text(rest));
            }
            ([_], b"project_license") => {
                component.licence.get_or_insert_with(|| text(rest));
            }
            ([_, b"releases"], b"release") => {
                releases = releases.saturating_add(1);
                if releases == 1 {
                    component.version = attribute(tag, b"version").filter(|version| !version.is_empty());
                }
            }
            _ => {}
        }
        if !tag.ends_with(b"/") {
            open.push(name);
        }
        if open.len() > DEEPEST {
            break;
        }
    }
    component
}

/// What follows a comment, a declaration or an instruction, if this is one (its `<` taken off).
fn skip(rest: &[u8]) -> Option<&[u8]> {
    let kinds: [(&[u8], &[u8]); 4] = [(b"!--", b"-->"), (b"![CDATA[", b"]]>"), (b"?", b"?>"), (b"!", b">")];
    let (_, close) = kinds.iter().find(|(open, _)| rest.starts_with(open))?;
    let end = memmem::find(rest, close).map_or(rest.len(), |end| end.saturating_add(close.len()));
    Some(rest.get(end..).unwrap_or_default())
}

/// The value of an attribute in a tag.
fn attribute(tag: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    let mut rest = tag;
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let name = rest.get(..equals)?.trim_ascii_end();
        let name = name.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
        let quoted = rest.get(equals.saturating_add(1)..)?.trim_ascii_start();
        let quote = *quoted.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let inside = quoted.get(1..)?;
        let end = memchr::memchr(quote, inside)?;
        if name == wanted {
            return Some(unescape(inside.get(..end)?));
        }
        rest = inside.get(end.saturating_add(1)..)?;
    }
    None
}

/// The text up to the next tag.
fn text(rest: &[u8]) -> Vec<u8> {
    unescape(rest.split(|&byte| byte == b'<').next().unwrap_or_default().trim_ascii())
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        match entity(rest.get(..end).unwrap_or_default()) {
            Some(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
            }
            None => out.push(b'&'),
        }
    }
    out.extend_from_slice(rest);
    out
}

fn entity(name: &[u8]) -> Option<char> {
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
    };
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::component;

    #[test]
    fn the_components_own_elements_count_and_nothing_inside_them() {
        let text = b"<?xml version='1.0'?><!-- <name>no</name> --><component type='a'><id>x</id>\
            <developer><name>D</name></developer><name xml:lang='de'>B</name><name>A &amp; &#66;</name><br/>\
            <project_license>MIT</project_license>\
            <releases><release date='1' version = \"1.2\"><x/></release><release version='1.1'/></releases></component>";
        let found = component(text);
        assert_eq!(found.name.unwrap(), b"A & B");
        assert_eq!(found.version.unwrap(), b"1.2");
        assert_eq!(found.licence.unwrap(), b"MIT");
    }

    #[test]
    fn cut_and_odd_files_are_no_trouble() {
        for text in [
            "",
            "<",
            "<a",
            "<a b",
            "<a b=",
            "<!--",
            "<a><releases><release version='1",
            "</></>",
            "<a>&#xffffffff;",
        ] {
            assert_eq!(component(text.as_bytes()).version, None);
        }
        assert_eq!(component(&b"<a>".repeat(10_000)).name, None);
    }
}
