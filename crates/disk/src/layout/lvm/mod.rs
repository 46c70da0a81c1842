// SPDX-License-Identifier: Apache-2.0
//! LVM2 volume groups in user space: from physical volumes to logical ones.
//!
//! | file | answers |
//! |---|---|
//! | `label` | where does a physical volume say its areas lie? |
//! | `area` | where in a metadata area is the text that counts? |
//! | `text` | what does the text say, as a tree? |
//! | `volume` | what does one physical volume say: [`read`] |
//! | `assemble` | which physical volumes make which groups: [`assemble()`] |
//! | `map` | where do the bytes of a logical volume lie? |

mod area;
mod assemble;
mod label;
mod map;
mod text;
mod volume;

use std::sync::Arc;

pub use self::assemble::assemble;
pub use self::volume::read;
use crate::source::BlockSource;

/// What one physical volume says of itself and its group.
#[derive(Debug, Clone)]
pub struct PhysicalVolume {
    /// Its id: 32 characters without dashes.
    pub id: String,
    /// The newest metadata text that could be read from it; empty if it belongs to no group.
    pub metadata: Vec<u8>,
    /// True if it says that it belongs to a group, even if it holds no metadata itself.
    pub used: bool,
    /// What was wrong with copies of the metadata that were passed over.
    pub problems: Vec<String>,
}

/// A volume group put together from what the physical volumes say.
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its logical volumes, in the order of the metadata; internal ones (pool data, images) are left out.
    pub volumes: Vec<LogicalVolume>,
    /// Indices, into what was given to [`assemble()`], of the physical volumes that are members.
    pub members: Vec<usize>,
    /// Names (`pv0`, with id) of physical volumes that were not given.
    pub missing: Vec<String>,
    /// What was noticed: duplicate ids, older metadata on one disk.
    pub notes: Vec<String>,
}

/// One logical volume.
pub struct LogicalVolume {
    /// Its name, without the group's.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its length in bytes.
    pub len: u64,
    /// Segment types in order, each once: `striped`, `thin`.
    pub types: Vec<String>,
    /// Its bytes, or why they cannot be had.
    pub mapping: Mapping,
    /// Where they lie, if that is one piece of one physical volume.
    pub run: Option<Run>,
}

/// One piece of a physical volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The number of the physical volume in the order given.
    pub member: usize,
    /// Its first byte, from the start of that physical volume.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// Whether a logical volume can be read.
pub enum Mapping {
    /// Its bytes.
    Mapped(Arc<dyn BlockSource>),
    /// It lies at least in part on physical volumes that were not given, named here.
    Missing(Vec<String>),
    /// A segment type that is not mapped here, named.
    Unsupported(String),
    /// Its segments are not valid.
    Bad(String),
}
