// SPDX-License-Identifier: Apache-2.0
//! One package's paragraph in a file of dpkg's.

use snapscan_disk::machine::{Content, Resolved};
use snapscan_schema::{Evidence, Package, Reason};

use super::super::paragraphs::{End, Paragraph, Paragraphs};
use crate::Sink;

/// The fields that are read.
const FIELDS: &[&[u8]; 6] = &[b"package", b"status", b"version", b"architecture", b"source", b"multi-arch"];

/// What dpkg knows of one package.
#[derive(Debug, Clone)]
pub(super) struct Record<'a> {
    pub(super) name: &'a [u8],
    /// Empty for packages that are not installed and have none any more.
    pub(super) version: &'a [u8],
    pub(super) arch: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    /// Want, flag and state; absent in `status.d`, where being there means installed.
    status: Option<&'a [u8]>,
    state: State,
    pub(super) multi_arch_same: bool,
    /// The file, and the line in it where the paragraph begins.
    pub(super) at: &'a Resolved,
    pub(super) line: u64,
}

/// Whether a package's files are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    OnDisk,
    /// `config-files` and `not-installed`.
    NotOnDisk,
}

impl State {
    /// By the third word of a status; `None` if dpkg knows no such state. `half-installed` counts as on the disk until
    /// somebody proves that no file of it is.
    fn of(status: &[u8]) -> Option<State> {
        let mut words = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let state = words.nth(2)?;
        match (state, words.next()) {
            (
                b"installed" | b"unpacked" | b"half-configured" | b"half-installed" | b"triggers-awaited"
                | b"triggers-pending",
                None,
            ) => Some(State::OnDisk),
            (b"config-files" | b"not-installed", None) => Some(State::NotOnDisk),
            _ => None,
        }
    }
}

impl<'a> Record<'a> {
    /// True if the package is to be reported.
    pub(super) fn on_disk(&self) -> bool {
        self.state == State::OnDisk
    }

    /// The finding. A source package has the package's own name and version unless `Source` says otherwise.
    pub(super) fn package(&self, evidence: Evidence) -> Package {
        let (source, source_version) = match self.source {
            None => (self.name, self.version),
            Some(source) => split_source(source, self.version),
        };
        Package {
            ecosystem: "deb".into(),
            name: self.name.into(),
            version: self.version.into(),
            arch: self.arch.map(Into::into),
            source: Some(source.into()),
            source_version: Some(source_version.into()),
            status: self.status.map(Into::into),
            evidence,
            ..Package::default()
        }
    }

    /// Makes a record of a paragraph; what is wrong with it becomes a problem, and a package that lacks what every
    /// package has is left out.
    fn new(
        paragraph: &Paragraph<'a, 6>,
        at: &'a Resolved,
        needs_status: bool,
        sink: &mut Sink<'_>,
    ) -> Option<Self> {
        let mut malformed =
            |line: u64, why: &str| sink.problem_at_line(Reason::RecordMalformed, at, line, why);
        if let Some(line) = paragraph.malformed {
            malformed(line, "neither a field nor the continuation of one");
        }
        let [name, status, version, arch, source, multi_arch] =
            paragraph.values.map(|value| value.filter(|value| !value.is_empty()));
        let Some(name) = name else {
            malformed(paragraph.line, "no Package");
            return None;
        };
        let state = match status {
            None if needs_status => {
                malformed(paragraph.line, "no Status");
                return None;
            }
            None => State::OnDisk,
            Some(status) => {
                let state = State::of(status);
                if state.is_none() {
                    malformed(paragraph.line, "a Status that dpkg does not know");
                }
                state?
            }
        };
        if version.is_none() && state == State::OnDisk {
            malformed(paragraph.line, "no Version");
            return None;
        }
        let version = version.unwrap_or_default();
        let multi_arch_same = multi_arch == Some(b"same");
        Some(Record { name, version, arch, source, status, state, multi_arch_same, at, line: paragraph.line })
    }
}

/// Splits `name (version)`.
fn split_source<'a>(source: &'a [u8], own_version: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let Some(open) = memchr::memchr(b'(', source) else { return (source, own_version) };
    let name = source.get(..open).unwrap_or_default().trim_ascii();
    let version = source.get(open.saturating_add(1)..).unwrap_or_default();
    let version = version.split(|&byte| byte == b')').next().unwrap_or_default().trim_ascii();
    (name, if version.is_empty() { own_version } else { version })
}

/// The packages of a status file. dpkg ends every paragraph with an empty line: where the last has none the file was cut.
pub(super) fn of_status<'a>(content: &'a Content, sink: &mut Sink<'_>) -> Vec<Record<'a>> {
    let at = &content.at;
    let mut records = Vec::new();
    let mut paragraphs = Paragraphs::new(&content.bytes);
    while let Some(paragraph) = paragraphs.next(FIELDS) {
        if paragraph.end != End::EmptyLine {
            let why = "the file ends in this paragraph";
            sink.problem_at_line(Reason::DatabaseIncomplete, at, paragraph.line, why);
            if !is_whole(&paragraph) {
                continue;
            }
        }
        if let Some(record) = Record::new(&paragraph, at, true, sink) {
            records.push(record);
        }
    }
    if content.bytes.is_empty() {
        sink.empty_database(&at.path);
    } else if records.is_empty() {
        sink.problem(Reason::DatabaseUnreadable, at.path.as_bytes(), "no package in it");
    }
    records
}

/// True if a paragraph that the end of the file cut short has what is needed of it. dpkg writes Architecture, then Source,
/// then Version: a Version that the cut went through may have lost its end. (A paragraph without Architecture was not
/// written by dpkg, and says nothing by lacking its last newline.)
fn is_whole(paragraph: &Paragraph<'_, 6>) -> bool {
    let [name, status, version, arch, ..] = paragraph.values;
    let cut_in_version =
        paragraph.end == End::InsideLine && paragraph.last_field.eq_ignore_ascii_case(b"version");
    name.is_some() && status.is_some() && version.is_some() && !(cut_in_version && arch.is_some())
}

/// The packages of one file of the journal; it was renamed into place, so it is whole or damaged.
pub(super) fn of_update<'a>(content: &'a Content, sink: &mut Sink<'_>) -> Vec<Record<'a>> {
    of_status(content, sink)
}

/// The packages of one file of `status.d`, in which distroless images keep their packages without a status: one by custom,
/// and what stands behind it is not passed over.
pub(super) fn of_status_d<'a>(content: &'a Content, sink: &mut Sink<'_>) -> Vec<Record<'a>> {
    let mut records = Vec::new();
    let mut is_empty = true;
    let mut paragraphs = Paragraphs::new(&content.bytes);
    while let Some(paragraph) = paragraphs.next(FIELDS) {
        is_empty = false;
        records.extend(Record::new(&paragraph, &content.at, false, sink));
    }
    if is_empty {
        sink.problem(Reason::RecordMalformed, content.at.path.as_bytes(), "no package in it");
    }
    records
}
