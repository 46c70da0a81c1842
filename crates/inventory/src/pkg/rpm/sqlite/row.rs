// SPDX-License-Identifier: Apache-2.0
//! Varints, and a row cut into its columns.
//!
//! Source: <https://www.sqlite.org/fileformat2.html#record_format>.

use snapscan_disk::bytes::{Bytes, index, wide};

/// One column of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Column<'a> {
    /// NULL, or a kind of number that no column of interest has.
    Other,
    /// An integer.
    Number(i64),
    /// A blob, or a text in the database's encoding.
    Bytes(&'a [u8]),
}

/// A varint at `offset`, and the offset after it: seven bits a byte, most significant first, eight in the ninth.
pub(super) fn varint(bytes: &[u8], offset: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    let mut at = offset;
    for place in 0..9 {
        let byte = *bytes.get(at)?;
        at = at.checked_add(1)?;
        if place == 8 {
            return Some(((value << 8) | u64::from(byte), at));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// The first `count` columns; `None` if the row is not valid or has fewer.
pub(super) fn columns(row: &[u8], count: usize) -> Option<Vec<Column<'_>>> {
    let (header, mut at) = varint(row, 0)?;
    let mut body = index(header);
    let mut columns = Vec::with_capacity(count.min(16));
    while columns.len() < count {
        if wide(at) >= header {
            return None;
        }
        let (kind, next) = varint(row, at)?;
        at = next;
        let len = length(kind)?;
        let bytes = Bytes(row).slice(body, len)?;
        body = body.checked_add(len)?;
        columns.push(match kind {
            0 | 7 | 10 | 11 => Column::Other,
            8 => Column::Number(0),
            9 => Column::Number(1),
            1..=6 => Column::Number(signed(bytes)),
            _ => Column::Bytes(bytes),
        });
    }
    Some(columns)
}

/// Bytes of a column of this serial type.
fn length(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => index(kind),
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => index(kind.checked_sub(12)? / 2),
    })
}

fn signed(bytes: &[u8]) -> i64 {
    let first = bytes.first().copied().unwrap_or(0);
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    bytes.iter().fold(start, |value: i64, &byte| (value << 8) | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the section "varint" of the file format's description.
    #[test]
    fn varints_have_one_to_nine_bytes() {
        assert_eq!(varint(&[0x7f], 0), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0xff; 8], 0), None);
    }

    #[test]
    fn integers_are_signed_and_columns_outside_of_the_row_are_none() {
        let row = [4, 1, 0, 18, 0xfe, b'a', b'b', b'c'];
        let expected = [Column::Number(-2), Column::Other, Column::Bytes(b"abc")];
        assert_eq!(columns(&row, 3).unwrap(), expected);
        assert_eq!(columns(&row, 4), None);
        assert_eq!(columns(&row[..7], 3), None);
    }
}
