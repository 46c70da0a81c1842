// SPDX-License-Identifier: Apache-2.0
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::KernelFs;
use crate::error::Error;
use crate::fs::{FileSystem, FileType, Node};

fn reader(path: &Path) -> KernelFs {
    KernelFs::new(fs::File::open(path).unwrap().into()).unwrap()
}

fn at(tree: &KernelFs, path: &str) -> Node {
    path.split('/').fold(tree.root(), |node, name| tree.lookup(node, name.as_bytes()).unwrap().unwrap())
}

#[test]
fn a_name_has_the_same_node_by_lookup_and_by_entries() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    fs::write(dir.path().join("etc/hostname"), "x\n").unwrap();
    let tree = reader(dir.path());
    let etc = at(&tree, "etc");
    let mut listed = Vec::new();
    let mut push = |entry: crate::Result<_>| {
        listed.push(entry.unwrap());
        ControlFlow::Continue(())
    };
    tree.entries(etc, &mut push).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].node, at(&tree, "etc/hostname"));
    assert_eq!(listed[0].kind, Some(FileType::File));
}

#[test]
fn names_that_lead_elsewhere_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let tree = reader(dir.path());
    for name in ["..", ".", "", "a/b", "../etc", "/etc", "a\0b"] {
        assert_eq!(tree.lookup(tree.root(), name.as_bytes()).unwrap(), None, "{name:?}");
    }
    assert_eq!(tree.lookup(tree.root(), &[b'x'; 300]).unwrap(), None);
}

#[test]
fn links_are_seen_and_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/etc", dir.path().join("abs")).unwrap();
    symlink("../..", dir.path().join("up")).unwrap();
    let tree = reader(dir.path());
    for name in ["abs", "up"] {
        let node = at(&tree, name);
        assert_eq!(tree.metadata(node).unwrap().kind, FileType::Symlink);
        assert!(matches!(tree.lookup(node, b"passwd"), Err(Error::NotADirectory)));
        assert!(matches!(tree.open(node), Err(Error::WrongType(_))));
    }
    assert_eq!(tree.link_target(at(&tree, "abs")).unwrap(), b"/etc");
}

#[test]
fn a_folder_that_becomes_a_link_is_an_error_and_no_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    fs::write(dir.path().join("etc/passwd"), "inside").unwrap();
    let tree = reader(dir.path());
    let passwd = at(&tree, "etc/passwd");
    fs::rename(dir.path().join("etc"), dir.path().join("old")).unwrap();
    symlink("/etc", dir.path().join("etc")).unwrap();
    assert!(tree.open(passwd).is_err());
    assert!(tree.metadata(passwd).is_err());
    fs::remove_file(dir.path().join("etc")).unwrap();
    assert!(matches!(tree.metadata(passwd), Err(Error::Source(_))));
}

#[test]
fn a_path_longer_than_the_kernel_takes_is_opened_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let name = "n".repeat(250);
    // The host itself needs more than one step for this depth: rename a deep tree into a deeper one.
    let mut half = dir.path().join("a");
    for _ in 0..12 {
        half.push(&name);
    }
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("bottom"), "deep").unwrap();
    let mut other = dir.path().join("b");
    for _ in 0..12 {
        other.push(&name);
    }
    fs::create_dir_all(&other).unwrap();
    fs::rename(dir.path().join("a"), other.join("a")).unwrap();
    let tree = reader(dir.path());
    let mut path = vec!["b"];
    path.extend(vec![name.as_str(); 12]);
    path.push("a");
    path.extend(vec![name.as_str(); 12]);
    path.push("bottom");
    let file = tree.open(at(&tree, &path.join("/"))).unwrap();
    let mut buf = [0; 9];
    assert_eq!(file.read_at(0, &mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"deep");
    // The host's own removal takes no path of this length either.
    fs::rename(other.join("a"), dir.path().join("a")).unwrap();
}

#[test]
fn mounts_of_no_disk_stay_out_and_are_listed() {
    // Every Linux host has these two at the root, and its root is neither.
    let tree = reader(Path::new("/"));
    for name in ["proc", "sys"] {
        let mut count = 0;
        let mut each = |_| {
            count += 1;
            ControlFlow::Continue(())
        };
        tree.entries(at(&tree, name), &mut each).unwrap();
        assert_eq!(count, 0, "{name}");
        assert_eq!(tree.lookup(at(&tree, name), b"self").unwrap(), None);
    }
    let listed: Vec<_> =
        tree.not_crossed().into_iter().map(|(path, kind)| format!("{path:?} {kind}")).collect();
    assert_eq!(listed, ["/proc proc", "/sys sysfs"]);
}

#[test]
fn a_fifo_is_told_and_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let tree = reader(dir.path());
    let pipe = at(&tree, "pipe");
    assert_eq!(tree.metadata(pipe).unwrap().kind, FileType::Fifo);
    assert!(matches!(tree.open(pipe), Err(Error::WrongType("file"))));
    assert!(tree.xattrs(pipe).unwrap().is_empty());
}

#[test]
fn a_file_is_no_root_and_an_unknown_node_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(KernelFs::new(fs::File::open(&path).unwrap().into()), Err(Error::NotADirectory)));
    let tree = reader(dir.path());
    assert!(tree.metadata(Node(7)).is_err());
    assert!(tree.metadata(Node(u64::MAX)).is_err());
}
