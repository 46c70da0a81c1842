// SPDX-License-Identifier: Apache-2.0
//! Each thing that a child may not say, said.

use snapscan_schema::{Reason, Status, Text, Weight};

use super::*;
use crate::parent::mount::Kind as Mounts;
use crate::wire::mirror::{About, Evidence, Fact, Kernel, Note, Package, System};
use crate::wire::record::{Part, Piece};

fn judge() -> Check {
    Check::new(Asking::Report(vec![b"a.img".to_vec(), b"b.img".to_vec()]))
}

fn line(depth: u8, level: Level, name: &str) -> Record {
    Record::Line(Line {
        depth,
        level,
        name: name.into(),
        status: Status::Complete,
        code: None,
        detail: Text::default(),
        weight: Weight::Matters,
    })
}

fn package(volume: &str) -> Record {
    let evidence =
        Evidence { volume: volume.into(), path: "/var/lib/dpkg/status".into(), ..Evidence::default() };
    Record::Finding(mirror::Finding::Package(Package { evidence, ..Package::default() }))
}

/// What the last of the records leads to, all others being right.
fn last(records: Vec<Record>) -> Result<Said, Lie> {
    let mut judge = judge();
    let mut said = Ok(Said::Kept);
    for record in records {
        assert!(said.is_ok(), "{said:?}");
        said = judge.take(record, 100);
    }
    said
}

/// The lines that every report has.
fn lines() -> Vec<Record> {
    vec![
        line(0, Level::Machine, "machine"),
        line(1, Level::Volume, "a.img"),
        line(2, Level::Partition, "1"),
        line(1, Level::Volume, "b.img"),
        line(1, Level::VolumeGroup, "vg0"),
    ]
}

fn after_lines(record: Record) -> Result<Said, Lie> {
    last([lines(), vec![record]].concat())
}

#[test]
fn a_report_that_keeps_all_bounds_is_believed() {
    let mut judge = judge();
    let kernel = Kernel { release: "6.1".into(), ..Kernel::default() };
    let kernel = Kernel { evidence: Evidence { volume: "vg0/root".into(), ..Evidence::default() }, ..kernel };
    let records = [
        vec![Record::Entered(Place::default()), Record::Progress { stage: Stage::Layout, names: 1 }],
        lines(),
        vec![
            Record::Note(Note { code: Reason::HybridTable, detail: "x".into() }),
            Record::About(About { system: Some(System::default()), ..About::default() }),
            Record::Field("ID".into(), "debian".into()),
            Record::Kernel(kernel),
            package("a.img"),
            package("b.img/2/ext4"),
            package("vg0"),
            Record::Counts { read: Read { bytes: 7, ..Read::default() }, threads: 2 },
        ],
    ];
    for record in records.concat() {
        judge.take(record, 100).unwrap();
    }
    assert_eq!(judge.take(Record::Done, 1), Ok(Said::Done));
    let told = judge.into_told();
    assert_eq!((told.findings.len(), told.header.kernels.len(), told.read.bytes, told.threads), (3, 1, 7, 2));
    assert_eq!(told.header.system.unwrap().fields["ID"], "debian".into());
    let coverage = told.coverage.unwrap();
    assert_eq!((coverage.children.len(), coverage.children[2].notes.len()), (3, 1));
}

#[test]
fn evidence_of_another_job_is_a_lie() {
    for volume in ["c.img", "", "a.img2", "a.im", "vg1", "/etc"] {
        assert!(after_lines(package(volume)).is_err(), "{volume}");
    }
    let evidence = Evidence { volume: "c.img".into(), ..Evidence::default() };
    let fact = Fact { evidence: evidence.clone(), ..Fact::default() };
    assert!(after_lines(Record::Finding(mirror::Finding::Fact(fact))).is_err());
    assert!(after_lines(Record::Kernel(Kernel { evidence: evidence.clone(), ..Kernel::default() })).is_err());
    let system = Some(System { evidence: Some(evidence), ..System::default() });
    assert!(after_lines(Record::About(About { system, ..About::default() })).is_err());
}

#[test]
fn coverage_of_unknown_doubled_or_missing_volumes_is_a_lie() {
    assert!(after_lines(line(1, Level::Volume, "c.img")).is_err());
    assert!(after_lines(line(1, Level::Volume, "a.img")).is_err());
    assert!(after_lines(line(2, Level::Volume, "c.img")).is_err());
    assert!(after_lines(line(0, Level::Machine, "machine")).is_err());
    assert!(after_lines(line(4, Level::Mount, "/srv")).is_err());
    assert!(last(vec![line(0, Level::Volume, "a.img")]).is_err());
    assert!(last(vec![line(0, Level::Extractor, "dpkg")]).is_err());
    assert!(last(vec![Record::Done]).is_err());
    let mut without = lines();
    without.remove(3);
    assert!(last([without, vec![Record::Done]].concat()).is_err());
}

#[test]
fn records_after_the_last_or_of_another_question_are_lies() {
    for end in [Record::Done, Record::Failed(Failure::NoFilesystem)] {
        for more in [Record::Done, package("a.img"), Record::Entered(Place::default())] {
            assert!(last([lines(), vec![end.clone(), more]].concat()).is_err());
        }
    }
    assert!(after_lines(Record::Output(vec![1])).is_err());
    assert!(after_lines(Record::Problem("x".into())).is_err());
    for record in [package("a.img"), lines().remove(0), Record::About(About::default())] {
        assert!(Check::new(Asking::Look).take(record, 100).is_err());
    }
    assert!(Check::new(Asking::Look).take(Record::Output(vec![1]), 10).is_ok());
}

#[test]
fn more_of_anything_than_its_bound_is_a_lie() {
    let mut all = judge();
    let findings =
        (0..).take_while(|_| all.take(package("a.img"), 100).is_ok()).take(fit::FINDINGS + 1).count();
    assert!(findings < fit::FINDINGS + 1, "{findings}");
    let mut all = judge();
    lines().into_iter().for_each(|line| drop(all.take(line, 100).unwrap()));
    let more =
        (0..).take_while(|_| all.take(line(2, Level::Mount, "/srv"), 100).is_ok()).take(fit::LINES + 1);
    assert!(more.count() < fit::LINES + 1);
    let mut all = Check::new(Asking::Look);
    let more = (0..).take_while(|_| all.take(Record::Problem("x".into()), 1).is_ok()).take(PROBLEMS + 1);
    assert_eq!(more.count(), PROBLEMS);
    let mut all = judge();
    lines().into_iter().for_each(|line| drop(all.take(line, 100).unwrap()));
    let note = || Record::Note(Note { code: Reason::Absent, detail: Text::default() });
    let more = (0..).take_while(|_| all.take(note(), 64 << 10).is_ok()).take(20_000);
    assert!(more.count() < 20_000, "bytes are counted, too");
}

#[test]
fn texts_longer_than_their_bounds_are_lies() {
    let place = |name: usize, part: usize| Place { name: vec![b'x'; name], part: "x".repeat(part) };
    assert!(after_lines(Record::Entered(place(8 << 10, 64))).is_ok());
    assert!(after_lines(Record::Entered(place((8 << 10) + 1, 0))).is_err());
    assert!(after_lines(Record::Entered(place(0, 65))).is_err());
    let about = About { architecture: Some("x".repeat(257)), ..About::default() };
    assert!(after_lines(Record::About(about)).is_err());
    assert!(last(vec![Record::About(About::default()), Record::About(About::default())]).is_err());
    assert!(after_lines(Record::Field("ID".into(), "x".into())).is_err(), "a field of no system");
    assert!(after_lines(Record::Counts { read: Read::default(), threads: u64::MAX }).is_err());
}

#[test]
fn a_filesystem_that_lies_nowhere_or_on_another_jobs_volume_is_a_lie() {
    let one = || Mountable {
        kind: Mounts::Ext4,
        part: Part::Root,
        place: b"b.img/2/ext4".to_vec(),
        volume: b"b.img".to_vec(),
        at: Some(Piece { volume: 0, start: 1 << 20, len: 1 << 20 }),
        point: Some(b"/".to_vec()),
    };
    let is_believed = |one| after_lines(Record::Mountable(one)).is_ok();
    let told =
        |volume, start, len| is_believed(Mountable { at: Some(Piece { volume, start, len }), ..one() });
    assert!(told(0, 1 << 20, 1 << 20));
    assert!(!told(u32::MAX, 0, 1));
    assert!(!told(0, 1 << 20, 0));
    assert!(!told(0, u64::MAX, 1));
    assert!(!is_believed(Mountable { volume: b"c.img".to_vec(), ..one() }));
    assert!(!is_believed(Mountable { place: vec![b'x'; (8 << 10) + 1], ..one() }));
    let at = |point: &[u8]| is_believed(Mountable { point: Some(point.to_vec()), ..one() });
    for point in ["/", "/var", "/srv/with space", "/a/.../b"] {
        assert!(at(point.as_bytes()), "{point}");
    }
    for point in ["", "var", "/var/", "//", "/../etc", "/var/./x", "/a//b", "/a\0b"] {
        assert!(!at(point.as_bytes()), "{point:?}");
    }
    assert!(!at(&[b"/".as_slice(), &[b'x'; 256]].concat()) && !at("/x".repeat(2048).as_bytes()));
}
