// SPDX-License-Identifier: Apache-2.0
//! From targets to a report: what every command that scans shares.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use snapscan_sandbox::{Bytes, Limits, Options, Profile, Require, Target, Volume, Watch, look};
use snapscan_schema::{Report, Text, Time, Tool};

use crate::error::{Failure, opening};

/// What is to be scanned, and how.
pub(crate) struct Scan {
    /// The paths as given: the disks of one machine, or one folder.
    pub(crate) targets: Vec<PathBuf>,
    /// How.
    pub(crate) options: Options,
    /// The instant that the report shall carry; the clock's if there is none.
    pub(crate) at: Option<Time>,
}

impl Scan {
    /// Scans and reports.
    ///
    /// # Errors
    /// A target that cannot be opened.
    pub(crate) fn run(&self, watch: &Watch) -> Result<Report, Failure> {
        let begun = Instant::now();
        let target = open(&self.targets)?;
        let mut report = snapscan_sandbox::inspect(target, &self.options, watch, None)?;
        report.header.tool =
            Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let run = &mut report.header.run;
        run.started = self.at.or_else(now);
        run.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        run.paths = self.targets.iter().map(|path| Text(path.as_os_str().as_bytes().to_vec())).collect();
        report.seal();
        Ok(report)
    }
}

/// How the command line reads: in a sandbox as tight as this host allows, and with room for an image that is unpacked
/// into memory.
pub(crate) fn options(profile: Profile) -> Options {
    /// What an unpacked image may take, above what reading takes.
    const UNPACKED: u64 = 1280 << 20;
    let mut options = Options::new(profile, Require::Possible);
    options.limits = Limits { memory: options.limits.memory + UNPACKED, ..options.limits };
    options
}

/// A path of the host, safe for a terminal.
pub(crate) fn shown(path: &Path) -> String {
    look::shown(path.as_os_str().as_bytes())
}

/// The time, to the second.
fn now() -> Option<Time> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(Time)
}

/// Opens targets for reading only (INV-3): one folder, or images and devices.
///
/// # Errors
/// One that cannot be opened, or a folder among several.
pub(crate) fn open(targets: &[PathBuf]) -> Result<Target, Failure> {
    let mut volumes: Vec<Volume> = Vec::new();
    for path in targets {
        let shown = shown(path);
        let file = File::open(path).map_err(|error| opening(&shown, &error))?;
        let metadata = file.metadata().map_err(|error| opening(&shown, &error))?;
        if metadata.is_dir() {
            if targets.len() > 1 {
                return Err(Failure::usage(
                    format!("`{shown}` is a folder, and a folder is the only target"),
                    "scan it on its own, or give the images of all disks",
                ));
            }
            return Ok(Target::Directory { name: name_of(path, &[]), folder: OwnedFd::from(file) });
        }
        let name = name_of(path, &volumes);
        volumes.push(Volume { name, bytes: Bytes::File(file) });
    }
    Ok(Target::Disks(volumes))
}

/// The name of a target in reports: its file name, numbered where two are alike.
fn name_of(path: &Path, others: &[Volume]) -> Vec<u8> {
    let name = path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec();
    let taken = |name: &[u8]| others.iter().any(|other| other.name == name);
    let numbered = (2..).map(|n: u32| [&name, format!("#{n}").as_bytes()].concat());
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
}

/// Opens the file that a result goes to.
///
/// # Errors
/// What the system answers.
pub(crate) fn create(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
    opened.map_err(|error| {
        Failure::new(
            format!("cannot write `{}`: {error}", shown(path)),
            "check the folder and its permissions, or leave -o out",
        )
    })
}
