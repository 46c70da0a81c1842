// SPDX-License-Identifier: Apache-2.0
//! The table of coverage, row by row: what was met, and the line that it becomes.

use std::sync::Arc;

use snapscan_disk::fs::mem::MemTree;
use snapscan_disk::machine::Machine;
use snapscan_schema::Weight;

use super::*;

fn place(met: Met) -> Place {
    Place { met, ..Place::new(machine::Level::Filesystem, None, b"x".to_vec()) }
}

#[test]
fn each_thing_that_can_be_met_has_its_status_code_and_weight() {
    use Status::{Complete, Failed, Partial, Skipped};
    use Weight::{Matters, Neutral};
    let text = String::new;
    let rows: Vec<(Met, Status, Option<Reason>, Weight)> = vec![
        (Met::Read, Complete, None, Matters),
        (Met::Empty, Failed, Some(Reason::ImageEmpty), Matters),
        // One that ends before it could be opened: nothing of it was read.
        (Met::Truncated(text()), Failed, Some(Reason::ImageTruncated), Matters),
        (Met::Damaged(text()), Failed, Some(Reason::FilesystemDamaged), Matters),
        (Met::Unsupported(text()), Failed, Some(Reason::UnsupportedFeature), Matters),
        (Met::Unreadable(text()), Failed, Some(Reason::SourceUnreadable), Matters),
        (Met::Refused(text()), Failed, Some(Reason::BudgetExhausted), Matters),
        (Met::NotReplayed(text()), Partial, Some(Reason::JournalNotReplayed), Matters),
        (Met::Known(Class::Vfat, "vfat"), Skipped, Some(Reason::UnsupportedVfat), Matters),
        (Met::Known(Class::Luks, "crypto_LUKS"), Skipped, Some(Reason::UnsupportedLuks), Matters),
        (Met::Known(Class::Btrfs, "btrfs"), Skipped, Some(Reason::UnsupportedBtrfs), Matters),
        (Met::Known(Class::Ntfs, "ntfs"), Skipped, Some(Reason::UnsupportedNtfs), Matters),
        (Met::Known(Class::Zfs, "zfs_member"), Skipped, Some(Reason::UnsupportedZfs), Matters),
        (Met::Known(Class::Raid, "linux_raid_member"), Skipped, Some(Reason::UnsupportedMd), Matters),
        (Met::Known(Class::Bcache, "bcache"), Skipped, Some(Reason::UnsupportedBcache), Matters),
        (Met::Known(Class::Vdo, "vdo"), Skipped, Some(Reason::UnsupportedVdo), Matters),
        (Met::Known(Class::Other, "squashfs"), Skipped, Some(Reason::UnsupportedFilesystem), Matters),
        (Met::BootFiles, Skipped, Some(Reason::BootFiles), Neutral),
        (Met::ByKind(text()), Skipped, Some(Reason::ByKind), Neutral),
        (Met::Blank, Skipped, Some(Reason::Blank), Neutral),
        (Met::Unknown, Skipped, Some(Reason::UnknownContent), Matters),
        (Met::Ambiguous(text()), Partial, Some(Reason::Ambiguous), Matters),
        (Met::LvmMember(text()), Complete, None, Matters),
        (Met::LvmUnused(text()), Skipped, Some(Reason::LvmUnused), Neutral),
        (Met::LvMissing(text()), Failed, Some(Reason::PvMissing), Matters),
        (Met::LvUnsupported(text()), Skipped, Some(Reason::UnsupportedLvm), Matters),
        (Met::LeftOut(text()), Failed, Some(Reason::WorkerCrashed), Matters),
        (Met::NotMounted, Complete, None, Matters),
        (Met::OtherSystem { detail: text(), spare: false }, Skipped, Some(Reason::OtherSystem), Matters),
        (Met::OtherSystem { detail: text(), spare: true }, Skipped, Some(Reason::OtherSystem), Neutral),
        (Met::MountMissing { detail: text(), neutral: false }, Partial, Some(Reason::MountMissing), Matters),
        (Met::MountMissing { detail: text(), neutral: true }, Partial, Some(Reason::MountMissing), Neutral),
        (Met::MountByKind { detail: text(), neutral: false }, Skipped, Some(Reason::ByKind), Matters),
        (Met::MountByKind { detail: text(), neutral: true }, Skipped, Some(Reason::ByKind), Neutral),
    ];
    for (what, status, code, weight) in rows {
        let shown = format!("{what:?}");
        let line = met(&place(what));
        assert_eq!((line.status, line.code, line.weight), (status, code, weight), "{shown}");
    }
}

#[test]
fn notes_of_tables_groups_and_roots_keep_their_codes() {
    let text = String::new;
    for (noted, code) in [
        (PlaceNote::Table(TableNote::BackupUsed(text())), Reason::BackupGptUsed),
        (PlaceNote::Table(TableNote::Hybrid), Reason::HybridTable),
        (PlaceNote::Table(TableNote::BadEntry(text())), Reason::RecordMalformed),
        (PlaceNote::Lvm(text()), Reason::GroupNoted),
        (PlaceNote::Root(text()), Reason::RootChosen),
    ] {
        assert_eq!(note(&noted).code, code, "{noted:?}");
    }
}

#[test]
fn what_a_reader_noticed_stands_at_its_filesystem() {
    let cases = [
        (fs::Note::IndexIgnored("inode 2".into()), Status::Complete, Reason::IndexIgnored),
        (fs::Note::ChecksumMismatch("inode 2".into()), Status::Complete, Reason::ChecksumMismatch),
        (fs::Note::BackupUsed("group 1".into()), Status::Complete, Reason::BackupSuperblockUsed),
        (fs::Note::InodeStale("inode 77".into()), Status::Partial, Reason::InodeStale),
    ];
    for (noticed, status, code) in cases {
        let tree = MemTree::builder().file("etc/os-release", "ID=x\n").note(noticed).build();
        let machine = Machine::of_filesystem(Arc::new(tree.expect("a tree")), "disk");
        let top = cover(&machine, None, &BTreeMap::new());
        let line = top.lines().into_iter().find(|line| line.level == Level::Filesystem).expect("its line");
        assert_eq!(line.status, status, "{code:?}");
        let noted = line.code.into_iter().chain(line.notes.iter().map(|note| note.code));
        assert!(noted.into_iter().any(|one| one == code), "{code:?}");
    }
}

#[test]
fn without_marks_release_and_database_there_is_no_operating_system() {
    let tree = MemTree::builder().file("data/file", "x").build().expect("a tree");
    let machine = Machine::of_filesystem(Arc::new(tree), "disk");
    let top = cover(&machine, None, &BTreeMap::new());
    assert!(top.children.iter().any(|line| line.code == Some(Reason::NoOperatingSystem)));
}

#[test]
fn a_system_without_release_and_database_is_never_complete() {
    let tree = MemTree::builder().file("etc/fstab", "").file("etc/passwd", "").file("bin/sh", "").build();
    let machine = Machine::of_filesystem(Arc::new(tree.expect("a tree")), "disk");
    assert!(machine.has_system);
    let top = cover(&machine, Some(&Outcome::default()), &BTreeMap::new());
    assert!(top.is_incomplete());
    let named = |line: &&Coverage| line.name.as_bytes() == b"packages";
    assert_eq!(top.children.iter().find(named).and_then(|line| line.code), Some(Reason::DatabaseMissing));
    let met = Outcome { databases: vec!["dpkg"], ..Outcome::default() };
    assert!(!cover(&machine, Some(&met), &BTreeMap::new()).children.iter().any(|line| named(&line)));
}
