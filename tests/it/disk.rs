// SPDX-License-Identifier: Apache-2.0
//! Disks made on the spot, byte by byte: tables by hand, content from the fixtures or a few bytes of magic.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use snapscan_disk::BlockSource;
use snapscan_disk::source::zst::Unpacked;
use tempfile::TempDir;

use crate::run;

/// Bytes at the start of each partition's place.
pub(crate) const MIB: usize = 1 << 20;

/// As many zeros as are written, or looked at, at once.
static ZEROS: [u8; 16_384] = [0; 16_384];

/// Types of partitions, as GUIDs.
pub(crate) const LINUX: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
pub(crate) const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
pub(crate) const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

/// A partition that is to be.
pub(crate) struct Part {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) content: Vec<u8>,
}

/// A partition with a type, a name and content.
pub(crate) fn part(kind: &'static str, name: &'static str, content: Vec<u8>) -> Part {
    Part { kind, name, content }
}

/// The bytes of a fixture.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let image = Unpacked::new(File::open(run::fixture(name)).unwrap()).unwrap();
    let mut bytes = vec![0; usize::try_from(image.len()).unwrap()];
    image.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Zeros with bytes at some places.
pub(crate) fn sparse(len: usize, at: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (at, what) in at {
        bytes[*at..at + what.len()].copy_from_slice(what);
    }
    bytes
}

/// Replaces text by text of the same length at its only place.
pub(crate) fn swap_text(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "{from:?} and {to:?} differ in length");
    let places: Vec<usize> = places_of(bytes, from.as_bytes());
    assert_eq!(places.len(), 1, "{from:?} is there {} times", places.len());
    bytes[places[0]..places[0] + to.len()].copy_from_slice(to.as_bytes());
}

/// Where some bytes stand; runs of zeros are skipped in one step each.
pub(crate) fn places_of(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    for start in (0..bytes.len()).step_by(ZEROS.len()) {
        let end = bytes.len().min(start + ZEROS.len());
        if bytes[start..end] == ZEROS[..end - start] {
            continue;
        }
        for at in start..end {
            if bytes[at] == what[0] && bytes[at..].starts_with(what) {
                places.push(at);
            }
        }
    }
    places
}

/// The small Debian root, with other lines instead of those of its fstab.
pub(crate) fn root_with_fstab(lines: &str) -> Vec<u8> {
    let mut root = fixture("unpartitioned-ext4");
    set_fstab(&mut root, lines);
    root
}

/// Writes other lines over the fstab that begins with the usual comment, up to its length.
pub(crate) fn set_fstab(image: &mut [u8], lines: &str) {
    let old = b"# <file system> <mount point> <type> <options> <dump> <pass>\n";
    let places = places_of(image, old);
    let [at] = places[..] else { panic!("fstab is there {} times", places.len()) };
    let len = image[at..].iter().position(|byte| *byte == 0).unwrap();
    assert!(lines.len() <= len, "only {len} bytes are there");
    image[at..at + len].fill(b'\n');
    image[at..at + lines.len()].copy_from_slice(lines.as_bytes());
}

/// A disk with a GPT (UEFI specification, 5.3): each partition at the next MiB, a copy of the table at the end.
pub(crate) fn gpt(parts: &[Part]) -> Vec<u8> {
    let room: usize = parts.iter().map(|part| part.content.len().div_ceil(MIB) * MIB).sum();
    let mut disk = vec![0; MIB + room + MIB];
    let sectors = (disk.len() / 512) as u64;
    let mut entries = vec![0; 128 * 128];
    let mut at = MIB;
    for (number, part) in parts.iter().enumerate() {
        let entry = &mut entries[number * 128..][..128];
        entry[..16].copy_from_slice(&guid(part.kind));
        entry[16..32].copy_from_slice(&[number as u8 + 1; 16]);
        let len = part.content.len().div_ceil(512);
        entry[32..40].copy_from_slice(&((at / 512) as u64).to_le_bytes());
        entry[40..48].copy_from_slice(&((at / 512 + len - 1) as u64).to_le_bytes());
        for (unit, place) in part.name.encode_utf16().zip(entry[56..].chunks_exact_mut(2)) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
        disk[at..at + part.content.len()].copy_from_slice(&part.content);
        at += part.content.len().div_ceil(MIB) * MIB;
    }
    let header = |own: u64, other: u64, list: u64| {
        let mut header = vec![0; 512];
        header[..12].copy_from_slice(b"EFI PART\0\0\x01\0");
        header[12] = 92;
        header[24..32].copy_from_slice(&own.to_le_bytes());
        header[32..40].copy_from_slice(&other.to_le_bytes());
        header[40..48].copy_from_slice(&34_u64.to_le_bytes());
        header[48..56].copy_from_slice(&(sectors - 34).to_le_bytes());
        header[56..72].copy_from_slice(&[0xd1; 16]);
        header[72..80].copy_from_slice(&list.to_le_bytes());
        header[80..84].copy_from_slice(&128_u32.to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        header[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        let crc = crc32fast::hash(&header[..92]);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        header
    };
    let end = disk.len();
    disk[446..462].copy_from_slice(&mbr_entry(0xee, 1, sectors as u32 - 1));
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk[512..1024].copy_from_slice(&header(1, sectors - 1, 2));
    disk[1024..1024 + entries.len()].copy_from_slice(&entries);
    disk[end - 512..].copy_from_slice(&header(sectors - 1, 1, sectors - 33));
    disk[end - 33 * 512..end - 512].copy_from_slice(&entries);
    disk
}

/// One entry of an MBR.
pub(crate) fn mbr_entry(kind: u8, first: u32, sectors: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = kind;
    entry[8..12].copy_from_slice(&first.to_le_bytes());
    entry[12..].copy_from_slice(&sectors.to_le_bytes());
    entry
}

/// A GUID as it lies on the disk: its first three fields are little-endian.
fn guid(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte)
}

/// What `mkswap` writes: version 1, a last page, and the name at the end of the first page.
pub(crate) fn swap() -> Vec<u8> {
    sparse(MIB, &[(1024, &[1, 0, 0, 0, 255, 0, 0, 0]), (4086, b"SWAPSPACE2")])
}

/// The boot sector of a FAT16.
pub(crate) fn vfat() -> Vec<u8> {
    let mut boot = [0; 64];
    boot[..11].copy_from_slice(b"\xeb\x3c\x90mkfs.fat");
    // 512 bytes a sector, 4 sectors a cluster, 4 reserved, 2 FATs of 32 sectors, 512 root entries, 40960 sectors.
    boot[11..24].copy_from_slice(&[0, 2, 4, 4, 0, 2, 0, 2, 0, 0xa0, 0xf8, 32, 0]);
    boot[38] = 0x29;
    boot[39..43].copy_from_slice(&[0x1c, 0x2b, 0x3a, 0x8f]);
    boot[54..62].copy_from_slice(b"FAT16   ");
    sparse(20 * MIB, &[(0, &boot), (510, &[0x55, 0xaa])])
}

/// Images in a folder that goes away with them.
pub(crate) struct Images(TempDir);

impl Images {
    pub(crate) fn new() -> Images {
        Images(tempfile::tempdir().unwrap())
    }

    /// Where a file of that name is or will be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes an image; blocks of zeros become holes.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        write(&path, bytes);
        path
    }
}

fn write(path: &Path, bytes: &[u8]) {
    let file = File::create(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (number, block) in bytes.chunks(ZEROS.len()).enumerate() {
        if *block != ZEROS[..block.len()] {
            file.write_all_at(block, (number * ZEROS.len()) as u64).unwrap();
        }
    }
}
