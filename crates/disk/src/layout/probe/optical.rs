// SPDX-License-Identifier: Apache-2.0
//! The volume recognition sequence, which tells UDF from plain ISO 9660.

use super::view::View;

/// Where the sequence begins, in bytes.
const PLACE: u64 = 32 << 10;
/// Descriptors looked at.
const MOST: u64 = 64;

/// True if the sequence names UDF (`NSR02`, `NSR03`).
///
/// Shape:  descriptors of 2048 bytes, or one in each sector where that is larger: type, five letters, version.
/// Source: ECMA-167, part 2, section 9; UDF 2.60, section 2.1.7.
pub(super) fn is_udf(view: &View) -> bool {
    [2048_u64, 4096].iter().any(|step| {
        for number in 0..MOST {
            let at = PLACE.saturating_add(step.saturating_mul(number)).saturating_add(1);
            match view.slice(at, 5) {
                Some(b"NSR02" | b"NSR03") => return true,
                Some(b"BEA01" | b"BOOT2" | b"CD001" | b"CDW02" | b"TEA01") => {}
                _ => return false,
            }
        }
        false
    })
}
