// SPDX-License-Identifier: Apache-2.0
use snapscan_schema::{Header, Note, Package, SCHEMA_VERSION, Text};

use super::*;
use crate::parent::mount::Kind;
use crate::wire::record::{Part, Piece};

fn mountable(place: &str, volume: &str) -> Mountable {
    Mountable {
        kind: Kind::Ext4,
        part: Part::Mounted,
        place: place.into(),
        volume: volume.into(),
        at: Some(Piece { volume: 0, start: 0, len: 1 }),
        point: None,
    }
}

fn line(level: Level, name: &str, children: Vec<Coverage>) -> Coverage {
    Coverage { children, ..Coverage::complete(level, name, "") }
}

fn ext4(detail: &str) -> Coverage {
    Coverage::complete(Level::Filesystem, "ext4", detail)
}

/// A disk with a root, `/var`, one that nobody mounts and one of another kind; what an extractor said of them all.
fn survey() -> Coverage {
    let mut apart = ext4("");
    apart.notes.push(Note { code: Reason::NotMounted, detail: Text::default() });
    let other = Coverage::because(Level::Filesystem, "btrfs", Reason::UnsupportedBtrfs, "btrfs");
    let parts = [ext4("uuid 1"), ext4("uuid 2"), apart, other].into_iter().zip(1..);
    let parts = parts.map(|(fs, number)| line(Level::Partition, &number.to_string(), vec![fs]));
    let disk = line(Level::Volume, "disk", parts.collect());
    let none = Coverage::because(Level::Extractor, "system", Reason::NoOperatingSystem, "");
    line(Level::Machine, "machine", vec![disk, none, line(Level::Mount, "/tmp", Vec::new())])
}

fn read() -> Coverage {
    let dpkg = line(Level::Extractor, "dpkg", Vec::new());
    let folder = line(Level::Filesystem, "directory", vec![dpkg]);
    line(Level::Machine, "machine", vec![line(Level::Volume, "disk", vec![folder])])
}

fn joined(filesystems: &[Filesystem<'_>], knows_fstab: bool, is_full: bool) -> Vec<String> {
    let mut top = survey();
    Seen { filesystems, knows_fstab, is_full }.join(&mut top, read());
    let shown = |line: &&Coverage| {
        let code = line.code.map(|code| format!(" {}", code.code())).unwrap_or_default();
        format!("{}{code}: {}", line.name.0.escape_ascii(), line.detail.0.escape_ascii())
    };
    let is_told = |line: &&Coverage| !matches!(line.level, Level::Machine | Level::Volume | Level::Partition);
    top.lines().iter().filter(|line| is_told(line)).map(shown).collect()
}

#[test]
fn each_filesystem_says_how_the_kernel_read_it_and_the_root_has_what_extractors_said() {
    let (root, var) = (mountable("disk/1/ext4", "disk"), mountable("disk/2/ext4", "disk"));
    let filesystems = [
        Filesystem { is: &root, point: b"/", read: Ok(false) },
        Filesystem { is: &var, point: b"/var", read: Ok(true) },
    ];
    let mut wanted = [
        "ext4: uuid 1, mounted by the kernel at /, read-only",
        "dpkg: ",
        "ext4 JOURNAL_NOT_REPLAYED: uuid 2, mounted by the kernel at /var, read-only and without its journal, which holds changes",
        "ext4: ",
        "btrfs UNSUPPORTED_BTRFS: btrfs",
        "/tmp: ",
    ]
    .map(str::to_owned);
    assert_eq!(joined(&filesystems, true, false), wanted);
    wanted[3] = format!("ext4 BY_CHOICE: {APART}");
    assert_eq!(joined(&filesystems, true, true), wanted);
}

#[test]
fn what_could_not_be_mounted_costs_itself_and_keeps_what_our_readers_said() {
    let root = mountable("disk/1/ext4", "disk");
    let var = Mountable { at: None, ..mountable("disk/2/ext4", "disk") };
    let srv = mountable("disk/4/btrfs", "disk");
    let not = |is, point, why: &str| Filesystem { is, point, read: Err(why.to_owned()) };
    let filesystems = [
        Filesystem { is: &root, point: b"/", read: Ok(false) },
        not(&var, b"/var", "in two pieces"),
        not(&srv, b"/srv", "mounting as btrfs: no"),
    ];
    let told = joined(&filesystems, true, false);
    assert_eq!(told[2], "ext4 UNSUPPORTED_LVM: in two pieces");
    assert_eq!(
        told[4],
        "btrfs UNSUPPORTED_BTRFS: btrfs; the kernel could not read it: mounting as btrfs: no"
    );
}

#[test]
fn beside_a_root_that_only_the_kernel_reads_nothing_counts_as_read() {
    let root = mountable("disk/4/btrfs", "disk");
    let filesystems = [Filesystem { is: &root, point: b"/", read: Ok(false) }];
    let told = joined(&filesystems, false, false);
    let left_out = format!("ext4 BY_CHOICE: {ROOT_ONLY}");
    let wanted = [&left_out, &left_out, &left_out, "btrfs: mounted by the kernel at /, read-only", "dpkg: "];
    assert_eq!(told, wanted);
}

#[test]
fn evidence_names_the_volume_of_what_is_mounted_over_its_path() {
    let (root, var, lib) = (mountable("a", "vg0"), mountable("b", "two"), mountable("c", "three"));
    let filesystems = [
        Filesystem { is: &root, point: b"/", read: Ok(false) },
        Filesystem { is: &var, point: b"/var", read: Ok(true) },
        Filesystem { is: &lib, point: b"/var/lib", read: Err("no".to_owned()) },
    ];
    let seen = Seen { filesystems: &filesystems, knows_fstab: true, is_full: false };
    let package = |path: &str| {
        let evidence = Evidence { volume: "vg0".into(), path: path.into(), ..Evidence::default() };
        Finding::Package(Package { evidence, ..Package::default() })
    };
    let findings = ["/etc/x", "/var/lib/dpkg/status", "/var", "/variety/x"].map(package).to_vec();
    let mut report =
        Report { schema_version: SCHEMA_VERSION, header: Header::default(), findings, coverage: survey() };
    seen.name_volumes(&mut report);
    let on = |finding: &Finding| finding.package().unwrap().evidence.volume.0.escape_ascii().to_string();
    let on: Vec<String> = report.findings.iter().map(on).collect();
    assert_eq!(on, ["vg0", "two", "two", "vg0"]);
}
