// SPDX-License-Identifier: Apache-2.0
//! What ends a round before its work is done.

use std::io;
use std::path::PathBuf;

use crate::secret::Missing;

/// What ends a round; nothing of it is lost, the next one goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The outbox or the table did not answer as they should.
    #[error("the outbox failed: {0}")]
    Cloud(#[from] snapscan_cloud::Error),
    /// Another scanner is the uploader now.
    #[error("the uploader's lease of sink {0} went to another scanner")]
    LeaseLost(String),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] Missing),
    /// Nothing more is sent until a person has done something.
    #[error("sink {sink} is stopped: {why}")]
    Stopped {
        /// The sink.
        sink: String,
        /// What is missing, and what to do.
        why: String,
    },
    /// The other side fails for now.
    #[error("sink {sink} does not take findings for now: {why}")]
    Away {
        /// The sink.
        sink: String,
        /// What happened.
        why: String,
    },
    /// A folder cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Folder {
        /// What was written.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Something of ours cannot be read back.
    #[error("`{key}` in the outbox cannot be used: {why}")]
    Broken {
        /// Its name.
        key: String,
        /// Why.
        why: String,
    },
}
