// SPDX-License-Identifier: Apache-2.0
//! The small databases beside the tests, in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use snapscan_disk::fs::{Extent, File};
use snapscan_inventory::pkg::rpm::header::{self, Described};
use snapscan_inventory::pkg::rpm::{bdb, ndb, scan::Scan, sqlite};

/// A file in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Vec<u8>);

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
pub(crate) enum Files {
    Sqlite { main: Memory, wal: Option<Memory>, journal: Option<Memory> },
    Ndb(Memory),
    Bdb(Memory),
}

/// What was read: each record's line as in `expected.tsv`, or why it is malformed.
pub(crate) type Rows = BTreeMap<u64, String>;

impl Files {
    pub(crate) fn open(folder: &Path) -> Files {
        let file = |name: &str| std::fs::read(folder.join(name)).ok().map(Memory);
        if let Some(main) = file("rpmdb.sqlite") {
            Files::Sqlite { main, wal: file("rpmdb.sqlite-wal"), journal: file("rpmdb.sqlite-journal") }
        } else if let Some(file) = file("Packages.db") {
            Files::Ndb(file)
        } else {
            Files::Bdb(file("Packages").unwrap())
        }
    }

    pub(crate) fn read(&self) -> snapscan_disk::Result<(Rows, Scan)> {
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
        let scan = self.each(&mut each)?;
        assert!(!twice || !scan.is_whole(), "a record came twice");
        Ok((rows, scan))
    }

    /// Hands over the header blob of every record, with its number.
    pub(crate) fn each(&self, each: &mut dyn FnMut(u64, &[u8])) -> snapscan_disk::Result<Scan> {
        match self {
            Files::Sqlite { main, wal, journal } => {
                let file = |file: &Option<Memory>| file.clone().map(|file| Box::new(file) as Box<dyn File>);
                let (wal, journal) = (file(wal), file(journal));
                sqlite::read(main, wal.as_deref(), journal.as_deref(), each)
            }
            Files::Ndb(file) => ndb::read(file, each),
            Files::Bdb(file) => bdb::read(file, each),
        }
    }

    /// Its files that are not empty.
    pub(crate) fn parts(&mut self) -> Vec<&mut Vec<u8>> {
        match self {
            Files::Sqlite { main, wal, journal } => {
                let more = [wal, journal].into_iter().flatten();
                std::iter::once(main).chain(more).map(|file| &mut file.0).collect()
            }
            Files::Ndb(file) | Files::Bdb(file) => vec![&mut file.0],
        }
    }
}

/// The folders of all databases.
pub(crate) fn cases() -> Vec<PathBuf> {
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

/// What is in one of them.
pub(crate) fn expected(case: &Path) -> Rows {
    let text = std::fs::read_to_string(case.join("expected.tsv")).unwrap();
    let number = |line: &str| line.split('\t').next().unwrap().parse().unwrap();
    text.lines().map(|line| (number(line), line.to_owned())).collect()
}
