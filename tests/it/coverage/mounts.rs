// SPDX-License-Identifier: Apache-2.0
//! What fstab names and no disk has.

use crate::disk::{Images, root_with_fstab};
use crate::run::{places, scan};

/// Scans the small Debian root with one more line in its fstab: the exit code, and the lines of mounts.
fn with_line(line: &str) -> (i32, Vec<String>) {
    let root = root_with_fstab(&format!("UUID=6f1ca1d5-5d6c-4b7e-9d0e-0b3f1d2c4a51 / ext4 rw\n{line}\n"));
    let (code, report) = scan(&[Images::new().write("root.img", &root)]);
    (code, places(&report).into_iter().filter(|line| line.starts_with("mount ")).collect())
}

#[test]
fn a_local_device_that_is_not_there_matters_unless_the_machine_comes_up_without_it() {
    for (line, code, words) in [
        ("UUID=0c8e3a52 /srv ext4 defaults", 3, "mount /srv: partial MOUNT_MISSING"),
        ("LABEL=data /srv xfs nofail", 0, "mount /srv: partial MOUNT_MISSING neutral"),
        ("/dev/sdb1 /srv xfs ro,noauto", 0, "mount /srv: partial MOUNT_MISSING neutral"),
    ] {
        assert_eq!(with_line(line), (code, vec![words.to_owned()]), "{line}");
    }
}

#[test]
fn where_packages_lie_a_missing_device_matters_even_if_it_is_optional() {
    for at in ["/usr", "/var", "/opt", "/etc", "/lib", "/boot", "/var/lib", "/opt/x"] {
        let words = format!("mount {at}: partial MOUNT_MISSING");
        assert_eq!(with_line(&format!("LABEL=x {at} ext4 nofail")), (3, vec![words]), "{at}");
    }
    let words = "mount /variable: partial MOUNT_MISSING neutral".to_owned();
    assert_eq!(with_line("LABEL=x /variable ext4 nofail"), (0, vec![words]));
}

#[test]
fn mounts_that_lie_on_no_disk_are_by_kind_and_matter_only_where_packages_lie() {
    for (line, code, words) in [
        ("tmpfs /tmp tmpfs defaults", 0, "mount /tmp: skipped BY_KIND neutral"),
        ("server:/x /home nfs4 rw", 0, "mount /home: skipped BY_KIND neutral"),
        ("/srv/a /mnt none bind", 0, "mount /mnt: skipped BY_KIND neutral"),
        ("server:/x /opt nfs rw", 3, "mount /opt: skipped BY_KIND"),
        ("server:/x /usr/local nfs rw", 3, "mount /usr/local: skipped BY_KIND"),
    ] {
        assert_eq!(with_line(line), (code, vec![words.to_owned()]), "{line}");
    }
}

#[test]
fn swap_and_the_root_itself_have_no_line_of_their_own() {
    assert_eq!(with_line("UUID=3d4c5b6a none swap sw"), (0, Vec::new()));
}
