// SPDX-License-Identifier: Apache-2.0
//! Physical volumes of LVM2, written by hand.
//!
//! Source: lvm2, lib/format_text/layout.h, lib/label/label.h, lib/misc/crc.c; lvm(8), "Metadata".

use crate::disk::{MIB, sparse};

/// The ids of the physical volumes, without dashes.
pub(crate) const IDS: [&str; 2] = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"];

/// Where the metadata area lies.
const AREA: usize = 4096;

/// LVM's checksum: CRC32 with a start of its own and without the final inversion.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new_with_initial(!0xf597_a6cf);
    hasher.update(bytes);
    (!hasher.finalize()).to_le_bytes()
}

/// A physical volume of 1 MiB of metadata, and then `data`. Without text it belongs to no group.
pub(crate) fn physical(id: &str, text: &str, data: &[u8]) -> Vec<u8> {
    labelled(id, !text.is_empty(), text, data)
}

/// A physical volume that has no metadata and says that a group uses it.
pub(crate) fn orphan(id: &str) -> Vec<u8> {
    labelled(id, true, "", &[0; MIB])
}

fn labelled(id: &str, used: bool, text: &str, data: &[u8]) -> Vec<u8> {
    let size = (MIB + data.len()) as u64;
    let mut label = vec![0; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[8] = 1;
    label[20] = 32;
    label[24..32].copy_from_slice(b"LVM2 001");
    label[32..64].copy_from_slice(id.as_bytes());
    label[64..72].copy_from_slice(&size.to_le_bytes());
    label[72..80].copy_from_slice(&(MIB as u64).to_le_bytes());
    label[104..112].copy_from_slice(&(AREA as u64).to_le_bytes());
    label[112..120].copy_from_slice(&((MIB - AREA) as u64).to_le_bytes());
    label[136] = 2;
    label[140] = u8::from(used);
    let sum = checksum(&label[20..]);
    label[16..20].copy_from_slice(&sum);

    let mut area = vec![0; 512];
    area[4..20].copy_from_slice(b"\x20LVM2\x20x[5A%r0N*>");
    area[20] = 1;
    area[24..32].copy_from_slice(&(AREA as u64).to_le_bytes());
    area[32..40].copy_from_slice(&((MIB - AREA) as u64).to_le_bytes());
    let text = if text.is_empty() { String::new() } else { format!("{text}\0") };
    if !text.is_empty() {
        area[40..48].copy_from_slice(&512_u64.to_le_bytes());
        area[48..56].copy_from_slice(&(text.len() as u64).to_le_bytes());
        area[56..60].copy_from_slice(&checksum(text.as_bytes()));
    }
    let sum = checksum(&area[4..]);
    area[..4].copy_from_slice(&sum);
    sparse(MIB + data.len(), &[(512, &label), (AREA, &area), (AREA + 512, text.as_bytes()), (MIB, data)])
}

/// The metadata of group `vg` of some physical volumes, with extents of 1 MiB, and logical volumes as given by
/// [`volume`].
pub(crate) fn group(members: usize, volumes: &str) -> String {
    let physical = (0..members).map(|n| {
        format!(
            "pv{n} {{\nid = \"{}\"\nstatus = [\"ALLOCATABLE\"]\npe_start = 2048\npe_count = 24\n}}\n",
            IDS[n]
        )
    });
    let physical: String = physical.collect();
    let volumes =
        if volumes.is_empty() { String::new() } else { format!("logical_volumes {{\n{volumes}}}\n") };
    format!(
        "vg {{\nid = \"CCCCCC-CCCC-CCCC-CCCC-CCCC-CCCC-CCCCCC\"\nseqno = 2\nformat = \"lvm2\"\n\
         status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\nextent_size = 2048\n\
         physical_volumes {{\n{physical}}}\n{volumes}}}\n"
    )
}

/// A logical volume of 24 extents that begins on extent 0 of `member`, of a kind of segment.
pub(crate) fn volume(name: &str, kind: &str, member: usize) -> String {
    format!(
        "{name} {{\nid = \"DDDDDD-DDDD-DDDD-DDDD-DDDD-DDDD-DDDDDD\"\nstatus = [\"READ\", \"WRITE\", \"VISIBLE\"]\n\
         segment_count = 1\nsegment1 {{\nstart_extent = 0\nextent_count = 24\ntype = \"{kind}\"\nstripe_count = 1\n\
         stripes = [\n\"pv{member}\", 0\n]\n}}\n}}\n"
    )
}
