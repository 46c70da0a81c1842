// SPDX-License-Identifier: Apache-2.0
//! The label of a physical volume: who it is, where its areas lie.

use std::ops::Range;

use crate::bytes::{Bytes, index};

/// Bytes in which a label may begin: four sectors.
pub(super) const LABEL_BYTES: u64 = 4 * SECTOR;
/// Bytes of a sector of LVM, whatever the device's are.
pub(super) const SECTOR: u64 = 512;
/// Areas of one kind that are read: LVM itself writes at most two of metadata.
const MOST_AREAS: usize = 16;
/// What LVM's checksums begin with.
const CRC_START: u32 = 0xf597_a6cf;
/// In the header's extension: the physical volume belongs to a group.
const EXTENSION_USED: u32 = 1;

/// LVM's checksum: CRC32 with a start of its own and without the final inversion.
///
/// Source: lvm2, lib/misc/crc.c.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!CRC_START);
    hasher.update(bytes);
    !hasher.finalize()
}

/// What the label and the header after it say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// 32 characters.
    pub(super) id: String,
    /// Metadata areas, in bytes of the device.
    pub(super) metadata: Vec<Range<u64>>,
    /// True if the header's extension says that it belongs to a group.
    pub(super) used: bool,
}

/// Looks for a label in the first four sectors; `None` if there is none of LVM2.
///
/// Shape:  `LABELONE`, own sector (64 bits), checksum of the bytes from 20 to the sector's end, offset of the header
///         (32 bits), `LVM2 001`; little-endian.
/// Errors: a label that is not valid, with the reason, where no other is.
/// Source: lvm2, lib/label/label.h and label.c.
pub(super) fn find(start: &[u8]) -> Result<Option<Label>, String> {
    let mut wrong = None;
    for (number, sector) in (0_u64..).zip(start.chunks_exact(index(SECTOR)).take(4)) {
        let label = Bytes(sector);
        if !label.has(0, b"LABELONE") || !label.has(24, b"LVM2 001") {
            continue;
        }
        match parse(label, number) {
            Ok(label) => return Ok(Some(label)),
            Err(why) => wrong = wrong.or(Some(format!("label in sector {number}: {why}"))),
        }
    }
    wrong.map_or(Ok(None), Err)
}

fn parse(sector: Bytes<'_>, number: u64) -> Result<Label, String> {
    let cut = || "cut off".to_string();
    let own = sector.le64(8).ok_or_else(cut)?;
    if own != number {
        return Err(format!("says it is in sector {own}"));
    }
    let wanted = sector.le32(16).ok_or_else(cut)?;
    let found = checksum(sector.0.get(20..).unwrap_or_default());
    if found != wanted && !cfg!(fuzzing) {
        return Err(format!("checksum is {found:08x}, it says {wanted:08x}"));
    }
    let header = sector.le32(20).ok_or_else(cut)?;
    header_at(Bytes(sector.0.get(index(u64::from(header))..).unwrap_or_default()))
        .ok_or_else(|| format!("header at {header} is not valid"))
}

/// Shape:  id of 32 characters, size of the device, then two lists of areas, each ended by zeros: data, metadata; an
///         area is offset and size in bytes. Since 2.02.99 an extension: version and flags of 32 bits, and a list.
/// Source: lvm2, lib/format_text/layout.h.
fn header_at(header: Bytes<'_>) -> Option<Label> {
    let id = header.slice(0, 32)?;
    if !id.iter().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (_data, next) = areas(header, 40)?;
    let (metadata, next) = areas(header, next)?;
    let version = header.le32(next).unwrap_or(0);
    let flags = header.le32(next.checked_add(4)?).unwrap_or(0);
    let used = version >= 2 && flags & EXTENSION_USED != 0;
    Some(Label { id: String::from_utf8_lossy(id).into_owned(), metadata, used })
}

/// A list of areas, and where what follows it begins.
fn areas(header: Bytes<'_>, mut at: usize) -> Option<(Vec<Range<u64>>, usize)> {
    let mut areas = Vec::new();
    loop {
        let (offset, size) = (header.le64(at)?, header.le64(at.checked_add(8)?)?);
        at = at.checked_add(16)?;
        if offset == 0 {
            return Some((areas, at));
        }
        if areas.len() >= MOST_AREAS {
            return None;
        }
        areas.push(offset..offset.checked_add(size)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut start = vec![0; 2048];
        let sector = &mut start[512..1024];
        sector[..8].copy_from_slice(b"LABELONE");
        sector[8] = 1;
        sector[20] = 32;
        sector[24..32].copy_from_slice(b"LVM2 001");
        sector[32..64].fill(b'x');
        sector[72..74].copy_from_slice(&[0, 0x10]);
        sector[104..106].copy_from_slice(&[0, 0x10]);
        sector[112..115].copy_from_slice(&[0, 0xf0, 0x0f]);
        sector[136] = 2;
        sector[140] = 1;
        change(sector);
        let crc = checksum(&sector[20..]);
        sector[16..20].copy_from_slice(&crc.to_le_bytes());
        start
    }

    #[test]
    fn a_label_gives_id_metadata_areas_and_whether_it_is_used() {
        let label = find(&sealed(|_| ())).unwrap().unwrap();
        assert_eq!(label, Label { id: "x".repeat(32), metadata: vec![0x1000..0x10_0000], used: true });
        assert_eq!(find(&[0; 2048]).unwrap(), None);
        assert_eq!(find(&[0; 100]).unwrap(), None);
    }

    #[test]
    fn each_reason_to_refuse_a_label_is_named() {
        let mut start = sealed(|_| ());
        start[600] ^= 1;
        assert!(find(&start).unwrap_err().contains("checksum"));
        assert!(find(&sealed(|sector| sector[8] = 2)).unwrap_err().contains("says it is in sector 2"));
        assert!(find(&sealed(|sector| sector[21] = 2)).unwrap_err().contains("header at 544"));
        assert!(find(&sealed(|sector| sector[40] = 0)).unwrap_err().contains("header at 32"));
        // Lists without an end.
        assert!(find(&sealed(|sector| sector[72..].fill(1))).unwrap_err().contains("header at 32"));
    }
}
