// SPDX-License-Identifier: Apache-2.0
//! 200,000 names in one folder, as the kernel writes them: all are met, and none is guessed.

use std::fs;
use std::process::Command;

use crate::run;

/// Names in the folder.
const NAMES: usize = 200_000;

/// Makes an image of `KIND` whose folder `etc/sudoers.d` holds the names; needs root and a loop device.
const MAKE: &str = r#"
    truncate -s 1G "$1/crowd.img"
    case $2 in
      ext4) mkfs.ext4 -q -F -N 210000 "$1/crowd.img" ;;
      xfs) mkfs.xfs -q "$1/crowd.img" ;;
    esac
    mkdir "$1/mount"
    mount -o loop "$1/crowd.img" "$1/mount"
    trap 'umount "$1/mount"' EXIT
    mkdir -p "$1/mount/etc/sudoers.d"
    printf 'ID=debian\n' >"$1/mount/etc/os-release"
    cd "$1/mount/etc/sudoers.d"
    seq -f 'name-%06.0f' "$3" | xargs touch
    chmod 4755 name-123456
    cd /
"#;

#[test]
fn two_hundred_thousand_names_in_a_folder_are_listed_and_walked() {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
        eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set");
        return;
    }
    for kind in ["ext4", "xfs"] {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("bash")
            .args(["-euc", MAKE, "make", folder.path().to_str().unwrap(), kind, &NAMES.to_string()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let image = folder.path().join("crowd.img");

        let listed = run::snapscan(["ls".as_ref(), image.as_os_str(), "/etc/sudoers.d".as_ref()]);
        let names: Vec<&str> = listed.text().lines().collect();
        assert_eq!((listed.code, names.len()), (0, NAMES), "{kind}");
        assert_eq!((names[0], names[NAMES - 1]), ("name-000001", "name-200000"), "{kind}");

        let (code, report) = run::scan_with(&[&image], &["--profile", "full"]);
        assert_eq!(code, 3, "a pattern that meets so many names says so");
        let line = run::extractor(&report, "sudoers").unwrap();
        assert!(line.starts_with("extractor sudoers: partial LIMIT_REACHED"), "{kind}: {line}");
        let suid: Vec<_> = report
            .findings
            .iter()
            .filter_map(|finding| finding.fact())
            .filter(|fact| fact.topic.as_bytes() == b"mode")
            .map(|fact| String::from_utf8_lossy(fact.subject.as_bytes()).into_owned())
            .collect();
        assert_eq!(suid, ["/etc/sudoers.d/name-123456"], "{kind}");
        fs::remove_file(image).unwrap();
    }
}
