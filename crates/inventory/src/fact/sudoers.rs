// SPDX-License-Identifier: Apache-2.0
//! What sudoers allows: rules, settings, aliases, as they stand; aliases are not expanded.
//!
//! Shape:  `kind` is `rule` (one for each command: users, hosts, command, `runas_users`, `runas_groups`, `tags`,
//!         `nopasswd`), `defaults` (the setting as it stands, `scope` where it is not for all), or `alias` (`alias_kind`,
//!         members). A rule's subject is its users, joined by commas.
//! Source: sudoers(5) of sudo 1.9.

mod rule;
mod token;

use snapscan_disk::fs::FileType;
use snapscan_disk::fs::path::MachinePath;
use snapscan_disk::machine::{Content, Resolved, Tree};
use snapscan_schema::{Evidence, Reason, Value};

use super::assemble::{fact, list};
use super::lines::{continued, first_word};
use crate::{Extractor, Hits, Profile, Sink};

/// Sudo rules.
pub const SUDOERS: Extractor = Extractor {
    name: "sudoers",
    ecosystem: None,
    title: "sudo rules",
    profile: Profile::Os,
    wants: &["etc/sudoers", "usr/etc/sudoers", "etc/sudoers.d/*", "usr/etc/sudoers.d/*"],
    max_bytes: 16 << 20,
    run: extract,
    walk: None,
};

/// Files that are read in all: those that include each other could go on for ever.
const MOST_FILES: usize = 512;
/// Files that include each other.
const DEEPEST: usize = 64;

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    // SUSE ships its file below /usr/etc; one in /etc is used instead of it.
    let Some(main) = hits.of(0).first().or_else(|| hits.of(1).first()) else {
        return sink.note(Reason::Absent, "only parts that nothing includes");
    };
    let mut reader = Reader { tree, sink, files: 0, full: false };
    reader.file(&main.at, 0);
}

struct Reader<'r, 'a> {
    tree: &'r Tree,
    sink: &'r mut Sink<'a>,
    files: usize,
    full: bool,
}

impl Reader<'_, '_> {
    fn file(&mut self, at: &Resolved, depth: usize) {
        if self.files >= MOST_FILES || depth > DEEPEST {
            if !std::mem::replace(&mut self.full, true) {
                self.sink.problem(Reason::LimitReached, at.path.as_bytes(), "files that include each other");
            }
            return;
        }
        self.files = self.files.saturating_add(1);
        let Some(content) = self.sink.read_resolved(at) else { return };
        for (number, line) in continued(&content.bytes) {
            let line = line.trim_ascii();
            let (word, rest) = first_word(line);
            match word {
                b"@include" | b"#include" => self.include(&content, number, rest, depth),
                b"@includedir" | b"#includedir" => self.folder(&content, number, rest, depth),
                _ => {
                    let line = token::without_comment(line).trim_ascii();
                    if !line.is_empty() {
                        self.line(&content, number, line);
                    }
                }
            }
        }
    }

    /// A path of an include; a relative one begins at the including file's folder.
    fn path(&mut self, content: &Content, number: u64, text: &[u8]) -> Option<MachinePath> {
        let text = token::plain(text.trim_ascii());
        if text.is_empty() || text.windows(2).any(|two| two == b"%h") {
            let why = "a path with the name of the host, or none";
            self.sink.problem_at_line(Reason::RecordMalformed, &content.at, number, why);
            return None;
        }
        Some(if text.starts_with(b"/") {
            MachinePath::new(text)
        } else {
            MachinePath::new([content.at.path.parent().as_bytes(), b"/", &text].concat())
        })
    }

    fn include(&mut self, content: &Content, number: u64, text: &[u8], depth: usize) {
        let Some(path) = self.path(content, number, text) else { return };
        match self.tree.resolve(&path, snapscan_disk::machine::Follow::Links) {
            Ok(Some(at)) => self.file(&at, depth.saturating_add(1)),
            Ok(None) => {
                let why = [b"no such file: ", path.as_bytes()].concat();
                self.sink.problem_at_line(Reason::RecordMalformed, &content.at, number, why);
            }
            Err(error) => self.sink.failed(path.as_bytes(), &error),
        }
    }

    /// All files of a folder by name, but those with a dot in their name or a tilde at its end.
    fn folder(&mut self, content: &Content, number: u64, text: &[u8], depth: usize) {
        let Some(path) = self.path(content, number, text) else { return };
        let globbed = self.tree.glob(&[path.as_bytes(), b"/*"].concat());
        for (path, error) in &globbed.problems {
            self.sink.failed(path, error);
        }
        for one in &globbed.found {
            let name = one.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            let is_read = !name.contains(&b'.') && !name.ends_with(b"~");
            if is_read && one.at.metadata.kind == FileType::File {
                self.file(&one.at, depth.saturating_add(1));
            }
        }
    }

    fn line(&mut self, content: &Content, number: u64, line: &[u8]) {
        let evidence = self.sink.evidence_at_line(&content.at, number);
        let (word, rest) = first_word(line);
        let alias_kind = match word {
            b"User_Alias" => Some("user"),
            b"Host_Alias" => Some("host"),
            b"Runas_Alias" => Some("runas"),
            b"Cmnd_Alias" | b"Cmd_Alias" => Some("command"),
            _ => None,
        };
        let understood = if let Some(kind) = alias_kind {
            self.aliases(kind, rest, &evidence)
        } else if let Some(scope) = word.strip_prefix(b"Defaults") {
            self.defaults(scope, rest, &evidence)
        } else {
            self.rules(line, &evidence)
        };
        if !understood {
            self.sink.problem_at_line(
                Reason::RecordMalformed,
                &content.at,
                number,
                "neither a rule nor a setting",
            );
        }
    }

    /// `NAME = a, b : OTHER = c`.
    fn aliases(&mut self, kind: &str, rest: &[u8], evidence: &Evidence) -> bool {
        let mut understood = true;
        for one in token::split(rest, b':') {
            let Some((name, members)) = token::cut(one, b'=') else {
                understood = false;
                continue;
            };
            let members = token::split(members, b',');
            let values = [("kind", "alias".into()), ("alias_kind", kind.into()), ("members", list(members))];
            self.sink.fact(fact("sudo", name.trim_ascii(), evidence.clone(), values));
        }
        understood
    }

    /// Settings with commas between, for all or for those that the scope names.
    fn defaults(&mut self, scope: &[u8], rest: &[u8], evidence: &Evidence) -> bool {
        let kind = match scope.first() {
            None => "",
            Some(b':') => "user",
            Some(b'@') => "host",
            Some(b'>') => "runas",
            Some(b'!') => "command",
            Some(_) => return false,
        };
        for setting in token::split(rest, b',') {
            let end = setting.iter().position(|byte| matches!(byte, b'=' | b'+' | b'-' | b' ' | b'\t'));
            let (name, _) = setting.split_at_checked(end.unwrap_or(setting.len())).unwrap_or((setting, b""));
            let name = name.strip_prefix(b"!").unwrap_or(name).trim_ascii();
            let mut values: Vec<(&str, Value)> =
                vec![("kind", "defaults".into()), ("setting", setting.into())];
            if !kind.is_empty() {
                values.push(("scope", kind.into()));
                values.push(("scope_of", scope.get(1..).unwrap_or_default().into()));
            }
            self.sink.fact(fact("sudo", name, evidence.clone(), values));
        }
        !rest.is_empty()
    }

    fn rules(&mut self, line: &[u8], evidence: &Evidence) -> bool {
        let (rules, understood) = rule::parse(line);
        for rule in rules {
            let mut values: Vec<(&str, Value)> = vec![
                ("kind", "rule".into()),
                ("users", list(rule.users.iter().copied())),
                ("hosts", list(rule.hosts.iter().copied())),
                ("command", rule.command.into()),
                ("tags", list(rule.tags.iter().copied())),
                ("nopasswd", rule.tags.contains(&&b"NOPASSWD"[..]).into()),
            ];
            values.extend(rule.runas_users.map(|users| ("runas_users", list(users))));
            values.extend(rule.runas_groups.map(|groups| ("runas_groups", list(groups))));
            self.sink.fact(fact("sudo", rule.users.join(&b','), evidence.clone(), values));
        }
        understood
    }
}

#[cfg(test)]
mod tests;
