// SPDX-License-Identifier: Apache-2.0
//! How an untrusted message becomes a job, or is refused.

use serde_json::Value;

use super::{JOB_VERSION, Job, JobTarget};
use crate::{Note, Reason};

/// Bytes of the longest message that is looked at: sixteen times what the longest job needs, a quarter of SQS's limit.
pub const JOB_BYTES: usize = 256 * 1024;

/// Members of any list in a job.
const MOST: usize = 64;
/// Characters of any text in a job but its id.
const LONGEST: usize = 1024;

/// Fields of version 1.
const FIELDS: &[&str] = &[
    "schema_version",
    "id",
    "target",
    "account",
    "region",
    "profile",
    "exclude_volume_tags",
    "limits",
    "method",
    "reader",
    "attempt",
    "not_before",
];
/// Fields of its limits.
const LIMITS: &[&str] = &["blocks", "seconds"];
/// Kinds of targets, with their fields.
const KINDS: &[(&str, &str)] = &[
    ("instance", "id"),
    ("volume", "id"),
    ("snapshot", "id"),
    ("ami", "id"),
    ("image", "paths"),
    ("directory", "path"),
];

/// Why a message is no job: each is poison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobError {
    /// It is longer than [`JOB_BYTES`].
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// It is no JSON object, or a field has another type.
    Malformed(String),
    /// Its version is not known here.
    Version(String),
    /// Its kind of target is not known here.
    Kind(String),
    /// A field has a value that it must not have.
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JobError::TooLong { bytes } => {
                write!(f, "the message has {bytes} bytes; a job has at most {JOB_BYTES}")
            }
            JobError::Malformed(why) => write!(f, "the message is no job: {why}"),
            JobError::Version(version) => {
                write!(f, "schema_version is {version}; this program knows 1 to {JOB_VERSION}")
            }
            JobError::Kind(kind) => write!(f, "target.kind is {kind}, which this program does not know"),
            JobError::Field { field, why } => write!(f, "{field}: {why}"),
        }
    }
}

impl std::error::Error for JobError {}

impl Job {
    /// Reads a message. Fields that are not known are ignored, each with a note.
    ///
    /// # Errors
    /// Why it is no job; the text names no more than 80 characters of the message.
    pub fn parse(text: &str) -> Result<(Job, Vec<Note>), JobError> {
        if text.len() > JOB_BYTES {
            return Err(JobError::TooLong { bytes: text.len() });
        }
        let malformed = |error: serde_json::Error| JobError::Malformed(short(&error.to_string()));
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        if !value.is_object() {
            return Err(JobError::Malformed("it is no JSON object".to_owned()));
        }
        match value.get("schema_version") {
            Some(version) if version.as_u64() == Some(u64::from(JOB_VERSION)) => {}
            Some(version) => return Err(JobError::Version(short(&version.to_string()))),
            None => return Err(JobError::Version("absent".to_owned())),
        }
        let kind = value.get("target").and_then(|target| target.get("kind"));
        if let Some(kind) = kind
            && !KINDS.iter().any(|(known, _)| kind.as_str() == Some(known))
        {
            return Err(JobError::Kind(short(&kind.to_string())));
        }
        let notes = unknown(&value);
        let job: Job = serde_json::from_value(value).map_err(malformed)?;
        check(&job)?;
        Ok((job, notes))
    }
}

/// A note for each field that is not known.
fn unknown(value: &Value) -> Vec<Note> {
    let target = value.get("target");
    let kind = target.and_then(|target| target.get("kind")).and_then(Value::as_str);
    let field = KINDS.iter().find(|(known, _)| Some(*known) == kind).map_or("", |(_, field)| field);
    let places = [("", Some(value), FIELDS), ("target.", target, &["kind", field]), {
        ("limits.", value.get("limits"), LIMITS)
    }];
    let mut notes = Vec::new();
    for (place, object, known) in places {
        let names = object.and_then(Value::as_object).into_iter().flat_map(|object| object.keys());
        for name in names.filter(|name| !known.contains(&name.as_str())).take(MOST) {
            notes.push(Note { code: Reason::UnknownField, detail: short(&format!("{place}{name}")).into() });
        }
    }
    notes
}

fn check(job: &Job) -> Result<(), JobError> {
    let field = |field, why: &str| Err(JobError::Field { field, why: why.to_owned() });
    if !is_id(&job.id) {
        return field("id", "write 1 to 64 letters, digits and dashes");
    }
    if !matches!(job.profile.as_str(), "os" | "full") {
        return field("profile", "write `os` or `full`");
    }
    let tags = &job.exclude_volume_tags;
    if tags.len() > MOST || tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > LONGEST) {
        return field("exclude_volume_tags", "write at most 64 tags, each `key` or `key=value`");
    }
    check_target(&job.target)?;
    match (job.target.is_local(), &job.account, &job.region) {
        (true, None, None) => Ok(()),
        (true, _, _) => field("account", "a local target has neither account nor region"),
        (false, Some(account), Some(region)) if is_account(account) && is_region(region) => Ok(()),
        (false, _, _) => {
            field("account", "write the twelve digits of the account, and a region such as eu-west-1")
        }
    }
}

fn check_target(target: &JobTarget) -> Result<(), JobError> {
    let (id, prefix) = match target {
        JobTarget::Instance { id } => (id, "i-"),
        JobTarget::Volume { id } => (id, "vol-"),
        JobTarget::Snapshot { id } => (id, "snap-"),
        JobTarget::Ami { id } => (id, "ami-"),
        JobTarget::Image { paths } => {
            let fits = (1..=MOST).contains(&paths.len()) && paths.iter().all(|path| is_path(path));
            let why = "write 1 to 64 paths, none empty, at most 1,024 characters each";
            return if fits {
                Ok(())
            } else {
                Err(JobError::Field { field: "target.paths", why: why.into() })
            };
        }
        JobTarget::Directory { path } => {
            let why = "write a path of at most 1,024 characters".to_owned();
            return if is_path(path) { Ok(()) } else { Err(JobError::Field { field: "target.path", why }) };
        }
    };
    if is_cloud_id(id, prefix) {
        Ok(())
    } else {
        let why = format!("{} does not have the form {prefix}…", short(&format!("{id:?}")));
        Err(JobError::Field { field: "target.id", why })
    }
}

/// True for 1 to 64 letters, digits and dashes.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && path.chars().count() <= LONGEST && !path.contains('\0')
}

/// True for the prefix and 1 to 17 lower-case hexadecimal digits.
pub(super) fn is_cloud_id(text: &str, prefix: &str) -> bool {
    let Some(digits) = text.strip_prefix(prefix) else { return false };
    (1..=17).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// At most 80 characters of what somebody else wrote.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
