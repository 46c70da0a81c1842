// SPDX-License-Identifier: Apache-2.0
//! The order of an inventory: fetch, probe, walk, merge.

use std::sync::atomic::AtomicU64;

use rayon::prelude::*;
use snapscan_disk::machine::{Everywhere, Guide, Step, Tree};

use super::outcome::Outcome;
use super::{family, probe, walk};
use crate::{Extractor, Profile, registry};

/// The walk's name as a part of the work.
const WALK: &str = "walk";

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
    run_guided(tree, options, names, &Everywhere)
}

/// The same with a guide, who is told of each extractor and of the walk (`walk`) before they begin. The place of these
/// steps is the volume of the tree's root.
pub fn run_guided(tree: &Tree, options: Options, names: &AtomicU64, guide: &dyn Guide) -> Outcome {
    let chosen: Vec<&Extractor> =
        registry::ALL.iter().copied().filter(|extractor| extractor.profile <= options.profile).collect();
    let place = tree.volume(tree.root().fs);
    if guide.reads_ahead() {
        tree.prefetch(&wants(options.profile));
    }
    let probe = |extractor: &&Extractor| {
        let step = Step { place, part: extractor.name };
        if let Some(why) = guide.leaves_out(step) {
            return Err(why);
        }
        guide.enter(step);
        Ok(probe::probe(tree, extractor))
    };
    let probed: Vec<_> = chosen.par_iter().map(probe).collect();
    let mut left_out = Vec::new();
    let probed = chosen.iter().copied().zip(probed).map(|(extractor, probed)| {
        let probed = probed.unwrap_or_else(|why| {
            left_out.push((extractor, why));
            probe::Probed::default()
        });
        (extractor, probed)
    });
    let mut outcome = Outcome::merge(probed);
    for (extractor, why) in left_out {
        outcome.lose(extractor, &why);
    }
    if options.profile == Profile::Full {
        walk_guided(tree, &mut outcome, names, guide);
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
    walk_alone_guided(tree, names, &Everywhere)
}

/// The same with a guide, as [`run_guided`] has it.
pub fn walk_alone_guided(tree: &Tree, names: &AtomicU64, guide: &dyn Guide) -> Outcome {
    let mut outcome = Outcome::default();
    walk_guided(tree, &mut outcome, names, guide);
    outcome
}

/// Walks, unless the guide leaves the walk out: then each extractor that walks has lost what it would have found.
fn walk_guided(tree: &Tree, outcome: &mut Outcome, names: &AtomicU64, guide: &dyn Guide) {
    let walkers = walkers();
    let step = Step { place: tree.volume(tree.root().fs), part: WALK };
    match guide.leaves_out(step) {
        Some(why) => walkers.iter().for_each(|walker| outcome.lose(walker, &why)),
        None => {
            guide.enter(step);
            let ahead = guide.reads_ahead() && guide.is_remote();
            outcome.add_walk(&walkers, walk::walk(tree, &walkers, names, ahead));
        }
    }
}

fn walkers() -> Vec<&'static Extractor> {
    registry::ALL.iter().copied().filter(|extractor| extractor.walk.is_some()).collect()
}
