// SPDX-License-Identifier: Apache-2.0
//! Jobs of cron: crontabs, scripts that run by the hour, day, week or month.
//!
//! Shape:  a fact for each job under the path of its file, with user, schedule and command; the command as it stands.
//! Source: crontab(5), anacrontab(5), cron(8).

use std::ops::ControlFlow;

use snapscan_disk::fs::FileType;
use snapscan_disk::machine::Tree;
use snapscan_disk::machine::glob::Match;
use snapscan_schema::Reason;

use super::assemble::fact;
use super::lines::{first_word, lines};
use crate::{Extractor, Hits, Profile, Sink};

/// Cron jobs.
pub const CRON: Extractor = Extractor {
    name: "cron",
    ecosystem: None,
    title: "cron jobs",
    profile: Profile::Os,
    wants: &[
        "etc/crontab",
        "etc/cron.d/*",
        "var/spool/cron/crontabs/*",
        "var/spool/cron/*",
        "etc/crontabs/*",
        "etc/anacrontab",
        "etc/cron.hourly/",
        "etc/cron.daily/",
        "etc/cron.weekly/",
        "etc/cron.monthly/",
    ],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// Crontabs whose lines name a user.
const OF_THE_SYSTEM: std::ops::Range<usize> = 0..2;
/// Crontabs that are named after their user.
const OF_USERS: std::ops::Range<usize> = 2..5;
const ANACRON: usize = 5;
const FOLDERS: [(usize, &str); 4] = [(6, "@hourly"), (7, "@daily"), (8, "@weekly"), (9, "@monthly")];

fn extract(tree: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    for hit in OF_THE_SYSTEM.flat_map(|pattern| hits.of(pattern)) {
        crontab(hit, None, sink);
    }
    for hit in OF_USERS.flat_map(|pattern| hits.of(pattern)) {
        crontab(hit, hit.name.rsplit(|&byte| byte == b'/').next(), sink);
    }
    for hit in hits.of(ANACRON) {
        anacrontab(hit, sink);
    }
    for (pattern, schedule) in FOLDERS {
        for hit in hits.of(pattern) {
            scripts(tree, hit, schedule, sink);
        }
    }
}

/// True for files that cron leaves alone: hidden ones, backups of editors and of package tools.
fn is_left_alone(name: &[u8]) -> bool {
    let contains = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    name.starts_with(b".") || name.ends_with(b"~") || contains(b".dpkg-") || contains(b".rpm")
}

fn crontab(hit: &Match, owner: Option<&[u8]>, sink: &mut Sink<'_>) {
    if hit.at.metadata.kind != FileType::File || is_left_alone(hit.at.path.name()) {
        return;
    }
    let Some(content) = sink.read_resolved(&hit.at) else { return };
    for (number, line) in lines(&content.bytes) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") || is_assignment(line) {
            continue;
        }
        let (schedule, rest) = schedule(line);
        let (user, command) = owner.map_or_else(|| first_word(rest), |owner| (owner, rest));
        if user.is_empty() || command.is_empty() {
            sink.problem_at_line(
                Reason::RecordMalformed,
                &content.at,
                number,
                "neither a job nor a variable",
            );
            continue;
        }
        let values =
            [("user", user.into()), ("schedule", schedule.as_slice().into()), ("command", command.into())];
        let evidence = sink.evidence_at_line(&content.at, number);
        sink.fact(fact("cron", content.at.path.as_bytes(), evidence, values));
    }
}

/// True for `NAME = value`: a job begins with a digit, a star or an at sign.
fn is_assignment(line: &[u8]) -> bool {
    let starts_a_job = line.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'@'));
    !starts_a_job && line.contains(&b'=')
}

/// The schedule, its fields with one blank between, and what follows it.
fn schedule(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let fields = if line.starts_with(b"@") { 1 } else { 5 };
    let mut rest = line;
    let mut words = Vec::new();
    for _ in 0..fields {
        let (word, after) = first_word(rest);
        words.push(word);
        rest = after;
    }
    (words.join(&b' '), rest)
}

/// Lines of a period in days, a delay in minutes, a name, and a command.
fn anacrontab(hit: &Match, sink: &mut Sink<'_>) {
    let Some(content) = sink.read_resolved(&hit.at) else { return };
    for (number, line) in lines(&content.bytes) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") || is_assignment(line) {
            continue;
        }
        let (period, rest) = first_word(line);
        let (delay, rest) = first_word(rest);
        let (job, command) = first_word(rest);
        if command.is_empty() {
            sink.problem_at_line(
                Reason::RecordMalformed,
                &content.at,
                number,
                "neither a job nor a variable",
            );
            continue;
        }
        let values = [
            ("user", "root".into()),
            ("schedule", if period.starts_with(b"@") { period.into() } else { every(period) }),
            ("delay_minutes", delay.into()),
            ("job", job.into()),
            ("command", command.into()),
        ];
        let evidence = sink.evidence_at_line(&content.at, number);
        sink.fact(fact("cron", content.at.path.as_bytes(), evidence, values));
    }
}

fn every(days: &[u8]) -> snapscan_schema::Value {
    [b"every ", days, b" days"].concat().as_slice().into()
}

/// Scripts of one folder, by their names alone.
fn scripts(tree: &Tree, folder: &Match, schedule: &str, sink: &mut Sink<'_>) {
    if folder.at.metadata.kind != FileType::Directory {
        return;
    }
    let mut names = Vec::new();
    let listed = tree.entries(folder.at.location, &mut |entry| {
        match entry {
            Ok((entry, _)) if matches!(entry.name.as_slice(), b"." | b"..") => {}
            Ok((entry, _)) if is_left_alone(&entry.name) || entry.kind == Some(FileType::Directory) => {}
            Ok((entry, _)) => names.push(entry.name),
            Err(error) => sink.failed(folder.at.path.as_bytes(), &error),
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = listed {
        sink.failed(folder.at.path.as_bytes(), &error);
    }
    names.sort();
    for name in names {
        let path = folder.at.path.join(&name);
        let values =
            [("user", "root".into()), ("schedule", schedule.into()), ("command", path.as_bytes().into())];
        let mut evidence = sink.evidence(&folder.at);
        evidence.path = path.as_bytes().into();
        sink.fact(fact("cron", path.as_bytes(), evidence, values));
    }
}

#[cfg(test)]
mod tests;
