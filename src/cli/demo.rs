// SPDX-License-Identifier: Apache-2.0
//! `snapscan demo`: a whole run, from jobs to the account, in a cloud made of files.

use std::path::PathBuf;

use clap::Args;

use crate::demo;
use crate::error::Failure;
use crate::exit::Exit;

/// Options of `demo`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Add a machine with this raw disk image; it is copied unread, and only the confined worker reads the copy
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,

    /// Leave the cloud, the findings and the logs in this new or empty folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  snapscan demo
  snapscan demo --image web-03.img
  snapscan demo --keep /tmp/demo

Exit codes: 0 nothing leaked, nothing lost, nothing of others harmed; 1 otherwise";

/// Options of `demo-cloud`.
#[derive(Args)]
pub(crate) struct DemoCloudArgs {
    /// The cloud's folder
    folder: PathBuf,
    /// Where calls come in
    socket: PathBuf,
}

impl DemoArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        super::wait(demo::play(self.image.as_deref(), self.keep.as_deref()))?
    }
}

impl DemoCloudArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        demo::serve(&self.folder, &self.socket)
    }
}
