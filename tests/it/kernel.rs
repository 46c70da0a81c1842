// SPDX-License-Identifier: Apache-2.0
//! `reader = "kernel"`: attached volumes that the host's kernel mounts give the findings that our readers give.
//!
//! These tests need root and loop devices: they run with `SNAPSCAN_ROOT_TESTS=1`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapscan_schema::{Disposition, Job, JobReader, JobTarget, Method, Reason, Report};

use crate::cloud::{CUSTOMER, Machine, Stage, assert_same, unpacked};
use crate::disk::{Images, LINUX, MIB, fixture, gpt, part, set_fstab};
use crate::lvm::{IDS, group, physical};
use crate::run::{packages, places, scan};

/// Fixtures that were unmounted before they were taken, each a machine. What a truncated one lacks is zeros on a volume,
/// which has whole GiB, and the kernel mounts it.
pub(crate) const CLEAN: &[(&str, &[&str])] = &[
    ("debian-ext4-gpt", &["debian-ext4-gpt"]),
    ("rocky-xfs-lvm-gpt", &["rocky-xfs-lvm-gpt"]),
    ("mbr-extended", &["mbr-extended"]),
    ("unpartitioned-ext4", &["unpartitioned-ext4"]),
    ("alpine", &["alpine"]),
    ("two-disks", &["two-disks-root", "two-disks-var"]),
    ("truncated", &["truncated"]),
    ("evil-ext4", &["evil-ext4"]),
];
/// Fixtures that were taken while they were mounted.
pub(crate) const DIRTY: &[(&str, &[&str])] =
    &[("dirty-ext4", &["dirty-ext4"]), ("dirty-xfs", &["dirty-xfs"])];

/// The kernel may read where our readers cannot.
const ALLOWED: &[&str] = &["agent.kernel_fallback=true"];

/// False, with a word on standard error, where nothing can be mounted.
fn may_mount() -> bool {
    let wanted = std::env::var_os("SNAPSCAN_ROOT_TESTS").is_some();
    if wanted {
        let user = Command::new("id").arg("-u").output().unwrap().stdout;
        assert_eq!(user, b"0\n", "SNAPSCAN_ROOT_TESTS wants root");
    } else {
        eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set");
    }
    wanted
}

fn machine(name: &str, disks: Vec<PathBuf>) -> Machine {
    Machine { name: name.to_owned(), account: CUSTOMER, disks }
}

fn of_fixtures(fixtures: &[(&str, &[&str])]) -> Stage {
    let images = tempfile::tempdir().unwrap();
    let disks = |disks: &[&str]| disks.iter().map(|disk| unpacked(disk, images.path())).collect();
    Stage::new(fixtures.iter().map(|(name, of)| machine(name, disks(of))).collect())
}

/// The report on each machine that an agent with these settings makes of its attached volumes; and that nothing is left.
fn read(
    stage: &Stage,
    names: &[&str],
    reader: Option<JobReader>,
    settings: &[&str],
) -> BTreeMap<String, Report> {
    for name in names {
        stage.submit(&Job { reader, ..stage.job(name, Method::Attach) });
    }
    let ran = stage.agent(settings);
    let reports = stage.reports();
    for name in names {
        let outcome = stage.outcomes().remove(*name);
        assert!(reports.contains_key(*name), "{name}: {outcome:?}\n{}", ran.err);
    }
    assert_eq!(stage.leaked(), Vec::<String>::new());
    reports
}

/// Findings, and what the header says of the machine, as text.
fn found(report: &Report) -> String {
    let mut report = report.clone();
    report.header.run = snapscan_schema::Run::default();
    report.coverage.children.clear();
    report.coverage.status = snapscan_schema::Status::Complete;
    String::from_utf8(report.to_json().unwrap()).unwrap()
}

/// The line of the first filesystem of a kind: code and detail.
fn filesystem(report: &Report, kind: &str) -> (Option<Reason>, String) {
    let lines = report.coverage.lines();
    let is = |line: &&&snapscan_schema::Coverage| {
        line.level == snapscan_schema::Level::Filesystem && line.name.as_bytes() == kind.as_bytes()
    };
    let line = lines.iter().find(is).unwrap_or_else(|| panic!("no {kind}: {:?}", places(report)));
    (line.code, line.detail.as_bytes().escape_ascii().to_string())
}

#[test]
fn every_clean_fixture_that_the_kernel_mounts_gives_the_findings_and_places_of_our_readers() {
    if !may_mount() {
        return;
    }
    let stage = of_fixtures(CLEAN);
    let names: Vec<&str> = CLEAN.iter().map(|(name, _)| *name).collect();
    let reports = read(&stage, &names, Some(JobReader::Kernel), &[]);
    for name in names {
        let (kernels, ours) = (&reports[name], scan(&stage.plain(name)).1);
        assert_eq!(kernels.header.run.method, "attach", "{name}");
        assert!(!ours.findings.is_empty(), "{name}");
        assert_same(name, &found(kernels), &found(&ours));
        assert_eq!(places(kernels), places(&ours), "{name}");
        assert_eq!(kernels.coverage.status, ours.coverage.status, "{name}");
        assert!(kernels.to_json().is_ok_and(|json| {
            String::from_utf8_lossy(&json).contains("mounted by the kernel at /, read-only")
        }));
    }
}

#[test]
fn profile_full_by_the_kernel_walks_all_that_fstab_mounts_and_names_the_rest() {
    if !may_mount() {
        return;
    }
    let images = Images::new();
    let apart = images.write(
        "apart",
        &gpt(&[
            part(LINUX, "root", fixture("unpartitioned-ext4")),
            part(LINUX, "", fixture("two-disks-var")),
        ]),
    );
    let two = ["two-disks-root", "two-disks-var"].map(|disk| images.write(disk, &fixture(disk)));
    let stage = Stage::new(vec![machine("two-disks", two.to_vec()), machine("apart", vec![apart])]);
    for name in ["two-disks", "apart"] {
        let job = stage.job(name, Method::Attach);
        stage.submit(&Job { reader: Some(JobReader::Kernel), profile: "full".to_owned(), ..job });
    }
    stage.agent(&[]);
    let reports = stage.reports();
    let ours = crate::run::scan_with(&stage.plain("two-disks"), &["--profile", "full"]).1;
    assert_same("two-disks", &found(&reports["two-disks"]), &found(&ours));
    let lines = places(&reports["apart"]);
    assert!(lines.contains(&"filesystem ext4: skipped BY_CHOICE".to_owned()), "{lines:?}");
}

#[test]
fn a_dirty_fixture_read_by_the_kernel_is_partial_because_its_journal_was_not_replayed() {
    if !may_mount() {
        return;
    }
    let stage = of_fixtures(DIRTY);
    let names: Vec<&str> = DIRTY.iter().map(|(name, _)| *name).collect();
    for (name, report) in read(&stage, &names, None, &["agent.reader=kernel"]) {
        let kind = name.trim_start_matches("dirty-");
        let (code, detail) = filesystem(&report, kind);
        assert_eq!(code, Some(Reason::JournalNotReplayed), "{name}: {detail}");
        assert!(detail.contains("without its journal, which holds changes"), "{name}: {detail}");
        assert!(report.coverage.is_incomplete(), "{name}");
    }
}

/// `/var` of the machine of two disks on a logical volume of two segments, whose extents begin as given.
fn var_in_pieces(first: usize, second: usize) -> Vec<u8> {
    let var = fixture("two-disks-var");
    let (one, two) = var.split_at(12 * MIB);
    let data = if first < second { [one, two].concat() } else { [two, one].concat() };
    let segment = |number: usize, at: usize| {
        format!(
            "segment{number} {{\nstart_extent = {}\nextent_count = 12\ntype = \"striped\"\nstripe_count = 1\n\
             stripes = [\n\"pv0\", {at}\n]\n}}\n",
            (number - 1) * 12
        )
    };
    let volume = format!(
        "data {{\nid = \"DDDDDD-DDDD-DDDD-DDDD-DDDD-DDDD-DDDDDD\"\nstatus = [\"READ\", \"WRITE\", \"VISIBLE\"]\n\
         segment_count = 2\n{}{}}}\n",
        segment(1, first),
        segment(2, second)
    );
    physical(IDS[0], &group(1, &volume), &data)
}

#[test]
fn a_logical_volume_in_one_run_is_mounted_and_one_in_pieces_costs_itself_and_says_what_to_do() {
    if !may_mount() {
        return;
    }
    let images = Images::new();
    let root = images.write("root", &fixture("two-disks-root"));
    let var = |name: &str, first, second| images.write(name, &var_in_pieces(first, second));
    let stage = Stage::new(vec![
        machine("run", vec![root.clone(), var("run", 0, 12)]),
        machine("pieces", vec![root, var("pieces", 12, 0)]),
    ]);
    let reports = read(&stage, &["run", "pieces"], Some(JobReader::Kernel), &[]);
    let ours = scan(&stage.plain("run")).1;
    assert!(packages(&ours).len() > 5, "{:?}", packages(&ours));
    assert_same("run", &found(&reports["run"]), &found(&ours));
    assert_eq!(places(&reports["run"]), places(&ours));

    let pieces = &reports["pieces"];
    assert_eq!(packages(&scan(&stage.plain("pieces")).1).len(), packages(&ours).len());
    assert_eq!(packages(pieces), [""; 0]);
    let lines = pieces.coverage.lines();
    let line = lines.iter().find(|line| line.code == Some(Reason::UnsupportedLvm)).unwrap();
    let detail = line.detail.as_bytes().escape_ascii().to_string();
    assert!(detail.starts_with("vg/data/ext4 ") && detail.contains("ask for the reader `own`"), "{detail}");
    assert!(
        lines.iter().any(|line| line.code == Some(Reason::DatabaseMissing)),
        "the list is not just empty"
    );
}

/// A filesystem of that kind with these files, made by its own tools.
fn btrfs(folder: &Path, options: &[&str], files: &[(&str, &str)]) -> Vec<u8> {
    let (tree, image) = (folder.join("tree"), folder.join("btrfs"));
    for (path, text) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::File::create(&image).unwrap().set_len(160 << 20).unwrap();
    let mut mkfs = Command::new("mkfs.btrfs");
    let made = mkfs.arg("-q").args(options).arg("--rootdir").arg(&tree).arg(&image).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::read(&image).unwrap()
}

/// The package database of one package.
const BUTTER: &str = "Package: butter\nStatus: install ok installed\nArchitecture: amd64\nVersion: 6.1-2\n\
                      Description: spread\n\n";

/// A machine whose root is btrfs, beside a filesystem of a kind that we read.
fn with_btrfs(folder: &Path) -> Stage {
    let files = [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ("etc/hostname", "b-tree\n"),
        ("usr/lib/x", ""),
        ("var/lib/dpkg/status", BUTTER),
    ];
    let root = btrfs(folder, &[], &files);
    let images = Images::new();
    let parts = [part(LINUX, "root", root), part(LINUX, "", fixture("two-disks-var"))];
    Stage::new(vec![machine("btrfs", vec![images.write("disk", &gpt(&parts))])])
}

/// What the kernel finds on that machine, which only it can read.
fn assert_read_by_the_kernel(report: &Report) {
    assert_eq!(packages(report), ["butter 6.1-2"]);
    assert_eq!(report.header.hostname.as_ref().map(|name| name.as_bytes()), Some(b"b-tree".as_slice()));
    assert_eq!(filesystem(report, "btrfs"), (None, "mounted by the kernel at /, read-only".to_owned()));
    let (code, detail) = filesystem(report, "ext4");
    assert_eq!(code, Some(Reason::ByChoice));
    assert!(detail.starts_with("the root was mounted alone"), "{detail}");
}

#[test]
fn what_our_readers_do_not_support_is_read_by_the_kernel_where_the_configuration_allows_it() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stage = with_btrfs(folder.path());
    let report = &read(&stage, &["btrfs"], None, ALLOWED)["btrfs"];
    assert_read_by_the_kernel(report);
}

#[test]
fn a_filesystem_below_a_root_that_our_readers_know_is_read_by_the_kernel_too_if_that_finds_no_less() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let uuid = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let mut root = fixture("two-disks-root");
    set_fstab(&mut root, &format!("UUID={uuid} /var btrfs defaults 0 0\n"));
    let var = btrfs(folder.path(), &["-U", uuid], &[("lib/dpkg/status", BUTTER)]);
    let images = Images::new();
    let disks = vec![images.write("root", &root), images.write("var", &gpt(&[part(LINUX, "", var)]))];
    let machine = || Stage::new(vec![machine("var", disks.clone())]);
    let stage = machine();
    let own = &read(&stage, &["var"], Some(JobReader::Own), &[])["var"];
    assert_eq!(filesystem(own, "btrfs").0, Some(Reason::UnsupportedBtrfs));
    assert_eq!(packages(own), [""; 0]);
    let mounted = &read(&machine(), &["var"], None, ALLOWED)["var"];
    assert_eq!(filesystem(mounted, "btrfs"), (None, "mounted by the kernel at /var, read-only".to_owned()));
    assert_eq!(packages(mounted), ["butter 6.1-2"]);
}

#[test]
fn what_our_readers_do_not_support_is_named_and_not_mounted_where_the_configuration_does_not_allow_it() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stage = with_btrfs(folder.path());
    let report = &read(&stage, &["btrfs"], None, &[])["btrfs"];
    assert_eq!(packages(report), [""; 0]);
    assert_eq!(filesystem(report, "btrfs").0, Some(Reason::UnsupportedBtrfs));
    assert!(report.header.system.is_none());
}

#[test]
fn a_job_that_asks_for_the_kernel_gets_it_and_one_that_asks_for_ours_does_not() {
    if !may_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stage = with_btrfs(folder.path());
    assert_read_by_the_kernel(&read(&stage, &["btrfs"], Some(JobReader::Kernel), &[])["btrfs"]);
    let stage = of_fixtures(&CLEAN[..1]);
    let own = read(&stage, &["debian-ext4-gpt"], Some(JobReader::Own), &["agent.reader=kernel"]);
    assert_eq!(found(&own["debian-ext4-gpt"]), found(&scan(&stage.plain("debian-ext4-gpt")).1));
    assert!(!filesystem(&own["debian-ext4-gpt"], "ext4").1.contains("mounted by the kernel"));
}

#[test]
fn a_filesystem_that_ends_beyond_its_image_is_not_mounted_and_the_job_says_why() {
    if !may_mount() {
        return;
    }
    let stage = of_fixtures(&CLEAN[..1]);
    unpacked("truncated", &stage.path("root"));
    let target = JobTarget::Image { paths: vec!["truncated.img".to_owned()] };
    let job = stage.job("debian-ext4-gpt", Method::Auto);
    stage.submit(&Job { target, account: None, region: None, reader: Some(JobReader::Kernel), ..job });
    let ran = stage.agent(&[]);
    let outcome = stage.outcomes().remove("debian-ext4-gpt").unwrap_or_else(|| panic!("{}", ran.err));
    assert_eq!(outcome.ended, Disposition::Permanent { code: Reason::UnsupportedFeature });
    assert!(outcome.detail.contains("the filesystem ends beyond its volume"), "{}", outcome.detail);
}
