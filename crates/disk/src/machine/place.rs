// SPDX-License-Identifier: Apache-2.0
//! What lies where on the disks and what was met there: the facts from which coverage is made.

use std::sync::Arc;

use crate::error::{Error, SourceError};
use crate::fs::FileSystem;
use crate::layout::{Class, TableNote};

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the architecture, each itself")]
pub enum Level {
    Volume,
    Partition,
    VolumeGroup,
    LogicalVolume,
    Filesystem,
    Mount,
}

/// What was met at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// It is read, or what is beneath it says how far.
    Read,
    /// An image of no bytes.
    Empty,
    /// The source ends within it.
    Truncated(String),
    /// It is not valid.
    Damaged(String),
    /// It uses a feature that no reader knows.
    Unsupported(String),
    /// Its bytes could not be had.
    Unreadable(String),
    /// Its bytes were refused: a budget is used up.
    Refused(String),
    /// Its journal could not be applied.
    NotReplayed(String),
    /// A known signature that no reader is for: its class, with blkid's name.
    Known(Class, &'static str),
    /// The firmware's boot partition.
    BootFiles,
    /// Something that holds nothing to inventory, named.
    ByKind(String),
    /// Never written.
    Blank,
    /// No known signature.
    Unknown,
    /// Layouts or signatures that contradict each other.
    Ambiguous(String),
    /// A member of a volume group, which accounts for it.
    LvmMember(String),
    /// A physical volume that holds no volumes.
    LvmUnused(String),
    /// A physical volume that a group uses, which none of the groups found accounts for.
    LvmOrphaned(String),
    /// A logical volume on physical volumes that were not given.
    LvMissing(String),
    /// A logical volume of a kind that is not mapped.
    LvUnsupported(String),
    /// The guide said to leave it out, and why.
    LeftOut(String),
    /// A readable filesystem that the machine's fstab does not name.
    NotMounted,
    /// The root of another system.
    OtherSystem {
        /// Which, and why the other was taken.
        detail: String,
        /// True if it is the other half of an A/B scheme.
        spare: bool,
    },
    /// fstab names a device that is on none of the disks.
    MountMissing {
        /// Which.
        detail: String,
        /// True if the machine comes up without it and no packages lie there.
        neutral: bool,
    },
    /// fstab mounts something that lies on no disk.
    MountByKind {
        /// What.
        detail: String,
        /// True if no packages lie there.
        neutral: bool,
    },
}

impl Met {
    /// What an error means for the place as a whole.
    pub fn of(error: &Error) -> Met {
        match error {
            Error::Source(SourceError::PastEnd { .. }) => Met::Truncated(error.to_string()),
            Error::Source(SourceError::Refused(_)) => Met::Refused(error.to_string()),
            Error::Source(_) | Error::PermissionDenied => Met::Unreadable(error.to_string()),
            Error::Unsupported(what) => Met::Unsupported(what.clone()),
            _ => Met::Damaged(error.to_string()),
        }
    }
}

/// Something to know about a place that leaves its status alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceNote {
    /// Of a partition table.
    Table(TableNote),
    /// Of a volume group.
    Lvm(String),
    /// Of the choice of the root.
    Root(String),
}

impl From<TableNote> for PlaceNote {
    fn from(note: TableNote) -> Self {
        PlaceNote::Table(note)
    }
}

/// A range of bytes of one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The number of the disk in the order given.
    pub disk: usize,
    /// Its first byte.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// One place.
pub struct Place {
    /// What it is.
    pub level: Level,
    /// Where it lies, as an index among the places; `None` for volumes, groups and mounts.
    pub parent: Option<usize>,
    /// Its name within its parent.
    pub name: Vec<u8>,
    /// What else is known of it.
    pub detail: String,
    /// A partition's type as text, in lower case.
    pub type_id: Option<String>,
    /// What was met.
    pub met: Met,
    /// What is to be known besides.
    pub notes: Vec<PlaceNote>,
    /// Where a filesystem lies, if that is one piece of one disk.
    pub extent: Option<Extent>,
    /// The filesystem, if one was opened here.
    pub fs: Option<Arc<dyn FileSystem>>,
    /// Where it is mounted in the machine's tree.
    pub mounted: Vec<Vec<u8>>,
    /// Where fstab mounts it, although none of our readers opens it.
    pub wanted: Vec<Vec<u8>>,
}

impl Place {
    /// A place at which nothing worth saying was met so far.
    pub fn new(level: Level, parent: Option<usize>, name: Vec<u8>) -> Self {
        Place {
            level,
            parent,
            name,
            detail: String::new(),
            type_id: None,
            met: Met::Read,
            notes: Vec::new(),
            extent: None,
            fs: None,
            mounted: Vec::new(),
            wanted: Vec::new(),
        }
    }
}

/// All places of a machine, parents before children.
#[derive(Default)]
pub struct Places(pub Vec<Place>);

impl Places {
    /// Adds a place and answers its index.
    pub fn add(&mut self, place: Place) -> usize {
        self.0.push(place);
        self.0.len().saturating_sub(1)
    }

    /// Says what was met at a place.
    pub fn set(&mut self, place: usize, met: Met) {
        if let Some(place) = self.0.get_mut(place) {
            place.met = met;
        }
    }

    /// Says that fstab mounts what lies at a place, which none of our readers opens.
    pub fn wants(&mut self, place: Option<usize>, at: &[u8]) {
        if let Some(place) = place.and_then(|place| self.0.get_mut(place)) {
            place.wanted.push(at.to_vec());
        }
    }

    /// Adds a note to a place.
    pub fn note(&mut self, place: usize, note: PlaceNote) {
        if let Some(place) = self.0.get_mut(place) {
            place.notes.push(note);
        }
    }

    /// Names a place by what lies there.
    pub fn rename(&mut self, place: usize, name: &str) {
        if let Some(place) = self.0.get_mut(place) {
            place.name = name.as_bytes().to_vec();
        }
    }

    /// The name of a place with those above it: `disk.img/2/ext4`.
    pub fn path(&self, place: usize) -> Vec<u8> {
        let mut names = Vec::new();
        let mut next = Some(place);
        // Parents have lower indices than their children, so this ends.
        while let Some(place) = next.and_then(|index| self.0.get(index)) {
            names.push(place.name.as_slice());
            next = place.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The name of the volume or volume group that a place lies on.
    pub fn volume(&self, place: usize) -> Vec<u8> {
        let mut at = place;
        while let Some(parent) = self.0.get(at).and_then(|place| place.parent) {
            at = parent;
        }
        self.0.get(at).map(|place| place.name.clone()).unwrap_or_default()
    }
}
