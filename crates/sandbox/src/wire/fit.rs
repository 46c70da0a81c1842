// SPDX-License-Identifier: Apache-2.0
//! What becomes of a report that is larger than the wire carries: less, and a line that says so.
//!
//! The parent ends a child that breaks a bound, so an honest child keeps them all. Which findings are left out follows
//! from the report alone.

use snapscan_schema::{Coverage, Finding, Header, Level, Package, Reason, Report, Status, Text, Value};

/// Bytes of one finding on the wire; a frame has room for its kind besides.
pub const FINDING_BYTES: usize = 60 << 10;
/// Findings of one report.
pub const FINDINGS: usize = 1_000_000;
/// Bytes that a report takes in the parent's memory.
pub const REPORT_BYTES: usize = 256 << 20;
/// Lines of coverage.
pub const LINES: usize = 100_000;
/// Notes on all lines.
pub const NOTES: usize = 500_000;
/// Bytes of the texts of one line or note.
pub const LINE_BYTES: usize = 24 << 10;
/// Kernels, and fields of the release file.
pub const KERNELS: usize = 10_000;
/// Bytes of a text of the header.
pub const HEADER_TEXT: usize = 4 << 10;
/// Words of `ID_LIKE`, and bytes of one.
pub const ID_LIKE: usize = 64;

/// What something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes on the wire, at most.
    pub wire: usize,
    /// Bytes in memory, about.
    pub memory: usize,
}

impl Size {
    fn add(&mut self, text: usize) {
        // A length takes at most five bytes on the wire, an allocation about 48.
        self.wire = self.wire.saturating_add(text).saturating_add(5);
        self.memory = self.memory.saturating_add(text).saturating_add(48);
    }
}

/// What a finding takes.
pub fn size(finding: &Finding) -> Size {
    // Numbers, marks of what is absent, and the type itself.
    let mut size = Size { wire: 128, memory: 768 };
    let evidence = match finding {
        Finding::Package(package) | Finding::Key(package) => {
            texts(package).into_iter().flatten().for_each(|text| size.add(text.0.len()));
            &package.evidence
        }
        Finding::Fact(fact) => {
            size.add(fact.topic.0.len());
            size.add(fact.subject.0.len());
            for (key, value) in &fact.values {
                size.add(key.len());
                match value {
                    Value::Bool(_) | Value::Number(_) => size.add(10),
                    Value::Text(text) => size.add(text.0.len()),
                    Value::List(list) => {
                        size.add(1);
                        list.iter().for_each(|text| size.add(text.0.len()));
                    }
                }
            }
            &fact.evidence
        }
    };
    size.add(evidence.volume.0.len());
    size.add(evidence.path.0.len());
    size
}

fn texts(package: &Package) -> [Option<&Text>; 11] {
    [
        Some(&package.ecosystem),
        Some(&package.name),
        Some(&package.version),
        package.release.as_ref(),
        package.arch.as_ref(),
        package.source.as_ref(),
        package.source_version.as_ref(),
        package.status.as_ref(),
        package.licence.as_ref(),
        package.vendor.as_ref(),
        package.modularity.as_ref(),
    ]
}

/// Brings a sealed report within the bounds, and seals it again if something had to go.
pub fn fit(report: &mut Report) {
    let mut lost = Vec::new();
    fit_findings(&mut report.findings, &mut lost);
    fit_header(&mut report.header, &mut lost);
    // The machine's own line is one.
    let mut left = Left { lines: LINES.saturating_sub(1), notes: NOTES, was_cut: false };
    fit_line(&mut report.coverage, &mut left);
    if left.was_cut {
        lost.push("lines of coverage, or parts of them".to_owned());
    }
    if !lost.is_empty() {
        let detail = format!("left out: {}", lost.join("; "));
        let line = Coverage::because(Level::Extractor, "report", Reason::LimitReached, detail);
        report.coverage.children.push(line);
        report.seal();
    }
}

fn fit_findings(findings: &mut Vec<Finding>, lost: &mut Vec<String>) {
    let (mut large, mut many, mut left) = (0_u64, 0_u64, REPORT_BYTES);
    let mut kept = 0_usize;
    findings.retain(|finding| {
        let size = size(finding);
        if size.wire > FINDING_BYTES {
            large = large.saturating_add(1);
            return false;
        }
        match left.checked_sub(size.memory).filter(|_| kept < FINDINGS) {
            Some(rest) => {
                left = rest;
                kept = kept.saturating_add(1);
                true
            }
            None => {
                left = 0;
                many = many.saturating_add(1);
                false
            }
        }
    });
    if large > 0 {
        lost.push(format!("{large} findings larger than {FINDING_BYTES} bytes each"));
    }
    if many > 0 {
        lost.push(format!("{many} findings beyond {FINDINGS} or {REPORT_BYTES} bytes in all"));
    }
}

fn fit_header(header: &mut Header, lost: &mut Vec<String>) {
    let mut is_long = false;
    let mut bound = |text: &mut Option<Text>| {
        if text.as_ref().is_some_and(|text| text.0.len() > HEADER_TEXT) {
            *text = None;
            is_long = true;
        }
    };
    bound(&mut header.hostname);
    bound(&mut header.machine_id);
    if let Some(system) = &mut header.system {
        bound(&mut system.version_id);
        bound(&mut system.codename);
        bound(&mut system.name);
        bound(&mut system.pretty_name);
        if system.id.0.len() > HEADER_TEXT {
            system.id.0.truncate(HEADER_TEXT);
            is_long = true;
        }
        let before = (system.fields.len(), system.id_like.len());
        let mut kept = 0_usize;
        system.fields.retain(|key, value| {
            kept = kept.saturating_add(1);
            kept <= KERNELS && key.len().saturating_add(value.0.len()) <= FINDING_BYTES
        });
        system.id_like.retain(|word| word.0.len() <= ID_LIKE);
        system.id_like.truncate(ID_LIKE);
        is_long |= before != (system.fields.len(), system.id_like.len());
    }
    let before = header.kernels.len();
    header.kernels.retain(|kernel| kernel.release.0.len() <= HEADER_TEXT);
    header.kernels.truncate(KERNELS);
    if is_long || header.kernels.len() < before {
        lost.push(format!(
            "parts of the header longer than {HEADER_TEXT} bytes, or kernels beyond {KERNELS}"
        ));
    }
}

/// What is left of the bounds of a tree of coverage.
struct Left {
    lines: usize,
    notes: usize,
    was_cut: bool,
}

fn fit_line(line: &mut Coverage, left: &mut Left) {
    for text in
        [&mut line.name, &mut line.detail].into_iter().chain(line.notes.iter_mut().map(|n| &mut n.detail))
    {
        if text.0.len() > LINE_BYTES {
            text.0.truncate(LINE_BYTES);
            left.was_cut = true;
        }
    }
    if line.notes.len() > left.notes {
        line.notes.truncate(left.notes);
        left.was_cut = true;
    }
    left.notes = left.notes.saturating_sub(line.notes.len());
    if line.children.len() > left.lines {
        line.children.truncate(left.lines);
        left.was_cut = true;
        // What the lines that went would have said.
        line.status = line.status.max(Status::Partial);
    }
    // All of them are counted before those beneath any of them.
    left.lines = left.lines.saturating_sub(line.children.len());
    for child in &mut line.children {
        fit_line(child, left);
    }
}

#[cfg(test)]
mod tests {
    use snapscan_schema::{Fact, SCHEMA_VERSION, System};

    use super::*;
    use crate::wire::frame;
    use crate::wire::record::Record;

    fn report(findings: Vec<Finding>) -> Report {
        let header = Header::default();
        let coverage = Coverage::complete(Level::Machine, "machine", "");
        Report { schema_version: SCHEMA_VERSION, header, findings, coverage }
    }

    fn fact(members: usize) -> Finding {
        let list = (0..members).map(|n| Text::from(format!("user{n:04}"))).collect();
        let values = [("members".to_owned(), Value::List(list))].into();
        Finding::Fact(Fact { topic: "group".into(), subject: "all".into(), values, ..Fact::default() })
    }

    #[test]
    fn a_finding_larger_than_a_frame_becomes_a_line_that_says_so() {
        let mut it = report(vec![fact(4000), fact(5000)]);
        it.seal();
        fit(&mut it);
        assert_eq!(it.findings, [fact(4000)]);
        let line = &it.coverage.children[0];
        assert_eq!((line.code, it.coverage.status), (Some(Reason::LimitReached), Status::Partial));
        assert!(
            String::from_utf8_lossy(line.detail.as_bytes()).contains("1 findings larger than 61440 bytes")
        );
    }

    #[test]
    fn the_size_of_a_finding_is_never_less_than_it_takes_on_the_wire() {
        for finding in [fact(0), fact(1), fact(4000), Finding::Package(Package::default())] {
            let framed = frame::encode(&Record::Finding(finding.clone().into())).unwrap();
            assert!(framed.len() <= size(&finding).wire, "{} {:?}", framed.len(), size(&finding));
        }
    }

    #[test]
    fn a_header_that_is_too_long_is_cut_and_says_so() {
        let mut it = report(Vec::new());
        let long = || Some(Text(vec![b'x'; 70_000]));
        let fields = [("A".to_owned(), Text(vec![b'x'; 70_000])), ("B".to_owned(), "b".into())].into();
        it.header.hostname = long();
        it.header.system = Some(System { name: long(), fields, ..System::default() });
        fit(&mut it);
        let system = it.header.system.unwrap();
        assert_eq!((it.header.hostname, system.name), (None, None));
        assert_eq!(system.fields.keys().collect::<Vec<_>>(), ["B"]);
        assert_eq!(it.coverage.children[0].code, Some(Reason::LimitReached));
    }

    #[test]
    fn a_tree_of_too_many_lines_is_cut_and_stays_a_tree() {
        let mut it = report(Vec::new());
        let child = || Coverage::complete(Level::Filesystem, "ext4", "x".repeat(LINE_BYTES + 1));
        it.coverage.children = (0..LINES + 5).map(|_| child()).collect();
        fit(&mut it);
        // All but the machine's own line, and the one that says so.
        assert_eq!(it.coverage.children.len(), LINES - 1 + 1);
        assert!(it.coverage.children.iter().all(|line| line.detail.0.len() <= LINE_BYTES));
        // Children of children count, too.
        let mut it = report(Vec::new());
        let child = || Coverage::complete(Level::Filesystem, "ext4", "");
        let parent = || Coverage { children: vec![child(), child()], ..child() };
        it.coverage.children = (0..LINES / 2).map(|_| parent()).collect();
        fit(&mut it);
        assert_eq!(it.coverage.lines().len(), LINES + 1);
    }
}
