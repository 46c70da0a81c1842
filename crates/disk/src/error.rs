// SPDX-License-Identifier: Apache-2.0
//! What can go wrong while reading a disk, sorted by what the caller can do about it.

use std::fmt;
use std::io;
use std::sync::Arc;

/// The result of everything in this crate that reads.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The bytes could not be had. The same read may work later, or never: see the kind.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bytes are there and are not valid.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The bytes are valid, and mean something this program does not know.
    #[error("unsupported feature: {0}")]
    Unsupported(String),
    /// Something is larger than this program reads from an untrusted disk.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What was counted, with its unit.
        what: &'static str,
        /// The limit, in that unit.
        limit: u64,
    },
    /// A folder was expected and something else was met.
    #[error("not a folder")]
    NotADirectory,
    /// A file, link or other type was expected and something else was met.
    #[error("not a {0}")]
    WrongType(&'static str),
    /// More symbolic links than a path may have.
    #[error("more than {0} symbolic links in one path")]
    LinkLoop(u32),
    /// The host's kernel refused (directories only).
    #[error("permission denied")]
    PermissionDenied,
}

/// Why bytes could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The source ends before the bytes: a truncated image.
    #[error("byte {offset} lies beyond the end of the source at {len}")]
    PastEnd {
        /// The first byte asked for, from the start of the source that answers.
        offset: u64,
        /// The length of that source in bytes.
        len: u64,
    },
    /// A resident-only read met bytes that are not here yet. They have been noted; fetch and try again.
    #[error("bytes are not here yet")]
    NotResident,
    /// The source cannot answer now; the job may try again.
    #[error("source is unavailable: {0}")]
    Unavailable(String),
    /// The source refuses these bytes for good: a budget is used up.
    #[error("source refuses: {0}")]
    Refused(String),
    /// The operating system's error.
    #[error("read failed: {0}")]
    Io(Arc<io::Error>),
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        SourceError::Io(Arc::new(error))
    }
}

/// How far the damage that an error speaks of reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One file, link, or attribute.
    Node,
    /// A folder and all beneath it.
    Subtree,
    /// The whole filesystem, table or group.
    Whole,
}

/// Bytes that are there and are not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// How far the damage reaches.
    pub scope: Scope,
    /// What the bytes should have been: `superblock`, `inode 12`, `extent node`.
    pub what: &'static str,
    /// What is wrong with them, with numbers.
    pub why: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt {}: {}", self.what, self.why)
    }
}

impl std::error::Error for Corrupt {}

impl Error {
    /// Damage of one file, link, or attribute.
    pub fn node(what: &'static str, why: impl Into<String>) -> Error {
        Corrupt { scope: Scope::Node, what, why: why.into() }.into()
    }

    /// Damage of a folder and what is beneath it.
    pub fn subtree(what: &'static str, why: impl Into<String>) -> Error {
        Corrupt { scope: Scope::Subtree, what, why: why.into() }.into()
    }

    /// Damage of a whole filesystem, table or group.
    pub fn whole(what: &'static str, why: impl Into<String>) -> Error {
        Corrupt { scope: Scope::Whole, what, why: why.into() }.into()
    }

    /// True if the bytes were only not here yet: fetch what was noted and try again.
    pub fn is_not_resident(&self) -> bool {
        matches!(self, Error::Source(SourceError::NotResident))
    }

    /// True if the source ended too early: a truncated image.
    pub fn is_past_end(&self) -> bool {
        matches!(self, Error::Source(SourceError::PastEnd { .. }))
    }
}
