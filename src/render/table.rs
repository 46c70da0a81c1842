// SPDX-License-Identifier: Apache-2.0
//! A report for a person: the system, what is installed, what is configured, what was not read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use snapscan_sandbox::look::shown;
use snapscan_schema::{Coverage, Finding, Level, Package, Report, Status, Text, Weight};

/// The whole report as text; what was not read stands just above the last line, which sums up.
pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    head(report, &mut text);
    packages(report, &mut text);
    facts(report, &mut text);
    coverage(&report.coverage, 0, &mut text);
    text.push('\n');
    text.push_str(&unread(report));
    text.push_str(&open(report));
    text.push_str(&summary(report));
    text
}

/// Bytes of one text that are shown; JSON has all.
const MOST_SHOWN: usize = 300;

/// Text of the disk, safe for a terminal, and not longer than a person reads.
pub(crate) fn safe(text: &Text) -> String {
    match text.as_bytes().split_at_checked(MOST_SHOWN) {
        Some((begin, rest)) if !rest.is_empty() => format!("{}… ({} bytes more)", shown(begin), rest.len()),
        _ => shown(text.as_bytes()),
    }
}

fn line(text: &mut String, words: &str) {
    text.push_str(words.trim_end());
    text.push('\n');
}

fn head(report: &Report, text: &mut String) {
    let header = &report.header;
    let system = header.system.as_ref();
    let name =
        system.map(|system| safe(system.pretty_name.as_ref().or(system.name.as_ref()).unwrap_or(&system.id)));
    let name = name.unwrap_or_else(|| "unknown operating system".to_owned());
    let volumes: Vec<String> = header.target.volumes.iter().map(safe).collect();
    line(text, &format!("{}: {name}", volumes.join(" + ")));
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            line(text, &format!("  {name:<13} {value}"));
        }
    };
    field("architecture", header.architecture.clone());
    field("hostname", header.hostname.as_ref().map(safe));
    let kernels = header.kernels.iter().map(|kernel| {
        let default = if kernel.default == Some(true) { " (boots)" } else { "" };
        format!("{}{default}", safe(&kernel.release))
    });
    field("kernels", Some(kernels.collect::<Vec<_>>().join(", ")));
    text.push('\n');
}

fn packages(report: &Report, text: &mut String) {
    let mut by_ecosystem: BTreeMap<String, Vec<&Package>> = BTreeMap::new();
    for package in report.findings.iter().filter_map(Finding::package) {
        by_ecosystem.entry(safe(&package.ecosystem)).or_default().push(package);
    }
    for (ecosystem, packages) in by_ecosystem {
        line(text, &format!("{} {ecosystem} packages", packages.len()));
        let rows: Vec<[String; 4]> = packages.iter().map(|package| row(package)).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(48);
        let widths = [width(0), width(1), width(2)];
        for [name, version, arch, status] in &rows {
            let (w0, w1, w2) = (widths[0], widths[1], widths[2]);
            line(text, &format!("  {name:<w0$}  {version:<w1$}  {arch:<w2$}  {status}"));
        }
        text.push('\n');
    }
}

fn row(package: &Package) -> [String; 4] {
    let mut version = package.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    version.push_str(&safe(&package.version));
    if let Some(release) = &package.release {
        version.push('-');
        version.push_str(&safe(release));
    }
    let arch = package.arch.as_ref().map(safe).unwrap_or_default();
    let usual = |status: &&Text| status.as_bytes() != b"install ok installed";
    let status = package.status.as_ref().filter(usual).map(safe).unwrap_or_default();
    [safe(&package.name), version, arch, status]
}

fn facts(report: &Report, text: &mut String) {
    let mut by_topic: BTreeMap<String, usize> = BTreeMap::new();
    for fact in report.findings.iter().filter_map(Finding::fact) {
        *by_topic.entry(safe(&fact.topic)).or_default() += 1;
    }
    if by_topic.is_empty() {
        return;
    }
    let counts: Vec<String> = by_topic.iter().map(|(topic, count)| format!("{topic} {count}")).collect();
    line(text, &format!("facts: {} (in full with --format json)", counts.join(", ")));
    text.push('\n');
}

/// The tree of coverage; extractors that are complete are summed up in one line.
fn coverage(top: &Coverage, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let detail = if top.detail.is_empty() { String::new() } else { format!("  {}", safe(&top.detail)) };
    let code = top.code.map(|code| format!(" {}", code.code())).unwrap_or_default();
    let name =
        if depth == 0 { "coverage".to_owned() } else { format!("{} {}", word(top.level), safe(&top.name)) };
    let name = name.trim_end();
    line(text, &format!("{indent}{name}: {}{code}{detail}", status(top.status)));
    for note in &top.notes {
        let detail = if note.detail.is_empty() { String::new() } else { format!(": {}", safe(&note.detail)) };
        if note.code != snapscan_schema::Reason::Absent {
            line(text, &format!("{indent}  note {}{detail}", note.code.code()));
        }
    }
    let whole = |child: &&Coverage| child.level == Level::Extractor && child.status == Status::Complete;
    let noted =
        |child: &Coverage| child.notes.iter().any(|note| note.code != snapscan_schema::Reason::Absent);
    let (met, rest): (Vec<&Coverage>, Vec<&Coverage>) = top.children.iter().partition(whole);
    let met: Vec<String> = met
        .iter()
        .filter(|child| child.notes.iter().all(|note| note.code != snapscan_schema::Reason::Absent))
        .map(|child| safe(&child.name))
        .collect();
    if !met.is_empty() {
        line(text, &format!("{indent}  complete: {}", met.join(", ")));
    }
    for child in top.children.iter().filter(|child| whole(child) && noted(child)) {
        coverage(child, depth + 1, text);
    }
    rest.into_iter().for_each(|child| coverage(child, depth + 1, text));
}

/// What was not read although it matters, and what to do: one warning for each line, alike ones counted.
pub(crate) fn unread(report: &Report) -> String {
    let mut text = String::new();
    let mut by_code: BTreeMap<&'static str, Vec<(String, &Coverage)>> = BTreeMap::new();
    for (place, one) in placed(&report.coverage) {
        if let Some(code) = one.code.filter(|_| one.weight == Weight::Matters) {
            by_code.entry(code.code()).or_default().push((place, one));
        }
    }
    for (code, lines) in by_code {
        let Some((place, first)) = lines.first() else { continue };
        let Some(reason) = first.code.map(|code| code.explain()) else { continue };
        let more = if lines.len() > 1 { format!(" and {} more", lines.len() - 1) } else { String::new() };
        let name = format!("{} `{place}`{more}", word(first.level));
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "warning: {name}: {}: {}", status(first.status), reason.text);
        for (_, one) in lines.iter().filter(|(_, one)| !one.detail.is_empty()).take(5) {
            let _ok = writeln!(text, "  {}", safe(&one.detail));
        }
        let _ok = writeln!(text, "help: {}   [{code}]", reason.remedy);
    }
    text
}

/// All lines beneath the machine's, each with its place: its name after those above it, safe for a terminal.
fn placed(top: &Coverage) -> Vec<(String, &Coverage)> {
    let mut all = Vec::new();
    let mut next: Vec<(String, &Coverage)> = vec![(String::new(), top)];
    while let Some((place, line)) = next.pop() {
        let below = |child: &Coverage| match (place.is_empty(), child.name.is_empty()) {
            (_, true) => place.clone(),
            (true, false) => safe(&child.name),
            (false, false) => format!("{place}/{}", safe(&child.name)),
        };
        next.extend(line.children.iter().rev().map(|child| (below(child), child)));
        all.push((place, line));
    }
    all
}

/// What the sandbox lacked on this host; nothing where it was whole.
fn open(report: &Report) -> String {
    let barriers = &report.header.run.sandbox;
    if barriers.is_empty() {
        return String::new();
    }
    let barriers: Vec<String> = barriers.iter().map(|barrier| shown(barrier.as_bytes())).collect();
    format!("note: the sandbox was not whole: {}\n", barriers.join("; "))
}

fn summary(report: &Report) -> String {
    let packages = report.findings.iter().filter(|finding| finding.package().is_some()).count();
    let facts = report.findings.iter().filter(|finding| finding.fact().is_some()).count();
    let read = report.header.run.read;
    let bytes = if read.bytes == 0 {
        String::new()
    } else {
        format!(
            "; {:.1} MiB read in {} rounds, {} blocks of 512 KiB",
            read.bytes as f64 / f64::from(1 << 20),
            read.rounds,
            read.blocks_512k
        )
    };
    let exit =
        if report.coverage.is_incomplete() { "not everything that matters was read" } else { "complete" };
    format!("{packages} packages, {facts} facts, {exit}{bytes}, {} ms\n", report.header.run.milliseconds)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "read in part",
        Status::Failed => "failed",
        Status::Skipped => "not read",
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Machine => "machine",
        Level::Volume => "volume",
        Level::Partition => "partition",
        Level::VolumeGroup => "volume group",
        Level::LogicalVolume => "logical volume",
        Level::Filesystem => "filesystem",
        Level::Mount => "mount",
        Level::Extractor => "extractor",
    }
}
