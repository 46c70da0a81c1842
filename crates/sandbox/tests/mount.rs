// SPDX-License-Identifier: Apache-2.0
//! The kernel's readers beside ours, on filesystems that the kernel wrote.
//!
//! This program is its own mount helper, so it has no test harness. It runs as root with `SNAPSCAN_ROOT_TESTS=1`.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use snapscan_disk::MachinePath;
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::machine::{Disk, Machine};
use snapscan_disk::source::file::FileSource;
use snapscan_disk::source::window::Window;
use snapscan_inventory::{Options, Outcome, Profile};
use snapscan_sandbox::parent::device;
use snapscan_sandbox::parent::mount::{self, Kind, Mounted, Part};
use snapscan_sandbox::parent::spawn::Program;

/// Where the filesystem begins in each image.
const OFFSET: u64 = 1 << 20;
const LEN: u64 = 320 << 20;

fn main() -> ExitCode {
    if let Some(code) = mount::entry() {
        return code;
    }
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none_or(|value| value != "1") {
        eprintln!("SNAPSCAN_ROOT_TESTS=1 is not set: nothing is mounted");
        return ExitCode::SUCCESS;
    }
    assert!(nix::unistd::geteuid().is_root(), "SNAPSCAN_ROOT_TESTS=1 wants root");
    let mut tried = 0;
    for (kind, make) in [(Kind::Ext4, "mkfs.ext4 -q -F"), (Kind::Xfs, "mkfs.xfs -q -f")] {
        if !fs::read_to_string("/proc/filesystems").unwrap().contains(kind.name()) {
            println!("{}: this kernel does not read it", kind.name());
            continue;
        }
        tried += 1;
        let folder = tempfile::tempdir().unwrap();
        let (clean, dirty) = images(folder.path(), make);
        a_clean_filesystem_reads_as_with_our_readers(&clean, kind);
        a_dirty_filesystem_is_mounted_without_its_journal_and_says_so(&dirty, kind);
        a_device_is_read_only_once_it_is_open(&clean);
        another_filesystem_is_mounted_below_where_no_link_leads(&clean, &dirty, kind);
    }
    assert!(tried > 0, "no filesystem was tried");
    what_is_no_filesystem_is_an_error_in_words();
    nothing_is_left_behind();
    println!("mount: all well, {tried} filesystems");
    ExitCode::SUCCESS
}

fn run(line: &str) {
    assert!(Command::new("sh").args(["-c", line]).status().unwrap().success(), "{line}");
}

/// Two images of a small Debian: one that was unmounted, and one as it lay while it was mounted.
fn images(folder: &Path, make: &str) -> (PathBuf, PathBuf) {
    let (bare, clean, dirty, at) =
        (folder.join("bare.img"), folder.join("clean.img"), folder.join("dirty.img"), folder.join("at"));
    let shown = |path: &Path| path.display().to_string();
    File::create(&bare).unwrap().set_len(LEN).unwrap();
    run(&format!("{make} {}", shown(&bare)));
    fs::create_dir(&at).unwrap();
    run(&format!("mount -o loop {} {}", shown(&bare), shown(&at)));
    for folder in ["etc", "usr/lib", "var/lib/dpkg"] {
        fs::create_dir_all(at.join(folder)).unwrap();
    }
    fs::write(at.join("usr/lib/os-release"), "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n")
        .unwrap();
    symlink("../usr/lib/os-release", at.join("etc/os-release")).unwrap();
    symlink("/", at.join("etc/out")).unwrap();
    fs::write(at.join("etc/hostname"), "mounted\n").unwrap();
    let package = |n| {
        format!(
            "Package: p{n}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{n}-1\nDescription: d\n\n"
        )
    };
    fs::write(at.join("var/lib/dpkg/status"), (0..2000).map(package).collect::<String>()).unwrap();
    run(&format!("sync -f {}", shown(&at)));
    fs::write(at.join("etc/motd"), "new\n").unwrap();
    run(&format!("sync -f {}", shown(&at)));
    shift(&bare, &dirty);
    run(&format!("umount {}", shown(&at)));
    shift(&bare, &clean);
    (clean, dirty)
}

/// Copies a filesystem to where a partition would lie.
fn shift(from: &Path, to: &Path) {
    run(&format!("dd if={} of={} bs=1M seek=1 conv=sparse status=none", from.display(), to.display()));
    File::options().write(true).open(to).unwrap().set_len(OFFSET + LEN + (1 << 20)).unwrap();
}

fn mounted(image: &Path, kind: Kind) -> Result<Mounted, String> {
    let volume = File::open(image).unwrap();
    let part = Part { volume: volume.as_fd(), offset: OFFSET, len: LEN, kind };
    mount::mount(&Program::this(), &part)
}

fn inventory(machine: &Machine) -> Outcome {
    let names = AtomicU64::new(0);
    snapscan_inventory::run(machine.tree.as_ref().unwrap(), Options { profile: Profile::Os }, &names)
}

fn ours(image: &Path) -> Outcome {
    let whole = Arc::new(FileSource::new(File::open(image).unwrap()).unwrap());
    let source = Arc::new(Window::new(whole, OFFSET, LEN));
    inventory(&Machine::open(&[Disk { name: b"disk".to_vec(), source }], &[]))
}

fn kernels(mounted: Mounted) -> Outcome {
    let fs = Arc::new(KernelFs::new(mounted.folder.try_clone().unwrap()).unwrap());
    inventory(&Machine::of_filesystem(fs, b"disk".to_vec()))
}

/// What was found, without where: a folder has no places within a volume.
fn found(outcome: &Outcome) -> Vec<String> {
    let strip = |finding: &snapscan_schema::Finding| {
        let mut value = serde_json::to_value(finding).unwrap();
        value.as_object_mut().unwrap().remove("evidence");
        value.to_string()
    };
    let mut all: Vec<_> = outcome.findings.iter().map(strip).collect();
    all.sort();
    all
}

fn a_clean_filesystem_reads_as_with_our_readers(image: &Path, kind: Kind) {
    let mounted = mounted(image, kind).unwrap();
    assert!(!mounted.dirty, "{}", kind.name());
    let (kernels, ours) = (kernels(mounted), ours(image));
    assert!(ours.findings.len() >= 2000, "{}", ours.findings.len());
    assert_eq!(found(&kernels), found(&ours), "{}", kind.name());
    assert_eq!(kernels.hostname, ours.hostname);
    println!("{}: {} findings, as ours", kind.name(), ours.findings.len());
}

fn a_dirty_filesystem_is_mounted_without_its_journal_and_says_so(image: &Path, kind: Kind) {
    let before = fs::read(image).unwrap();
    let mounted = mounted(image, kind).unwrap();
    assert!(mounted.dirty, "{}", kind.name());
    drop(mounted);
    assert!(fs::read(image).unwrap() == before, "{}: the image has changed", kind.name());
    println!("{}: dirty, not replayed, not written to", kind.name());
}

fn another_filesystem_is_mounted_below_where_no_link_leads(clean: &Path, dirty: &Path, kind: Kind) {
    let (root, other) = (File::open(clean).unwrap(), File::open(dirty).unwrap());
    let part = |volume| Part { volume, offset: OFFSET, len: LEN, kind };
    let mut mounted = mount::mount(&Program::this(), &part(root.as_fd())).unwrap();
    let below = |mounted: &mut Mounted, at: &str| mounted.below(&part(root.as_fd()), at.as_bytes());
    // The link leads to a file, the next one out of the tree; the last folder is not there.
    for at in ["/etc/os-release", "/etc/out", "/etc/out/tmp", "/../../tmp/x", "/srv"] {
        let error = below(&mut mounted, at).unwrap_err();
        assert!(error.starts_with("the folder to mount it on: "), "{at}: {error}");
    }
    let not_there = Part { offset: 1 << 40, ..part(other.as_fd()) };
    assert!(mounted.below(&not_there, b"/usr/lib").is_err());
    assert_eq!(below(&mut mounted, "/usr/lib"), Ok(false), "{}", kind.name());
    // Beneath what was mounted below the root already.
    assert_eq!(below(&mut mounted, "/usr/lib/var/lib"), Ok(false), "{}", kind.name());
    assert_eq!(mounted.below(&part(other.as_fd()), b"/etc"), Ok(true), "{}", kind.name());
    assert!(mounted.is_there().unwrap());
    let fs = Arc::new(KernelFs::new(mounted.folder.try_clone().unwrap()).unwrap());
    let machine = Machine::of_filesystem(fs, b"disk".to_vec());
    let tree = machine.tree.as_ref().unwrap();
    for (path, is_there) in [
        ("/usr/lib/usr/lib/os-release", true),
        ("/usr/lib/os-release", false),
        ("/usr/lib/var/lib/usr/lib/os-release", true),
        ("/var/lib/dpkg/status", true),
    ] {
        let found = tree.read(&MachinePath::from(path), 10).unwrap();
        assert_eq!(found.is_some(), is_there, "{}: {path}", kind.name());
    }
    println!("{}: mounted below, twice", kind.name());
}

fn a_device_is_read_only_once_it_is_open(image: &Path) {
    let made = Command::new("losetup").args(["-f", "--show"]).arg(image).output().unwrap();
    let path = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
    let device = device::open(&path).unwrap();
    assert_eq!((device.len, device.sector), (OFFSET + LEN + (1 << 20), Some(512)));
    assert!(device::identify(&device.file).is_err(), "a loop device is no NVMe controller");
    let written = File::options().write(true).open(&path).and_then(|file| {
        std::os::unix::fs::FileExt::write_at(&file, &[1], 0)?;
        file.sync_all()
    });
    assert!(written.is_err(), "the device could be written to");
    drop(device);
    // The flag outlives the loop device, and the next one with its number would have it.
    run(&format!("blockdev --setrw {0} && losetup -d {0}", path.display()));
}

fn what_is_no_filesystem_is_an_error_in_words() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(OFFSET + LEN).unwrap();
    let error = mounted(image.path(), Kind::Ext4).unwrap_err();
    assert!(error.starts_with("mounting as ext4: "), "{error}");
}

/// The mounts are not seen from outside, and the loop devices have gone with them.
fn nothing_is_left_behind() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("nosymfollow"), "{mounts}");
    let loops = String::from_utf8(Command::new("losetup").args(["-a"]).output().unwrap().stdout).unwrap();
    assert!(!loops.contains("clean.img") && !loops.contains("dirty.img"), "{loops}");
}
