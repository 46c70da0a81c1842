// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_schema::{Status, System};

use super::RELEASE;
use crate::engine::{Outcome, probe::probe};

fn outcome(tree: MemBuilder) -> (Option<System>, Status) {
    let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
    let outcome = Outcome::merge(std::iter::once((&RELEASE, probe(&tree, &RELEASE))));
    (outcome.system, outcome.lines[0].status)
}

#[test]
fn a_link_to_usr_lib_is_followed_inside_the_machine() {
    let (system, status) = outcome(
        MemTree::builder()
            .symlink("etc/os-release", "/usr/lib/os-release")
            .file("usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\nID_LIKE=\"a b\"\n"),
    );
    let system = system.unwrap();
    assert_eq!((system.id.as_bytes(), status), (&b"debian"[..], Status::Complete));
    assert_eq!(system.id_like.len(), 2);
    assert_eq!(system.evidence.unwrap().path.as_bytes(), b"/usr/lib/os-release");
}

#[test]
fn an_empty_file_in_etc_gives_way_to_the_one_in_usr_lib_and_is_named() {
    let (system, status) =
        outcome(MemTree::builder().file("etc/os-release", "").file("usr/lib/os-release", "ID=fedora\n"));
    assert_eq!((system.unwrap().id.as_bytes(), status), (&b"fedora"[..], Status::Partial));
}

#[test]
fn older_files_name_the_system_where_there_is_no_os_release() {
    for (file, text, id, version, codename) in [
        (
            "lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=9.04\nDISTRIB_CODENAME=jaunty\n",
            "ubuntu",
            "9.04",
            "jaunty",
        ),
        (
            "redhat-release",
            "Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n",
            "rhel",
            "5.11",
            "Tikanga",
        ),
        ("centos-release", "CentOS release 5.11 (Final)", "centos", "5.11", "Final"),
        ("system-release", "Amazon Linux AMI release 2013.09\n", "amzn", "2013.09", ""),
        (
            "SuSE-release",
            "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
            "sles",
            "11.4",
            "",
        ),
        (
            "SuSE-release",
            "openSUSE 12.1 (x86_64)\nVERSION = 12.1\nCODENAME = Asparagus\n",
            "opensuse",
            "12.1",
            "Asparagus",
        ),
        ("alpine-release", "3.10.5\n", "alpine", "3.10.5", ""),
        ("debian_version", "6.0.10\n", "debian", "6.0.10", ""),
        ("debian_version", "bookworm/sid\n", "debian", "", "bookworm"),
        ("slackware-version", "Slackware 13.37.0\n", "slackware", "13.37.0", ""),
        ("gentoo-release", "Gentoo Base System release 2.2\n", "gentoo", "2.2", ""),
        ("arch-release", "", "arch", "", ""),
        ("openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.2'\n", "openwrt", "23.05.2", ""),
    ] {
        let (system, status) = outcome(MemTree::builder().file(format!("etc/{file}"), text));
        let system = system.unwrap();
        let text = |text: Option<snapscan_schema::Text>| text.unwrap_or_default().to_json().into_owned();
        assert_eq!(system.id.to_json(), id, "{file}");
        assert_eq!(
            (text(system.version_id), text(system.codename)),
            (version.to_owned(), codename.to_owned()),
            "{file}"
        );
        assert_eq!(status, Status::Complete);
    }
}

#[test]
fn a_file_that_names_no_system_is_passed_over() {
    let (system, _) = outcome(
        MemTree::builder()
            .file("etc/lsb-release", "LSB_VERSION=\"1.3\"\n")
            .file("etc/redhat-release", "Fedora release 12 (Constantine)\n"),
    );
    assert_eq!(system.unwrap().id.as_bytes(), b"fedora");
}
