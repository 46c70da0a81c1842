// SPDX-License-Identifier: Apache-2.0
//! Facts about folders: complete lists, lookups that agree with them, absent names, and stopping early.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Facts, Item, What};
use crate::bytes::wide;
use crate::error::Result;
use crate::fs::{Entry, FileType, Node};

/// Names in one folder and the type of what they name.
type Names<'a> = BTreeMap<&'a [u8], Option<FileType>>;

impl Facts<'_> {
    pub(super) fn folders(&mut self) {
        let mut folders: BTreeMap<&[u8], Names> = BTreeMap::new();
        folders.entry(b"").or_default();
        for item in self.items {
            let (parent, name) = split(&item.path);
            folders.entry(parent).or_default().insert(name, self.kind(item));
            if item.what == What::Directory {
                folders.entry(&item.path).or_default();
            }
        }
        for (path, names) in folders {
            if let Some(node) = self.reach(path) {
                self.list(path, node, &names);
                self.absent(path, node, &names);
                self.stop(path, node, wide(names.len()));
            }
        }
    }

    /// The type of an item; of a further name, that of the first.
    fn kind(&self, item: &Item) -> Option<FileType> {
        match &item.what {
            What::HardLink(first) => self.items.iter().find(|item| item.path == *first)?.what.kind(),
            what => what.kind(),
        }
    }

    fn list(&mut self, path: &[u8], node: Node, names: &Names<'_>) {
        let mut listed = BTreeMap::new();
        let mut wrong = Vec::new();
        let mut each = |entry: Result<Entry>| {
            match entry {
                Ok(entry) => {
                    if listed.insert(entry.name.clone(), entry.clone()).is_some() {
                        wrong.push(format!("{} is listed twice", entry.name.escape_ascii()));
                    }
                }
                Err(error) => wrong.push(format!("an entry fails: {error}")),
            }
            ControlFlow::Continue(())
        };
        if let Err(error) = self.fs.entries(node, &mut each) {
            wrong.push(format!("entries fails: {error}"));
        }
        for what in wrong {
            self.that(path, false, || what);
        }
        if path.is_empty() {
            // mke2fs(8) makes it.
            listed.remove(b"lost+found".as_slice());
        }
        for name in names.keys().filter(|name| !listed.contains_key(**name)) {
            self.that(path, false, || format!("{} is not listed", name.escape_ascii()));
        }
        for (name, entry) in &listed {
            let Some(kind) = names.get(name.as_slice()) else {
                self.that(path, false, || format!("{} is listed", name.escape_ascii()));
                continue;
            };
            let told = entry.kind;
            let shown = name.escape_ascii();
            self.that(path, told.is_none() || told == *kind, || format!("{shown} is told as {told:?}"));
            let found = self.fs.lookup(node, name);
            let same = matches!(found, Ok(Some(found)) if found == entry.node);
            self.that(path, same, || format!("lookup of {shown} gives {found:?}, entries {:?}", entry.node));
        }
    }

    /// Names that are not there, those among them that a careless reader finds.
    fn absent(&mut self, path: &[u8], node: Node, names: &Names<'_>) {
        let mut absent = vec![b"absent".to_vec(), b"".to_vec(), b".".to_vec(), b"..".to_vec()];
        absent.extend([
            b"a/b".to_vec(),
            b"/".to_vec(),
            b"x\0".to_vec(),
            vec![b'x'; 254],
            vec![b'x'; 256],
            vec![b'x'; 5000],
        ]);
        for name in names.keys().take(3) {
            absent.push([name, b"x".as_slice()].concat());
            absent.push([name, b"\0".as_slice()].concat());
            absent.push(name.to_ascii_uppercase());
            absent.extend(name.split_last().map(|(_, front)| front.to_vec()));
        }
        for name in absent.iter().filter(|name| !names.contains_key(name.as_slice())) {
            let found = self.fs.lookup(node, name);
            let shown = name.escape_ascii();
            self.that(path, matches!(found, Ok(None)), || format!("lookup of {shown} gives {found:?}"));
        }
    }

    fn stop(&mut self, path: &[u8], node: Node, names: u64) {
        for wanted in [1, 2, 70].into_iter().filter(|wanted| *wanted <= names) {
            let mut calls = 0_u64;
            let done = self.fs.entries(node, &mut |_| {
                calls = calls.saturating_add(1);
                if calls == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let right = done.is_ok() && calls == wanted;
            self.that(path, right, || format!("told to stop after {wanted}: {calls} calls, {done:?}"));
        }
    }
}

/// A path's folder and last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => {
            let (parent, name) = path.split_at_checked(at).unwrap_or((path, b""));
            (parent, name.strip_prefix(b"/").unwrap_or(name))
        }
        None => (b"", path),
    }
}
