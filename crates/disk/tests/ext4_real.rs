// SPDX-License-Identifier: Apache-2.0
//! ext4 images that others made, compared with what the kernel's mount showed.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod walk;

use snapscan_disk::fs::{FileSystem, State, ext4};

fn check(name: &str) -> Option<State> {
    let folder = walk::real_data()?.join("images").join(name);
    let source = walk::source(&folder.join("image.img"));
    assert!(ext4::probe(source.as_ref()).unwrap());
    let fs = ext4::Ext4::open(source).unwrap();
    walk::compare_with_list(&walk::walk(&fs), &folder.join("expected.tsv"));
    assert_eq!(fs.notes(), []);
    Some(fs.info().state.clone())
}

#[test]
fn small_trees_are_read_as_the_kernel_reads_them() {
    for name in ["dfvfs-ext2", "dissect-ext4", "dissect-ext4-symlink-test1", "dissect-target-symlink-disk"] {
        assert!(check(name).is_none_or(|state| state == State::Clean));
    }
}

#[test]
fn ten_thousand_names_an_index_holes_and_encrypted_names_are_read_as_the_kernel_reads_them() {
    assert!(check("ext4-view-test-disk1").is_none_or(|state| state == State::Clean));
}

#[test]
fn a_dirty_journal_is_applied_as_the_kernel_applies_it() {
    let state = check("ext4-view-test-disk-4k-block-journal");
    assert!(
        state.is_none_or(|state| matches!(state, State::Replayed { journal_bytes } if journal_bytes > 0))
    );
}
