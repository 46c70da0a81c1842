// SPDX-License-Identifier: Apache-2.0
//! Every filesystem reader against one suite of facts.
#![allow(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

#[path = "conformance/host.rs"]
mod host;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use snapscan_disk::BlockSource;
use snapscan_disk::fs::conformance::{Item, What, in_memory, reference, violated};
use snapscan_disk::fs::kernel::KernelFs;
use snapscan_disk::fs::{FileSystem, FileType};
use snapscan_disk::source::file::FileSource;

/// Bytes of an image: the smallest that mkfs.xfs makes is 300 MB.
const IMAGE: u64 = 400 << 20;

/// Runs the suite in two threads at once, and expects that all holds.
fn conforms(fs: &dyn FileSystem, items: &[Item], source: Option<&dyn BlockSource>) {
    let both = std::thread::scope(|scope| {
        let other = scope.spawn(|| violated(fs, items, source));
        [violated(fs, items, source), other.join().unwrap()]
    });
    for found in both {
        assert!(found.is_empty(), "{} facts violated:\n{}", found.len(), first_lines(&found));
    }
}

fn first_lines(found: &[String]) -> String {
    found.iter().take(60).map(|line| line.chars().take(300).collect::<String>() + "\n").collect()
}

fn kernel(path: &Path) -> KernelFs {
    KernelFs::new(File::open(path).unwrap().into()).unwrap()
}

/// True if tests that need root are wanted; then root must be there.
fn root_tests(test: &str) -> bool {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none_or(|value| value != "1") {
        eprintln!("{test}: skipped, since SNAPSCAN_ROOT_TESTS=1 is not set");
        return false;
    }
    assert!(rustix_is_root(), "SNAPSCAN_ROOT_TESTS=1 wants root");
    true
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What an ordinary user can make.
fn ordinary() -> Vec<Item> {
    let mut items = reference();
    items.retain(|item| !matches!(item.what, What::Device(..)));
    for item in &mut items {
        item.owner = None;
        item.xattrs.retain(|(name, _)| name.starts_with("user."));
    }
    items
}

/// What `mkfs.ext4 -d` of e2fsprogs 1.47 takes over: no sockets, and of a time 32 bits of seconds.
fn taken_by_mkfs(mut items: Vec<Item>) -> Vec<Item> {
    items.retain(|item| item.what != What::Socket);
    for item in &mut items {
        item.mtime = item.mtime.filter(|time| time.nanos == 0 && i32::try_from(time.seconds).is_ok());
    }
    items
}

/// A sparse file that this command makes into a filesystem.
fn make(directory: &Path, command: &[&str]) -> std::path::PathBuf {
    let image = directory.join("image");
    File::create(&image).unwrap().set_len(IMAGE).unwrap();
    host::run(Command::new(command[0]).args(&command[1..]).arg(&image));
    image
}

fn open(image: &Path) -> (Arc<dyn BlockSource>, Arc<dyn FileSystem>) {
    let source: Arc<dyn BlockSource> = Arc::new(FileSource::new(File::open(image).unwrap()).unwrap());
    let fs = snapscan_disk::fs::open(&source).unwrap().unwrap();
    (source, fs)
}

/// Makes the whole tree on a mounted image, and holds both readers to it: the kernel's and the image's own.
fn mounted_and_by_us(command: &[&str]) {
    let scratch = host::scratch();
    let image = make(scratch.path(), command);
    let items = reference();
    let mut shown = items.clone();
    {
        let mounted = host::Mounted::new(&image, "rw,loop");
        host::materialise(mounted.path(), &items);
    }
    {
        let mounted = host::Mounted::new(&image, "ro,loop");
        // Never the year 2446 on inodes of 128 bytes and the like: what the kernel kept is the truth there.
        host::keep_times_that_were_kept(mounted.path(), &mut shown);
        conforms(&kernel(mounted.path()), &shown, None);
    }
    let (source, fs) = open(&image);
    conforms(fs.as_ref(), &shown, Some(source.as_ref()));
}

#[test]
fn the_tree_in_memory_conforms() {
    let items = reference();
    let tree = in_memory(&items).unwrap();
    conforms(&tree, &items, None);
}

#[test]
fn the_suite_notices_what_is_missing_or_wrong() {
    let items = reference();
    let mut changed = items.clone();
    changed.retain(|item| item.path != b"wide/entry-1234");
    for item in &mut changed {
        match item.path.as_slice() {
            b"metadata/file-600" => item.mode = Some(0o601),
            b"files/size-4097" => item.what = What::File { size: 4097, pieces: vec![(0, vec![7; 4097])] },
            b"links/bytes" => item.what = What::Symlink(b"\xff\n".to_vec()),
            b"attributes/small" => item.xattrs.clear(),
            b"metadata/fifo" => item.what = What::Device(FileType::CharDevice, 1, 1),
            _ => {}
        }
    }
    let found = violated(&in_memory(&changed).unwrap(), &items, None).join("\n");
    for path in [
        "entry-1234",
        "/metadata/file-600:",
        "/files/size-4097:",
        "/links/bytes:",
        "/attributes/small:",
        "fifo:",
    ] {
        assert!(found.contains(path), "{path} is not in:\n{found}");
    }
}

#[test]
fn the_kernels_tree_conforms_for_an_ordinary_user() {
    let scratch = tempfile::tempdir().unwrap();
    let items = ordinary();
    host::materialise(scratch.path(), &items);
    let mut shown = items;
    host::keep_times_that_were_kept(scratch.path(), &mut shown);
    conforms(&kernel(scratch.path()), &shown, None);
}

#[test]
fn ext4_conforms_as_mkfs_fills_it() {
    let scratch = host::scratch();
    let tree = scratch.path().join("tree");
    let items = taken_by_mkfs(ordinary());
    std::fs::create_dir(&tree).unwrap();
    host::materialise(&tree, &items);
    let tree = tree.to_str().unwrap();
    let image =
        make(scratch.path(), &["/sbin/mkfs.ext4", "-q", "-F", "-b", "4096", "-N", "8000", "-d", tree]);
    let (source, fs) = open(&image);
    conforms(fs.as_ref(), &items, Some(source.as_ref()));
}

#[test]
fn ext4_conforms_with_all_facts() {
    if root_tests("ext4_conforms_with_all_facts") {
        mounted_and_by_us(&["mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256"]);
    }
}

#[test]
fn ext4_with_inline_data_and_small_blocks_conforms() {
    if root_tests("ext4_with_inline_data_and_small_blocks_conforms") {
        mounted_and_by_us(&[
            "mkfs.ext4",
            "-q",
            "-F",
            "-b",
            "1024",
            "-O",
            "inline_data,ea_inode",
            "-I",
            "512",
        ]);
    }
}

#[test]
fn ext3_conforms_with_all_facts() {
    if root_tests("ext3_conforms_with_all_facts") {
        mounted_and_by_us(&["mkfs.ext3", "-q", "-F", "-b", "4096", "-I", "256"]);
    }
}

#[test]
fn xfs_conforms_with_all_facts() {
    if root_tests("xfs_conforms_with_all_facts") {
        mounted_and_by_us(&["mkfs.xfs", "-q", "-f"]);
    }
}

#[test]
fn xfs_with_small_blocks_conforms() {
    if root_tests("xfs_with_small_blocks_conforms") {
        mounted_and_by_us(&["mkfs.xfs", "-q", "-f", "-b", "size=1024", "-n", "size=4096", "-i", "nrext64=1"]);
    }
}
