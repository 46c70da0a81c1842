// SPDX-License-Identifier: Apache-2.0
//! Facts about single nodes: metadata, link targets, attributes, identity, and calls of the wrong type.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Facts, Item, What};
use crate::bytes::wide;
use crate::error::Error;
use crate::fs::{FileType, Identity, Metadata, Node, State};

impl Facts<'_> {
    pub(super) fn nodes(&mut self) {
        self.filesystem();
        let mut identities: BTreeMap<Identity, &[u8]> = BTreeMap::new();
        for item in self.items {
            let Some(node) = self.reach(&item.path) else { continue };
            let metadata = match self.fs.metadata(node) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.that(&item.path, false, || format!("metadata fails: {error}"));
                    continue;
                }
            };
            if let What::HardLink(first) = &item.what {
                self.second_name(item, first, node, &metadata);
                continue;
            }
            let other = identities.insert(metadata.identity, &item.path);
            self.that(&item.path, other.is_none(), || format!("has the identity of another: {other:?}"));
            self.metadata_of(item, &metadata);
            self.target_of(item, node);
            self.attributes_of(item, node);
            self.wrong_calls(item, node, metadata.kind);
        }
        self.many();
        self.unknown();
    }

    fn filesystem(&mut self) {
        let info = self.fs.info();
        let root = self.fs.root();
        self.that(b"", info.state == State::Clean, || format!("is {:?}", info.state));
        self.that(b"", !info.type_name.is_empty(), || "has no type name".into());
        self.that(b"", info.block_size.is_power_of_two(), || {
            format!("has blocks of {} bytes", info.block_size)
        });
        let roots = self.fs.roots();
        self.that(b"", roots.iter().any(|(_, node)| *node == root), || {
            format!("is none of its roots {roots:?}")
        });
        let kind = self.fs.metadata(root).map(|metadata| metadata.kind);
        self.that(b"", matches!(kind, Ok(FileType::Directory)), || format!("is {kind:?}"));
    }

    fn metadata_of(&mut self, item: &Item, metadata: &Metadata) {
        let path = &item.path;
        self.that(path, Some(metadata.kind) == item.what.kind(), || format!("has type {:?}", metadata.kind));
        if let Some(mode) = item.mode {
            self.that(path, metadata.mode == mode, || format!("has mode {:o}, not {mode:o}", metadata.mode));
        }
        if let Some(owner) = item.owner {
            let got = (metadata.uid, metadata.gid);
            self.that(path, got == owner, || format!("belongs to {got:?}, not {owner:?}"));
        }
        if let Some(time) = item.mtime {
            self.that(path, metadata.mtime == time, || {
                format!("changed at {:?}, not {time:?}", metadata.mtime)
            });
        }
        let size = match &item.what {
            What::File { size, .. } => Some(*size),
            What::Symlink(target) => Some(wide(target.len())),
            _ => None,
        };
        if let Some(size) = size {
            self.that(path, metadata.size == size, || format!("has {} bytes, not {size}", metadata.size));
        }
        let rdev = match item.what {
            What::Device(_, major, minor) => (major, minor),
            _ => (0, 0),
        };
        self.that(path, metadata.rdev == rdev, || format!("is device {:?}, not {rdev:?}", metadata.rdev));
        if item.what != What::Directory {
            let second = |other: &&Item| matches!(&other.what, What::HardLink(first) if first == path);
            let more = self.items.iter().filter(second).count();
            let links = wide(more).saturating_add(1);
            self.that(path, u64::from(metadata.links) == links, || format!("has {} names", metadata.links));
        }
        self.that(path, !metadata.encrypted && !metadata.stale, || "is said to be encrypted or stale".into());
    }

    fn second_name(&mut self, item: &Item, first: &[u8], node: Node, metadata: &Metadata) {
        let Some(other) = self.reach(first) else { return };
        let same = self.fs.metadata(other).is_ok_and(|other| other == *metadata);
        self.that(&item.path, same, || format!("differs from {} in metadata", first.escape_ascii()));
        let both = (self.fs.xattrs(node), self.fs.xattrs(other));
        self.that(&item.path, matches!(&both, (Ok(a), Ok(b)) if a == b), || format!("attributes: {both:?}"));
    }

    fn target_of(&mut self, item: &Item, node: Node) {
        if let What::Symlink(target) = &item.what {
            let got = self.fs.link_target(node);
            let right = got.as_ref().is_ok_and(|got| got == target);
            self.that(&item.path, right, || format!("leads to {got:?}"));
        }
    }

    fn attributes_of(&mut self, item: &Item, node: Node) {
        let got = match self.fs.xattrs(node) {
            Ok(got) => got,
            Err(error) => return self.that(&item.path, false, || format!("attributes fail: {error}")),
        };
        // A host may label what is made on it.
        let got = got.into_iter().filter(|xattr| xattr.name != b"security.selinux");
        let got: Vec<_> = got.map(|xattr| (xattr.name, xattr.value)).collect();
        let expected = item.xattrs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone()));
        let expected: Vec<_> = expected.collect();
        self.that(&item.path, got == expected, || {
            let names: Vec<_> =
                got.iter().map(|(name, value)| (name.escape_ascii().to_string(), value.len())).collect();
            format!("has these attributes, sizes or other values: {names:?}")
        });
    }

    fn wrong_calls(&mut self, item: &Item, node: Node, kind: FileType) {
        let path = &item.path;
        if kind != FileType::File {
            let got = self.fs.open(node).map(|_| ());
            self.that(path, matches!(got, Err(Error::WrongType(_))), || format!("open gives {got:?}"));
        }
        if kind != FileType::Symlink {
            let got = self.fs.link_target(node);
            self.that(path, matches!(got, Err(Error::WrongType(_))), || format!("link_target gives {got:?}"));
        }
        if kind != FileType::Directory {
            let got = self.fs.lookup(node, b"x");
            self.that(path, matches!(got, Err(Error::NotADirectory)), || format!("lookup gives {got:?}"));
            let got = self.fs.entries(node, &mut |_| ControlFlow::Continue(()));
            self.that(path, matches!(got, Err(Error::NotADirectory)), || format!("entries gives {got:?}"));
        }
    }

    /// Many at once are what they are one by one, in the order asked for, and one that fails is alone in that. Running ahead
    /// of a walk comes to an end.
    fn many(&mut self) {
        let mut nodes: Vec<Node> = Vec::new();
        for item in self.items.iter().rev().step_by(7) {
            nodes.extend(self.reach(&item.path));
        }
        nodes.push(Node(u64::MAX));
        nodes.push(self.fs.root());
        self.fs.advise(&nodes);
        self.fs.walk_ahead().for_each(drop);
        let many = self.fs.metadata_many(&nodes);
        self.that(b"", many.len() == nodes.len(), || format!("{} of {} nodes", many.len(), nodes.len()));
        for (node, got) in nodes.iter().zip(many) {
            let alone = self.fs.metadata(*node);
            let same = match (&got, &alone) {
                (Ok(got), Ok(alone)) => got == alone,
                (got, alone) => got.is_err() && alone.is_err(),
            };
            self.that(b"", same, || format!("metadata_many gives {got:?} where metadata gives {alone:?}"));
        }
    }

    /// No call on a node that was never given may do more than fail.
    fn unknown(&mut self) {
        for number in [u64::MAX, u64::MAX / 2, 1 << 56, u64::from(u32::MAX)] {
            let node = Node(number);
            let answers = [
                self.fs.metadata(node).is_ok(),
                self.fs.lookup(node, b"x").is_ok(),
                self.fs.entries(node, &mut |_| ControlFlow::Continue(())).is_ok(),
                self.fs.open(node).is_ok(),
                self.fs.link_target(node).is_ok(),
                self.fs.xattrs(node).is_ok(),
            ];
            self.that(b"", !answers.contains(&true), || {
                format!("unknown node {number} answers: {answers:?}")
            });
        }
    }
}
