// SPDX-License-Identifier: Apache-2.0
//! Bytes as tables, volumes, filesystems and journals. None of these calls may panic or run for long.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use snapscan_disk::fs::ext4::Ext4;
use snapscan_disk::fs::ext4::journal::{self, Area, Expect};
use snapscan_disk::fs::xfs::{Xfs, log};
use snapscan_disk::fs::{FileSystem, FileType, Node};
use snapscan_disk::layout::{lvm, table};
use snapscan_disk::{BlockSource, SourceError};

/// Objects of one filesystem that are looked at.
const MOST_OBJECTS: usize = 64;
/// Bytes of each file that are read.
const FILE_BYTES: usize = 16 << 10;

fn source(bytes: &[u8]) -> Arc<dyn BlockSource> {
    Arc::new(bytes.to_vec())
}

/// Bytes of a part of a disk, and of the whole disk.
const PART: u64 = 1024;
const DISK: u64 = 32 << 20;

/// A disk that is zero but for some parts: how many there are (one byte), the place of each (in parts, 32 bits,
/// little-endian), and their bytes.
struct Parts {
    parts: BTreeMap<u64, Vec<u8>>,
}

impl Parts {
    fn new(bytes: &[u8]) -> Option<Self> {
        let (&count, rest) = bytes.split_first()?;
        let (places, content) = rest.split_at_checked(usize::from(count) * 4)?;
        let places =
            places.chunks_exact(4).map(|place| u32::from_le_bytes([place[0], place[1], place[2], place[3]]));
        let content = content.chunks_exact(PART as usize).map(<[u8]>::to_vec);
        Some(Parts { parts: places.map(u64::from).zip(content).collect() })
    }
}

impl BlockSource for Parts {
    fn len(&self) -> u64 {
        DISK
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= DISK);
        let end = end.ok_or(SourceError::PastEnd { offset, len: DISK })?;
        buf.fill(0);
        for (place, content) in self.parts.range(offset / PART..end.div_ceil(PART)) {
            let start = place * PART;
            let (from, to) = (start.max(offset), (start + PART).min(end));
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&content[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }
}

/// A disk with a GUID partition table.
pub fn gpt(bytes: &[u8]) {
    let _ = table::read(source(bytes).as_ref());
}

/// A disk with a table of the old kind. The boot signature is set, so that more of it is reached.
pub fn mbr(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if let Some(signature) = bytes.get_mut(510..512) {
        signature.copy_from_slice(&[0x55, 0xaa]);
    }
    let _ = table::read(&bytes);
}

/// An LVM physical volume.
pub fn lvm(bytes: &[u8]) {
    let source = source(bytes);
    if let Ok(Some(volume)) = lvm::read(source.as_ref()) {
        let _ = lvm::assemble(&[(source, volume)]);
    }
}

/// An ext2, ext3 or ext4 filesystem. Answers how many objects were looked at.
pub fn ext4(bytes: &[u8]) -> usize {
    Ext4::open(source(bytes)).map_or(0, |filesystem| walk(&filesystem))
}

/// An XFS filesystem in [`Parts`]: the smallest whole one is much larger than what a fuzzer can turn over. Answers how
/// many objects were looked at.
pub fn xfs(bytes: &[u8]) -> usize {
    let Some(parts) = Parts::new(bytes) else { return 0 };
    Xfs::open(Arc::new(parts)).map_or(0, |filesystem| walk(&filesystem))
}

/// The journal of an ext4 filesystem, in blocks of 1 KiB.
pub fn jbd2(bytes: &[u8]) {
    let blocks = bytes.len() as u64 / 1024;
    let area = Area { block_size: 1024, runs: vec![(0, blocks)] };
    let expect = Expect { blocks_count: 4096 };
    let _ = journal::load(&source(bytes), &area, &expect);
}

/// The UUID of an XFS filesystem, then its log.
pub fn xfslog(bytes: &[u8]) {
    let Some((uuid, log)) = bytes.split_first_chunk::<16>() else { return };
    let geometry = log::Geometry {
        block_log: 12,
        group_blocks: 19_200,
        groups: 4,
        group_log: 15,
        inode_size: 512,
        inodes_per_block_log: 3,
        cluster_blocks: 4,
        log_start: Some(0),
        log_bytes: log.len() as u64 / 4096 * 4096,
        uuid: *uuid,
        meta_uuid: *uuid,
        v5: true,
    };
    let _ = log::load(&source(log), &geometry);
}

/// Looks at some objects in every way a reader offers; answers how many.
fn walk(filesystem: &dyn FileSystem) -> usize {
    filesystem.walk_ahead().take(MOST_OBJECTS).for_each(drop);
    let mut found: Vec<Node> = vec![filesystem.root()];
    let mut seen = 0;
    while let Some(&node) = found.get(seen) {
        seen += 1;
        look(filesystem, node, &mut found);
    }
    seen
}

fn look(filesystem: &dyn FileSystem, node: Node, found: &mut Vec<Node>) {
    let _ = filesystem.xattrs(node);
    let Ok(metadata) = filesystem.metadata(node) else { return };
    match metadata.kind {
        FileType::Directory => {
            let _ = filesystem.entries(node, &mut |entry| {
                if found.len() == MOST_OBJECTS {
                    return ControlFlow::Break(());
                }
                if let Ok(entry) = entry
                    && !found.contains(&entry.node)
                {
                    found.push(entry.node);
                }
                ControlFlow::Continue(())
            });
            let _ = filesystem.lookup(node, b"file");
        }
        FileType::File => {
            if let Ok(file) = filesystem.open(node) {
                let mut buf = vec![0; FILE_BYTES];
                let _ = file.read_at(0, &mut buf);
                let _ = file.extents(0..FILE_BYTES as u64);
            }
        }
        FileType::Symlink => {
            let _ = filesystem.link_target(node);
        }
        _ => {}
    }
}
