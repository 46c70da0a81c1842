// SPDX-License-Identifier: Apache-2.0
//! The order of an inventory: fetch, probe, walk, merge.

use std::sync::atomic::AtomicU64;

use rayon::prelude::*;
use snapscan_disk::machine::Tree;

use super::outcome::Outcome;
use super::{family, probe, walk};
use crate::{Extractor, Profile, registry};

/// What an inventory shall look at.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much.
    pub profile: Profile,
}

/// Runs all extractors of the profile over a machine's tree. Uses rayon's current pool.
///
/// `names` counts the names of a walk while it goes.
pub fn run(tree: &Tree, options: Options, names: &AtomicU64) -> Outcome {
    let chosen: Vec<&Extractor> =
        registry::ALL.iter().copied().filter(|extractor| extractor.profile <= options.profile).collect();
    tree.prefetch(&wants(options.profile));
    let probed: Vec<_> = chosen.par_iter().map(|extractor| probe::probe(tree, extractor)).collect();
    let mut outcome = Outcome::merge(chosen.iter().copied().zip(probed));
    if options.profile == Profile::Full {
        let walkers = walkers();
        outcome.add_walk(&walkers, walk::walk(tree, &walkers, names));
    }
    outcome.leave_out(registry::ALL.iter().copied().filter(|one| one.profile > options.profile));
    family::check(&mut outcome);
    outcome
}

/// The patterns that the extractors of a profile want, for whoever opens the machine.
pub fn wants(profile: Profile) -> Vec<&'static [u8]> {
    let chosen = registry::ALL.iter().filter(|extractor| extractor.profile <= profile);
    chosen.flat_map(|extractor| extractor.wants).map(|pattern| pattern.as_bytes()).collect()
}

/// Only the walk of profile `full`: for a filesystem that is readable and no part of the machine's tree.
pub fn walk_alone(tree: &Tree, names: &AtomicU64) -> Outcome {
    let walkers = walkers();
    let mut outcome = Outcome::default();
    outcome.add_walk(&walkers, walk::walk(tree, &walkers, names));
    outcome
}

fn walkers() -> Vec<&'static Extractor> {
    registry::ALL.iter().copied().filter(|extractor| extractor.walk.is_some()).collect()
}
