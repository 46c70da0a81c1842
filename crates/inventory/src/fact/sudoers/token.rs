// SPDX-License-Identifier: Apache-2.0
//! Separators of a sudoers line that are neither quoted nor escaped nor in parentheses.

/// Positions of a line with what stands there, escaped and quoted bytes left out.
fn bare(text: &[u8]) -> impl Iterator<Item = (usize, u8, bool)> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    text.iter().copied().enumerate().filter_map(move |(at, byte)| {
        if std::mem::take(&mut escaped) {
            return None;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            _ => return Some((at, byte, depth > 0)),
        }
        None
    })
}

/// The parts between separators, without blanks around them; empty ones are left out.
pub(super) fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _, _) in bare(text).filter(|(_, byte, inside)| *byte == separator && !inside) {
        parts.push(text.get(start..at).unwrap_or_default());
        start = at.saturating_add(1);
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts.into_iter().map(<[u8]>::trim_ascii).filter(|part| !part.is_empty()).collect()
}

/// What stands before and after the first separator.
pub(super) fn cut(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (at, _, _) = bare(text).find(|(_, byte, inside)| *byte == separator && !inside)?;
    Some((text.get(..at)?.trim_ascii(), text.get(at.saturating_add(1)..)?.trim_ascii()))
}

/// The line up to a comment. A number sign before a digit begins a user's or group's number.
pub(super) fn without_comment(line: &[u8]) -> &[u8] {
    let number =
        |at: usize| line.get(at.saturating_add(1)).is_some_and(|next| next.is_ascii_digit() || *next == b'-');
    let comment = bare(line).find(|(at, byte, _)| *byte == b'#' && !number(*at));
    comment.and_then(|(at, _, _)| line.get(..at)).unwrap_or(line)
}

/// The text without its quotes and backslashes.
pub(super) fn plain(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\\')).collect()
}
