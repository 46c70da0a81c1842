// SPDX-License-Identifier: Apache-2.0
//! Which filesystems the host's kernel could mount, in this process.

use snapscan_disk::limits::PATH_BYTES;
use snapscan_disk::machine::{Extent, Follow, Level, Machine, Met, Place};
use snapscan_disk::{MachinePath, fs::FileType};

use crate::parent::mount::Kind;
use crate::wire::fit;
use crate::wire::record::{Mountable, PLACE, Part, Piece};

/// The filesystems of the kinds that the kernel may be asked to mount.
pub(super) fn mountable(machine: &Machine) -> Vec<Mountable> {
    let numbered = machine.places.0.iter().enumerate();
    // What the firmware boots from is no part of the system.
    let may_be = |place: &Place| place.level == Level::Filesystem && place.met != Met::BootFiles;
    let filesystems = numbered.filter(|(_, place)| may_be(place));
    filesystems.filter_map(|(index, place)| one(machine, index, place)).take(fit::LINES).collect()
}

fn one(machine: &Machine, index: usize, place: &Place) -> Option<Mountable> {
    let kind = Kind::of(std::str::from_utf8(&place.name).ok()?)?;
    let is_root = place.mounted.iter().any(|at| at == b"/");
    let part = match &place.fs {
        None => Part::Unread,
        Some(_) if is_root && is_deployed(machine) => Part::Deployed,
        Some(_) if is_root && machine.has_system => Part::Root,
        Some(_) if is_root => Part::Unmarked,
        Some(_) if place.mounted.is_empty() => Part::Apart,
        Some(_) => Part::Mounted,
    };
    let point = place.mounted.first().or(place.wanted.first());
    Some(Mountable {
        kind,
        part,
        place: Some(machine.places.path(index)).filter(|place| place.len() <= PLACE)?,
        volume: machine.places.volume(index),
        at: place.extent.and_then(piece),
        point: point.and_then(|at| without_links(machine, at)),
    })
}

/// True if the root is a folder of its filesystem and not that filesystem's own root.
fn is_deployed(machine: &Machine) -> bool {
    let root = machine.tree.as_ref().map(|tree| (tree, tree.root()));
    root.is_some_and(|(tree, root)| tree.filesystem(root.fs).is_ok_and(|fs| fs.root() != root.node))
}

/// The path that a mount point has if no link is followed; `None` if there is no such folder.
fn without_links(machine: &Machine, at: &[u8]) -> Option<Vec<u8>> {
    let found = machine.tree.as_ref()?.resolve(&MachinePath::new(at), Follow::Links).ok()??;
    let is_usable = found.metadata.kind == FileType::Directory && found.path.as_bytes().len() < PATH_BYTES;
    is_usable.then(|| found.path.as_bytes().to_vec())
}

fn piece(extent: Extent) -> Option<Piece> {
    let len = Some(extent.len).filter(|len| *len > 0)?;
    Some(Piece { volume: u32::try_from(extent.disk).ok()?, start: extent.start, len })
}
