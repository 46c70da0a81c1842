// SPDX-License-Identifier: Apache-2.0
//! Headers of real databases, as the `rpm` crate reads them.
//!
//! `SNAPSCAN_REALDATA` names the unpacked folder of real databases; without it nothing is compared.

use std::path::{Path, PathBuf};

use rpm::{IndexTag, PackageMetadata};
use snapscan_inventory::pkg::rpm::header::{self, Described};
use snapscan_schema::Text;

use super::files::Files;

/// What both readers say of one header; an empty text or `None` where it has no such tag.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    epoch: Option<u32>,
    version: String,
    release: String,
    arch: String,
    install_time: Option<i64>,
    source: String,
    vendor: String,
}

/// The `rpm` crate reads package files only, so a header is dressed as one: lead, empty signature, magic, header.
fn package_file(blob: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
    let mut file = vec![0; 96];
    file[..6].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0]);
    file[79] = 5;
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(blob);
    file
}

/// True if the header's two sizes add up to its length. The crate allocates what they say, whatever that is.
fn sizes_fit(blob: &[u8]) -> bool {
    let number = |at: usize| blob.get(at..at + 4).map(|four| u32::from_be_bytes(four.try_into().unwrap()));
    let (Some(entries), Some(store)) = (number(0), number(4)) else { return false };
    u64::from(entries) * 16 + u64::from(store) + 8 <= blob.len() as u64
}

fn theirs(blob: &[u8]) -> Row {
    let package = PackageMetadata::parse(&mut package_file(blob).as_slice()).unwrap();
    let text = |value: Result<&str, rpm::Error>| value.unwrap_or_default().to_owned();
    let time = package.header.get_entry_data_as_u32(IndexTag::RPMTAG_INSTALLTIME).ok();
    Row {
        name: text(package.get_name()),
        epoch: package.get_epoch().ok(),
        version: text(package.get_version()),
        release: text(package.get_release()),
        arch: text(package.get_arch()),
        install_time: time.filter(|&time| time != 0).map(i64::from),
        source: text(package.get_source_rpm()),
        vendor: text(package.get_vendor()),
    }
}

fn ours(blob: &[u8]) -> Row {
    let (Described::Package(package) | Described::Key(package)) = header::read(blob).unwrap();
    let text = |text: Text| String::from_utf8_lossy(&text.0).into_owned();
    Row {
        name: text(package.name),
        epoch: package.epoch,
        version: text(package.version),
        release: text(package.release.unwrap_or_default()),
        arch: text(package.arch.unwrap_or_default()),
        install_time: package.install_time.map(|time| time.0),
        source: text(package.source.unwrap_or_default()),
        vendor: text(package.vendor.unwrap_or_default()),
    }
}

/// The folders below `folder` that hold a database.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if ["rpmdb.sqlite", "Packages.db", "Packages"].iter().any(|name| path.join(name).is_file()) {
            found.push(path.clone());
        }
        let entries = std::fs::read_dir(&path).unwrap().map(Result::unwrap);
        left.extend(entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()));
    }
    found.sort();
    found
}

#[test]
fn every_header_of_a_real_database_reads_as_the_rpm_crate_reads_it() {
    let Some(realdata) = std::env::var_os("SNAPSCAN_REALDATA") else {
        eprintln!("SNAPSCAN_REALDATA is not set: nothing is compared with real data");
        return;
    };
    let (mut compared, mut wrong) = (0, Vec::new());
    for database in databases(&Path::new(&realdata).join("rpm")) {
        let name = database.strip_prefix(&realdata).unwrap().display().to_string();
        if name.contains("/broken-") || name.contains("/zero-length-") {
            continue;
        }
        let mut here = 0;
        Files::open(&database)
            .each(&mut |number, blob| {
                assert!(sizes_fit(blob), "{name}, header {number}");
                let (ours, theirs) = (ours(blob), theirs(blob));
                if ours != theirs {
                    wrong.push(format!("{name}, header {number}:\n  {ours:?}\n  {theirs:?}"));
                }
                here += 1;
            })
            .unwrap();
        println!("{name}: {here}");
        compared += here;
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 850, "{compared} headers were compared");
}
