// SPDX-License-Identifier: Apache-2.0
//! Who is told what is read next, so that it is known where a reader died; and who says what to leave out.

/// Something that is read as one: a holder of bytes, or one part of the work on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// The volume, partition or logical volume: `disk.img`, `disk.img/2`, `vg0/root`.
    pub place: &'a [u8],
    /// The part of the work, such as an extractor's name; empty where it is all of it.
    pub part: &'a str,
}

/// Is told of each step before a byte of it is read, from any thread.
pub trait Guide: Sync {
    /// The step begins.
    fn enter(&self, step: Step<'_>);

    /// Why the step is to be left out; `None` where it is to be taken.
    fn leaves_out(&self, step: Step<'_>) -> Option<String>;

    /// True if what later steps want may be read in earlier ones, together. False costs time and makes the step that
    /// is entered the one whose bytes are read.
    fn reads_ahead(&self) -> bool {
        true
    }

    /// True if blocks come from afar, so that a walk gains from what is announced ahead of it. Of a disk at hand it would
    /// only read the inodes twice.
    fn is_remote(&self) -> bool {
        true
    }
}

/// A guide that leaves nothing out and remembers nothing.
pub struct Everywhere;

impl Guide for Everywhere {
    fn enter(&self, _step: Step<'_>) {}

    fn leaves_out(&self, _step: Step<'_>) -> Option<String> {
        None
    }
}

/// The step that is all of a place.
pub(super) fn whole(place: &[u8]) -> Step<'_> {
    Step { place, part: "" }
}
