// SPDX-License-Identifier: Apache-2.0
//! What the parent may ask of a child: one request in a child's life.

use serde::{Deserialize, Serialize};
use snapscan_inventory::Profile;

use crate::look::Listing;

/// Volumes of one target: an instance has fewer, and their descriptors fit into one message (SCM_MAX_FD is 253).
pub const MOST_VOLUMES: usize = 200;

/// What is to be done, and on what. The descriptors of its files come after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The bytes.
    pub target: Asked,
    /// What to do with them.
    pub work: Work,
    /// True if the last child died: nothing is read ahead, so that the step entered last is the guilty one.
    pub careful: bool,
    /// Steps at which a child died.
    pub left_out: Vec<LeftOut>,
}

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// Images or devices, all of one machine.
    Disks(Vec<AskedVolume>),
    /// The folder whose descriptor the child inherited, by this name.
    Directory(Vec<u8>),
}

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedVolume {
    /// The name that coverage and evidence give it.
    pub name: Vec<u8>,
    /// Where its bytes come from.
    pub origin: Origin,
}

/// Where the bytes of a volume come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A descriptor.
    File,
    /// The parent serves blocks; the descriptor is that of the cache.
    Served {
        /// Bytes.
        len: u64,
        /// Bytes of a logical sector, if that is known.
        sector: Option<u32>,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// A report.
    Inspect(Depth),
    /// What lies where, and which filesystem is the root; nothing of what they hold.
    Survey,
    /// Names under a path of the machine, or of the filesystem at one place.
    List {
        /// The place.
        volume: Option<Vec<u8>>,
        /// The path.
        path: Vec<u8>,
        /// How.
        listing: Listing,
    },
    /// The content of a file.
    Cat {
        /// The place.
        volume: Option<Vec<u8>>,
        /// The path.
        path: Vec<u8>,
    },
}

/// How much is looked at; see [`Profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of `Profile`")]
pub enum Depth {
    Os,
    Full,
}

impl From<Profile> for Depth {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Os => Depth::Os,
            Profile::Full => Depth::Full,
        }
    }
}

impl From<Depth> for Profile {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Os => Profile::Os,
            Depth::Full => Profile::Full,
        }
    }
}

/// A step at which a child died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The step.
    pub place: Place,
    /// How it died, for people.
    pub why: String,
}

/// A step of the work: a volume, partition or logical volume, with the extractor at work there if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `disk.img`, `disk.img/2`, `vg0/root`.
    pub name: Vec<u8>,
    /// The extractor; empty where the whole place is meant.
    pub part: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name.escape_ascii())?;
        if self.part.is_empty() { Ok(()) } else { write!(f, ", {}", self.part) }
    }
}
