// SPDX-License-Identifier: Apache-2.0
use std::borrow::Cow;
use std::sync::Arc;

use super::super::superblock::Superblock;
use super::*;

/// A filesystem of 4096 blocks of 1 KiB whose blocks are zeros, but for one.
fn volume(block: u64, content: &[u8]) -> Volume {
    let mut bytes = vec![0; 4097 * 1024];
    for (at, value) in
        [(0x0, 512_u32), (0x4, 4097), (0x14, 1), (0x20, 8192), (0x28, 512), (0x4c, 1), (0x60, 0x42)]
    {
        bytes[1024 + at..1028 + at].copy_from_slice(&value.to_le_bytes());
    }
    bytes[1024 + 0x38..1026 + 0x38].copy_from_slice(&[0x53, 0xef]);
    bytes[1024 + 0x58..1026 + 0x58].copy_from_slice(&[0, 1]);
    let at = usize::try_from(block).unwrap() * 1024;
    bytes[at..at + content.len()].copy_from_slice(content);
    let superblock = Superblock::read(&bytes).unwrap().0;
    Volume::new(Arc::new(bytes), superblock)
}

/// A node with these entries of three words each.
fn node(room: u16, depth: u16, entries: &[[u32; 3]]) -> Vec<u8> {
    let mut node = MAGIC.to_vec();
    node.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
    node.extend_from_slice(&room.to_le_bytes());
    node.extend_from_slice(&depth.to_le_bytes());
    node.extend_from_slice(&[0; 4]);
    node.extend(entries.iter().flatten().flat_map(|word| word.to_le_bytes()));
    node
}

fn list(volume: &Volume, root: &[u8]) -> Result<Map> {
    let mut raw = vec![0; 256];
    raw[..2].copy_from_slice(&0o100_644_u16.to_le_bytes());
    raw[0x1a] = 1;
    raw[0x22] = 8;
    raw[0x28..0x28 + root.len()].copy_from_slice(root);
    let inode = Inode::parse(&volume.superblock, 12, Cow::Owned(raw)).unwrap();
    volume.map(&inode, 0..END)
}

fn refusal(root: &[u8]) -> String {
    list(&volume(9, &[]), root).unwrap_err().to_string()
}

#[test]
fn neighbours_are_joined_and_reserved_extents_are_told_apart() {
    let root = node(4, 0, &[[0, 2, 100], [2, 3, 102], [5, 32_768 + 4, 105], [20, 7, 200]]);
    let map = list(&volume(9, &[]), &root).unwrap();
    let run = |file, count, disk, unwritten| Run { file, count, disk, unwritten };
    assert_eq!(map.runs, [run(0, 5, 100, false), run(5, 4, 105, true), run(20, 7, 200, false)]);
}

#[test]
fn roots_that_cannot_be_are_refused() {
    assert!(refusal(&[0; 60]).contains("magic 0x0000"));
    assert!(refusal(&node(0, 0, &[])).contains("room for 0"));
    assert!(refusal(&node(5, 0, &[])).contains("room for 5"));
    assert!(refusal(&node(1, 0, &[[0, 1, 100], [1, 1, 101]])).contains("2 entries in room for 1"));
    assert!(refusal(&node(4, 6, &[[0, 50, 0]])).contains("6 levels"));
    assert!(refusal(&node(4, 1, &[])).contains("no entries"));
}

#[test]
fn extents_that_cannot_be_are_refused() {
    assert!(refusal(&node(4, 0, &[[0, 0, 100]])).contains("0 blocks"));
    assert!(refusal(&node(4, 0, &[[5, 2, 100], [6, 1, 200]])).contains("from 6"));
    assert!(refusal(&node(4, 0, &[[5, 2, 100], [1, 1, 200]])).contains("from 1"));
    assert!(refusal(&node(4, 0, &[[0, 2, 4096]])).contains("outside"));
    assert!(refusal(&node(4, 0, &[[0, 1, 1]])).contains("outside"));
    assert!(refusal(&node(4, 0, &[[u32::MAX, 2, 100]])).contains("not within"));
}

#[test]
fn index_entries_that_cannot_be_are_refused() {
    assert!(refusal(&node(4, 1, &[[0, 5000, 0]])).contains("outside"));
    assert!(refusal(&node(4, 1, &[[9, 50, 0], [9, 51, 0]])).contains("out of order"));
}

#[test]
fn a_child_that_is_its_own_parent_is_a_problem_and_ends() {
    let child = node(84, 1, &[[0, 50, 0]]);
    let map = list(&volume(50, &child), &node(4, 2, &[[0, 50, 0]])).unwrap();
    assert!(map.runs.is_empty());
    assert!(map.problems[0].to_string().contains("level 1, expected 0"), "{:?}", map.problems);
}

#[test]
fn a_bad_child_leaves_what_its_neighbours_hold() {
    let child = node(84, 0, &[[10, 5, 300]]);
    let map = list(&volume(50, &child), &node(4, 1, &[[0, 60, 0], [10, 50, 0], [20, 50, 0]])).unwrap();
    assert_eq!((map.runs.len(), map.runs[0].file, map.runs[0].disk), (1, 10, 300));
    assert_eq!(map.problems.len(), 2, "one has no magic, one does not lie where its parent says");
}
