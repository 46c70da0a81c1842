// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask diff-walk`: the kernel's reading of an image against ours.

use std::path::PathBuf;
use std::process::ExitCode;

/// What to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The image to read
    image: PathBuf,
}

/// Lists every difference; exit code 1 if there is any.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("diff-walk of {} is not possible yet", arguments.image.display())
}
