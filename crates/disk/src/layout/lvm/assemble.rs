// SPDX-License-Identifier: Apache-2.0
//! Which physical volumes make which groups.

use std::collections::HashMap;
use std::sync::Arc;

use super::label::SECTOR;
use super::map::{self, Disk, Extents};
use super::text::{self, Section};
use super::{Group, LogicalVolume, Mapping, PhysicalVolume};
use crate::source::BlockSource;

/// What one physical volume says of its group.
struct Said {
    /// Which of the given ones says it.
    from: usize,
    name: String,
    id: String,
    seqno: u64,
    group: Section,
}

/// Puts groups together from physical volumes and their sources. Each group takes the metadata with the highest
/// `seqno` among its members; a physical volume is a member if that metadata lists its id, whatever it says itself.
/// The second value holds, for physical volumes that belong to no group (or whose metadata cannot be understood), their
/// index and the reason.
pub fn assemble(volumes: &[(Arc<dyn BlockSource>, PhysicalVolume)]) -> (Vec<Group>, Vec<(usize, String)>) {
    let mut reasons: HashMap<usize, String> = HashMap::new();
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    let mut duplicates: Vec<(usize, usize)> = Vec::new();
    for (index, (_, volume)) in volumes.iter().enumerate() {
        match by_id.get(volume.id.as_str()) {
            Some(first) => duplicates.push((*first, index)),
            None => drop(by_id.insert(&volume.id, index)),
        }
    }
    for (first, index) in &duplicates {
        let id = volumes.get(*index).map(|(_, volume)| volume.id.as_str()).unwrap_or_default();
        reasons
            .insert(*index, format!("physical volume {id} was given twice, the first one ({first}) is used"));
    }
    let mut groups: Vec<Group> = Vec::new();
    for versions in by_group(volumes, &duplicates, &mut reasons) {
        groups.push(group(&versions, volumes, &by_id, &duplicates));
    }
    let leftovers =
        (0..volumes.len()).filter(|index| !groups.iter().any(|group| group.members.contains(index)));
    let leftovers =
        leftovers.map(|index| (index, reasons.remove(&index).unwrap_or_else(|| reason(volumes, index))));
    let leftovers = leftovers.collect();
    note_shared_names(&mut groups);
    (groups, leftovers)
}

/// Why a physical volume without a problem belongs to no group.
fn reason(volumes: &[(Arc<dyn BlockSource>, PhysicalVolume)], index: usize) -> String {
    match volumes.get(index) {
        Some((_, volume)) if !volume.metadata.is_empty() => {
            "newer metadata on other disks does not list it in its group any more".into()
        }
        Some((_, volume)) if volume.used => {
            "it holds no metadata, and none of those given lists it, though it says that it is used".into()
        }
        _ => "it belongs to no group".into(),
    }
}

/// Everything said, sorted by group in the order of first mention, each with the newest first.
fn by_group(
    volumes: &[(Arc<dyn BlockSource>, PhysicalVolume)],
    duplicates: &[(usize, usize)],
    reasons: &mut HashMap<usize, String>,
) -> Vec<Vec<Said>> {
    let mut groups: Vec<Vec<Said>> = Vec::new();
    for (from, (_, volume)) in volumes.iter().enumerate() {
        if volume.metadata.is_empty() || duplicates.iter().any(|(_, index)| *index == from) {
            continue;
        }
        let said = match said(from, &volume.metadata) {
            Ok(said) => said,
            Err(why) => {
                reasons.insert(from, format!("its metadata cannot be understood: {why}"));
                continue;
            }
        };
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.id == said.id)) {
            Some(group) => group.push(said),
            None => groups.push(vec![said]),
        }
    }
    for group in &mut groups {
        group.sort_by_key(|said| (std::cmp::Reverse(said.seqno), said.from));
    }
    groups
}

fn said(from: usize, metadata: &[u8]) -> Result<Said, String> {
    let mut tree = text::parse(metadata)?;
    let (name, _) = tree.sections().next().ok_or("it has no group")?;
    let name = name.to_string();
    let at =
        tree.0.iter().position(|(known, value)| *known == name && matches!(value, text::Value::Section(_)));
    let taken = at.map(|at| tree.0.swap_remove(at).1);
    let Some(text::Value::Section(group)) = taken else { return Err("it has no group".into()) };
    let id = plain(group.text("id").ok_or("the group has no id")?);
    let seqno = group.number("seqno").ok_or("the group has no seqno")?;
    if group.number("extent_size").is_none_or(|size| size == 0) {
        return Err("the group has no extent_size".into());
    }
    Ok(Said { from, name, id, seqno, group })
}

/// An id without its dashes.
fn plain(id: &str) -> String {
    id.replace('-', "")
}

/// Makes a group of the newest of several versions.
fn group(
    versions: &[Said],
    volumes: &[(Arc<dyn BlockSource>, PhysicalVolume)],
    by_id: &HashMap<&str, usize>,
    duplicates: &[(usize, usize)],
) -> Group {
    let empty = Section::default();
    let newest = versions.first();
    let section = newest.map_or(&empty, |said| &said.group);
    let mut group = Group {
        name: newest.map(|said| said.name.clone()).unwrap_or_default(),
        id: newest.map(|said| said.id.clone()).unwrap_or_default(),
        volumes: Vec::new(),
        members: Vec::new(),
        missing: Vec::new(),
        notes: Vec::new(),
    };
    note_versions(versions, &mut group);
    let size = section.number("extent_size").unwrap_or(0).saturating_mul(SECTOR);
    let mut extents = Extents { size, disks: HashMap::new() };
    for (name, listed) in section.sections_of("physical_volumes") {
        let id = listed.text("id").unwrap_or_default();
        let shown = format!("{name} ({id})");
        let mut given = by_id.get(plain(id).as_str()).copied();
        if given.is_some() && (listed.has("status", "MISSING") || listed.has("flags", "MISSING")) {
            group.notes.push(format!("{shown} is there, but the group has gone on without it"));
            group.members.extend(given);
            given = None;
        }
        match given {
            Some(index) => group.members.push(index),
            None => group.missing.push(shown.clone()),
        }
        if duplicates.iter().any(|(first, _)| Some(*first) == given) {
            group.notes.push(format!("{shown} was given more than once, the first one is used"));
        }
        let disk = Disk {
            shown,
            source: given.and_then(|index| volumes.get(index)).map(|(source, _)| Arc::clone(source)),
            member: given,
            start: listed.number("pe_start").unwrap_or(0).saturating_mul(SECTOR),
            extents: listed.number("pe_count").unwrap_or(0),
        };
        extents.disks.insert(name.to_string(), disk);
    }
    group.members.sort_unstable();
    group.members.dedup();
    group.volumes = logical_volumes(section, &extents);
    group
}

/// Notes members that say something else than the newest.
fn note_versions(versions: &[Said], group: &mut Group) {
    let Some((newest, others)) = versions.split_first() else { return };
    if newest.group.has("status", "EXPORTED") {
        group.notes.push("the group is exported: no host activates it".into());
    }
    for other in others {
        let (from, first) = (other.from, newest.from);
        if other.seqno < newest.seqno {
            let (old, new) = (other.seqno, newest.seqno);
            group.notes.push(format!(
                "physical volume {from} holds older metadata (seqno {old}, the newest is {new})"
            ));
        } else if other.group != newest.group {
            let text = format!(
                "physical volumes {first} and {from} hold different metadata of one seqno; the first counts"
            );
            group.notes.push(text);
        }
    }
}

/// Notes groups that share a name, which no host could use side by side.
fn note_shared_names(groups: &mut [Group]) {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for group in groups.iter_mut() {
        if names.iter().filter(|name| **name == group.name).count() > 1 {
            group.notes.push("another group has the same name".into());
        }
    }
}

/// The visible volumes of a group.
fn logical_volumes(group: &Section, extents: &Extents) -> Vec<LogicalVolume> {
    let all: Vec<_> =
        group.sections_of("logical_volumes").map(|(name, lv)| (name, lv, map::segments(lv))).collect();
    let in_snapshots = in_snapshots(all.iter().flat_map(|(_, _, segments)| segments.iter().copied()));
    let visible = all.iter().filter(|(_, volume, _)| volume.has("status", "VISIBLE"));
    visible
        .map(|(name, volume, segments)| {
            let mut types: Vec<String> = Vec::new();
            for kind in segments.iter().filter_map(|segment| segment.text("type")) {
                if !types.iter().any(|known| known == kind) {
                    types.push(kind.to_string());
                }
            }
            let mapping = if in_snapshots.contains(name) {
                Mapping::Unsupported("snapshot".into())
            } else {
                map::map(segments, extents)
            };
            LogicalVolume {
                name: (*name).to_string(),
                id: plain(volume.text("id").unwrap_or_default()),
                len: map::len(segments, extents),
                types,
                run: matches!(mapping, Mapping::Mapped(_)).then(|| map::run(segments, extents)).flatten(),
                mapping,
            }
        })
        .collect()
}

/// Names of volumes whose own extents are not their content: the store of a snapshot holds what its origin had before
/// it was changed. While a snapshot is merged back, the same holds for the origin.
fn in_snapshots<'a>(segments: impl Iterator<Item = &'a Section>) -> std::collections::HashSet<&'a str> {
    let mut names = std::collections::HashSet::new();
    for segment in segments.filter(|segment| segment.text("type") == Some("snapshot")) {
        names.extend(segment.text("cow_store"));
        if let Some(store) = segment.text("merging_store") {
            names.insert(store);
            names.extend(segment.text("origin"));
        }
    }
    names
}

#[cfg(test)]
mod tests;
