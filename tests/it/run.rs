// SPDX-License-Identifier: Apache-2.0
//! Runs the program and takes its report apart.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use snapscan_schema::{Coverage, Level, Package, Report, Status, Weight};

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }
}

/// The program with an environment that no user's settings reach.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snapscan"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs the program.
pub(crate) fn snapscan<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    ran(command().args(arguments))
}

/// Runs a command that was made ready.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!err.contains("panicked"), "{err}");
    let code = output.status.code().unwrap_or_else(|| panic!("it was killed: {:?}; {err}", output.status));
    Ran { code, out: output.stdout, err }
}

/// The image of a fixture, packed as it is committed.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.img.zst"))
}

/// Scans targets: exit code and report.
pub(crate) fn scan<P: AsRef<OsStr>>(targets: &[P]) -> (i32, Report) {
    scan_with(targets, &[])
}

/// The same with further options.
pub(crate) fn scan_with<P: AsRef<OsStr>>(targets: &[P], options: &[&str]) -> (i32, Report) {
    let fixed = ["scan", "--format", "json", "--at", "2026-11-21T13:30:00Z"].map(OsStr::new);
    let options = options.iter().map(OsStr::new);
    let ran = snapscan(fixed.into_iter().chain(options).chain(targets.iter().map(AsRef::as_ref)));
    let report = serde_json::from_slice(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    (ran.code, report)
}

/// One line of coverage in words: `filesystem swap: skipped BY_KIND neutral`, the code only where there is one, and
/// `matters` not said.
pub(crate) fn words(line: &Coverage) -> String {
    let code = line.code.map(|code| format!(" {}", code.code())).unwrap_or_default();
    let neutral = if line.weight == Weight::Neutral { " neutral" } else { "" };
    let notes: String = line.notes.iter().map(|note| format!(" +{}", note.code.code())).collect();
    let name = String::from_utf8_lossy(line.name.as_bytes()).into_owned();
    format!("{} {name}: {}{code}{neutral}{notes}", level(line.level), status(line.status))
}

/// All lines but the machine's and those of extractors, each in words with those above it.
pub(crate) fn places(report: &Report) -> Vec<String> {
    let lines = report.coverage.lines();
    let placed = |line: &&&Coverage| !matches!(line.level, Level::Machine | Level::Extractor);
    lines.iter().filter(placed).map(|line| words(line)).collect()
}

/// The line of one extractor in words.
pub(crate) fn extractor(report: &Report, name: &str) -> Option<String> {
    let lines = report.coverage.lines();
    let is = |line: &&&Coverage| line.level == Level::Extractor && line.name.as_bytes() == name.as_bytes();
    lines.iter().find(is).map(|line| words(line))
}

/// The packages as `name version`, epoch and release in their places.
pub(crate) fn packages(report: &Report) -> Vec<String> {
    report.findings.iter().filter_map(|finding| finding.package()).map(package).collect()
}

fn package(package: &Package) -> String {
    let text = |text: &snapscan_schema::Text| String::from_utf8_lossy(text.as_bytes()).into_owned();
    let epoch =
        package.epoch.filter(|epoch| *epoch != 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let release = package.release.as_ref().map(|release| format!("-{}", text(release))).unwrap_or_default();
    format!("{} {epoch}{}{release}", text(&package.name), text(&package.version))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Machine => "machine",
        Level::Volume => "volume",
        Level::Partition => "partition",
        Level::VolumeGroup => "group",
        Level::LogicalVolume => "logical",
        Level::Filesystem => "filesystem",
        Level::Mount => "mount",
        Level::Extractor => "extractor",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
    }
}

/// The folder of the real data; `None`, said on standard error, where it was not given.
pub(crate) fn realdata() -> Option<PathBuf> {
    let folder = std::env::var_os("SNAPSCAN_REALDATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: SNAPSCAN_REALDATA is not set");
    }
    folder
}
