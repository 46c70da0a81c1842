// SPDX-License-Identifier: Apache-2.0
//! What a child may say.

use serde::{Deserialize, Serialize};
use snapscan_schema::{Read, Text};

use super::line::Line;
use super::mirror;
use super::request::Place;
use crate::Error;
use crate::parent::mount::Kind;

/// Bytes of a file or listing that go into one record.
pub const OUTPUT: usize = 60 << 10;
/// Bytes of a message for people; longer ones are cut.
pub const MESSAGE: usize = 8 << 10;

/// One thing that a child says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A step begins: should the child die now, it is the guilty one.
    Entered(Place),
    /// How far it is.
    Progress {
        /// What is being done.
        stage: Stage,
        /// Names met in a walk.
        names: u64,
    },
    /// One line of coverage.
    Line(Line),
    /// A note on the last line.
    Note(mirror::Note),
    /// What is known of the machine as a whole.
    About(mirror::About),
    /// A key of the system's release file.
    Field(String, Text),
    /// A kernel.
    Kernel(mirror::Kernel),
    /// A finding.
    Finding(mirror::Finding),
    /// How much was read, and by how many threads.
    Counts {
        /// What was read.
        read: Read,
        /// Threads of the reader.
        threads: u64,
    },
    /// A filesystem that the kernel could mount.
    Mountable(Mountable),
    /// Bytes of a listing or a file.
    Output(Vec<u8>),
    /// Something that a look could not see.
    Problem(String),
    /// All was said.
    Done,
    /// Nothing could be read.
    Failed(Failure),
}

/// A filesystem of a kind that the kernel may be asked to mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mountable {
    /// What it is.
    pub kind: Kind,
    /// What it is to the machine.
    pub part: Part,
    /// Its line of coverage, by the names of those above it and its own: `disk.img/2/ext4`, `vg0/root/xfs`.
    pub place: Vec<u8>,
    /// The volume or volume group that evidence gives for what lies on it.
    pub volume: Vec<u8>,
    /// Where it lies, if that is one piece of one volume.
    pub at: Option<Piece>,
    /// Where the machine mounts it first: an absolute path without links, `/` for the root.
    pub point: Option<Vec<u8>>,
}

/// Bytes of the names of a place.
pub const PLACE: usize = 8 << 10;
/// Filesystems of one machine that are mounted: each has a loop device meanwhile.
pub const MOUNTED: usize = 64;

/// One piece of one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The number of the volume in the order asked.
    pub volume: u32,
    /// Its first byte.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// What a filesystem is to its machine, as far as our own readers can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// Its root.
    Root,
    /// A folder of it is the root: a deployment of ostree.
    Deployed,
    /// The best root that our readers can open, without the marks of a system.
    Unmarked,
    /// Another one that it mounts.
    Mounted,
    /// Our readers cannot open it; it may have a mount point nevertheless.
    Unread,
    /// It is no part of the machine.
    Apart,
}

/// What is being done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The child comes up.
    #[default]
    Starting,
    /// Partition tables, volume groups and superblocks.
    Layout,
    /// Extractors.
    Inventory,
    /// What was found is put together and sent.
    Sending,
}

impl Stage {
    /// For a person who waits.
    pub fn words(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Layout => "reading the layout",
            Stage::Inventory => "inventory",
            Stage::Sending => "collecting",
        }
    }
}

/// Why nothing could be read: the part of [`Error`] that a child can meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of `Error`")]
pub enum Failure {
    Volume { name: String, why: String },
    Directory { why: String },
    NoFilesystem,
    NoSuchPath { path: String },
    NoSuchVolume { name: String, known: String },
    Path { path: String, why: String },
    Other { why: String },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Volume { name, why } => Failure::Volume { name: cut(name), why: cut(why) },
            Error::Directory { why } => Failure::Directory { why: cut(why) },
            Error::NoFilesystem => Failure::NoFilesystem,
            Error::NoSuchPath { path } => Failure::NoSuchPath { path: cut(path) },
            Error::NoSuchVolume { name, known } => {
                Failure::NoSuchVolume { name: cut(name), known: cut(known) }
            }
            Error::Path { path, why } => Failure::Path { path: cut(path), why: cut(why) },
            other => Failure::Other { why: cut(other.to_string()) },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Volume { name, why } => Error::Volume { name, why },
            Failure::Directory { why } => Error::Directory { why },
            Failure::NoFilesystem => Error::NoFilesystem,
            Failure::NoSuchPath { path } => Error::NoSuchPath { path },
            Failure::NoSuchVolume { name, known } => Error::NoSuchVolume { name, known },
            Failure::Path { path, why } => Error::Path { path, why },
            Failure::Other { why } => Error::Worker { doing: "reading", why },
        }
    }
}

/// The first [`MESSAGE`] bytes of a message, at most, in whole characters.
pub fn cut(mut text: String) -> String {
    if text.len() > MESSAGE {
        let end = (0..=MESSAGE).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
