// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a target as a whole; everything smaller is coverage.

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A volume could not be opened as a source of bytes.
    #[error("cannot read {name}: {why}")]
    Volume {
        /// The volume's name.
        name: String,
        /// What was met.
        why: String,
    },
    /// The folder could not be opened.
    #[error("cannot read the folder: {why}")]
    Directory {
        /// What was met.
        why: String,
    },
    /// No filesystem could be read, and something was asked of its tree.
    #[error("no filesystem could be read")]
    NoFilesystem,
    /// There is no such path in the machine.
    #[error("{path}: no such file or folder in this machine")]
    NoSuchPath {
        /// The path, escaped.
        path: String,
    },
    /// There is no such place among the volumes.
    #[error("{name}: no such volume; there are {known}")]
    NoSuchVolume {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A path inside the machine could not be read.
    #[error("{path}: {why}")]
    Path {
        /// The path, escaped.
        path: String,
        /// What was met.
        why: String,
    },
    /// The output could not be written.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {why}")]
    Threads {
        /// How many.
        threads: usize,
        /// What the system answered.
        why: String,
    },
    /// The kernel could not be asked to read it.
    #[error("cannot read it with the kernel's drivers: {why}")]
    Kernel {
        /// What stands in the way.
        why: String,
    },
    /// The worker could not be started, asked, or kept.
    #[error("the worker: {doing}: {why}")]
    Worker {
        /// What was being done.
        doing: &'static str,
        /// What was met.
        why: String,
    },
    /// Barriers that are demanded do not stand.
    #[error(
        "the sandbox is not whole, so nothing was read: {}",
        missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Confinement {
        /// Those that do not stand.
        missing: Vec<crate::policy::Barrier>,
    },
    /// The worker died in the middle of a listing or file.
    #[error("the worker ended while it was at {place}: {why}")]
    Crashed {
        /// What it was reading.
        place: String,
        /// How it ended.
        why: String,
    },
    /// Whoever waited wants it no more.
    #[error("cancelled")]
    Cancelled,
}
