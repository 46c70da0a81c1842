// SPDX-License-Identifier: Apache-2.0
//! Bytes as tables, volumes, filesystems and journals. None of these calls may panic or run for long.

use std::ops::ControlFlow;
use std::sync::Arc;

use snapscan_disk::BlockSource;
use snapscan_disk::fs::ext4::Ext4;
use snapscan_disk::fs::ext4::journal::{self, Area, Expect};
use snapscan_disk::fs::xfs::{Xfs, log};
use snapscan_disk::fs::{FileSystem, FileType, Node};
use snapscan_disk::layout::{lvm, table};

/// Objects of one filesystem that are looked at.
const MOST_OBJECTS: usize = 64;
/// Bytes of each file that are read.
const FILE_BYTES: usize = 16 << 10;

fn source(bytes: &[u8]) -> Arc<dyn BlockSource> {
    Arc::new(bytes.to_vec())
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

/// An ext2, ext3 or ext4 filesystem.
pub fn ext4(bytes: &[u8]) {
    if let Ok(filesystem) = Ext4::open(source(bytes)) {
        walk(&filesystem);
    }
}

/// An XFS filesystem.
pub fn xfs(bytes: &[u8]) {
    if let Ok(filesystem) = Xfs::open(source(bytes)) {
        walk(&filesystem);
    }
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

/// Looks at some objects in every way a reader offers.
fn walk(filesystem: &dyn FileSystem) {
    let mut left: Vec<Node> = vec![filesystem.root()];
    let mut seen = 0;
    while let Some(node) = left.pop() {
        seen += 1;
        if seen > MOST_OBJECTS {
            break;
        }
        let _ = filesystem.xattrs(node);
        let Ok(metadata) = filesystem.metadata(node) else { continue };
        match metadata.kind {
            FileType::Directory => {
                let _ = filesystem.entries(node, &mut |entry| {
                    if let Ok(entry) = entry {
                        left.push(entry.node);
                    }
                    if left.len() < MOST_OBJECTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
}
