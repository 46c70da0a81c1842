// SPDX-License-Identifier: Apache-2.0
//! What went wrong, for a person: what was being done, to what, what happened, what to do next.

use std::fmt::Write as _;
use std::io;

use crate::exit::Exit;

/// A failure that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was being done, to what, and what happened.
    pub(crate) what: String,
    /// What else is known of it.
    pub(crate) details: Vec<String>,
    /// What to do next.
    pub(crate) help: String,
    /// A code that `snapscan explain` knows.
    pub(crate) code: Option<&'static str>,
    /// How the program ends.
    pub(crate) exit: Exit,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { what: what.into(), details: Vec::new(), help: help.into(), code: None, exit: Exit::Failed }
    }

    /// A command line that contradicts itself.
    pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, ..Failure::new(what, help) }
    }

    /// Writes it to standard error and answers the exit code.
    pub(crate) fn report(&self) -> Exit {
        eprint!("{}", self.text());
        self.exit
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        for detail in &self.details {
            // Writing to a string cannot fail.
            let _ok = writeln!(text, "  {detail}");
        }
        let code = self.code.map(|code| format!("   [{code}]")).unwrap_or_default();
        let _ok = writeln!(text, "help: {}{code}", self.help);
        text
    }
}

/// What to say when a target cannot be opened.
pub(crate) fn opening(path: &str, error: &io::Error) -> Failure {
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the path; a target is an image, a block device or a folder".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!("run as a user that may read it; `ls -l {path}` shows who that is")
        }
        _ => "see the system's log for the device".to_owned(),
    };
    Failure::new(format!("cannot open `{path}`: {error}"), help)
}

impl From<snapscan_sandbox::Error> for Failure {
    fn from(error: snapscan_sandbox::Error) -> Failure {
        use snapscan_sandbox::Error;
        let help = match &error {
            Error::Volume { .. } | Error::Directory { .. } => {
                "check that it is whole: compare its size or digest with the source's"
            }
            Error::NoFilesystem => "`snapscan scan` on the same targets says what lies on them",
            Error::NoSuchPath { .. } => "`snapscan ls` with the folder above shows what is there",
            Error::NoSuchVolume { .. } => "name one of these with --volume",
            Error::Path { .. } => "`snapscan ls -l` shows what it is",
            Error::Output(_) => "check the space and permissions where the output goes",
            Error::Threads { .. } => "use fewer with --threads",
            Error::Worker { .. } => {
                "nothing was read; `snapscan doctor` says what this host lets a worker do"
            }
            Error::Kernel { .. } => "use the reader `own`",
            Error::Confinement { .. } => {
                "`snapscan doctor` says what this host lacks; `sandbox.require = \"possible\"` works without it"
            }
            Error::Crashed { .. } => "please report it; `snapscan scan` leaves the place out and goes on",
            Error::Cancelled => "start it again",
        };
        Failure::new(error.to_string(), help)
    }
}
