// SPDX-License-Identifier: Apache-2.0
//! The exit codes: part of the public face.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that matters was read.
    Complete,
    /// A target cannot be opened, or no filesystem could be read.
    Failed,
    /// The command line was not understood. clap ends with the same number.
    Usage,
    /// There is a report, and some line of its coverage that matters is not complete.
    Partial,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
        })
    }
}
