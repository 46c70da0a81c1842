// SPDX-License-Identifier: Apache-2.0
//! Databases and release files that others wrote, against what other tools read in them.
//!
//! `SNAPSCAN_REALDATA` names the unpacked folder; without it nothing is compared.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod folder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use snapscan_inventory::{Options, Outcome, Profile, run};
use snapscan_schema::{Finding, Package, Status, System, Text};

/// The folder of the real data, if there is one.
fn realdata() -> Option<PathBuf> {
    let folder = std::env::var_os("SNAPSCAN_REALDATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SNAPSCAN_REALDATA is not set: nothing is compared with real data");
    }
    folder
}

/// One row of a table: the cells by the names of their columns, empty ones left out.
type Row = BTreeMap<String, Vec<u8>>;

/// Reads a table with a header; the columns in their order, and the rows.
fn table(path: &Path) -> (Vec<String>, Vec<Row>) {
    let bytes = std::fs::read(path).unwrap();
    let mut lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    let cells = |line: &[u8]| line.split(|&b| b == b'\t').map(unescape).collect::<Vec<_>>();
    let header: Vec<String> =
        cells(lines.next().unwrap()).into_iter().map(|name| String::from_utf8(name).unwrap()).collect();
    let rows = lines.map(|line| {
        let pairs = header.iter().cloned().zip(cells(line));
        pairs.filter(|(_, cell)| !cell.is_empty()).collect()
    });
    let rows = rows.collect();
    (header, rows)
}

fn unescape(cell: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = cell.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b't') => b'\t',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                _ => b'\\',
            },
            other => other,
        });
    }
    out
}

/// A finding as a row.
fn row(package: &Package) -> Row {
    let text = |text: &Option<Text>| text.clone().unwrap_or_default().0;
    let cells = [
        ("ecosystem", package.ecosystem.0.clone()),
        ("name", package.name.0.clone()),
        ("epoch", package.epoch.map_or(Vec::new(), |epoch| epoch.to_string().into_bytes())),
        ("version", package.version.0.clone()),
        ("release", text(&package.release)),
        ("arch", text(&package.arch)),
        ("source", text(&package.source)),
        ("source_version", text(&package.source_version)),
        ("status", text(&package.status)),
        ("modularity", text(&package.modularity)),
        ("vendor", text(&package.vendor)),
        ("installtime", package.install_time.map_or(Vec::new(), |time| time.0.to_string().into_bytes())),
    ];
    cells
        .into_iter()
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| (name.to_owned(), cell))
        .collect()
}

/// The rows of an outcome, sorted, with the evidence checked.
fn rows(outcome: &Outcome) -> Vec<Row> {
    let packages = outcome.findings.iter().filter_map(|finding| match finding {
        Finding::Package(package) => Some(package),
        Finding::Key(key) => {
            assert_eq!(key.name.as_bytes(), b"gpg-pubkey");
            Some(key)
        }
        Finding::Fact(_) => None,
    });
    let mut rows: Vec<Row> = packages
        .map(|package| {
            assert!(package.evidence.path.as_bytes().starts_with(b"/"), "{package:?} has no evidence");
            assert_eq!(package.evidence.volume.as_bytes(), b"root");
            row(package)
        })
        .collect();
    rows.sort();
    rows
}

/// True for rows of packages whose files are on the disk; half-installed ones count until proven otherwise.
fn on_disk(row: &Row) -> bool {
    let status = row.get("status").map_or(&b""[..], |status| status);
    !status.ends_with(b" config-files") && !status.ends_with(b" not-installed")
}

/// True for rows that ill-formed input must still give: a name, a version and, where there are states, one on disk.
fn well_formed(row: &Row) -> bool {
    let ecosystem = row.get("ecosystem").map_or(&b""[..], |name| name);
    let stateful = matches!(ecosystem, b"deb" | b"opkg");
    row.contains_key("name") && row.contains_key("version") && (!stateful || row.contains_key("status"))
}

/// What is wrong with one case, if anything.
fn compare(kind: &str, case: &Path) -> Result<(), String> {
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(case.join("case.json")).unwrap()).unwrap();
    let expect = about["expect"].as_str().unwrap();
    let outcome =
        run(&folder::tree(&case.join("root")), Options { profile: Profile::Os }, &AtomicU64::new(0));
    let line = outcome.lines.iter().find(|line| line.name.as_bytes() == kind.as_bytes()).unwrap();
    let got = rows(&outcome);
    let said = format!("{:?} {:?} {:?} {:?}", line.status, line.code, line.detail, line.notes);
    let (_, mut expected) = table(&case.join("expected.tsv"));
    expected.retain(on_disk);
    expected.sort();
    let show = |rows: &[&Row]| {
        let show = |row: &&Row| {
            let cells = row.iter().map(|(name, cell)| format!("{name}={}", cell.escape_ascii()));
            cells.collect::<Vec<_>>().join(" ")
        };
        rows.iter().take(3).map(show).collect::<Vec<_>>().join("; ")
    };
    let missing = |wanted: &[Row], among: &[Row]| -> String {
        show(&wanted.iter().filter(|row| !among.contains(row)).collect::<Vec<_>>())
    };
    let fail = |why: &str| Err(format!("{why}; line: {said}"));
    match expect {
        "complete" => {
            if got != expected {
                return fail(&format!(
                    "{} rows, expected {}; missing: {}; extra: {}",
                    got.len(),
                    expected.len(),
                    missing(&expected, &got),
                    missing(&got, &expected)
                ));
            }
            if line.status != Status::Complete {
                return fail("not complete");
            }
        }
        "complete-or-partial" => {
            expected.retain(well_formed);
            let lost = missing(&expected, &got);
            if !lost.is_empty() {
                return fail(&format!("missing: {lost}"));
            }
            if !matches!(line.status, Status::Complete | Status::Partial) {
                return fail("neither complete nor partial");
            }
        }
        "partial-or-failed" => {
            let (_, upper) = table(&case.join("upper.tsv"));
            let invented = missing(&got, &upper);
            if !invented.is_empty() {
                return fail(&format!("invented: {invented}"));
            }
            if !matches!(line.status, Status::Failed | Status::Partial) || line.code.is_none() {
                return fail("neither partial nor failed with a reason");
            }
        }
        "failed" => {
            if !got.is_empty() || line.status != Status::Failed || line.code.is_none() {
                return fail("not failed without findings");
            }
        }
        other => return fail(&format!("unknown expectation {other}")),
    }
    Ok(())
}

/// Compares all cases of these kinds.
fn compare_kinds(kinds: &[&str]) {
    let Some(realdata) = realdata() else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for kind in kinds {
        let mut cases: Vec<PathBuf> =
            std::fs::read_dir(realdata.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
        cases.sort();
        for case in cases {
            count += 1;
            if let Err(why) = compare(kind, &case) {
                wrong.push(format!("{kind}/{}: {why}", case.file_name().unwrap().display()));
            }
        }
    }
    assert!(count > 0);
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn dpkg_as_dpkg_query_reads_it() {
    compare_kinds(&["dpkg"]);
}

#[test]
fn rpm_as_rpm_lists_it() {
    compare_kinds(&["rpm"]);
}

#[test]
fn text_databases_as_other_tools_read_them() {
    compare_kinds(&["apk", "pacman", "opkg", "portage", "snap", "flatpak", "bottlerocket", "cos"]);
}

fn system_of(root: &Path) -> Option<System> {
    let outcome = run(&folder::tree(root), Options { profile: Profile::Os }, &AtomicU64::new(0));
    let line = outcome.lines.iter().find(|line| line.name.as_bytes() == b"os-release").unwrap();
    assert_eq!(line.status, Status::Complete, "{}: {line:?}", root.display());
    outcome.system
}

#[test]
fn os_release_as_a_shell_reads_it() {
    let Some(realdata) = realdata() else { return };
    let case = realdata.join("os-release/collection");
    let (columns, rows) = table(&case.join("expected.tsv"));
    assert_eq!(rows.len(), 312);
    for row in rows {
        let id = String::from_utf8(row["id"].clone()).unwrap();
        let system = system_of(&case.join("roots").join(&id)).unwrap_or_else(|| panic!("{id}: no system"));
        let note = String::from_utf8(row.get("note").cloned().unwrap_or_default()).unwrap();
        for key in columns.iter().filter(|key| !["id", "note"].contains(&key.as_str())) {
            let expected = row.get(key).cloned().unwrap_or_default();
            let got = match key.as_str() {
                "ID" => system.id.0.clone(),
                other => system.fields.get(other).cloned().unwrap_or_default().0,
            };
            // Where a shell and CPython disagree the note names the key, and either answer is right.
            let either = note.contains(&format!(" {key}")) || note.contains(&format!(",{key}"));
            assert!(
                got == expected || either,
                "{id} {key}: got {}, expected {}",
                got.escape_ascii(),
                expected.escape_ascii()
            );
        }
    }
}

/// Where PyPI's `distro` answers by its own table of ids, or adds the version of a second file: our answer is what the one
/// file that counts says.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("debiantesting", "debian", ""),
    ("gentoo", "gentoo", ""),
    ("mandriva2011", "mandriva", "2011.0"),
    ("oracle7", "ol", "7.5"),
    ("scientific6", "scientific", "6.4"),
];

#[test]
fn systems_without_os_release_are_told_by_their_older_files() {
    let Some(realdata) = realdata() else { return };
    let case = realdata.join("os-release/distro-roots");
    let (_, rows) = table(&case.join("expected.tsv"));
    assert_eq!(rows.len(), 48);
    let mut wrong = Vec::new();
    for row in rows {
        let text = |key: &str| String::from_utf8(row.get(key).cloned().unwrap_or_default()).unwrap();
        let id = text("id");
        let system = system_of(&case.join("roots").join(&id)).unwrap_or_default();
        let own = OTHERWISE.iter().find(|(name, ..)| *name == id);
        let expected = own.map_or_else(
            || (text("distro_id"), text("version")),
            |(_, id, version)| ((*id).to_owned(), (*version).to_owned()),
        );
        let got = (
            String::from_utf8(system.id.0).unwrap(),
            String::from_utf8(system.version_id.unwrap_or_default().0).unwrap(),
        );
        if got != expected {
            wrong.push(format!("{id}: got {got:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
