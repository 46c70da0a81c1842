// SPDX-License-Identifier: Apache-2.0
//! Trees that mkfs.xfs makes from a list, in versions and forms that this kernel does not mount.
//!
//! The list says what must come out. A second reader (lamxfs) and xfs_db say it once more.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod damage;
mod recipe;
#[path = "../walk/mod.rs"]
mod walk;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use self::recipe::{make, scratch};
use snapscan_disk::fs::{FileSystem, FileType, Node, xfs};

fn check(options: &[&str], names: usize) {
    let folder = scratch();
    let Some((image, recipe)) = make(folder.path(), options, names) else { return };
    let fs = xfs::Xfs::open(walk::source(&image)).unwrap();
    let tree = walk::walk(&fs);
    assert_eq!(fs.notes(), []);
    for (path, (kind, mode, content)) in &recipe {
        let seen = tree.get(path.as_bytes()).unwrap_or_else(|| panic!("{path}: missing"));
        assert_eq!((seen.metadata.kind, seen.metadata.mode), (*kind, *mode), "{path}");
        match kind {
            FileType::File => assert_eq!(seen.content, Some(walk::sha256(content)), "{path}"),
            FileType::Symlink => assert_eq!(seen.target.as_ref(), Some(content), "{path}"),
            FileType::CharDevice | FileType::BlockDevice => assert_eq!(seen.metadata.rdev, (8, 17), "{path}"),
            _ => {}
        }
    }
    assert_eq!(tree.len(), recipe.len());
    compare_with_xfs_db(&fs, &image, &format!("folder-{names}"));
    if let Err(why) = compare_with_second_reader(&tree, &image) {
        eprintln!("{options:?}: the second reader cannot: {why}");
    }
}

/// xfs_db's `ls` prints for each entry: address, inode, type, hash, length, name, and whether it is sound.
fn compare_with_xfs_db(fs: &xfs::Xfs, image: &Path, folder: &str) {
    let path = format!("path /{folder}");
    let output = Command::new("xfs_db").args(["-r", "-c", &path, "-c", "ls"]).arg(image).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let node = fs.lookup(fs.root(), folder.as_bytes()).unwrap().unwrap();
    let ours: BTreeMap<Vec<u8>, Node> = walk::list(fs, node).into_iter().collect();
    let mut count = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, inode, _, _, _, name, ..] = fields[..] else { continue };
        if name != "." && name != ".." {
            assert_eq!(ours.get(name.as_bytes()), Some(&Node(inode.parse().unwrap())), "{line}");
            count += 1;
        }
    }
    assert_eq!(count, ours.len(), "{text}");
}

/// lamxfs's view of a source.
struct Second(File);

impl lamxfs::BlockRead for Second {
    type Error = std::io::Error;
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read_exact_at(buf, offset)
    }
}

fn compare_with_second_reader(tree: &walk::Tree, image: &Path) -> Result<(), String> {
    let len = std::fs::metadata(image).unwrap().len();
    let mut other =
        lamxfs::Xfs::open(Second(File::open(image).unwrap()), len).map_err(|why| format!("{why:?}"))?;
    let mut names = 0;
    // It walks the whole path for each file, so only some of those in folders are read.
    let some = tree.iter().filter(|(path, seen)| {
        seen.metadata.kind != FileType::File || path.iter().all(|&b| b != b'/') || path.ends_with(b"0-")
    });
    for (path, seen) in some {
        let at = [b"/", &path[..]].concat();
        let path = lamxfs::Path::new(&at);
        let text = at.escape_ascii();
        match seen.metadata.kind {
            FileType::File => {
                let content = other.read_file(path).unwrap_or_else(|why| panic!("{text}: {why:?}"));
                assert_eq!(seen.content, Some(walk::sha256(&content)), "{text}");
            }
            FileType::Symlink => assert_eq!(seen.target, Some(other.read_link(path).unwrap()), "{text}"),
            FileType::Directory => names += other.read_dir(path).unwrap().len(),
            _ => {}
        }
    }
    assert!(names >= tree.len() - 1);
    Ok(())
}

#[test]
fn version_4_without_types_is_read() {
    check(&["-m", "crc=0,finobt=0,reflink=0", "-n", "ftype=0"], 3000);
}

#[test]
fn version_4_with_types_is_read() {
    check(&["-m", "crc=0,finobt=0,reflink=0", "-n", "ftype=1"], 3000);
}

#[test]
fn version_4_with_blocks_of_512_bytes_is_read() {
    check(&["-m", "crc=0,finobt=0,reflink=0", "-b", "size=512", "-i", "size=256"], 3000);
}

#[test]
fn version_4_with_large_blocks_of_folders_is_read() {
    check(&["-m", "crc=0,finobt=0,reflink=0", "-b", "size=1024", "-n", "size=16384"], 3000);
}

#[test]
fn version_5_is_read() {
    check(&[], 3000);
}

#[test]
fn names_are_found_in_either_case_where_case_does_not_count() {
    let folder = scratch();
    let options = ["-m", "crc=0,finobt=0,reflink=0", "-n", "version=ci"];
    let Some((image, _)) = make(folder.path(), &options, 3000) else { return };
    let fs = xfs::Xfs::open(walk::source(&image)).unwrap();
    let tree = walk::walk(&fs);
    let node = fs.lookup(fs.root(), b"FOLDER-3000").unwrap().unwrap();
    let found = fs.lookup(node, b"nAME-00060-").unwrap().unwrap();
    assert_eq!(found.0, tree[&b"folder-3000/Name-00060-"[..]].metadata.identity.inode);
    assert_eq!(fs.notes(), []);
}
