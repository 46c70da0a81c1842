// SPDX-License-Identifier: Apache-2.0
//! UUIDs and labels of signatures, where they stand beside the magic.

use super::magics::Known;
use super::view::View;
use super::{Signature, ext, fat};
use crate::bytes::{until_nul, uuid_text};

/// A signature with what is cheaply known of it.
pub(super) fn signature(known: &Known, view: &View) -> Signature {
    let (uuid, label) = match known.name {
        "ext2" | "ext3" | "ext4" | "ext4dev" => (uuid(view, 1024 + 104), text(view, 1024 + 120, 16)),
        "jbd" => (ext::superblock(view).and_then(|_| uuid(view, 1024 + 104)), None),
        "xfs" => (uuid(view, 32), text(view, 108, 12)),
        "btrfs" => (uuid(view, 0x10020), text(view, 0x1012b, 256)),
        "swap" if view.at(1024, 4).le32(0) == Some(1) => (uuid(view, 1036), text(view, 1052, 16)),
        "vfat" => (fat::serial(view), None),
        "ntfs" => (view.at(72, 8).le64(0).map(|serial| format!("{serial:016X}")), None),
        "crypto_LUKS" => luks(view),
        "LVM2_member" => (lvm_id(view), None),
        _ => (None, None),
    };
    Signature { name: known.name, class: known.class, uuid, label }
}

/// A UUID in 16 bytes, unless all are zero.
fn uuid(view: &View, offset: u64) -> Option<String> {
    view.at(offset, 16).array(0).filter(|bytes| *bytes != [0; 16]).map(|bytes| uuid_text(&bytes))
}

/// The text in a field of `len` bytes, unless it is empty.
fn text(view: &View, offset: u64, len: usize) -> Option<Vec<u8>> {
    view.slice(offset, len).map(until_nul).filter(|text| !text.is_empty()).map(<[u8]>::to_vec)
}

/// LUKS: the UUID as text at 168; version 2 has a label at 24.
fn luks(view: &View) -> (Option<String>, Option<Vec<u8>>) {
    let uuid = text(view, 168, 40).and_then(|text| String::from_utf8(text).ok());
    let label = if view.at(6, 2).be16(0) == Some(2) { text(view, 24, 48) } else { None };
    (uuid, label)
}

/// The id of a physical volume, in groups of letters as LVM prints it.
fn lvm_id(view: &View) -> Option<String> {
    let sector = (0..4_u64).map(|n| n.saturating_mul(512)).find(|at| view.has(*at, b"LABELONE"))?;
    let header = u64::from(view.at(sector, 32).le32(20)?);
    let id = view.slice(sector.checked_add(header)?, 32)?;
    let mut out = String::with_capacity(38);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 6 | 10 | 14 | 18 | 22 | 26) {
            out.push('-');
        }
        out.push(char::from(*byte));
    }
    id.iter().all(u8::is_ascii).then_some(out)
}
