// SPDX-License-Identifier: Apache-2.0
//! Which blocks an inventory reads if nothing is read ahead of need: what is fetched beyond these came for nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use snapscan_disk::machine::{Disk, Guide, Machine, Met, Step, Tree};
use snapscan_disk::source::LARGE_BLOCK;
use snapscan_disk::source::file::FileSource;
use snapscan_disk::{BlockSource, SourceError};
use snapscan_inventory::{Options, Profile, run_guided, walk_alone_guided};

/// A source that remembers which blocks were read.
struct Marked {
    inner: FileSource,
    blocks: Mutex<BTreeSet<u64>>,
}

impl BlockSource for Marked {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let end = offset + buf.len() as u64;
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.extend(offset / LARGE_BLOCK..end.div_ceil(LARGE_BLOCK));
        drop(blocks);
        self.inner.read_at(offset, buf)
    }
}

/// Reads nothing ahead.
struct AsNeeded;

impl Guide for AsNeeded {
    fn enter(&self, _: Step<'_>) {}

    fn leaves_out(&self, _: Step<'_>) -> Option<String> {
        None
    }

    fn reads_ahead(&self) -> bool {
        false
    }
}

/// The blocks of an image that an inventory of this profile reads.
pub(super) fn touched(image: &Path, profile: Profile) -> Result<BTreeSet<u64>> {
    let file = File::open(image).with_context(|| image.display().to_string())?;
    let source = Arc::new(Marked { inner: FileSource::new(file)?, blocks: Mutex::default() });
    let disk = Disk { name: b"disk".to_vec(), source: Arc::<Marked>::clone(&source) };
    let machine = Machine::open_guided(&[disk], &[], &AsNeeded);
    let names = AtomicU64::new(0);
    if let Some(tree) = &machine.tree {
        run_guided(tree, Options { profile }, &names, &AsNeeded);
    }
    if profile == Profile::Full {
        let apart = machine.places.0.iter().filter(|place| place.met == Met::NotMounted);
        for fs in apart.filter_map(|place| place.fs.as_ref()) {
            walk_alone_guided(&Tree::new(Arc::clone(fs), "apart"), &names, &AsNeeded);
        }
    }
    let blocks = source.blocks.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(blocks.clone())
}
