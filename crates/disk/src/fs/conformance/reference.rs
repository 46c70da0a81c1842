// SPDX-License-Identifier: Apache-2.0
//! The reference tree, as data.

use crate::bytes::wide;
use crate::error::Result;
use crate::fs::mem::MemTree;
use crate::fs::{FileType, Timestamp};

/// One name in the tree. Folders come before what is in them, and files before their further names.
#[derive(Debug, Clone)]
pub struct Item {
    /// The path without leading slash.
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// Permission bits; `None` for a symbolic link, which has none of its own.
    pub mode: Option<u32>,
    /// Owner and group; `None` if the test could not set them.
    pub owner: Option<(u32, u32)>,
    /// Last change of content; `None` if the test could not set it.
    pub mtime: Option<Timestamp>,
    /// Extended attributes by full name, sorted.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A folder.
    Directory,
    /// A file of `size` bytes with these pieces (offset, bytes) and holes between.
    File {
        /// Bytes.
        size: u64,
        /// In order, without overlap.
        pieces: Vec<(u64, Vec<u8>)>,
    },
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// One more name of the item at this path.
    HardLink(Vec<u8>),
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device, major and minor number.
    Device(FileType, u32, u32),
}

impl What {
    /// The type that metadata shows; `None` for a further name, which has that of the first.
    pub fn kind(&self) -> Option<FileType> {
        Some(match self {
            What::Directory => FileType::Directory,
            What::File { .. } => FileType::File,
            What::Symlink(_) => FileType::Symlink,
            What::Fifo => FileType::Fifo,
            What::Socket => FileType::Socket,
            What::Device(kind, ..) => *kind,
            What::HardLink(_) => return None,
        })
    }
}

/// A time within the years that all filesystems have, with whole seconds.
const USUAL: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 0 };

/// The tree: some 3,200 names, 6 MiB of data.
pub fn reference() -> Vec<Item> {
    let mut items = Vec::new();
    folders(&mut items);
    files(&mut items);
    links(&mut items);
    metadata(&mut items);
    attributes(&mut items);
    items
}

/// The tree in memory.
///
/// # Errors
/// A mistake in the description.
pub fn in_memory(items: &[Item]) -> Result<MemTree> {
    let mut tree = MemTree::builder();
    for item in items {
        let path = &item.path;
        tree = match &item.what {
            What::Directory => tree.dir(path),
            What::File { size, pieces } => tree.sparse(path, *size, pieces.clone()),
            What::Symlink(target) => tree.symlink(path, target),
            What::HardLink(existing) => tree.hardlink(path, existing),
            What::Fifo => tree.fifo(path),
            What::Socket => tree.socket(path),
            What::Device(kind, major, minor) => tree.device(path, *kind, *major, *minor),
        };
        if let Some(mode) = item.mode {
            tree = tree.mode(mode);
        }
        if let Some((uid, gid)) = item.owner {
            tree = tree.owner(uid, gid);
        }
        if let Some(time) = item.mtime {
            tree = tree.mtime(time.seconds, time.nanos);
        }
        for (name, value) in &item.xattrs {
            tree = tree.xattr(name, value);
        }
    }
    tree.build()
}

fn add(items: &mut Vec<Item>, path: impl AsRef<[u8]>, what: What) -> Option<&mut Item> {
    let mode = match what {
        What::Directory => Some(0o755),
        What::Symlink(_) | What::HardLink(_) => None,
        _ => Some(0o644),
    };
    let (owner, mtime) = match what {
        What::HardLink(_) => (None, None),
        _ => (Some((0, 0)), Some(USUAL)),
    };
    items.push(Item { path: path.as_ref().to_vec(), what, mode, owner, mtime, xattrs: Vec::new() });
    items.last_mut()
}

fn file(content: &[u8]) -> What {
    What::File { size: wide(content.len()), pieces: vec![(0, content.to_vec())] }
}

/// Bytes that differ from block to block.
fn content(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).take(len).collect()
}

fn folders(items: &mut Vec<Item>) {
    for path in ["empty", "single", "names", "wide"] {
        add(items, path, What::Directory);
    }
    add(items, "single/only", file(b"x"));
    let all: Vec<u8> = (1..=254).filter(|&byte| byte != b'/').collect();
    let odd: [&[u8]; 9] =
        [b" ", b"...", b"-rf", b"a\nb", b"\x1b[31mred", b"\xff\xfe", "日本".as_bytes(), &all, &[b'x'; 255]];
    for name in odd {
        add(items, [b"names/".as_slice(), name].concat(), file(name));
    }
    for number in 0..3000 {
        add(items, format!("wide/entry-{number}"), file(b""));
    }
    let mut path = String::from("deep");
    for level in 0..50 {
        add(items, &path, What::Directory);
        path.push_str(&format!("/level-{level}"));
    }
    add(items, &path, file(b"bottom"));
}

fn files(items: &mut Vec<Item>) {
    add(items, "files", What::Directory);
    for len in [0, 1, 100, 156, 1000, 4095, 4096, 4097, 65_536, 300_001] {
        add(items, format!("files/size-{len}"), file(&content(len)));
    }
    let sparse = |size, offsets: &[u64]| What::File {
        size,
        pieces: offsets.iter().map(|&offset| (offset, content(5000))).collect(),
    };
    add(items, "files/all-hole", sparse(1 << 20, &[]));
    add(items, "files/hole-first", sparse(200_000, &[195_000]));
    add(items, "files/hole-last", sparse(200_000, &[0]));
    add(items, "files/holes", sparse(3_000_000, &[0, 65_536, 1_000_000, 2_097_152]));
    add(items, "files/large", sparse(7 << 30, &[0, 5 << 30]));
    let many: Vec<u64> = (0_u64..400).map(|number| number.saturating_mul(12_288)).collect();
    add(items, "files/runs", sparse(400 * 12_288, &many));
}

fn links(items: &mut Vec<Item>) {
    add(items, "links", What::Directory);
    for len in [1, 58, 59, 60, 61, 255, 1023] {
        add(items, format!("links/symbolic-{len}"), What::Symlink(vec![b't'; len]));
    }
    add(items, "links/absolute", What::Symlink(b"/etc/passwd".to_vec()));
    add(items, "links/loop", What::Symlink(b"loop".to_vec()));
    add(items, "links/bytes", What::Symlink(b"\xff\n\x1b".to_vec()));
    add(items, "links/first", file(b"many names\n"));
    add(items, "links/second", What::HardLink(b"links/first".to_vec()));
    add(items, "empty-but-for-a-link", What::Directory);
    add(items, "empty-but-for-a-link/third", What::HardLink(b"links/first".to_vec()));
}

fn metadata(items: &mut Vec<Item>) {
    add(items, "metadata", What::Directory);
    for mode in [0, 0o600, 0o1777, 0o2755, 0o4755, 0o7777] {
        for (kind, what) in [("file", file(b"")), ("folder", What::Directory)] {
            if let Some(item) = add(items, format!("metadata/{kind}-{mode:o}"), what) {
                item.mode = Some(mode);
            }
        }
    }
    for owner in [(1000, 100), (65_535, 65_536), (70_000, 80_000), (u32::MAX - 1, 0)] {
        for (kind, what) in [("file", file(b"")), ("link", What::Symlink(b"x".to_vec()))] {
            if let Some(item) = add(items, format!("metadata/{kind}-of-{}", owner.0), what) {
                item.owner = Some(owner);
            }
        }
    }
    // Before 1970, the ends of 32 bits, 2106 and beyond: up to 2446 all of our filesystems go.
    for seconds in [-1, -2_147_483_648, 0, 2_147_483_647, 2_147_483_648, 4_294_967_296, 15_032_385_535] {
        for nanos in [0, 1, 999_999_999] {
            if let Some(item) = add(items, format!("metadata/time-{seconds}-{nanos}"), file(b"")) {
                item.mtime = Some(Timestamp { seconds, nanos });
            }
        }
    }
    add(items, "metadata/fifo", What::Fifo);
    add(items, "metadata/socket", What::Socket);
    for (major, minor) in [(1, 3), (8, 255), (259, 256), (300, 262_143)] {
        add(
            items,
            format!("metadata/char-{major}-{minor}"),
            What::Device(FileType::CharDevice, major, minor),
        );
        add(
            items,
            format!("metadata/block-{major}-{minor}"),
            What::Device(FileType::BlockDevice, major, minor),
        );
    }
}

fn attributes(items: &mut Vec<Item>) {
    add(items, "attributes", What::Directory);
    // cap_net_raw=ep, revision 2, by linux/capability.h.
    let capability = vec![1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let many =
        (0..20).map(|number| (format!("user.name-{number:02}"), format!("{number}").into_bytes())).collect();
    for (path, what, xattrs) in [
        ("small", file(b""), vec![("user.small".into(), b"value".to_vec())]),
        ("empty", file(b""), vec![("user.empty".into(), Vec::new())]),
        ("capability", file(b""), vec![("security.capability".into(), capability)]),
        ("long", file(b"x"), vec![("user.long".into(), content(2500))]),
        ("many", file(b"x"), many),
        (
            "folder",
            What::Directory,
            vec![("trusted.a".into(), b"1".to_vec()), ("user.b".into(), b"2".to_vec())],
        ),
    ] {
        if let Some(item) = add(items, format!("attributes/{path}"), what) {
            item.xattrs = xattrs;
        }
    }
}
