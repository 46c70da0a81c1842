// SPDX-License-Identifier: Apache-2.0
//! Reads a whole filesystem through the contract, into a map that two readers can be compared by.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use snapscan_disk::fs::{FileSystem, FileType, Metadata, Node, Xattr};
use snapscan_disk::source::file::FileSource;
use snapscan_disk::{BlockSource, Error};

/// All there is to know about one path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) metadata: Metadata,
    pub(crate) content: Option<String>,
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) xattrs: Vec<Xattr>,
}

/// Paths without leading slash, the root being empty.
pub(crate) type Tree = BTreeMap<Vec<u8>, Seen>;

/// Reads everything, and fails at the first error.
pub(crate) fn walk(fs: &dyn FileSystem) -> Tree {
    let mut tree = Tree::new();
    let mut waiting = vec![(Vec::new(), fs.root())];
    while let Some((path, node)) = waiting.pop() {
        let seen = look(fs, node).unwrap_or_else(|error| panic!("{}: {error}", path.escape_ascii()));
        if seen.metadata.kind == FileType::Directory {
            for (name, child) in list(fs, node) {
                let below = if path.is_empty() { name } else { [&path[..], b"/", &name].concat() };
                waiting.push((below, child));
            }
        }
        tree.insert(path, seen);
    }
    tree
}

/// Names and nodes of a folder, each looked up once more by name.
pub(crate) fn list(fs: &dyn FileSystem, folder: Node) -> Vec<(Vec<u8>, Node)> {
    let mut all = Vec::new();
    fs.entries(folder, &mut |entry| {
        let entry = entry.unwrap();
        all.push((entry.name, entry.node, entry.kind));
        ControlFlow::Continue(())
    })
    .unwrap();
    let nodes: Vec<Node> = all.iter().map(|entry| entry.1).collect();
    let many = fs.metadata_many(&nodes);
    assert_eq!(many.len(), nodes.len());
    for ((name, node, kind), metadata) in all.iter().zip(many) {
        let name_text = name.escape_ascii();
        assert_eq!(fs.lookup(folder, name).unwrap(), Some(*node), "lookup of {name_text}");
        let metadata = metadata.unwrap();
        assert_eq!(metadata, fs.metadata(*node).unwrap(), "metadata of many: {name_text}");
        assert!(kind.is_none_or(|kind| kind == metadata.kind), "type of {name_text}");
    }
    assert!(fs.lookup(folder, b"no such name, ever").unwrap().is_none());
    all.into_iter().map(|(name, node, _)| (name, node)).collect()
}

fn look(fs: &dyn FileSystem, node: Node) -> Result<Seen, Error> {
    let metadata = fs.metadata(node)?;
    let content = match metadata.kind {
        FileType::File => match digest(fs, node) {
            Err(Error::Unsupported(_)) if metadata.encrypted => Some("unreadable".into()),
            read => Some(read?),
        },
        _ => None,
    };
    let target = if metadata.kind == FileType::Symlink { Some(fs.link_target(node)?) } else { None };
    Ok(Seen { metadata, content, target, xattrs: fs.xattrs(node)? })
}

/// SHA-256 of a file's content, read in pieces that fit no block.
pub(crate) fn digest(fs: &dyn FileSystem, node: Node) -> Result<String, Error> {
    let file = fs.open(node)?;
    let mut hasher = Sha256::new();
    let mut buf = vec![0xaa; 1_000_003];
    let mut offset = 0;
    loop {
        let read = file.read_at(offset, &mut buf)?;
        if read == 0 {
            break;
        }
        hasher.update(&buf[..read]);
        offset += read as u64;
    }
    assert_eq!(offset, file.size());
    let extents = file.extents(0..u64::MAX)?;
    let mut end = 0;
    for extent in extents {
        assert_eq!(extent.range.start, end, "extents have no gaps");
        end = extent.range.end;
    }
    assert_eq!(end, file.size());
    Ok(hex(&hasher.finalize()))
}

/// SHA-256 as [`digest`] writes it.
pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An image file as a source.
pub(crate) fn source(path: &Path) -> Arc<dyn BlockSource> {
    Arc::new(FileSource::new(std::fs::File::open(path).unwrap()).unwrap())
}

/// The folder of real data; `None`, with a word why, if there is none here.
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("SNAPSCAN_REALDATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("not run: SNAPSCAN_REALDATA names no folder");
    }
    folder
}

/// Compares a tree with a list of the real data, `expected.tsv`.
pub(crate) fn compare_with_list(tree: &Tree, list: &Path) {
    let text = std::fs::read_to_string(list).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), "path\ttype\tmode\tuid\tgid\tsize\tsha256\ttarget");
    let mut expected = 0;
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let seen = tree.get(fields[0].as_bytes()).unwrap_or_else(|| panic!("{line}: missing"));
        let metadata = &seen.metadata;
        assert_eq!(metadata.kind.letter().to_string(), fields[1], "{line}");
        assert_eq!(format!("{:o}", metadata.mode), fields[2], "{line}");
        assert_eq!(
            (metadata.uid.to_string(), metadata.gid.to_string()),
            (fields[3].into(), fields[4].into())
        );
        if !fields[5].is_empty() {
            assert_eq!(metadata.size.to_string(), fields[5], "{line}");
        }
        assert_eq!(seen.content.as_deref().unwrap_or(""), fields[6], "{line}");
        let target = String::from_utf8_lossy(seen.target.as_deref().unwrap_or_default());
        assert_eq!(target, fields.get(7).copied().unwrap_or(""), "{line}");
        expected += 1;
    }
    assert_eq!(
        tree.len() - 1,
        expected,
        "{:?}",
        tree.keys().map(|p| p.escape_ascii().to_string()).collect::<Vec<_>>()
    );
}
