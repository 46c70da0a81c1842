// SPDX-License-Identifier: Apache-2.0
//! `snapscan cat`: the content of one file.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args;
use snapscan_sandbox::{Profile, look};

use super::ls::{MachineArgs, closed};
use super::scan::is_watched;
use crate::error::Failure;
use crate::exit::Exit;
use crate::scan;

/// Options of `cat`.
#[derive(Args)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    machine: MachineArgs,

    /// The path of the file inside the machine
    path: PathBuf,
}

impl CatArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let target = self.machine.open()?;
        let volume = self.machine.volume();
        let path = self.path.as_os_str().as_bytes();
        let options = scan::options(Profile::Os);
        let mut out = io::stdout().lock();
        let done = if is_watched() {
            look::cat(target, &options, volume, path, &mut ForEyes(&mut out))
        } else {
            look::cat(target, &options, volume, path, &mut out)
        };
        match (done, out.flush()) {
            (Err(snapscan_sandbox::Error::Output(error)), _) | (Ok(()), Err(error)) => closed(&error),
            (Err(error), _) => Err(error.into()),
            (Ok(()), Ok(())) => Ok(Exit::Complete),
        }
    }
}

/// Escapes what could move the cursor or colour the terminal; lines and tabs stay.
struct ForEyes<'a, W: Write>(&'a mut W);

impl<W: Write> Write for ForEyes<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\t') {
            let (text, end) = match line.split_last() {
                Some((last @ (b'\n' | b'\t'), text)) => (text, std::slice::from_ref(last)),
                _ => (line, &[][..]),
            };
            self.0.write_all(look::shown(text).as_bytes())?;
            self.0.write_all(end)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
