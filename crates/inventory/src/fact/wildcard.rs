// SPDX-License-Identifier: Apache-2.0
//! Shell patterns with `*`, `?` and `[…]`, as glob(7) reads them.

/// The pattern with `?` and `[…]` widened to `*`: it matches at least what the pattern matches.
pub(super) fn widened(pattern: &[u8]) -> Vec<u8> {
    let mut wide = Vec::new();
    let mut rest = pattern;
    while let Some((&byte, after)) = rest.split_first() {
        let length = if byte == b'[' { class_length(after) } else { None };
        match (byte, length) {
            (b'?', _) => wide.push(b'*'),
            (b'[', Some(length)) => {
                wide.push(b'*');
                rest = after.get(length..).unwrap_or_default();
                continue;
            }
            _ => wide.push(byte),
        }
        rest = after;
    }
    wide
}

/// True if the pattern matches the whole path, component by component.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (pattern, path) = (parts(pattern), parts(path));
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(pattern, name)| {
            (name.first() != Some(&b'.') || pattern.first() == Some(&b'.')) && component(pattern, name)
        })
}

/// One component. After a mismatch the last star takes one byte more; earlier stars need no second try.
fn component(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(after) = pattern.strip_prefix(b"*") {
            star = Some((after, name));
            pattern = after;
        } else if let Some(((pattern_left, matched), name_left)) =
            name.split_first().and_then(|(&byte, name_left)| Some((one(pattern, byte)?, name_left)))
            && matched
        {
            (pattern, name) = (pattern_left, name_left);
        } else if name.is_empty() && pattern.is_empty() {
            return true;
        } else {
            let Some((after, from)) = star else { return false };
            let Some(from) = from.get(1..) else { return false };
            star = Some((after, from));
            (pattern, name) = (after, from);
        }
    }
}

/// Compares one byte with the first element of a pattern; what is left of the pattern.
fn one(pattern: &[u8], byte: u8) -> Option<(&[u8], bool)> {
    let (&first, after) = pattern.split_first()?;
    match first {
        b'?' => Some((after, true)),
        b'[' => match class_length(after) {
            Some(length) => {
                let class = after.get(..length.saturating_sub(1)).unwrap_or_default();
                Some((after.get(length..).unwrap_or_default(), in_class(class, byte)))
            }
            None => Some((after, byte == b'[')),
        },
        b'\\' => {
            let (&escaped, after) = after.split_first()?;
            Some((after, escaped == byte))
        }
        _ => Some((after, first == byte)),
    }
}

/// Bytes after a `[` up to its `]`, that included. A `]` in the first place is a member.
fn class_length(after: &[u8]) -> Option<usize> {
    let negated = usize::from(matches!(after.first(), Some(b'!' | b'^')));
    let members = after.get(negated.saturating_add(1)..)?;
    let end = members.iter().position(|&byte| byte == b']')?;
    Some(end.saturating_add(negated).saturating_add(2))
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let negated = class.strip_prefix(b"!").or_else(|| class.strip_prefix(b"^"));
    let mut members = negated.unwrap_or(class);
    let mut found = false;
    while let Some((&low, after)) = members.split_first() {
        match after {
            [b'-', high, rest @ ..] => {
                found |= (low..=*high).contains(&byte);
                members = rest;
            }
            _ => {
                found |= low == byte;
                members = after;
            }
        }
    }
    found != negated.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_glob_7_says() {
        for (pattern, path, expected) in [
            ("/etc/a/*.conf", "/etc/a/b.conf", true),
            ("/etc/a/*.conf", "/etc/a/.conf", false),
            ("/etc/*", "/etc/a/b", false),
            ("/etc/?[0-9]-[!x]*", "/etc/a7-yz", true),
            ("/etc/?[0-9]-[!x]*", "/etc/a7-xz", false),
            ("/etc/[]a]", "/etc/]", true),
            ("/etc/[a", "/etc/[a", true),
            ("/e*c/a*b*c", "/etc/aXbYbc", true),
            ("/etc/a\\*", "/etc/a*", true),
            ("/etc/a\\*", "/etc/ab", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
        assert_eq!(widened(b"/a/[0-9]?x[z"), b"/a/**x[z");
    }
}
