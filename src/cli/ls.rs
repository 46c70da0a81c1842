// SPDX-License-Identifier: Apache-2.0
//! `snapscan ls`: names in a machine.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use snapscan_sandbox::look::{self, Listing};
use snapscan_sandbox::{Profile, Target};

use crate::error::Failure;
use crate::exit::Exit;
use crate::scan;

/// Options of `ls`.
#[derive(Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    machine: MachineArgs,

    /// A path inside the machine
    #[arg(default_value = "/")]
    path: PathBuf,

    /// Folders within folders too
    #[arg(short = 'R', long)]
    recursive: bool,

    /// Type, mode, owner, group, size, time and target of links
    #[arg(short, long)]
    long: bool,

    /// The SHA-256 of each file
    #[arg(long)]
    digest: bool,

    /// How names are written
    #[arg(long, value_enum, default_value_t = LsFormat::Table)]
    format: LsFormat,
}

/// Which machine is looked at.
#[derive(Args)]
pub(crate) struct MachineArgs {
    /// An image, a block device, or a folder
    target: PathBuf,

    /// A further disk of the same machine
    #[arg(long, value_name = "IMAGE")]
    with: Vec<PathBuf>,

    /// One filesystem instead of the assembled machine, by its place in coverage: `web-03.img/2`, `vg0/root`
    #[arg(long, value_name = "PLACE")]
    volume: Option<OsString>,
}

impl MachineArgs {
    /// Opens all disks.
    pub(crate) fn open(&self) -> Result<Target, Failure> {
        let targets: Vec<PathBuf> = std::iter::once(&self.target).chain(&self.with).cloned().collect();
        crate::scan::open(&targets)
    }

    /// The place that was asked for.
    pub(crate) fn volume(&self) -> Option<&[u8]> {
        self.volume.as_ref().map(|volume| volume.as_bytes())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LsFormat {
    /// For a person
    Table,
    /// Tab-separated, with a header line
    Tsv,
}

impl LsArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let listing = Listing {
            recursive: self.recursive,
            long: self.long,
            digest: self.digest,
            tsv: self.format == LsFormat::Tsv,
        };
        let target = self.machine.open()?;
        let mut out = BufWriter::new(io::stdout().lock());
        let listed = look::list(
            target,
            &scan::options(Profile::Os),
            self.machine.volume(),
            self.path.as_os_str().as_bytes(),
            listing,
            &mut out,
        );
        let flushed = out.flush();
        let problems = match (listed, flushed) {
            (Err(snapscan_sandbox::Error::Output(error)), _) | (Ok(_), Err(error)) => return closed(&error),
            (Err(error), _) => return Err(error.into()),
            (Ok(problems), Ok(())) => problems,
        };
        for problem in problems.iter().take(20) {
            eprintln!("warning: {problem}");
        }
        if problems.len() > 20 {
            eprintln!("warning: and {} more", problems.len() - 20);
        }
        Ok(if problems.is_empty() { Exit::Complete } else { Exit::Partial })
    }
}

/// That nobody reads on is no error.
pub(crate) fn closed(error: &io::Error) -> Result<Exit, Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(Exit::Complete);
    }
    Err(Failure::new(format!("cannot write to standard output: {error}"), "check where it goes"))
}
