// SPDX-License-Identifier: Apache-2.0
//! The corpora of the fuzz targets, replayed.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

#[expect(unreachable_pub, reason = "public for the fuzz targets")]
#[path = "../../fuzz/src/disk.rs"]
mod targets;

use std::path::Path;

/// Calls a target with every input of its corpus, and with each cut in half.
fn replay<T>(name: &str, target: fn(&[u8]) -> T) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        target(&bytes);
        target(&bytes[..bytes.len() / 2]);
        count += 1;
    }
    assert!(count > 0, "{name} has no corpus");
}

#[test]
fn no_input_of_a_corpus_panics() {
    replay("gpt", targets::gpt);
    replay("mbr", targets::mbr);
    replay("lvm", targets::lvm);
    replay("ext4", targets::ext4);
    replay("jbd2", targets::jbd2);
    replay("xfs", targets::xfs);
    replay("xfslog", targets::xfslog);
}

#[test]
fn the_seeds_of_filesystems_open_and_have_objects() {
    let seed = |path: &str| {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(path)).unwrap()
    };
    for (objects, name) in [(6, "small"), (10, "inline-data"), (10, "block-map"), (10, "hashed-folder")] {
        assert_eq!(targets::ext4(&seed(&format!("ext4/{name}"))), objects, "{name}");
    }
    assert_eq!(targets::xfs(&seed("xfs/every-form")), 14);
}
