// SPDX-License-Identifier: Apache-2.0
//! Databases made here by rpm itself, against `rpm -qa`.

use std::path::Path;
use std::process::Command;

use super::files::Files;

/// True if the machine shall run tests that need tools of the system.
fn asked() -> bool {
    let asked = std::env::var_os("SNAPSCAN_ROOT_TESTS").is_some_and(|value| value == "1");
    if !asked {
        eprintln!("SNAPSCAN_ROOT_TESTS is not 1: rpm is not asked");
    }
    asked
}

fn rpm(database: &Path, arguments: &[&str]) -> String {
    let output = Command::new("rpm").arg("--dbpath").arg(database).args(arguments).output().unwrap();
    assert!(output.status.success(), "rpm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_database_of_rpm_gives_what_rpm_lists_after_installing_upgrading_and_erasing() {
    if !asked() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("db");
    let install = |number: u32, version: &str, summary: usize| {
        let name = format!("made{number}");
        let mut builder = rpm::PackageBuilder::new(&name, version, "MIT", "noarch", "made for a test");
        builder.release("1.test").description("x".repeat(summary));
        let file = folder.path().join(format!("{name}-{version}.rpm"));
        builder.build().unwrap().write_file(&file).unwrap();
        let arguments = ["-U", "--justdb", "--nodeps", "--nosignature", "--nodigest", "--ignorearch"];
        rpm(&database, &[&arguments[..], &[file.to_str().unwrap()]].concat());
    };
    rpm(&database, &["--initdb"]);
    let same = || {
        let listed = rpm(&database, &["-qa", "--qf", "%{DBINSTANCE}\t%{NAME}\t%{VERSION}\t%{RELEASE}\n"]);
        let mut listed: Vec<_> = listed.lines().map(str::to_owned).collect();
        let (rows, scan) = Files::open(&database).read().unwrap();
        assert_eq!(scan.damage, []);
        let mut rows: Vec<_> = rows.into_values().collect();
        listed.sort();
        rows.sort();
        assert_eq!(rows, listed);
        rows.len()
    };
    assert_eq!(same(), 0);
    for number in 0..12 {
        install(number, "1.0", [10, 3000, 9000, 40_000][number as usize % 4]);
    }
    assert_eq!(same(), 12);
    for number in [1, 3, 5] {
        install(number, "2.0", 20_000);
    }
    rpm(&database, &["-e", "--justdb", "--nodeps", "made2", "made7"]);
    assert_eq!(same(), 10);
    rpm(&database, &["--rebuilddb"]);
    assert_eq!(same(), 10);
}
