// SPDX-License-Identifier: Apache-2.0
//! The contract of an extractor.

use std::collections::HashSet;

use snapscan_disk::fs::Metadata;
use snapscan_disk::machine::glob::Match;
use snapscan_disk::machine::{Location, Tree};

use crate::Sink;

/// How much a scan looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// The operating system: known paths only, so that the cost does not grow with the number of files.
    Os,
    /// All of that, and a walk over every name.
    Full,
}

impl Profile {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Os => "os",
            Profile::Full => "full",
        }
    }
}

/// One extractor: what it wants to see, and what it makes of it. The same declaration gives its row in the README and
/// its line in coverage.
pub struct Extractor {
    /// Its name in coverage: `dpkg`.
    pub name: &'static str,
    /// The ecosystem of its packages; `None` for facts.
    pub ecosystem: Option<&'static str>,
    /// What it reads, in a few words, for people.
    pub title: &'static str,
    /// The smallest profile that it belongs to.
    pub profile: Profile,
    /// Paths from the machine's root, in which `*` stands for part of one name. They are fetched together before
    /// [`Extractor::run`] is called, which may read others too, at the price of waiting. A slash at the end says that of a
    /// file only the first bytes, of a folder the names in it are wanted.
    pub wants: &'static [&'static str],
    /// Bytes that it may read in all.
    pub max_bytes: u64,
    /// Called once, with what the patterns matched, if they matched anything; else its coverage line says `ABSENT`.
    /// A pure function of the tree.
    pub run: fn(&Tree, &Hits, &mut Sink<'_>),
    /// Called for every name in a walk of profile `full`, in no particular order, by several threads with a sink each.
    pub walk: Option<fn(&Walk<'_>, &mut Sink<'_>)>,
}

/// What an extractor's patterns matched.
pub struct Hits {
    /// For each of its patterns, in the same order: what exists, links followed, sorted by name.
    pub by_pattern: Vec<Vec<Match>>,
}

impl Hits {
    /// All matches, in the order of the patterns.
    pub fn all(&self) -> impl Iterator<Item = &Match> {
        self.by_pattern.iter().flatten()
    }

    /// The matches of the pattern with this place in [`Extractor::wants`].
    pub fn of(&self, pattern: usize) -> &[Match] {
        self.by_pattern.get(pattern).map_or(&[], Vec::as_slice)
    }

    /// All matches but those that lead to an object that another leads to: `lib` may be a link to `usr/lib`.
    pub fn distinct(&self) -> Vec<&Match> {
        let mut seen = HashSet::new();
        self.all().filter(|one| seen.insert(one.at.location)).collect()
    }

    /// True if nothing matched.
    pub fn is_empty(&self) -> bool {
        self.by_pattern.iter().all(Vec::is_empty)
    }
}

/// One name met in a walk.
pub struct Walk<'a> {
    /// The tree that is walked.
    pub tree: &'a Tree,
    /// The path from the root, absolute, as bytes.
    pub path: &'a [u8],
    /// The object.
    pub location: Location,
    /// What it is.
    pub metadata: &'a Metadata,
}
