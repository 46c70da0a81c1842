// SPDX-License-Identifier: Apache-2.0
//! Two readings of one filesystem, and every difference between them.
//!
//! [`mounted::read`] reads what the kernel shows, with std alone; [`own::read`] reads by one of our readers. Neither
//! knows the other, so that a mistake cannot hide in what they share.

mod digest;
pub(crate) mod mounted;
pub(crate) mod own;

use std::collections::BTreeMap;
use std::fmt;

use snapscan_disk::fs::{FileType, Timestamp, Xattr};

/// All names of a filesystem: path from its root, without leading slash, the root itself empty.
pub(crate) type Tree = BTreeMap<Vec<u8>, Record>;

/// How deep to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Names, metadata, links and attributes.
    Metadata,
    /// The same, and the content of files.
    Content,
}

/// What one name leads to. Access times are left out: reading changes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: FileType,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) rdev: (u32, u32),
    pub(crate) links: u32,
    pub(crate) inode: u64,
    pub(crate) mtime: Timestamp,
    pub(crate) ctime: Timestamp,
    pub(crate) xattrs: Vec<Xattr>,
    /// The digest of a file's content, the target of a link.
    pub(crate) content: Option<Vec<u8>>,
    /// Our reader says that this may differ from what the machine would see. Never compared.
    pub(crate) stale: bool,
    /// What could not be read of it; each is a difference.
    pub(crate) errors: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The path in both trees.
    pub(crate) path: Vec<u8>,
    /// Which field: `names`, `mode`, `mtime`, `content`, `error`.
    pub(crate) field: &'static str,
    /// What the kernel says.
    pub(crate) kernel: String,
    /// What our reader says.
    pub(crate) ours: String,
    /// Our reader marked the node as stale.
    pub(crate) stale: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { path, field, kernel, ours, stale } = self;
        let stale = if *stale { " (stale)" } else { "" };
        write!(f, "/{}: {field}: kernel {kernel}, ours {ours}{stale}", path.escape_ascii())
    }
}

/// Every difference, by path. The first tree is the kernel's.
pub(crate) fn differences(kernel: &Tree, ours: &Tree) -> Vec<Difference> {
    let mut all = Vec::new();
    for (path, expected) in kernel {
        match ours.get(path) {
            Some(record) => compare(path, expected, record, &mut all),
            None => all.push(presence(path, true, false)),
        }
    }
    for (path, record) in ours.iter().filter(|(path, _)| !kernel.contains_key(*path)) {
        all.push(presence(path, false, record.stale));
    }
    all.sort_by(|a, b| (&a.path, a.field).cmp(&(&b.path, b.field)));
    all
}

fn presence(path: &[u8], in_kernel: bool, stale: bool) -> Difference {
    let word = |there: bool| if there { "has it" } else { "has not" }.to_owned();
    Difference { path: path.to_vec(), field: "names", kernel: word(in_kernel), ours: word(!in_kernel), stale }
}

fn compare(path: &[u8], kernel: &Record, ours: &Record, all: &mut Vec<Difference>) {
    for (field, show) in FIELDS {
        let (expected, got) = (show(kernel), show(ours));
        if expected != got {
            let path = path.to_vec();
            all.push(Difference { path, field, kernel: expected, ours: got, stale: ours.stale });
        }
    }
}

/// How a field is shown.
type Show = fn(&Record) -> String;

/// The fields and how each is shown; two that are shown alike are alike.
const FIELDS: [(&str, Show); 13] = [
    ("type", |r| r.kind.letter().to_string()),
    ("mode", |r| format!("{:o}", r.mode)),
    ("uid", |r| r.uid.to_string()),
    ("gid", |r| r.gid.to_string()),
    ("size", |r| r.size.to_string()),
    ("rdev", |r| format!("{}:{}", r.rdev.0, r.rdev.1)),
    ("links", |r| r.links.to_string()),
    ("inode", |r| r.inode.to_string()),
    ("mtime", |r| time(r.mtime)),
    ("ctime", |r| time(r.ctime)),
    ("xattrs", |r| xattrs(&r.xattrs)),
    ("content", |r| content(r)),
    ("error", |r| r.errors.join("; ")),
];

fn time(time: Timestamp) -> String {
    format!("{}.{:09}", time.seconds, time.nanos)
}

fn xattrs(xattrs: &[Xattr]) -> String {
    let one = |xattr: &Xattr| format!("{}={}", xattr.name.escape_ascii(), xattr.value.escape_ascii());
    format!("[{}]", xattrs.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn content(record: &Record) -> String {
    match (&record.content, record.kind) {
        (None, _) => "none".into(),
        (Some(target), FileType::Symlink) => target.escape_ascii().to_string(),
        (Some(digest), _) => digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests;
