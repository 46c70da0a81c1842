// SPDX-License-Identifier: Apache-2.0
//! One user specification: who may run what, where, and as whom.
//!
//! Source: sudoers(5), "User specification".

use super::token;

/// What one command of a specification says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule<'l> {
    pub(super) users: Vec<&'l [u8]>,
    pub(super) hosts: Vec<&'l [u8]>,
    /// Absent if no list is given: then root is meant.
    pub(super) runas_users: Option<Vec<&'l [u8]>>,
    pub(super) runas_groups: Option<Vec<&'l [u8]>>,
    /// Tags, and options as they stand (`ROLE=x`).
    pub(super) tags: Vec<&'l [u8]>,
    pub(super) command: &'l [u8],
}

/// Tags that may stand before a command; each has one that takes it back.
const TAGS: [(&[u8], &[u8]); 8] = [
    (b"EXEC", b"NOEXEC"),
    (b"FOLLOW", b"NOFOLLOW"),
    (b"INTERCEPT", b"NOINTERCEPT"),
    (b"LOG_INPUT", b"NOLOG_INPUT"),
    (b"LOG_OUTPUT", b"NOLOG_OUTPUT"),
    (b"MAIL", b"NOMAIL"),
    (b"PASSWD", b"NOPASSWD"),
    (b"SETENV", b"NOSETENV"),
];

/// Options that may stand before a command, with a value.
const OPTIONS: [&[u8]; 10] = [
    b"APPARMOR_PROFILE=",
    b"CHROOT=",
    b"CWD=",
    b"LIMITPRIVS=",
    b"NOTAFTER=",
    b"NOTBEFORE=",
    b"PRIVS=",
    b"ROLE=",
    b"TIMEOUT=",
    b"TYPE=",
];

/// Reads `users hosts = commands : hosts = commands`; false beside what was found if a part was not understood.
pub(super) fn parse(line: &[u8]) -> (Vec<Rule<'_>>, bool) {
    let mut rules = Vec::new();
    let Some((who, mut rest)) = token::cut(line, b'=') else { return (rules, false) };
    let Some((users, mut hosts)) = users_and_hosts(who) else { return (rules, false) };
    loop {
        let rule = Rule { users: users.clone(), hosts: token::split(hosts, b','), ..Rule::default() };
        let next = commands(rule, rest, &mut rules);
        let Some(next) = next else { return (rules, true) };
        let Some((more, after)) = token::cut(next, b'=') else { return (rules, false) };
        (hosts, rest) = (more, after);
    }
}

/// Two lists side by side: the first ends at a blank that no comma stands beside.
fn users_and_hosts(who: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in who.iter().enumerate() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => {
                let (before, after) = who.split_at_checked(at)?;
                let (before, after) = (before.trim_ascii(), after.trim_ascii());
                let joined = before.ends_with(b",") || after.starts_with(b",") || before.ends_with(b"!");
                if !joined && !after.is_empty() {
                    return Some((token::split(before, b','), after));
                }
            }
            _ => {}
        }
    }
    None
}

/// The commands up to a colon that ends them; what follows it. Users to run as and tags hold for later commands too.
fn commands<'l>(mut rule: Rule<'l>, text: &'l [u8], rules: &mut Vec<Rule<'l>>) -> Option<&'l [u8]> {
    for part in token::split(text, b',') {
        let left = before_command(&mut rule, part);
        let (command, next) =
            token::cut(left, b':').map_or((left, None), |(command, next)| (command, Some(next)));
        rules.push(Rule { command, ..rule.clone() });
        if let Some(next) = next {
            // The next hosts and all behind them stand in the text, not only in this part of it.
            let from = text.len().saturating_sub(tail_length(text, next)?);
            return text.get(from..);
        }
    }
    None
}

/// Bytes from where `part`, which is a piece of `text`, begins to the end of `text`.
fn tail_length(text: &[u8], part: &[u8]) -> Option<usize> {
    text.len().checked_sub(part.as_ptr().addr().checked_sub(text.as_ptr().addr())?)
}

/// Takes the users to run as, options and tags off a command.
fn before_command<'l>(rule: &mut Rule<'l>, part: &'l [u8]) -> &'l [u8] {
    let mut left = part;
    loop {
        left = left.trim_ascii_start();
        if let Some(inside) = left.strip_prefix(b"(")
            && let Some(end) = inside.iter().position(|&byte| byte == b')')
        {
            let (list, after) = inside.split_at_checked(end).unwrap_or((inside, b""));
            let (users, groups) = token::cut(list, b':').map_or((list, None), |(u, g)| (u, Some(g)));
            rule.runas_users = Some(token::split(users, b','));
            rule.runas_groups = groups.map(|groups| token::split(groups, b','));
            left = after.get(1..).unwrap_or_default();
        } else if OPTIONS.iter().any(|option| left.starts_with(option)) {
            let end = left.iter().position(u8::is_ascii_whitespace).unwrap_or(left.len());
            let (option, after) = left.split_at_checked(end).unwrap_or((left, b""));
            rule.tags.push(option);
            left = after;
        } else if let Some((tag, other, after)) = tag(left) {
            rule.tags.retain(|&one| one != other && one != tag);
            rule.tags.push(tag);
            left = after;
        } else {
            return left;
        }
    }
}

/// A tag at the start with its colon: the tag, the one that it takes back, and what follows.
fn tag(text: &[u8]) -> Option<(&[u8], &'static [u8], &[u8])> {
    let end = text.iter().position(|byte| !(byte.is_ascii_uppercase() || *byte == b'_'))?;
    let (word, after) = text.split_at_checked(end)?;
    let after = after.trim_ascii_start().strip_prefix(b":")?;
    let other = TAGS.iter().find_map(|(one, other)| match word {
        _ if word == *one => Some(*other),
        _ if word == *other => Some(*one),
        _ => None,
    })?;
    Some((word, other, after))
}
