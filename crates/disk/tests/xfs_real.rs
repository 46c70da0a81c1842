// SPDX-License-Identifier: Apache-2.0
//! XFS images that others made, compared with what the kernel's mount showed.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod walk;

use snapscan_disk::fs::{FileSystem, xfs};

fn check(name: &str) {
    let Some(data) = walk::real_data() else { return };
    let folder = data.join("images").join(name);
    let source = walk::source(&folder.join("image.img"));
    assert!(xfs::probe(source.as_ref()).unwrap());
    let fs = xfs::Xfs::open(source).unwrap();
    walk::compare_with_list(&walk::walk(&fs), &folder.join("expected.tsv"));
    assert_eq!(fs.notes(), []);
}

#[test]
fn small_tree_is_read_as_the_kernel_reads_it() {
    check("dissect-xfs");
}

#[test]
fn big_times_change_nothing_else() {
    check("dissect-xfs-bigtime");
}

#[test]
fn links_of_all_lengths_are_read() {
    check("dissect-xfs-symlink-test1");
}
