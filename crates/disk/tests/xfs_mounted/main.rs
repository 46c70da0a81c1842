// SPDX-License-Identifier: Apache-2.0
//! Every form of XFS, made by the kernel, read by us, compared with the kernel's own reading.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod populate;
#[path = "../walk/mod.rs"]
mod walk;

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::populate::{Load, populate};
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::fs::{Extents, FileSystem, FileType, State, Xattr, xfs};

/// True if tests that need root shall run.
fn may_mount() -> bool {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
        eprintln!("not run: SNAPSCAN_ROOT_TESTS is not set");
        return false;
    }
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    assert!(root, "SNAPSCAN_ROOT_TESTS is set and this is not root");
    true
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A mount that ends with its owner.
struct Mount(PathBuf);

impl Mount {
    fn new(image: &Path, at: &Path, options: &str) -> Mount {
        std::fs::create_dir_all(at).unwrap();
        run(Command::new("mount").args(["-t", "xfs", "-o", &format!("loop,{options}")]).args([image, at]));
        Mount(at.to_path_buf())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.0));
    }
}

/// A folder of images in memory, if there is one: a slow disk makes these tests minutes long.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn make(folder: &Path, options: &[&str]) -> PathBuf {
    let image = folder.join("image");
    File::create(&image).unwrap().set_len(1 << 30).unwrap();
    run(Command::new("mkfs.xfs").arg("-q").args(options).arg(&image));
    image
}

/// Makes, fills and reads a filesystem, and compares it with the kernel's reading.
fn check(options: &[&str], load: &Load) {
    if !may_mount() {
        return;
    }
    let folder = scratch();
    let image = make(folder.path(), options);
    let at = folder.path().join("mounted");
    populate(&Mount::new(&image, &at, "rw").0, load);
    let fs = xfs::Xfs::open(walk::source(&image)).unwrap();
    assert_eq!(fs.info().state, State::Clean);
    assert_eq!(u64::from(fs.info().block_size), load.block);
    let ours = walk::walk(&fs);
    assert_eq!(fs.notes(), []);
    unwritten_is_told(&fs, load);
    let mount = Mount::new(&image, &at, "ro,norecovery");
    let kernel = KernelFs::new(File::open(&mount.0).unwrap().into()).unwrap();
    compare(ours, walk::walk(&kernel), &mount.0);
}

/// Attributes of what the kernel reader cannot open: it has a descriptor and no path.
fn attributes_by_path(path: &Path) -> Vec<Xattr> {
    let mut names = vec![0; 65_536];
    let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let mut all: Vec<Xattr> = names
        .map(|name| {
            let mut value = vec![0; 65_536];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            Xattr { name: name.to_vec(), value: value[..len].to_vec() }
        })
        .collect();
    all.sort();
    all
}

fn compare(ours: walk::Tree, mut theirs: walk::Tree, mount: &Path) {
    for (path, seen) in &ours {
        let text = path.escape_ascii();
        let mut other = theirs.remove(path).unwrap_or_else(|| panic!("{text}: the kernel has no such path"));
        // The kernel tells neither generation nor a number of the device that we could know.
        other.metadata.identity.device = 0;
        other.metadata.identity.generation = seen.metadata.identity.generation;
        if !matches!(seen.metadata.kind, FileType::File | FileType::Directory) {
            other.xattrs = attributes_by_path(&mount.join(std::ffi::OsStr::from_bytes(path)));
        }
        assert_eq!(seen.metadata, other.metadata, "{text}");
        assert_eq!(seen.xattrs.len(), other.xattrs.len(), "{text}: {:?} {:?}", seen.xattrs, other.xattrs);
        assert!(*seen == other, "{text}: content, target or attributes differ");
    }
    assert_eq!(theirs.keys().collect::<Vec<_>>(), [] as [&Vec<u8>; 0], "paths that only the kernel has");
    assert!(ours.len() > 1000);
}

fn unwritten_is_told(fs: &xfs::Xfs, load: &Load) {
    let node = fs.lookup(fs.root(), b"unwritten").unwrap().unwrap();
    let extents = fs.open(node).unwrap().extents(0..u64::MAX).unwrap();
    let forms: Vec<_> = extents.iter().map(|extent| matches!(extent.place, Extents::Unwritten)).collect();
    assert_eq!(forms, [true, false, true]);
    assert_eq!(extents[1].range, 7 * load.block..8 * load.block);
}

#[test]
fn filesystem_with_a_full_log_reads_as_the_kernel_recovers_it() {
    if !may_mount() {
        return;
    }
    let folder = scratch();
    let image = make(folder.path(), &[]);
    let at = folder.path().join("mounted");
    let copy = folder.path().join("copy");
    {
        let mount = Mount::new(&image, &at, "rw");
        populate(&mount.0, &Load { names: 2000, extents: 500, block: 4096, reflink: true });
        // The log is flushed and nothing else: what the machine's last seconds leave behind.
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown -f"]).arg(&mount.0));
        run(Command::new("cp").arg("--sparse=always").args([&image, &copy]));
    }
    let fs = xfs::Xfs::open(walk::source(&copy)).unwrap();
    assert!(matches!(fs.info().state, State::Replayed { .. }), "{:?}", fs.info().state);
    let ours = walk::walk(&fs);
    let mount = Mount::new(&copy, &at, "rw,noatime");
    let kernel = KernelFs::new(File::open(&mount.0).unwrap().into()).unwrap();
    compare(ours, walk::walk(&kernel), &mount.0);
}

#[test]
fn default_filesystem_reads_as_the_kernel_does() {
    check(&[], &Load { names: 20_000, extents: 12_000, block: 4096, reflink: true });
}

#[test]
fn blocks_of_1_kib_with_reverse_map_read_as_the_kernel_does() {
    let options = ["-b", "size=1024", "-m", "rmapbt=1"];
    check(&options, &Load { names: 20_000, extents: 20_000, block: 1024, reflink: true });
}

#[test]
fn folders_of_64_kib_blocks_read_as_the_kernel_does() {
    let options = ["-n", "size=65536", "-m", "reflink=0"];
    check(&options, &Load { names: 20_000, extents: 500, block: 4096, reflink: false });
}

#[test]
fn blocks_of_64_kib_read_as_the_kernel_does() {
    check(&["-b", "size=65536"], &Load { names: 5000, extents: 500, block: 65_536, reflink: true });
}

#[test]
fn inodes_of_2_kib_with_large_counters_read_as_the_kernel_does() {
    let options = ["-i", "size=2048,nrext64=1"];
    check(&options, &Load { names: 3000, extents: 30_000, block: 4096, reflink: true });
}

#[test]
fn sectors_of_4_kib_without_sparse_inodes_and_big_times_read_as_the_kernel_does() {
    let options = ["-s", "size=4096", "-i", "sparse=0", "-m", "bigtime=0,finobt=0,inobtcount=0,reflink=0"];
    check(&options, &Load { names: 3000, extents: 500, block: 4096, reflink: false });
}

#[test]
fn scattered_folders_of_1_kib_blocks_in_groups_read_as_the_kernel_does() {
    let options = ["-b", "size=1024", "-n", "size=4096", "-d", "agcount=8", "-i", "size=512"];
    check(&options, &Load { names: 8000, extents: 5000, block: 1024, reflink: true });
}
