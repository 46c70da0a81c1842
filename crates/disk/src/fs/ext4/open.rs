// SPDX-License-Identifier: Apache-2.0
//! Opening: superblock, journal, and what the rest is read through.

use std::sync::Arc;

use super::features::{compat, incompat};
use super::inode::Inode;
use super::journal::{self, Area, Expect, Loaded, Overlay};
use super::superblock::{self, Superblock};
use super::volume::Volume;
use crate::error::{Error, Result};
use crate::fs::{FileType, Info, Kind, Node, Note, State, if_long_enough};
use crate::source::{BlockSource, read_vec};

/// Where the magic lies, in bytes from the start of the filesystem.
const MAGIC_AT: u64 = superblock::OFFSET + 0x38;

/// True if `source` has this filesystem's magic.
///
/// # Errors
/// What the source answers, but for its end.
pub fn probe(source: &dyn BlockSource) -> Result<bool> {
    let magic = if_long_enough(read_vec(source, MAGIC_AT, superblock::MAGIC.len()))?;
    Ok(magic.is_some_and(|magic| magic == superblock::MAGIC))
}

/// True if `source` has no magic where it should, but a copy of the superblock where one would be: [`Ext4::open`] can
/// read it then. Costs up to three more reads, so it is for sources that nothing else was found on.
///
/// # Errors
/// What the source answers.
pub fn probe_copies(source: &dyn BlockSource) -> Result<bool> {
    superblock::probe_copies(source)
}

/// An open ext2, ext3 or ext4 filesystem.
pub struct Ext4 {
    pub(super) volume: Arc<Volume>,
    pub(super) info: Info,
}

impl Ext4 {
    /// Opens what [`probe`] found.
    ///
    /// # Errors
    /// `Corrupt` if superblock and copies are damaged, `Unsupported` for features that this reader does not know, what
    /// the source answers.
    pub fn open(source: Arc<dyn BlockSource>) -> Result<Self> {
        let (superblock, copy) = Superblock::read(source.as_ref())?;
        let volume = Volume::new(source, superblock);
        let (mut volume, state) = apply_journal(volume, copy.is_some())?;
        volume.stale = matches!(state, State::Stale { .. });
        if let Some(copy) = copy {
            volume.note(Note::BackupUsed(copy));
        }
        Ok(Ext4 { info: info(&volume, state), volume: Arc::new(volume) })
    }

    /// What was applied from the journal, in numbers; `None` if nothing was.
    pub fn journal_counts(&self) -> Option<journal::Counts> {
        self.volume.overlay.as_ref().map(|overlay| overlay.counts())
    }
}

fn info(volume: &Volume, state: State) -> Info {
    let superblock = &volume.superblock;
    Info {
        kind: Kind::Ext4,
        type_name: superblock.features.type_name(),
        uuid: Some(superblock.uuid),
        label: superblock.label.clone(),
        block_size: superblock.block_size,
        size: volume.offset(superblock.blocks),
        state,
    }
}

/// Applies the journal where it must be, and reads the superblock again through it. A copy of the superblock does not
/// say whether it must.
fn apply_journal(volume: Volume, unsure: bool) -> Result<(Volume, State)> {
    let features = volume.superblock.features;
    let dirty = features.incompat(incompat::RECOVER) || (unsure && features.compat(compat::HAS_JOURNAL));
    if !dirty {
        return Ok((volume, State::Clean));
    }
    let area = match journal_area(&volume) {
        Ok(area) => area,
        Err(error @ Error::Source(_)) if !error.is_past_end() => return Err(error),
        Err(error) => return Ok((volume, State::Stale { why: error.to_string() })),
    };
    let expect = Expect { blocks_count: volume.superblock.blocks };
    Ok(match journal::load(&volume.source, &area, &expect)? {
        Loaded::Clean => (volume, State::Clean),
        Loaded::Replayed { overlay, journal_bytes } => {
            (through(volume, overlay)?, State::Replayed { journal_bytes })
        }
        Loaded::Stale { why, overlay: Some(overlay) } => (through(volume, overlay)?, State::Stale { why }),
        Loaded::Stale { why, overlay: None } => (volume, State::Stale { why }),
    })
}

/// The same filesystem through its journal, which may have changed the superblock.
fn through(before: Volume, overlay: Arc<Overlay>) -> Result<Volume> {
    let superblock = if overlay.covers(superblock::OFFSET..superblock::OFFSET.saturating_add(1024)) {
        let raw = read_vec(overlay.as_ref(), superblock::OFFSET, superblock::BYTES)?;
        Superblock::parse_unverified(&raw)?
    } else {
        before.superblock
    };
    let mut volume = Volume::new(Arc::<Overlay>::clone(&overlay), superblock);
    volume.overlay = Some(overlay);
    Ok(volume)
}

/// Where the journal lies: by its inode, or by the copy of that inode's map in the superblock.
fn journal_area(volume: &Volume) -> Result<Area> {
    let place = &volume.superblock.journal;
    if place.inode == 0 {
        return Err(Error::Unsupported(format!("ext4 journal on another device, {:#x}", place.device)));
    }
    match volume.inode(Node(u64::from(place.inode))).and_then(|inode| area_of(volume, &inode)) {
        Err(damage @ Error::Corrupt(_)) => {
            let Some((map, size)) = &place.backup else { return Err(damage) };
            let inode = Inode::of_backup(&volume.superblock, place.inode, map, *size)?;
            let area = area_of(volume, &inode)?;
            volume.note(Note::BackupUsed(format!("place of the journal: {damage}")));
            Ok(area)
        }
        other => other,
    }
}

/// The runs of an inode that is a journal: whole, and without holes.
fn area_of(volume: &Volume, inode: &Inode<'_>) -> Result<Area> {
    let blocks = volume.blocks_of(0..inode.size);
    let map = volume.map(inode, blocks.clone())?;
    if let Some(problem) = map.problems.first() {
        return Err(problem.clone());
    }
    let mut end = 0;
    for run in &map.runs {
        if run.file == end && !run.unwritten {
            end = run.blocks().end;
        }
    }
    if inode.kind != FileType::File || end != blocks.end || end == 0 {
        return Err(inode.damage("journal", format!("{end} blocks of {} without a hole", blocks.end)));
    }
    let runs = map.runs.iter().map(|run| (run.disk, run.count)).collect();
    Ok(Area { block_size: volume.superblock.block_size, runs })
}
