// SPDX-License-Identifier: Apache-2.0
//! Puts one machine together from its disks: survey, open, choose the root, mount.

use std::sync::Arc;

use crate::fs::path::MachinePath;
use crate::fs::{self, FileSystem, State};
use crate::layout::{Class, Content};
use crate::source::BlockSource;
use crate::source::cache::Cache;
use crate::source::count::{Counting, Counts};
use crate::source::rounds::Rounds;

use super::fstab::{self, FstabEntry, Sort};
use super::guide::{Everywhere, Guide, whole};
use super::place::{Level, Met, Place, PlaceNote, Places};
use super::root::{self, Candidate};
use super::tree::{FsId, Location, Tree};
use super::volumes::{self, Disk, Found};
use super::{ab, names};

/// Bytes that the caches of one machine hold together.
pub const CACHE_BYTES: u64 = 12 << 20;

/// A machine as its disks show it.
pub struct Machine {
    /// Everything that lies on the disks.
    pub places: Places,
    /// The machine's files; `None` if no filesystem could be opened.
    pub tree: Option<Tree>,
    /// True if the root has the marks of an operating system; one without may be a data disk.
    pub has_system: bool,
    counting: Vec<Arc<Counting>>,
    rounds: Arc<Rounds>,
}

/// How much was read of a machine's disks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadSoFar {
    /// Bytes and distinct blocks, over all disks.
    pub counts: Counts,
    /// How often a read had to wait for an earlier one.
    pub rounds: u64,
}

/// A filesystem that was opened, with what is known of its place.
struct Opened {
    found: usize,
    fs: Arc<dyn FileSystem>,
    candidate: Candidate,
}

impl Machine {
    /// Reads the layout of all disks, opens the filesystems, and mounts them as the root's fstab says.
    /// Nothing here fails: what could not be read is said at its place. `hints` are patterns of what will be asked of the
    /// machine's tree: they are brought into the caches while the root is still being looked for.
    pub fn open(disks: &[Disk], hints: &[&[u8]]) -> Machine {
        Machine::open_guided(disks, hints, &Everywhere)
    }

    /// The same with a guide, who is told of each volume, partition and logical volume before it is read.
    pub fn open_guided(disks: &[Disk], hints: &[&[u8]], guide: &dyn Guide) -> Machine {
        let rounds = Arc::new(Rounds::default());
        let share = CACHE_BYTES.checked_div(crate::bytes::wide(disks.len())).unwrap_or(CACHE_BYTES);
        let mut counting = Vec::new();
        let mut cached = Vec::new();
        for disk in disks {
            let counted = Arc::new(Counting::new(Arc::clone(&disk.source)));
            counting.push(Arc::clone(&counted));
            let source: Arc<dyn BlockSource> = Cache::new(counted, &rounds, share);
            cached.push(Disk { name: disk.name.clone(), source });
        }
        let mut places = Places::default();
        let mut found = volumes::survey(&cached, &rounds, guide, &mut places);
        let mut opened = open_some(&found, guide, &mut places, |_| true);
        let filesystems: Vec<_> = opened.iter().map(|one| Arc::clone(&one.fs)).collect();
        let hints: Vec<&[u8]> = std::iter::once(fstab::PATH).chain(hints.iter().copied()).collect();
        let hints = if guide.reads_ahead() { hints.as_slice() } else { &[] };
        let enter = |number: usize| {
            if let Some(one) = opened.get(number).and_then(|one| found.get(one.found)) {
                guide.enter(whole(&one.path));
            }
        };
        let mut late = found.iter().map(|_| None).collect::<Vec<_>>();
        let candidates = root::candidates(&filesystems, hints, &rounds, &enter, &mut || {
            volumes::identify_once(&found, guide, &mut late);
        });
        // What no attempt could name is named by reads that wait.
        volumes::identify_once(&found, guide, &mut late);
        opened.iter_mut().zip(candidates).for_each(|(one, candidate)| one.candidate = candidate);
        let is_late: Vec<bool> = found.iter().map(|one| one.content.is_none()).collect();
        volumes::name_contents(&mut found, late, &mut places);
        opened.extend(open_some(&found, guide, &mut places, |number| is_late.get(number) == Some(&true)));
        let mut machine = Machine { places, tree: None, has_system: false, counting, rounds };
        machine.join(&found, &opened, guide);
        machine
    }

    /// A machine of one filesystem that is already its tree: a folder.
    pub fn of_filesystem(fs: Arc<dyn FileSystem>, name: impl Into<Vec<u8>>) -> Machine {
        let name = name.into();
        let mut places = Places::default();
        let volume = places.add(Place::new(Level::Volume, None, name.clone()));
        let mut place = Place::new(Level::Filesystem, Some(volume), fs.info().type_name.as_bytes().to_vec());
        place.fs = Some(Arc::clone(&fs));
        place.mounted = vec![b"/".to_vec()];
        places.add(place);
        let rounds = Arc::new(Rounds::default());
        let candidates = root::candidates(&[Arc::clone(&fs)], &[], &rounds, &|_| {}, &mut || {});
        Machine {
            places,
            has_system: candidates.first().is_some_and(Candidate::is_system),
            tree: Some(Tree::new(fs, name)),
            counting: Vec::new(),
            rounds,
        }
    }

    /// How much was read so far.
    pub fn read_so_far(&self) -> ReadSoFar {
        let mut counts = Counts::default();
        for one in self.counting.iter().map(|counting| counting.counts()) {
            counts.bytes = counts.bytes.saturating_add(one.bytes);
            counts.blocks_4k = counts.blocks_4k.saturating_add(one.blocks_4k);
            counts.blocks_512k = counts.blocks_512k.saturating_add(one.blocks_512k);
        }
        ReadSoFar { counts, rounds: self.rounds.count() }
    }

    /// Chooses the root among the opened filesystems and mounts the rest.
    fn join(&mut self, found: &[Found], opened: &[Opened], guide: &dyn Guide) {
        let best =
            opened.iter().enumerate().max_by_key(|(at, one)| (one.candidate.score, std::cmp::Reverse(*at)));
        let Some((chosen, root)) = best else {
            self.name_boot_files(found, &[]);
            return;
        };
        self.has_system = root.candidate.is_system();
        if let Some(one) = found.get(root.found) {
            guide.enter(whole(&one.path));
        }
        let parts =
            opened.iter().map(|one| (Arc::clone(&one.fs), self.places.volume(self.place(found, one))));
        let own = Location { fs: fs_id(chosen), node: root.fs.root() };
        let mut tree = Tree::with_root(parts.collect(), own);
        tree.set_rounds(Arc::clone(&self.rounds));
        if root.candidate.deployment.is_some() {
            tree = self.deployed(tree, root, self.place(found, root));
        }
        self.mounted(found, root, b"/");
        let lines = fstab::read(&tree);
        let mut is_mounted = vec![false; opened.len()];
        if let Some(flag) = is_mounted.get_mut(chosen) {
            *flag = true;
        }
        self.mount_all(&mut tree, &lines, found, opened, &mut is_mounted);
        self.name_boot_files(found, &lines);
        self.name_the_rest(found, opened, root, &is_mounted);
        self.tree = Some(tree);
    }

    fn place(&self, found: &[Found], one: &Opened) -> usize {
        found.get(one.found).map_or(0, |found| found.place)
    }

    fn mounted(&mut self, found: &[Found], one: &Opened, at: &[u8]) {
        let place = self.place(found, one);
        if let Some(place) = self.places.0.get_mut(place) {
            place.mounted.push(at.to_vec());
        }
    }

    /// A tree whose root is an ostree deployment, with the system's own `/var` bound into it.
    fn deployed(&mut self, tree: Tree, root: &Opened, place: usize) -> Tree {
        let Some(path) = &root.candidate.deployment else { return tree };
        let whole = Tree::new(Arc::clone(&root.fs), b"".as_slice());
        let Ok(location) = root::location(&whole, &root.candidate) else { return tree };
        let note =
            format!("ostree deployment {:?}; {} others were left out", path, root.candidate.spare.len());
        self.places.note(place, PlaceNote::Root(note));
        let fs = tree.root().fs;
        let mut moved = tree.moved_to(Location { fs, node: location.node });
        let var = path.parent().parent().join(b"var");
        if let Ok(Some(at)) = whole.resolve(&var, super::Follow::Links) {
            // Without a folder to bind it over, the deployment's own /var stays.
            let _bound = moved.mount(&MachinePath::from("/var"), Location { fs, node: at.location.node });
        }
        moved
    }

    /// Mounts what the lines of fstab name, parents before what is beneath them.
    fn mount_all(
        &mut self,
        tree: &mut Tree,
        lines: &[FstabEntry],
        found: &[Found],
        opened: &[Opened],
        is_mounted: &mut [bool],
    ) {
        let mut lines: Vec<&FstabEntry> = lines.iter().collect();
        lines.sort_by_key(|line| line.at.as_ref().map(|at| at.components().count()));
        for line in lines {
            let Some(at) = line.at.clone().filter(|at| *at != MachinePath::root()) else { continue };
            match line.sort() {
                Sort::Swap => {}
                Sort::Other => self.mount_line(
                    line,
                    Met::MountByKind { detail: describe(line), neutral: !line.is_essential() },
                ),
                Sort::Local => {
                    let target = names::find(&line.spec, found);
                    let which = opened.iter().position(|one| Some(one.found) == target);
                    match (target, which.and_then(|n| opened.get(n).map(|one| (n, one)))) {
                        (_, Some((n, one))) => {
                            let location = subvolume(one, line).map(|node| Location { fs: fs_id(n), node });
                            let mounted = location.is_some_and(|to| tree.mount(&at, to).unwrap_or(false));
                            if mounted {
                                self.mounted(found, one, at.as_bytes());
                                if let Some(flag) = is_mounted.get_mut(n) {
                                    *flag = true;
                                }
                            } else {
                                self.mount_line(
                                    line,
                                    missing(line, "the folder to mount it on is not there"),
                                );
                            }
                        }
                        // Somebody mounts it, so that it holds nothing is no small matter.
                        (Some(number), None) if self.holds_nothing(found, number) => {
                            self.mount_line(line, missing(line, "no filesystem lies there"));
                        }
                        // What lies there is not readable: its own line says so.
                        (Some(_), None) if line.subvolume().is_some() => {}
                        (Some(number), None) => {
                            self.places.wants(found.get(number).map(|one| one.place), at.as_bytes());
                        }
                        (None, None) => {
                            self.mount_line(line, missing(line, "on none of the given disks"));
                        }
                    }
                }
            }
        }
    }

    /// True if the line of what was found counts for nothing by itself.
    fn holds_nothing(&self, found: &[Found], number: usize) -> bool {
        let place = found.get(number).and_then(|one| self.places.0.get(one.place));
        place.is_some_and(|place| matches!(place.met, Met::Blank | Met::ByKind(_)))
    }

    fn mount_line(&mut self, line: &FstabEntry, met: Met) {
        let name = line.at.as_ref().map(|at| at.as_bytes().to_vec()).unwrap_or_default();
        let mut place = Place::new(Level::Mount, None, name);
        place.met = met;
        self.places.add(place);
    }

    /// A FAT that the firmware boots from is no loss; any other is.
    fn name_boot_files(&mut self, found: &[Found], lines: &[FstabEntry]) {
        let efi = [MachinePath::from("/boot/efi"), MachinePath::from("/efi")];
        let by_fstab: Vec<usize> = lines
            .iter()
            .filter(|line| line.at.as_ref().is_some_and(|at| efi.contains(at)))
            .filter_map(|line| names::find(&line.spec, found))
            .collect();
        for (number, one) in found.iter().enumerate().filter(|(_, one)| one.is(Class::Vfat)) {
            let is_esp = self.places.0.get(one.place).and_then(|place| place.parent);
            let is_esp = is_esp.and_then(|parent| self.places.0.get(parent)).is_some_and(ab::is_esp);
            if is_esp || by_fstab.contains(&number) {
                self.places.set(one.place, Met::BootFiles);
            }
        }
    }

    /// What was opened and is not mounted: a second system, or a filesystem that the machine does not use.
    fn name_the_rest(&mut self, found: &[Found], opened: &[Opened], root: &Opened, is_mounted: &[bool]) {
        let label = |one: &Opened| found.get(one.found).and_then(|found| found.partlabel.clone());
        for (one, _) in opened.iter().zip(is_mounted).filter(|(_, mounted)| !**mounted) {
            let place = self.place(found, one);
            // A journal that was not replayed is worth more than that nobody mounts it.
            if self.places.0.get(place).is_some_and(|place| place.met != Met::Read) {
                continue;
            }
            let met = if one.candidate.is_system() && root.candidate.is_system() {
                let spare = ab::is_pair(label(one).as_deref(), label(root).as_deref());
                let taken = self.places.path(self.place(found, root));
                let detail = format!("{} was taken as the root", taken.escape_ascii());
                Met::OtherSystem { detail, spare }
            } else {
                Met::NotMounted
            };
            self.places.set(place, met);
        }
    }
}

fn fs_id(number: usize) -> FsId {
    FsId(u16::try_from(number).unwrap_or(u16::MAX))
}

/// Opens what the signature promises, or, where there is none, what a copy of a damaged superblock does.
fn open_one(source: &Arc<dyn BlockSource>, content: &Content) -> crate::Result<Option<Arc<dyn FileSystem>>> {
    match content {
        Content::Known(signature) if signature.class == Class::Readable => fs::open(source),
        Content::Unknown if fs::ext4::probe_copies(source.as_ref())? => {
            Ok(Some(Arc::new(fs::ext4::Ext4::open(Arc::clone(source))?)))
        }
        _ => Ok(None),
    }
}

/// Opens every filesystem that one of our readers is for, and says at the others' places what they are; those among
/// `found` that have a name by now, and whose number is chosen.
fn open_some(
    found: &[Found],
    guide: &dyn Guide,
    places: &mut Places,
    is_chosen: impl Fn(usize) -> bool,
) -> Vec<Opened> {
    let mut opened = Vec::new();
    for (number, one) in found.iter().enumerate().filter(|(number, _)| is_chosen(*number)) {
        let (Some(source), Some(content)) = (&one.source, &one.content) else { continue };
        guide.enter(whole(&one.path));
        match open_one(source, content) {
            Ok(Some(fs)) => {
                if let Some(place) = places.0.get_mut(one.place) {
                    place.name = fs.info().type_name.as_bytes().to_vec();
                    place.fs = Some(Arc::clone(&fs));
                    place.met = state_of(fs.as_ref(), source.as_ref());
                }
                opened.push(Opened { found: number, fs, candidate: Candidate::default() });
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                places.set(one.place, Met::of(&error));
                continue;
            }
        }
        match content {
            Content::Known(signature) if signature.class == Class::LvmMember => {}
            Content::Known(signature) if signature.class == Class::Swap => {
                places.set(one.place, Met::ByKind(signature.name.to_owned()));
            }
            Content::Known(signature) => places.set(one.place, Met::Known(signature.class, signature.name)),
            Content::Ambiguous(all) => {
                let all: Vec<&str> = all.iter().map(|signature| signature.name).collect();
                places.set(one.place, Met::Ambiguous(all.join(" and ")));
            }
            Content::Blank if source.available() < source.len() => {
                let (len, here) = (source.len(), source.available());
                places.set(one.place, Met::Truncated(format!("{len} bytes, of which {here} are there")));
            }
            Content::Blank => places.set(one.place, Met::Blank),
            Content::Unknown => {
                let parent = places.0.get(one.place).and_then(|place| place.parent);
                let by_type =
                    parent.and_then(|parent| places.0.get(parent)).and_then(ab::kind_without_content);
                places.set(one.place, by_type.map_or(Met::Unknown, |kind| Met::ByKind(kind.to_owned())));
            }
        }
    }
    opened
}

/// How whole a filesystem is that was opened.
fn state_of(fs: &dyn FileSystem, source: &dyn BlockSource) -> Met {
    let (size, here) = (fs.info().size, source.available());
    match &fs.info().state {
        State::Stale { why } => Met::NotReplayed(why.clone()),
        _ if size > here => Met::Truncated(format!("{size} bytes, of which {here} are there")),
        _ => Met::Read,
    }
}

/// The root of the filesystem that a line mounts.
fn subvolume(one: &Opened, line: &FstabEntry) -> Option<fs::Node> {
    match line.subvolume() {
        Some(name) => {
            let name = name.strip_prefix(b"/").unwrap_or(name);
            one.fs.roots().into_iter().find(|(root, _)| root == name).map(|(_, node)| node)
        }
        None => Some(one.fs.root()),
    }
}

fn describe(line: &FstabEntry) -> String {
    format!("{} of type {}, fstab line {}", line.spec.escape_ascii(), line.kind.escape_ascii(), line.line)
}

fn missing(line: &FstabEntry, why: &str) -> Met {
    let neutral = line.is_optional() && !line.is_essential();
    Met::MountMissing { detail: format!("{}: {why}", describe(line)), neutral }
}
