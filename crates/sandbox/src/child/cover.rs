// SPDX-License-Identifier: Apache-2.0
//! What was met on the disks, as coverage: the one place that knows both sides.

use std::collections::BTreeMap;

use snapscan_disk::fs::{self, State};
use snapscan_disk::layout::{Class, TableNote};
use snapscan_disk::machine::{self, Machine, Met, Place, PlaceNote};
use snapscan_inventory::{Outcome, registry};
use snapscan_schema::{Coverage, Level, Note, Reason, Status, Text};

/// The coverage of a machine with what its inventory says, and with what was found in filesystems that are no part of
/// its tree, by the index of their place.
pub(crate) fn cover(
    machine: &Machine,
    outcome: Option<&Outcome>,
    apart: &BTreeMap<usize, Outcome>,
) -> Coverage {
    let mut top = Coverage::complete(Level::Machine, "machine", "");
    let known = machine.has_system
        || outcome.is_some_and(|outcome| outcome.system.is_some() || !outcome.databases.is_empty());
    if !known {
        top.children.push(Coverage::because(
            Level::Extractor,
            "system",
            Reason::NoOperatingSystem,
            "no readable filesystem has the marks of a system's root",
        ));
    }
    if known && outcome.is_some_and(lists_no_packages) {
        top.children.push(Coverage::because(
            Level::Extractor,
            "packages",
            Reason::DatabaseMissing,
            "a system is there, and no package database of any kind",
        ));
    }
    let is_root = |place: &Place| place.mounted.iter().any(|at| at == b"/");
    let roots: Vec<usize> =
        (0..machine.places.0.len()).filter(|&n| machine.places.0[n].parent.is_none()).collect();
    for root in roots {
        top.children.push(line(machine, root, &|index, place| match (outcome, apart.get(&index)) {
            (Some(outcome), _) if is_root(place) => outcome.lines.clone(),
            (_, Some(apart)) => apart.lines.clone(),
            _ => Vec::new(),
        }));
    }
    for fs in machine.places.0.iter().filter_map(|place| place.fs.as_ref()) {
        for (path, kind) in fs.left_out() {
            top.children
                .push(Coverage::because(Level::Mount, path.as_bytes(), Reason::ByKind, kind).neutral());
        }
    }
    top
}

/// True if no package database was met and no line says so yet: an empty list must not look like a short one.
fn lists_no_packages(outcome: &Outcome) -> bool {
    let said = |line: &Coverage| match line.code {
        Some(Reason::DatabaseMissing) => true,
        // What it would have met is unknown.
        Some(Reason::WorkerCrashed) => registry::ALL
            .iter()
            .any(|one| one.ecosystem.is_some() && one.name.as_bytes() == line.name.as_bytes()),
        _ => false,
    };
    outcome.databases.is_empty() && !outcome.lines.iter().any(said)
}

/// The line of a place with all beneath it; `extractors` answers the lines of those that ran on a filesystem.
fn line(machine: &Machine, index: usize, extractors: &dyn Fn(usize, &Place) -> Vec<Coverage>) -> Coverage {
    let place = &machine.places.0[index];
    let mut line = met(place);
    line.notes.extend(place.notes.iter().map(note));
    if let Some(fs) = &place.fs {
        describe(&mut line, place, fs.as_ref());
        line.children = extractors(index, place);
    }
    // Children come after their parents in the list.
    let children = machine.places.0.iter().enumerate().skip(index + 1);
    let children = children.filter(|(_, child)| child.parent == Some(index));
    line.children.extend(children.map(|(at, _)| self::line(machine, at, extractors)));
    line
}

/// The line that the table has for what was met.
fn met(place: &Place) -> Coverage {
    let level = level(place.level);
    let name = Text(place.name.clone());
    let because = |code: Reason, detail: &str| Coverage::because(level, name.clone(), code, detail);
    match &place.met {
        Met::Read => Coverage::complete(level, name.clone(), place.detail.clone()),
        Met::Empty => because(Reason::ImageEmpty, ""),
        // A filesystem that ends before it could be opened was not read in part.
        Met::Truncated(why) if place.level == machine::Level::Filesystem && place.fs.is_none() => {
            Coverage { status: Status::Failed, ..because(Reason::ImageTruncated, why) }
        }
        Met::Refused(why) if place.level == machine::Level::Filesystem && place.fs.is_none() => {
            Coverage { status: Status::Failed, ..because(Reason::BudgetExhausted, why) }
        }
        Met::Refused(why) => because(Reason::BudgetExhausted, why),
        Met::Truncated(why) => because(Reason::ImageTruncated, why),
        Met::Damaged(why) => because(Reason::FilesystemDamaged, why),
        Met::Unsupported(what) => because(Reason::UnsupportedFeature, what),
        Met::Unreadable(why) => because(Reason::SourceUnreadable, why),
        Met::NotReplayed(why) => because(Reason::JournalNotReplayed, why),
        Met::Known(class, blkid_name) => because(unsupported(*class), blkid_name),
        Met::BootFiles => because(Reason::BootFiles, ""),
        Met::ByKind(what) => because(Reason::ByKind, what),
        Met::Blank => because(Reason::Blank, ""),
        Met::Unknown => because(Reason::UnknownContent, ""),
        Met::Ambiguous(why) => because(Reason::Ambiguous, why),
        Met::LvmMember(group) => {
            Coverage::complete(level, name.clone(), format!("physical volume of group {group}"))
        }
        Met::LvmUnused(why) => because(Reason::LvmUnused, why),
        Met::LvmOrphaned(why) => because(Reason::LvmOrphaned, why),
        Met::LvMissing(on) => because(Reason::PvMissing, on),
        Met::LvUnsupported(kind) => because(Reason::UnsupportedLvm, kind),
        Met::LeftOut(why) => because(Reason::WorkerCrashed, why),
        Met::NotMounted => because(Reason::NotMounted, ""),
        Met::OtherSystem { detail, spare } => neutral_if(because(Reason::OtherSystem, detail), *spare),
        Met::MountMissing { detail, neutral } => neutral_if(because(Reason::MountMissing, detail), *neutral),
        Met::MountByKind { detail, neutral } => {
            let mut line = because(Reason::ByKind, detail);
            line.weight =
                if *neutral { snapscan_schema::Weight::Neutral } else { snapscan_schema::Weight::Matters };
            line
        }
    }
}

fn neutral_if(line: Coverage, neutral: bool) -> Coverage {
    if neutral { line.neutral() } else { line }
}

fn level(level: machine::Level) -> Level {
    match level {
        machine::Level::Volume => Level::Volume,
        machine::Level::Partition => Level::Partition,
        machine::Level::VolumeGroup => Level::VolumeGroup,
        machine::Level::LogicalVolume => Level::LogicalVolume,
        machine::Level::Filesystem => Level::Filesystem,
        machine::Level::Mount => Level::Mount,
    }
}

/// The code of a signature that no reader is for.
fn unsupported(class: Class) -> Reason {
    match class {
        Class::Vfat => Reason::UnsupportedVfat,
        Class::Luks => Reason::UnsupportedLuks,
        Class::Btrfs => Reason::UnsupportedBtrfs,
        Class::Ntfs => Reason::UnsupportedNtfs,
        Class::Zfs => Reason::UnsupportedZfs,
        Class::Raid => Reason::UnsupportedMd,
        Class::Bcache => Reason::UnsupportedBcache,
        Class::Vdo => Reason::UnsupportedVdo,
        Class::Swap => Reason::ByKind,
        Class::Readable | Class::LvmMember | Class::Other => Reason::UnsupportedFilesystem,
    }
}

fn note(note: &PlaceNote) -> Note {
    let (code, detail) = match note {
        PlaceNote::Table(TableNote::BackupUsed(why)) => (Reason::BackupGptUsed, why.clone()),
        PlaceNote::Table(TableNote::Hybrid) => (Reason::HybridTable, String::new()),
        PlaceNote::Table(TableNote::BadEntry(what)) => (Reason::RecordMalformed, what.clone()),
        PlaceNote::Table(TableNote::Ambiguous(why)) => (Reason::Ambiguous, why.clone()),
        PlaceNote::Table(TableNote::LongerThanSource { promised }) => {
            (Reason::ImageTruncated, format!("the table says {promised} bytes"))
        }
        PlaceNote::Lvm(what) => (Reason::GroupNoted, what.clone()),
        PlaceNote::Root(what) => (Reason::RootChosen, what.clone()),
    };
    Note { code, detail: detail.into() }
}

/// Adds to a filesystem's line what it is, where it is mounted, and what its reader noticed.
fn describe(line: &mut Coverage, place: &Place, fs: &dyn fs::FileSystem) {
    let info = fs.info();
    let mut detail = String::new();
    if let Some(uuid) = info.uuid_text() {
        detail.push_str(&format!("uuid {uuid}"));
    }
    if !info.label.is_empty() {
        detail.push_str(&format!(", label {}", info.label.escape_ascii()));
    }
    for at in &place.mounted {
        detail.push_str(&format!(", mounted at {}", at.escape_ascii()));
    }
    let detail = detail.trim_start_matches(", ");
    if line.status == Status::Complete {
        line.detail = detail.into();
    } else {
        line.detail.0.extend_from_slice(format!(" ({detail})").as_bytes());
    }
    if let State::Replayed { journal_bytes } = info.state {
        line.notes.push(Note {
            code: Reason::JournalReplayed,
            detail: format!("{journal_bytes} bytes of journal").into(),
        });
    }
    for noticed in fs.notes() {
        let (code, detail) = match noticed {
            fs::Note::IndexIgnored(what) => (Reason::IndexIgnored, what),
            fs::Note::ChecksumMismatch(what) => (Reason::ChecksumMismatch, what),
            fs::Note::BackupUsed(what) => (Reason::BackupSuperblockUsed, what),
            fs::Note::InodeStale(what) => (Reason::InodeStale, what),
        };
        // A code with a status of its own lowers that of a line that is complete.
        match code.explain().status {
            Some(status) if line.status == Status::Complete => {
                line.status = status;
                line.code = Some(code);
                line.detail.0.extend_from_slice(format!(": {detail}").as_bytes());
            }
            _ => line.notes.push(Note { code, detail: detail.into() }),
        }
    }
}

#[cfg(test)]
mod tests;
