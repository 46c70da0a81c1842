// SPDX-License-Identifier: Apache-2.0
//! How sshd splits a line into words.

/// The keyword of a line and the rest; `None` for an empty line or a comment. One `=` may stand between them.
pub(super) fn keyword(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let end = line.iter().position(|byte| blank(byte) || *byte == b'=').unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    if name.is_empty() && rest.is_empty() || name.starts_with(b"#") {
        return None;
    }
    let rest = rest.trim_ascii_start();
    Some((name, rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start()))
}

/// The arguments of a keyword up to a comment: double or single quotes hold blanks, a backslash saves a quote, a
/// backslash, or outside of quotes a blank. `None` if a quote is not closed.
pub(super) fn arguments(rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = rest.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                let saved = bytes.next_if(|next| {
                    matches!(next, b'\'' | b'"' | b'\\') || (quote.is_none() && *next == b' ')
                });
                word.get_or_insert_default().push(saved.unwrap_or(b'\\'));
            }
            b'"' | b'\'' if quote == Some(byte) => quote = None,
            b'"' | b'\'' if quote.is_none() => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            b' ' | b'\t' if quote.is_none() => all.extend(word.take()),
            b'#' if quote.is_none() && word.is_none() => break,
            _ => word.get_or_insert_default().push(byte),
        }
    }
    all.extend(word);
    quote.is_none().then_some(all)
}
