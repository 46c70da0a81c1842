// SPDX-License-Identifier: Apache-2.0
//! Who is known to the machine: accounts, groups, the state of their passwords, nothing of the passwords themselves.
//!
//! Shape:  `account` has uid, gid, home, shell; `password` is `locked`, `empty`, `set` or, without a readable shadow
//!         file, `unknown`, and `passwd_status` the same as `passwd -S` says it (`L`, `NP`, `P`). Dates are ISO 8601.
//!         `group` has gid, members, and from gshadow the state of its password and administrators.
//! Source: passwd(5), shadow(5), group(5), gshadow(5), crypt(5); nsswitch's `compat` for lines with a plus or minus.

mod password;

use std::collections::HashMap;

use snapscan_disk::machine::{Content, Tree};
use snapscan_schema::{Reason, Time, Value};

use super::assemble::{fact, list};
use super::lines::lines;
use crate::{Extractor, Hits, Profile, Sink};

/// Accounts and groups.
pub const ACCOUNTS: Extractor = Extractor {
    name: "accounts",
    ecosystem: None,
    title: "accounts and groups, and which have a password",
    profile: Profile::Os,
    wants: &["etc/passwd", "etc/shadow", "etc/group", "etc/gshadow"],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// Seconds of a day.
const DAY: i64 = 86_400;

fn extract(_: &Tree, hits: &Hits, sink: &mut Sink<'_>) {
    let mut read = |pattern| hits.of(pattern).first().and_then(|hit| sink.read_resolved(&hit.at));
    let [passwd, shadow, group, gshadow] = [0, 1, 2, 3].map(&mut read);
    if let Some(file) = &passwd {
        let secrets = shadow.as_ref().map(|file| by_name::<9>(file, sink)).unwrap_or_default();
        for (line, entry) in entries::<7>(file, sink) {
            account(file, line, &entry, &secrets, sink);
        }
    }
    if let Some(file) = &group {
        let secrets = gshadow.as_ref().map(|file| by_name::<4>(file, sink)).unwrap_or_default();
        for (line, entry) in entries::<4>(file, sink) {
            one_group(file, line, &entry, &secrets, sink);
        }
    }
}

/// The fields of one line.
type Entry<'f, const FIELDS: usize> = [&'f [u8]; FIELDS];

/// The lines with so many fields. Others are problems, told by their number alone: what stands in them may be secret.
fn entries<'f, const FIELDS: usize>(file: &'f Content, sink: &mut Sink<'_>) -> Vec<(u64, Entry<'f, FIELDS>)> {
    let mut all = Vec::new();
    for (number, line) in lines(&file.bytes) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() || line.starts_with(b"#") || line == b"+" || line == b"-" {
            continue;
        }
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let count = fields.len();
        match Entry::<FIELDS>::try_from(fields) {
            Ok(fields) if is_name(fields.first().unwrap_or(&&b""[..])) => all.push((number, fields)),
            Ok(_) => sink.problem_at_line(Reason::RecordMalformed, &file.at, number, "not a name"),
            Err(_) => {
                let why = format!("{count} fields instead of {FIELDS}");
                sink.problem_at_line(Reason::RecordMalformed, &file.at, number, why);
            }
        }
    }
    all
}

/// A password that slipped into the wrong field begins with a dollar sign; no name does.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().position(|&byte| byte == b'$').is_none_or(|at| at.saturating_add(1) == name.len())
}

/// Entries of a shadow file by name; as in the C library the first counts.
fn by_name<'f, const FIELDS: usize>(
    file: &'f Content,
    sink: &mut Sink<'_>,
) -> HashMap<&'f [u8], Entry<'f, FIELDS>> {
    let mut all = HashMap::new();
    for (_, entry) in entries::<FIELDS>(file, sink) {
        if let Some(name) = entry.first() {
            all.entry(*name).or_insert(entry);
        }
    }
    all
}

fn account(
    file: &Content,
    line: u64,
    entry: &Entry<'_, 7>,
    secrets: &HashMap<&[u8], Entry<'_, 9>>,
    sink: &mut Sink<'_>,
) {
    let [name, password, uid, gid, _, home, shell] = *entry;
    let evidence = sink.evidence_at_line(&file.at, line);
    if name.starts_with(b"+") || name.starts_with(b"-") {
        return sink.fact(fact("account", name, evidence, [("nis", true.into())]));
    }
    let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
        return sink.problem_at_line(Reason::RecordMalformed, &file.at, line, "uid or gid is not a number");
    };
    let mut values = vec![
        ("uid", uid.into()),
        ("gid", gid.into()),
        ("home", without_secret(home)),
        ("shell", without_secret(shell)),
    ];
    let secret = secrets.get(name);
    values.extend(password::state(password, secret.map(|secret| secret[1])));
    if let Some([_, _, change, least, most, warn, inactive, expire, _]) = secret {
        values.extend(date(change).map(|date| ("last_change", date)));
        values.extend((days(change) == Some(0)).then_some(("must_change", true.into())));
        values.extend(date(expire).map(|date| ("expires", date)));
        let spans =
            [("min_days", least), ("max_days", most), ("warn_days", warn), ("inactive_days", inactive)];
        values.extend(spans.into_iter().filter_map(|(name, text)| Some((name, days(text)?.into()))));
    }
    sink.fact(fact("account", name, evidence, values));
}

fn one_group(
    file: &Content,
    line: u64,
    entry: &Entry<'_, 4>,
    secrets: &HashMap<&[u8], Entry<'_, 4>>,
    sink: &mut Sink<'_>,
) {
    let [name, password, gid, members] = *entry;
    let evidence = sink.evidence_at_line(&file.at, line);
    if name.starts_with(b"+") || name.starts_with(b"-") {
        return sink.fact(fact("group", name, evidence, [("nis", true.into())]));
    }
    let Some(gid) = id(gid) else {
        return sink.problem_at_line(Reason::RecordMalformed, &file.at, line, "gid is not a number");
    };
    let names = |field: &[u8]| list(field.split(|&byte| byte == b',').filter(|name| is_name(name)));
    let mut values = vec![("gid", gid.into()), ("members", names(members))];
    let secret = secrets.get(name);
    values.extend(password::state(password, secret.map(|secret| secret[1])).into_iter().take(1));
    values.extend(secret.map(|[_, _, administrators, _]| ("administrators", names(administrators))));
    sink.fact(fact("group", name, evidence, values));
}

/// A path; what looks like a password that slipped into the wrong field is left out.
fn without_secret(path: &[u8]) -> Value {
    if path.contains(&b'$') { Value::from("") } else { Value::from(path) }
}

/// A number of an account or group.
fn id(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse::<u32>().ok().map(i64::from)
}

/// A number of days; an empty field is none.
fn days(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse::<i32>().ok().map(i64::from)
}

/// Days since 1970 as a date.
fn date(digits: &[u8]) -> Option<Value> {
    let day = days(digits).filter(|day| (1..=2_932_896).contains(day))?;
    let time = Time(day.saturating_mul(DAY)).rfc3339();
    Some(Value::from(time.split('T').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests;
