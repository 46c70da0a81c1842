// SPDX-License-Identifier: Apache-2.0
//! From disks to everything that lies on them: partitions, volume groups, and what each holds.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::layout::{Class, Content, Partition, Table, TableNote, lvm, probe, table};
use crate::source::BlockSource;
use crate::source::rounds::Rounds;
use crate::source::window::Window;

use super::guide::{Guide, whole};
use super::place::{Extent, Level, Met, Place, Places};

/// One disk as it was given.
#[derive(Clone)]
pub struct Disk {
    /// The name that coverage and evidence give it.
    pub name: Vec<u8>,
    /// Its bytes.
    pub source: Arc<dyn BlockSource>,
}

/// Something that could hold a filesystem, with the names by which it can be called.
#[derive(Clone, Default)]
pub struct Found {
    /// Its line.
    pub place: usize,
    /// The name of what holds it, with those above: `disk.img/2`.
    pub path: Vec<u8>,
    /// The number of its disk in the order given; for a logical volume that of its group's first member.
    pub disk: usize,
    /// The number of its partition.
    pub partition: Option<u32>,
    /// Volume group and logical volume.
    pub logical: Option<(String, String)>,
    /// The filesystem's UUID as text.
    pub uuid: Option<String>,
    /// The filesystem's label.
    pub label: Option<Vec<u8>>,
    /// The partition's UUID.
    pub partuuid: Option<String>,
    /// The partition's name.
    pub partlabel: Option<String>,
    /// The bytes; `None` if they cannot be had.
    pub source: Option<Arc<dyn BlockSource>>,
    /// What the signatures say.
    pub content: Option<Content>,
}

impl Found {
    /// True if the signature is of this class.
    pub fn is(&self, class: Class) -> bool {
        matches!(&self.content, Some(Content::Known(signature)) if signature.class == class)
    }
}

/// Looks at all disks and lists what could hold a filesystem.
pub fn survey(disks: &[Disk], rounds: &Rounds, guide: &dyn Guide, places: &mut Places) -> Vec<Found> {
    let left_out: Vec<Option<String>> =
        disks.iter().map(|disk| guide.leaves_out(whole(&disk.name))).collect();
    let is_left_out = |n: usize| left_out.get(n).is_some_and(Option::is_some);
    let tables = read_all(disks.len(), rounds, |n| match disks.get(n).filter(|_| !is_left_out(n)) {
        Some(disk) => {
            guide.enter(whole(&disk.name));
            table::read(disk.source.as_ref())
        }
        None => Ok(None),
    });
    let mut found = Vec::new();
    for (number, (disk, table)) in disks.iter().zip(tables).enumerate() {
        let place = places.add(Place::new(Level::Volume, None, disk.name.clone()));
        if let Some(Some(why)) = left_out.get(number) {
            places.set(place, Met::LeftOut(why.clone()));
            continue;
        }
        if disk.source.is_empty() {
            places.set(place, Met::Empty);
            continue;
        }
        match table {
            Ok(Some(table)) => found.extend(partitions(disk, number, &table, place, guide, places)),
            // Without a table the filesystem lies on the disk itself.
            Ok(None) => {
                let extent = Extent { disk: number, start: 0, len: disk.source.len() };
                let place = Place::new(Level::Filesystem, Some(place), b"".to_vec());
                let place = places.add(Place { extent: Some(extent), ..place });
                let source = Some(Arc::clone(&disk.source));
                found.push(Found {
                    place,
                    path: disk.name.clone(),
                    disk: number,
                    source,
                    ..Found::default()
                });
            }
            Err(error) => places.set(place, Met::of(&error)),
        }
    }
    identify(&mut found, rounds, guide, places);
    let mut logical = groups(&found, rounds, guide, places);
    identify(&mut logical, rounds, guide, places);
    found.extend(logical);
    found
}

fn partitions(
    disk: &Disk,
    number: usize,
    table: &Table,
    volume: usize,
    guide: &dyn Guide,
    places: &mut Places,
) -> Vec<Found> {
    for note in &table.notes {
        match note {
            TableNote::Ambiguous(why) => places.set(volume, Met::Ambiguous(why.clone())),
            TableNote::LongerThanSource { promised } => places.set(
                volume,
                Met::Truncated(format!(
                    "the partition table says {promised} bytes, the image has {}",
                    disk.source.len()
                )),
            ),
            note => places.note(volume, note.clone().into()),
        }
    }
    let one = |partition: &Partition| {
        let mut place = Place::new(Level::Partition, Some(volume), partition.number.to_string().into_bytes());
        place.detail =
            format!("{} bytes from {}, type {}", partition.len, partition.start, partition.kind.text());
        place.type_id = Some(partition.kind.text());
        if !partition.name.is_empty() {
            place.detail.push_str(&format!(", name {:?}", partition.name));
        }
        let partition_place = places.add(place);
        let extent = Extent { disk: number, start: partition.start, len: partition.len };
        let place = Place::new(Level::Filesystem, Some(partition_place), b"".to_vec());
        let place = places.add(Place { extent: Some(extent), ..place });
        let path = places.path(partition_place);
        let left_out = guide.leaves_out(whole(&path));
        if let Some(why) = &left_out {
            places.set(place, Met::LeftOut(why.clone()));
        }
        let window = || -> Arc<dyn BlockSource> {
            Arc::new(Window::new(Arc::clone(&disk.source), partition.start, partition.len))
        };
        Found {
            place,
            path,
            disk: number,
            partition: Some(partition.number),
            partuuid: Some(partition.partuuid.clone()),
            partlabel: (!partition.name.is_empty()).then(|| partition.name.clone()),
            source: left_out.is_none().then(window),
            ..Found::default()
        }
    };
    table.partitions.iter().map(one).collect()
}

/// Names the content of each that shows itself in one round; the rest shows itself further in, and waits with other
/// things for that.
fn identify(found: &mut [Found], rounds: &Rounds, guide: &dyn Guide, places: &mut Places) {
    let mut contents: Vec<Option<Result<Content>>> = found.iter().map(|_| None).collect();
    rounds.run_at_most(1, || identify_once(found, guide, &mut contents));
    name_contents(found, contents, places);
}

/// One attempt to name what has no name yet.
pub(super) fn identify_once(found: &[Found], guide: &dyn Guide, contents: &mut [Option<Result<Content>>]) {
    for (one, content) in found.iter().zip(contents) {
        let open = one.content.is_none() && !matches!(content, Some(Ok(_)));
        if let Some(source) = one.source.as_ref().filter(|_| open) {
            guide.enter(whole(&one.path));
            let given = probe::identify(source.as_ref());
            *content = (!given.as_ref().is_err_and(Error::is_not_resident)).then_some(given);
        }
    }
}

/// Writes down what was named.
pub(super) fn name_contents(
    found: &mut [Found],
    contents: Vec<Option<Result<Content>>>,
    places: &mut Places,
) {
    for (one, content) in found.iter_mut().zip(contents) {
        match content {
            None => {}
            Some(Ok(content)) => {
                if let Content::Known(signature) = &content {
                    one.uuid.clone_from(&signature.uuid);
                    one.label.clone_from(&signature.label);
                    places.rename(one.place, signature.name);
                }
                one.content = Some(content);
            }
            Some(Err(error)) => places.set(one.place, Met::of(&error)),
        }
    }
}

/// Puts volume groups together and lists their logical volumes.
fn groups(found: &[Found], rounds: &Rounds, guide: &dyn Guide, places: &mut Places) -> Vec<Found> {
    let members: Vec<&Found> = found.iter().filter(|one| one.is(Class::LvmMember)).collect();
    let read = read_all(members.len(), rounds, |n| {
        match members.get(n).and_then(|one| one.source.as_ref().zip(Some(one))) {
            Some((source, one)) => {
                guide.enter(whole(&one.path));
                lvm::read(source.as_ref())
            }
            None => Ok(None),
        }
    });
    let mut usable = Vec::new();
    let mut origin = Vec::new();
    for (member, volume) in members.iter().zip(read) {
        match (volume, &member.source) {
            (Ok(Some(volume)), Some(source)) => {
                usable.push((Arc::clone(source), volume));
                origin.push(*member);
            }
            (Err(error), _) => places.set(member.place, Met::of(&error)),
            _ => places.set(member.place, Met::Damaged("the LVM label cannot be read".to_owned())),
        }
    }
    let (groups, left) = lvm::assemble(&usable);
    for (index, why) in left {
        if let Some(member) = origin.get(index) {
            let used = usable.get(index).is_none_or(|(_, volume)| volume.used);
            places.set(member.place, if used { Met::LvmOrphaned(why) } else { Met::LvmUnused(why) });
        }
    }
    let mut logical = Vec::new();
    for group in groups {
        let members: Vec<&Found> = group.members.iter().filter_map(|&n| origin.get(n).copied()).collect();
        let Some(first) = members.first() else { continue };
        for member in &members {
            let met = if group.volumes.is_empty() {
                Met::LvmUnused(format!("group {} has no logical volumes", group.name))
            } else {
                Met::LvmMember(group.name.clone())
            };
            places.set(member.place, met);
        }
        let mut place = Place::new(Level::VolumeGroup, None, group.name.clone().into_bytes());
        place.detail = format!(
            "{} of {} physical volumes",
            members.len(),
            members.len().saturating_add(group.missing.len())
        );
        let group_place = places.add(place);
        for note in &group.notes {
            places.note(group_place, super::place::PlaceNote::Lvm(note.clone()));
        }
        for volume in group.volumes {
            let mut place =
                Place::new(Level::LogicalVolume, Some(group_place), volume.name.clone().into_bytes());
            place.detail = format!("{} bytes, {}", volume.len, volume.types.join(" and "));
            let parent = places.add(place);
            let extent = volume.run.and_then(|run| extent(run, &origin, places));
            let place = Place::new(Level::Filesystem, Some(parent), b"".to_vec());
            let place = places.add(Place { extent, ..place });
            let mut one = Found {
                place,
                path: places.path(parent),
                disk: first.disk,
                logical: Some((group.name.clone(), volume.name)),
                ..Found::default()
            };
            if let Some(why) = guide.leaves_out(whole(&one.path)) {
                places.set(place, Met::LeftOut(why));
                logical.push(one);
                continue;
            }
            match volume.mapping {
                lvm::Mapping::Mapped(source) => one.source = Some(source),
                lvm::Mapping::Missing(on) => places.set(place, Met::LvMissing(on.join(", "))),
                lvm::Mapping::Unsupported(kind) => places.set(place, Met::LvUnsupported(kind)),
                lvm::Mapping::Bad(why) => places.set(place, Met::Damaged(why)),
            }
            logical.push(one);
        }
    }
    logical
}

/// Where a run of a physical volume lies on its disk.
fn extent(run: lvm::Run, members: &[&Found], places: &Places) -> Option<Extent> {
    let member = places.0.get(members.get(run.member)?.place)?.extent?;
    let end = run.start.checked_add(run.len).filter(|end| *end <= member.len);
    end.and(member.start.checked_add(run.start)).map(|start| Extent { start, len: run.len, ..member })
}

/// Calls `read` for each number below `count` until each has an answer, with batched fetches in between.
fn read_all<T>(count: usize, rounds: &Rounds, read: impl Fn(usize) -> Result<T>) -> Vec<Result<T>> {
    let mut answers: Vec<Option<Result<T>>> = (0..count).map(|_| None).collect();
    rounds.run(|| {
        for (number, answer) in answers.iter_mut().enumerate() {
            if !matches!(answer, Some(Ok(_))) {
                let given = read(number);
                *answer = (!given.as_ref().is_err_and(Error::is_not_resident)).then_some(given);
            }
        }
    });
    let answered = answers.into_iter().enumerate();
    answered.map(|(number, answer)| answer.unwrap_or_else(|| read(number))).collect()
}
