// SPDX-License-Identifier: Apache-2.0
//! The lines of a configuration file with their numbers.

/// Lines with their numbers from 1, without the newline; nothing after the last newline is no line.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let some = !text.is_empty();
    (1..).zip(text.split(|&byte| byte == b'\n')).filter(move |_| some)
}
