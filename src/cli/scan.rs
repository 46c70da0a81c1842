// SPDX-License-Identifier: Apache-2.0
//! `snapscan scan`: the main job.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use snapscan_sandbox::{Options, Profile, Watch};
use snapscan_schema::{Level, Report, Time, Weight};

use crate::error::Failure;
use crate::exit::Exit;
use crate::render::{self, progress::Progress};
use crate::scan::{self, Scan, create};

/// Options of `scan`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ScanArgs {
    /// Images (raw, or raw packed with zstd), block devices, or one folder; together the disks of one machine
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<PathBuf>,

    /// How much is looked at: `os` known paths only, `full` every name
    #[arg(long, value_enum, default_value_t = ProfileName::Os)]
    profile: ProfileName,

    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Where the result goes; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,

    /// Threads; 0 means one a core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    threads: u16,

    /// The time that the result carries (RFC 3339, UTC), so that it is the same byte for byte; else SOURCE_DATE_EPOCH,
    /// else the clock
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Time>,
}

const EXAMPLES: &str = "\
Examples:
  snapscan scan fixtures/debian-ext4-gpt.img.zst
  snapscan scan --profile full --format json -o report.json root.img data.img
  snapscan scan /mnt/web-03";

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Os,
    Full,
}

/// How a result is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person
    Table,
    /// The report, canonical
    Json,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "write it like 2026-11-21T13:30:00Z".to_owned())
}

impl ScanArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let profile = match self.profile {
            ProfileName::Os => Profile::Os,
            ProfileName::Full => Profile::Full,
        };
        let options = Options { threads: usize::from(self.threads), ..scan::options(profile) };
        let at = match self.at {
            Some(at) => Some(at),
            None => source_date_epoch()?,
        };
        let scan = Scan { targets: self.targets, options, at };
        let watch = Watch::default();
        let report = Progress::show(&watch, || scan.run(&watch))?;
        let format = if self.json { Format::Json } else { self.format };
        let bytes = render::render(&report, format)?;
        write(&self.output, &bytes)?;
        let exit = exit_of(&report);
        if exit != Exit::Complete && (format != Format::Table || self.output.as_os_str() != "-") {
            eprint!("{}", render::table::unread(&report));
        }
        if exit == Exit::Failed { Err(nothing_read(&report)) } else { Ok(exit) }
    }
}

/// Writes the whole result; that nobody reads on (a closed pipe) is no error.
fn write(output: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = if output.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    } else {
        create(output)?.write_all(bytes)
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            format!("cannot write the result to `{}`: {error}", crate::scan::shown(output)),
            "check the space where it goes",
        )),
        _ => Ok(()),
    }
}

/// The exit code that a report's coverage asks for.
pub(crate) fn exit_of(report: &Report) -> Exit {
    let read =
        |line: &&snapscan_schema::Coverage| line.level == Level::Filesystem && render::was_opened(line);
    if !report.coverage.lines().iter().any(read) {
        Exit::Failed
    } else if report.coverage.is_incomplete() {
        Exit::Partial
    } else {
        Exit::Complete
    }
}

/// What to say where no filesystem could be read: the first volume's own reason, or that of what lies on it.
fn nothing_read(report: &Report) -> Failure {
    let names: Vec<String> = report.header.target.volumes.iter().map(render::table::safe).collect();
    let what = format!("no filesystem could be read on `{}`", names.join("`, `"));
    let lines = report.coverage.lines();
    let reason = lines
        .iter()
        .filter(|line| line.level != Level::Extractor && line.weight == Weight::Matters)
        .find_map(|line| line.code);
    match reason.map(snapscan_schema::Reason::explain) {
        Some(row) => Failure {
            details: vec![row.text.to_owned()],
            code: Some(row.code),
            ..Failure::new(what, row.remedy)
        },
        None => {
            Failure::new(what, "nothing on it could hold one; the report's coverage says what lies there")
        }
    }
}

fn source_date_epoch() -> Result<Option<Time>, Failure> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let seconds = value.to_str().and_then(|text| text.parse().ok());
    let time = seconds.map(Time).ok_or_else(|| {
        Failure::usage(
            format!("SOURCE_DATE_EPOCH is {value:?}, which is no number of seconds"),
            "set it to seconds since 1970, or unset it",
        )
    })?;
    Ok(Some(time))
}

/// True if a person watches standard output.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal()
}
