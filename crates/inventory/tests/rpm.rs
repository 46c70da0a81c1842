// SPDX-License-Identifier: Apache-2.0
//! Small rpm databases that SQLite and Berkeley DB wrote, whole and with single bits turned.
//!
//! `tests/data/rpm/make.py` makes them and says what is in them.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use snapscan_disk::fs::{Extent, File};
use snapscan_inventory::pkg::rpm::header::{self, Described};
use snapscan_inventory::pkg::rpm::{bdb, ndb, scan::Scan, sqlite};

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Vec<u8>);

impl File for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> snapscan_disk::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn extents(&self, _range: Range<u64>) -> snapscan_disk::Result<Vec<Extent>> {
        Ok(Vec::new())
    }
}

/// The files of one database.
#[derive(Clone)]
enum Files {
    Sqlite { main: Memory, wal: Option<Memory>, journal: Option<Memory> },
    Ndb(Memory),
    Bdb(Memory),
}

/// What was read: each record's line as in `expected.tsv`, or why it is malformed.
type Rows = BTreeMap<u64, String>;

impl Files {
    fn open(folder: &Path) -> Files {
        let file = |name: &str| std::fs::read(folder.join(name)).ok().map(Memory);
        if let Some(main) = file("rpmdb.sqlite") {
            Files::Sqlite { main, wal: file("rpmdb.sqlite-wal"), journal: file("rpmdb.sqlite-journal") }
        } else if let Some(file) = file("Packages.db") {
            Files::Ndb(file)
        } else {
            Files::Bdb(file("Packages").unwrap())
        }
    }

    fn read(&self) -> snapscan_disk::Result<(Rows, Scan)> {
        let mut rows = Rows::new();
        let mut twice = false;
        let mut each = |number: u64, blob: &[u8]| {
            let line = match header::read(blob) {
                Ok(Described::Package(one) | Described::Key(one)) => {
                    let cells = [&one.name, &one.version, one.release.as_ref().unwrap()];
                    let cells = cells.map(|cell| cell.to_json().into_owned());
                    format!("{number}\t{}", cells.join("\t"))
                }
                Err(why) => format!("malformed: {why}"),
            };
            twice |= rows.insert(number, line).is_some();
        };
        let scan = match self {
            Files::Sqlite { main, wal, journal } => {
                let file = |file: &Option<Memory>| file.clone().map(|file| Box::new(file) as Box<dyn File>);
                let (wal, journal) = (file(wal), file(journal));
                sqlite::read(main, wal.as_deref(), journal.as_deref(), &mut each)?
            }
            Files::Ndb(file) => ndb::read(file, &mut each)?,
            Files::Bdb(file) => bdb::read(file, &mut each)?,
        };
        assert!(!twice || !scan.is_whole(), "a record came twice");
        Ok((rows, scan))
    }

    /// Its files that are not empty.
    fn parts(&mut self) -> Vec<&mut Vec<u8>> {
        match self {
            Files::Sqlite { main, wal, journal } => {
                let more = [wal, journal].into_iter().flatten();
                std::iter::once(main).chain(more).map(|file| &mut file.0).collect()
            }
            Files::Ndb(file) | Files::Bdb(file) => vec![&mut file.0],
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rpm");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 10);
    cases
}

fn expected(case: &Path) -> Rows {
    let text = std::fs::read_to_string(case.join("expected.tsv")).unwrap();
    let number = |line: &str| line.split('\t').next().unwrap().parse().unwrap();
    text.lines().map(|line| (number(line), line.to_owned())).collect()
}

#[test]
fn every_case_gives_the_rows_that_its_writer_reads() {
    for case in cases() {
        let (rows, scan) = Files::open(&case).read().unwrap();
        assert_eq!(rows, expected(&case), "{}", case.display());
        assert_eq!(scan.damage, [], "{}", case.display());
    }
}

/// A generator with a fixed seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Fails if a database whose bits were turned comes out whole with another list, but for the content of the one record
/// that was hit: SQLite and Berkeley DB keep no checksums of content.
fn check_flipped(files: &Files, whole: &Rows, what: &str) {
    let Ok((rows, scan)) = files.read() else { return };
    if !scan.is_whole() {
        return;
    }
    let lost: Vec<_> = whole.iter().filter(|(number, _)| !rows.contains_key(number)).collect();
    let changed = rows.iter().filter(|(number, line)| whole.get(number) != Some(line)).count();
    assert!(changed <= 1 && lost.len() <= changed, "{what}: {changed} changed, lost {lost:?}");
}

#[test]
fn a_turned_bit_costs_a_status_or_one_records_content() {
    for case in cases() {
        let whole = expected(&case);
        let name = case.file_name().unwrap().display().to_string();
        let original = Files::open(&case);
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for round in 0..1500 {
            let mut files = original.clone();
            let mut parts = files.parts();
            let part = dice.below(parts.len());
            let bytes = &mut parts[part];
            // Half of the rounds turn bits where structures lie: at the start of a page.
            let at = if round % 2 == 0 {
                dice.below(bytes.len())
            } else {
                (dice.below(bytes.len().div_ceil(512)) * 512 + dice.below(40)).min(bytes.len() - 1)
            };
            let bit = dice.below(8);
            bytes[at] ^= 1 << bit;
            check_flipped(&files, &whole, &format!("{name}, file {part}, byte {at}, bit {bit}"));
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_never_whole_with_fewer_rows() {
    for case in cases() {
        let whole = expected(&case);
        let mut original = Files::open(&case);
        let len = original.parts()[0].len();
        for cut in (0..len).step_by(len / 97 + 1) {
            let mut files = original.clone();
            files.parts()[0].truncate(cut);
            if let Ok((rows, scan)) = files.read() {
                assert!(!scan.is_whole() || rows == whole, "{} cut at {cut}", case.display());
            }
        }
    }
}
