// SPDX-License-Identifier: Apache-2.0
//! The ssh server's configuration as `sshd -T` shows it, for the keywords that its files set.
//!
//! Shape:  a fact for each keyword, in lower case, with `value`; a list where `sshd -T` prints several lines. What a
//!         `Match` block sets is a fact of its own, with the conditions in `match`; only `Match all` holds for
//!         everybody, over what stands outside of blocks. Defaults that are compiled into the
//!         program are not guessed, so that lists beginning with `+`, `-` or `^` stay as they are.
//! Source: sshd_config(5); servconf.c of OpenSSH 9.2 for the order of files and how values are printed.

mod keyword;
mod words;

use std::collections::BTreeMap;

use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Evidence, Reason, Text, Value};

use super::assemble::fact;
use super::{lines::lines, wildcard};
use crate::{Extractor, Hits, Profile, Sink};
use keyword::{Gather, Keyword};

/// The ssh server's configuration.
pub const SSHD: Extractor = Extractor {
    name: "sshd",
    ecosystem: None,
    title: "the ssh server's configuration",
    profile: Profile::Os,
    wants: &[
        "etc/ssh/sshd_config",
        "usr/etc/ssh/sshd_config",
        "etc/ssh/sshd_config.d/*.conf",
        "usr/etc/ssh/sshd_config.d/*.conf",
    ],
    max_bytes: 16 << 20,
    run: extract,
    walk: None,
};

/// Files that include each other: as deep as sshd goes.
const DEEPEST: usize = 16;
/// Files that are read in all: those that include each other could go on for ever.
const MOST_FILES: usize = 512;

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    // SUSE ships its file below /usr/etc; one in /etc is used instead of it.
    let Some(main) = hits.of(0).first().or_else(|| hits.of(1).first()) else {
        return sink.note(Reason::Absent, "only parts that nothing includes");
    };
    let Some(content) = sink.read_resolved(&main.at) else { return };
    let mut reader = Reader { tree, sink, set: BTreeMap::new(), files: 1, full: false };
    reader.file(&content, &Block::default(), 0);
    let (for_all, mut set): (BTreeMap<_, _>, _) =
        reader.set.into_iter().partition(|(key, _)| key.block.place == Place::MatchAll);
    for (key, setting) in for_all {
        set.insert(Key { block: Block::default(), ..key }, setting);
    }
    let ports = ports(&set);
    for (key, mut setting) in set {
        if key.keyword == b"listenaddress" {
            setting.values = setting.values.iter().flat_map(|one| listen(one, &ports)).collect();
        }
        emit(&key, setting, sink);
    }
}

/// One keyword in one block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    keyword: Vec<u8>,
    block: Block,
}

/// The `Match` blocks that lines stand in.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    conditions: Vec<Text>,
    place: Place,
}

/// Where a block begins: two with the same conditions are two blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Outside of all blocks.
    #[default]
    Outside,
    /// In blocks that match everybody: they are one.
    MatchAll,
    /// At this line of this file.
    Line(Vec<u8>, u64),
}

/// What was set, and where for the first time.
struct Setting {
    values: Vec<Text>,
    is_list: bool,
    evidence: Evidence,
}

struct Reader<'r, 'a> {
    tree: &'r Tree,
    sink: &'r mut Sink<'a>,
    set: BTreeMap<Key, Setting>,
    files: usize,
    full: bool,
}

impl Reader<'_, '_> {
    /// Reads one file that is included from within a block.
    fn file(&mut self, content: &Content, outer: &Block, depth: usize) {
        let mut block = outer.clone();
        for (number, line) in lines(&content.bytes) {
            let Some((name, rest)) = words::keyword(line) else { continue };
            if name.is_empty() || !name.iter().all(u8::is_ascii_alphanumeric) {
                self.problem(content, number, "not a keyword");
                continue;
            }
            if rest.is_empty() {
                self.problem(content, number, "a keyword without a value");
                continue;
            }
            let Some(arguments) = words::arguments(rest) else {
                self.problem(content, number, "quotes that are not closed");
                continue;
            };
            match name.to_ascii_lowercase().as_slice() {
                b"include" => {
                    for pattern in &arguments {
                        self.include(pattern, &block, depth);
                    }
                }
                b"match" => block = inner(outer, &arguments, content, number),
                _ => self.setting(content, number, Keyword::named(name), rest, arguments, &block),
            }
        }
    }

    fn setting(
        &mut self,
        content: &Content,
        number: u64,
        keyword: Keyword,
        rest: &[u8],
        arguments: Vec<Vec<u8>>,
        block: &Block,
    ) {
        if arguments.is_empty() {
            return self.problem(content, number, "a keyword without a value");
        }
        let key = Key { keyword: keyword.name().to_vec(), block: block.clone() };
        let values = keyword.values(rest, arguments);
        let evidence = self.sink.evidence_at_line(&content.at, number);
        match self.set.get_mut(&key) {
            None => {
                self.set.insert(key, Setting { values, is_list: keyword.is_list(), evidence });
            }
            Some(known) => match keyword.gather {
                Gather::First => {}
                Gather::Last => *known = Setting { values, evidence, ..*known },
                Gather::All => known.values.extend(values),
            },
        }
    }

    /// Reads the files that a pattern of `Include` matches, by name, where the line stands.
    fn include(&mut self, pattern: &[u8], block: &Block, depth: usize) {
        let pattern =
            if pattern.starts_with(b"/") { pattern.to_vec() } else { [b"/etc/ssh/", pattern].concat() };
        let globbed = self.tree.glob(&wildcard::widened(&pattern));
        for (path, error) in &globbed.problems {
            self.sink.failed(path, error);
        }
        for one in globbed.found.iter().filter(|one| wildcard::matches(&pattern, &one.name)) {
            if depth >= DEEPEST || self.files >= MOST_FILES {
                if !std::mem::replace(&mut self.full, true) {
                    self.sink.problem(Reason::LimitReached, &one.name, "files that include each other");
                }
                return;
            }
            self.files = self.files.saturating_add(1);
            if let Some(content) = self.sink.read_resolved(&one.at) {
                self.file(&content, block, depth.saturating_add(1));
            }
        }
    }

    fn problem(&mut self, content: &Content, number: u64, why: &str) {
        self.sink.problem_at_line(Reason::RecordMalformed, &content.at, number, why);
    }
}

/// The block that a line `Match` begins; it ends the one before, but not the one that its file is included from.
fn inner(outer: &Block, arguments: &[Vec<u8>], content: &Content, line: u64) -> Block {
    let all = matches!(arguments, [one] if one.eq_ignore_ascii_case(b"all"));
    if !all {
        let mut conditions = outer.conditions.clone();
        conditions.push(arguments.join(&b' ').into());
        Block { conditions, place: Place::Line(content.at.path.as_bytes().to_vec(), line) }
    } else if outer.conditions.is_empty() {
        Block { conditions: Vec::new(), place: Place::MatchAll }
    } else {
        outer.clone()
    }
}

/// The ports that the server listens at, for addresses that name none.
fn ports(set: &BTreeMap<Key, Setting>) -> Vec<Text> {
    let key = Key { keyword: b"port".to_vec(), block: Block::default() };
    set.get(&key).map_or_else(|| vec!["22".into()], |ports| ports.values.clone())
}

/// An address of `ListenAddress` with each port.
fn listen(address: &Text, ports: &[Text]) -> Vec<Text> {
    let address = address.as_bytes();
    let host = match address {
        [b'[', .., b']'] => address.to_vec(),
        [b'[', ..] => return vec![address.into()],
        _ => match address.iter().filter(|&&byte| byte == b':').count() {
            0 => address.to_vec(),
            1 => return vec![address.into()],
            _ => [b"[", address, b"]"].concat(),
        },
    };
    ports.iter().map(|port| [&host, port.as_bytes()].join(&b':').into()).collect()
}

fn emit(key: &Key, setting: Setting, sink: &mut Sink<'_>) {
    let value = if setting.is_list {
        Value::List(setting.values)
    } else {
        setting.values.into_iter().next().unwrap_or_default().into()
    };
    let mut values = vec![("value", value)];
    if !key.block.conditions.is_empty() {
        values.push(("match", Value::List(key.block.conditions.clone())));
    }
    sink.fact(fact("sshd", key.keyword.as_slice(), setting.evidence, values));
}

#[cfg(test)]
mod tests;
