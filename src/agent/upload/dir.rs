// SPDX-License-Identifier: Apache-2.0
//! How findings lie in a folder: a folder a report, there whole or not at all.
//!
//! ```text
//!  FOLDER/2026-11-21/JOB-ATTEMPT-DIGEST/report.json      the report's own bytes
//!                                       findings.jsonl   one finding a line, with its machine
//!                                       sbom.cdx.json    CycloneDX 1.6
//!                                       delivery.json    whose report it is
//!                                       SHA256SUMS       as sha256sum writes it; `sha256sum -c` checks it
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use snapscan_schema::outcome::Parcel;

use super::Error;
use super::mark::Member;
use crate::agent::boundary::{pass, sabotaged};
use crate::cli::Format;
use crate::error::Failure;
use crate::render::{hex, render};

/// Writes a parcel's folder; one that is there already is left as it is.
///
/// # Errors
/// What the system answers, with the path.
pub(super) fn deliver(folder: &Path, member: &Member, parcel: &Parcel) -> Result<(), Error> {
    let name = member.report.strip_prefix("reports/").unwrap_or(&member.report);
    let to = folder.join(name.strip_suffix(".json").unwrap_or(name));
    let files = files(parcel, member)
        .map_err(|failure| Error::Broken { key: member.report.clone(), why: failure.what })?;
    write(&to, &files).map_err(|(path, source)| Error::Folder { path, source })
}

/// The files of a parcel by name, the manifest last.
fn files(parcel: &Parcel, member: &Member) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    let unwritable =
        |error: serde_json::Error| Failure::new(format!("cannot write it: {error}"), "please report this");
    let report = parcel.report.to_json().map_err(unwritable)?;
    let mut lines = Vec::new();
    for finding in &parcel.report.findings {
        let mut line = serde_json::to_value(finding).map_err(unwritable)?;
        if let Value::Object(fields) = &mut line {
            fields.insert("machine".to_owned(), json!({ "key": member.native, "job": parcel.delivery.job }));
        }
        lines.extend_from_slice(line.to_string().as_bytes());
        lines.push(b'\n');
    }
    let mut files = vec![
        ("report.json", report),
        ("findings.jsonl", lines),
        ("sbom.cdx.json", render(&parcel.report, Format::Cyclonedx)?),
        ("delivery.json", serde_json::to_vec_pretty(&parcel.delivery).map_err(unwritable)?),
    ];
    let line = |(name, bytes): &(&str, Vec<u8>)| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
    let manifest: String = files.iter().map(line).collect();
    files.push(("SHA256SUMS", manifest.into_bytes()));
    Ok(files)
}

/// Writes files into a folder beside the wanted one, and renames that at the end.
fn write(to: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| (path, error)
    };
    let day = to.parent().unwrap_or(to);
    fs::create_dir_all(day).map_err(at(day))?;
    if to.try_exists().map_err(at(to))? {
        return Ok(());
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let temporary = day.join(format!(".{name}.part"));
    pass("dir.create");
    // What a crash left half done is done again.
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((temporary, error)),
        _ => fs::create_dir(&temporary).map_err(at(&temporary))?,
    }
    for (name, bytes) in files {
        let path = temporary.join(name);
        pass("dir.write");
        let mut file = File::create_new(&path).map_err(at(&path))?;
        file.write_all(bytes).map_err(at(&path))?;
        pass("dir.fsync");
        if !sabotaged("dir-unsynced") {
            file.sync_all().map_err(at(&path))?;
        }
    }
    sync(&temporary).map_err(at(&temporary))?;
    pass("dir.rename.before");
    match fs::rename(&temporary, to) {
        // Another uploader whose lease ran out meanwhile was quicker, with the same report.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            fs::remove_dir_all(&temporary).map_err(at(&temporary))?;
        }
        renamed => renamed.map_err(at(to))?,
    }
    pass("dir.rename.after");
    sync(day).map_err(at(day))?;
    day.parent().map_or(Ok(()), |above| sync(above).map_err(at(above)))?;
    pass("dir.written");
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
