// SPDX-License-Identifier: Apache-2.0
//! How many blocks are in flight while every name is walked, counted in latencies and not in time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use snapscan_disk::machine::{Guide, Step};
use snapscan_schema::Finding;

use super::*;

/// Reads ahead or does not, and leaves nothing out.
struct Ahead(bool);

impl Guide for Ahead {
    fn enter(&self, _: Step<'_>) {}

    fn leaves_out(&self, _: Step<'_>) -> Option<String> {
        None
    }

    fn reads_ahead(&self) -> bool {
        self.0
    }
}

/// What a walk over all names of an image was like.
struct Walked {
    counts: Counts,
    /// Blocks in flight, latency by latency.
    flights: Vec<usize>,
    names: u64,
    findings: Vec<Finding>,
}

/// Walks the one filesystem of an image through the block socket, with two threads.
fn walk(path: &Path, ahead: bool) -> Walked {
    let (serving, stop, driver) = serve_image(path);
    let disk = Disk { name: b"disk".to_vec(), source: Arc::clone(&serving.sources[0]) };
    let machine = Machine::open(&[disk], &[]);
    let names = AtomicU64::new(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let tree = machine.tree.as_ref().expect("a tree");
    let outcome = pool.install(|| snapscan_inventory::walk_alone_guided(tree, &names, &Ahead(ahead)));
    stop.store(true, Ordering::Release);
    let flights = driver.join().unwrap();
    drop(machine);
    let counts = serving.end();
    Walked { counts, flights, names: names.into_inner(), findings: outcome.findings }
}

/// Levels of folders, and names in each folder.
const LEVELS: u32 = 5;
const NAMES: u32 = 4;

/// The names of all folders of so many levels below `folder`, each after the one that it lies in.
fn folders(folder: &str, levels: u32) -> Vec<String> {
    let below = (0..NAMES).map(|name| format!("{folder}/folder-{name}"));
    let with_theirs = |path: String| {
        let more = if levels > 1 { folders(&path, levels - 1) } else { Vec::new() };
        std::iter::once(path).chain(more)
    };
    below.flat_map(with_theirs).collect()
}

/// An ext4 of 1,364 folders with three files each, whose inodes are as large as they can be and lie in 43 blocks.
fn ext4(scratch: &Path) -> PathBuf {
    let (tree, image) = (scratch.join("tree"), scratch.join("ext4.img"));
    for folder in folders("", LEVELS) {
        fs::create_dir_all(tree.join(&folder[1..])).unwrap();
        (0..3).for_each(|name| fs::write(tree.join(format!("{}/file-{name}", &folder[1..])), b"").unwrap());
    }
    fs::create_dir(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/os-release"), "ID=test\n").unwrap();
    make(
        &image,
        "mkfs.ext4",
        &["-q", "-F", "-b", "4096", "-I", "4096", "-N", "8192", "-d", tree.to_str().unwrap()],
    );
    image
}

/// An XFS of the same names, whose inodes are as large as they can be and lie in 22 blocks.
fn xfs(scratch: &Path) -> PathBuf {
    let (list, image) = (scratch.join("list"), scratch.join("xfs.img"));
    fn fill(levels: u32, to: &mut String) {
        for name in 0..NAMES {
            to.push_str(&format!("folder-{name} d--755 0 0\n"));
            if levels > 1 {
                fill(levels - 1, to);
            }
            (0..3).for_each(|name| to.push_str(&format!("file-{name} ---644 0 0 /dev/null\n")));
            to.push_str("$\n");
        }
    }
    let release = scratch.join("os-release");
    fs::write(&release, "ID=test\n").unwrap();
    let mut text = format!(
        "/dev/null\n0 0\nd--755 0 0\netc d--755 0 0\nos-release ---644 0 0 {}\n$\n",
        release.display()
    );
    fill(LEVELS, &mut text);
    text.push_str("$\n");
    fs::write(&list, text).unwrap();
    make(&image, "mkfs.xfs", &["-q", "-f", "-i", "size=2048", "-p", list.to_str().unwrap()]);
    image
}

fn make(image: &Path, program: &str, options: &[&str]) {
    // The smallest that mkfs.xfs makes is 300 MB.
    File::create(image).unwrap().set_len(320 << 20).unwrap();
    let mut command = Command::new(program);
    command.args(options).arg(image).env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin");
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Six levels of folders, of which each is two reads away from the one above it.
#[test]
fn a_walk_of_many_levels_waits_for_few_latencies_and_fetches_nothing_in_vain() {
    for make in [ext4, xfs] {
        let scratch = tempfile::tempdir().unwrap();
        let image = make(scratch.path());
        let (plain, ahead) = (walk(&image, false), walk(&image, true));
        assert!(plain.names >= 5_458 && plain.names == ahead.names, "{} {}", plain.names, ahead.names);
        assert_eq!(plain.findings, ahead.findings);
        assert_eq!((ahead.counts.refetches, ahead.counts.refused), (0, 0));
        // The headers and trees of XFS's groups share their blocks with other metadata, or are one for each group.
        assert!(ahead.counts.blocks <= plain.counts.blocks + 4, "{:?} {:?}", plain.counts, ahead.counts);
        assert!(ahead.flights.len() <= 10, "{:?}", ahead.flights);
    }
}

#[test]
fn folders_that_the_tree_does_not_have_are_not_read_ahead() {
    let scratch = tempfile::tempdir().unwrap();
    let image = ext4(scratch.path());
    let (serving, stop, driver) = serve_image(&image);
    let disk = Disk { name: b"disk".to_vec(), source: Arc::clone(&serving.sources[0]) };
    let opened = || Machine::open(&[disk], &[]).tree.expect("a tree");
    let tree = opened();
    let path = snapscan_disk::MachinePath::new(b"/folder-0/folder-0/folder-0/folder-0");
    let below = tree.resolve(&path, snapscan_disk::machine::Follow::Links).unwrap().unwrap();
    let tree = tree.moved_to(below.location);
    let names = AtomicU64::new(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| snapscan_inventory::walk_alone(&tree, &names));
    stop.store(true, Ordering::Release);
    driver.join().unwrap();
    drop(tree);
    let counts = serving.end();
    assert!(names.into_inner() > 10 && counts.blocks < 12, "{counts:?}");
}
