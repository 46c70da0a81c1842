// SPDX-License-Identifier: Apache-2.0
//! The lines of a configuration file with their numbers.

use std::borrow::Cow;

/// Lines with their numbers from 1, without the newline; nothing after the last newline is no line.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let some = !text.is_empty();
    (1..).zip(text.split(|&byte| byte == b'\n')).filter(move |_| some)
}

/// The same, with lines that end in a backslash joined with what follows; the number is that of the first.
pub(super) fn continued(text: &[u8]) -> impl Iterator<Item = (u64, Cow<'_, [u8]>)> {
    let mut lines = lines(text);
    std::iter::from_fn(move || {
        let (number, first) = lines.next()?;
        let Some(mut kept) = first.strip_suffix(b"\\") else { return Some((number, Cow::Borrowed(first))) };
        let mut whole = Vec::new();
        loop {
            whole.extend_from_slice(kept);
            let Some((_, next)) = lines.next() else { break };
            match next.strip_suffix(b"\\") {
                Some(more) => kept = more,
                None => {
                    whole.extend_from_slice(next);
                    break;
                }
            }
        }
        Some((number, Cow::Owned(whole)))
    })
}

/// The words of a line, split at spaces and tabs.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|word| !word.is_empty())
}

/// The first word, and what follows it without the blanks between.
pub(super) fn first_word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, b""));
    (word, rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_joined_at_a_backslash() {
        let all = |text| continued(text).map(|(n, line)| (n, line.into_owned())).collect::<Vec<_>>();
        assert_eq!(
            all(b"a\n\nb \\\nc\\\nd\ne"),
            [(1, b"a".to_vec()), (2, b"".to_vec()), (3, b"b cd".to_vec()), (6, b"e".to_vec())]
        );
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a\\"), [(1, b"a".to_vec())]);
        assert_eq!(first_word(b"  a \tb c"), (&b"a"[..], &b"b c"[..]));
    }
}
