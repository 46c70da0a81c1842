// SPDX-License-Identifier: Apache-2.0
//! Images that mke2fs makes of a folder, compared with that folder, and with another reader.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that failed")]

mod walk;

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use snapscan_disk::fs::ext4::Ext4;
use snapscan_disk::fs::{FileSystem, FileType, Note, State};
use snapscan_disk::source::{cache::Cache, count::Counting, rounds::Rounds};
use snapscan_disk::{BlockSource, Error, Scope};

/// Names in the large folder.
const MANY: u32 = 3_000;

/// True if e2fsprogs are here.
fn has_tools() -> bool {
    let found = Command::new("mke2fs").arg("-V").stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !found {
        eprintln!("skipped: e2fsprogs are missing");
    }
    found
}

fn run(program: &str, arguments: &[&str], path: &Path, accepted: &[i32]) {
    let done = Command::new(program).args(arguments).arg(path).output().unwrap();
    let code = done.status.code().unwrap();
    assert!(accepted.contains(&code), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Files of all odd kinds that need no root: sizes about a block, holes, many pieces, links, long names.
fn fill(folder: &Path, many: u32) {
    for size in [0, 1, 59, 60, 61, 100, 160, 1023, 1024, 4096, 4097, 300_000] {
        let content: Vec<u8> = (0..size).map(|at: u32| u8::try_from(at % 251).unwrap()).collect();
        fs::write(folder.join(format!("size-{size}")), content).unwrap();
    }
    let holes = fs::File::create(folder.join("pieces")).unwrap();
    for piece in 0..1500_u64 {
        holes.write_all_at(&(piece + 1).to_le_bytes(), piece * 8192).unwrap();
    }
    holes.set_len(1500 * 8192 + 12_345).unwrap();
    fs::File::create(folder.join("sparse")).unwrap().set_len(5 << 30).unwrap();
    for length in [1, 59, 60, 61, 200, 1000] {
        symlink("t".repeat(length), folder.join(format!("link-{length}"))).unwrap();
    }
    fs::hard_link(folder.join("size-61"), folder.join("second name")).unwrap();
    let deep = folder.join("a/b/c/d");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("n".repeat(255)), "long").unwrap();
    fs::write(deep.join("caf\u{e9}"), "not ASCII").unwrap();
    fs::create_dir(folder.join("many")).unwrap();
    for number in 0..many {
        fs::write(folder.join(format!("many/name-{number}")), "").unwrap();
    }
}

/// An image of a folder.
fn make(folder: &Path, image: &Path, options: &str, size: &str) {
    let mut arguments =
        vec!["-q", "-F", "-U", "12345678-9abc-4def-8123-456789abcdef", "-d", folder.to_str().unwrap()];
    arguments.extend(options.split_whitespace());
    let done = Command::new("mke2fs").args(arguments).arg(image).arg(size).output().unwrap();
    assert!(done.status.success(), "mke2fs {options}: {}", String::from_utf8_lossy(&done.stderr));
}

fn open(image: &Path) -> Ext4 {
    Ext4::open(walk::source(image)).unwrap()
}

/// Every path of the folder is in the image with its mode, owner, size, time and content, and nothing else is.
fn compare(tree: &walk::Tree, folder: &Path, sparse_is_read: bool) {
    let mut waiting = vec![PathBuf::new()];
    let mut paths = 1;
    while let Some(path) = waiting.pop() {
        let here = folder.join(&path);
        let expected = here.symlink_metadata().unwrap();
        let seen = &tree[path.as_os_str().as_encoded_bytes()];
        let shown = path.display();
        assert_eq!(seen.metadata.mode, expected.mode() & 0o7777, "{shown}");
        assert_eq!((seen.metadata.uid, seen.metadata.gid), (expected.uid(), expected.gid()), "{shown}");
        if expected.is_dir() {
            assert_eq!(seen.metadata.kind, FileType::Directory, "{shown}");
            for entry in fs::read_dir(&here).unwrap() {
                waiting.push(path.join(entry.unwrap().file_name()));
                paths += 1;
            }
            continue;
        }
        // mke2fs gives folders times of its own.
        assert_eq!(seen.metadata.mtime.seconds, expected.mtime(), "{shown}");
        assert_eq!(
            (seen.metadata.size, u64::from(seen.metadata.links)),
            (expected.len(), expected.nlink()),
            "{shown}"
        );
        if expected.is_symlink() {
            let target = fs::read_link(&here).unwrap();
            assert_eq!(seen.target.as_deref(), Some(target.as_os_str().as_encoded_bytes()), "{shown}");
        } else if path != Path::new("sparse") || sparse_is_read {
            assert_eq!(seen.content, Some(digest_of(&here)), "{shown}");
        }
    }
    assert_eq!(tree.len(), paths + usize::from(tree.contains_key(&b"lost+found"[..])));
}

fn digest_of(path: &Path) -> String {
    let content = fs::read(path).unwrap();
    use sha2::Digest;
    sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the other reader says of the same image; false if it does not know a feature of it.
fn compare_with_ext4_view(tree: &walk::Tree, image: &Path) -> bool {
    let other = match ext4_view::Ext4::load(Box::new(fs::read(image).unwrap())) {
        Err(ext4_view::Ext4Error::Incompatible(_)) => return false,
        other => other.unwrap(),
    };
    for (path, seen) in tree.iter().filter(|(path, _)| !path.starts_with(b"many/")) {
        let path = [b"/", path.as_slice()].concat();
        let path = ext4_view::Path::new(&path);
        let metadata = other.symlink_metadata(path).unwrap();
        assert_eq!(u32::from(metadata.mode() & 0o7777), seen.metadata.mode, "{path:?}");
        assert_eq!(metadata.len(), seen.metadata.size, "{path:?}");
        assert_eq!((metadata.uid(), metadata.gid()), (seen.metadata.uid, seen.metadata.gid), "{path:?}");
    }
    true
}

#[test]
fn every_variant_of_mke2fs_gives_the_folder_back() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 150);
    fs::remove_file(folder.join("sparse")).unwrap();
    let variants = [
        "-t ext4",
        "-t ext4 -b 1024",
        "-t ext4 -b 2048 -I 512",
        "-t ext4 -b 65536",
        "-t ext2 -I 128",
        "-t ext2 -b 1024 -r 0",
        "-t ext3 -b 1024",
        "-t ext4 -O ^64bit",
        "-t ext4 -O ^metadata_csum,uninit_bg",
        "-t ext4 -O ^metadata_csum,^uninit_bg,^flex_bg",
        "-t ext4 -O ^flex_bg",
        "-t ext4 -O bigalloc -C 16384",
        "-t ext4 -b 1024 -O bigalloc -C 8192",
        "-t ext4 -O meta_bg,^resize_inode -b 1024",
        "-t ext4 -O sparse_super2",
        "-t ext4 -O metadata_csum_seed,large_dir,ea_inode,encrypt,mmp,quota,project,verity",
        "-t ext4 -O casefold -E encoding=utf8",
        "-t ext4 -O ^extents,^64bit",
        "-t ext4 -O ^filetype",
        "-t ext4 -O ^dir_index",
        "-t ext4 -O ^sparse_super,^resize_inode",
        "-t ext4 -O inline_data",
        "-t ext4 -O inline_data -I 1024",
    ];
    let mut second_opinions = 0;
    for options in variants {
        let image = scratch.path().join("image");
        if options == "-t ext4 -O inline_data" {
            // mke2fs 1.47.0 writes a wrong size for a file with holes then, as debugfs shows.
            fs::remove_file(folder.join("pieces")).unwrap();
        }
        make(&folder, &image, options, "96M");
        let fs = open(&image);
        assert_eq!((fs.info().state.clone(), fs.notes()), (State::Clean, vec![]), "{options}");
        let tree = walk::walk(&fs);
        compare(&tree, &folder, true);
        second_opinions += usize::from(compare_with_ext4_view(&tree, &image));
        fs::remove_file(image).unwrap();
    }
    assert!(second_opinions >= 10, "{second_opinions}");
}

#[test]
fn names_of_a_large_folder_are_found_by_its_index_with_few_reads() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, MANY);
    for hash in ["half_md4", "tea", "legacy"] {
        let image = scratch.path().join("image");
        make(
            &folder,
            &image,
            "-t ext4 -b 1024 -N 30000 -E hash_seed=12345678-9abc-4def-8123-456789abcdef",
            "128M",
        );
        run("tune2fs", &["-E", &format!("hash_alg={hash}")], &image, &[0]);
        run("e2fsck", &["-fyD"], &image, &[0, 1]);
        let counting = Arc::new(Counting::new(walk::source(&image)));
        let fs = Ext4::open(counting.clone()).unwrap();
        let many = fs.lookup(fs.root(), b"many").unwrap().unwrap();
        let names = walk::list(&fs, many);
        assert_eq!(names.len(), usize::try_from(MANY).unwrap());
        let before = counting.counts().bytes;
        let (name, node) = &names[names.len() / 2];
        assert_eq!(fs.lookup(many, name).unwrap(), Some(*node));
        assert!(counting.counts().bytes - before <= 5 * 1024, "root, node, leaf, inode, extents");
        assert_eq!(fs.notes(), []);
        fs::remove_file(image).unwrap();
    }
}

#[test]
fn a_file_of_five_gibibytes_of_nothing_reads_as_zeros_without_blocks() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 1);
    for options in ["-t ext4", "-t ext3 -b 4096", "-t ext2"] {
        let image = scratch.path().join("image");
        make(&folder, &image, options, "96M");
        let fs = open(&image);
        let node = fs.lookup(fs.root(), b"sparse").unwrap().unwrap();
        let file = fs.open(node).unwrap();
        assert_eq!((file.size(), file.extents(0..u64::MAX).unwrap().len()), (5 << 30, 1));
        let mut buf = [1; 100];
        assert_eq!(file.read_at((5 << 30) - 50, &mut buf).unwrap(), 50);
        assert_eq!((&buf[..50], buf[50]), (&[0; 50][..], 1));
        let pieces = fs.open(fs.lookup(fs.root(), b"pieces").unwrap().unwrap()).unwrap();
        assert_eq!(pieces.extents(0..u64::MAX).unwrap().len(), 3000);
        fs::remove_file(image).unwrap();
    }
}

/// A small image without checksums, or with them, as bytes.
fn small(options: &str) -> Vec<u8> {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 120);
    fs::remove_file(folder.join("pieces")).unwrap();
    fs::remove_file(folder.join("sparse")).unwrap();
    let image = scratch.path().join("image");
    make(&folder, &image, options, "4M");
    run("e2fsck", &["-fyD"], &image, &[0, 1]);
    fs::read(image).unwrap()
}

/// Reads all that can be read, and bears all errors.
fn read_all(image: Vec<u8>) -> usize {
    let Ok(fs) = Ext4::open(Arc::new(image)) else { return 0 };
    let mut waiting = vec![(fs.root(), 0)];
    let mut seen = 0;
    while let Some((node, depth)) = waiting.pop() {
        seen += 1;
        if seen > 3000 || depth > 8 {
            continue;
        }
        let _attributes = fs.xattrs(node);
        let Ok(metadata) = fs.metadata(node) else { continue };
        match metadata.kind {
            FileType::Directory => {
                let mut entries = Vec::new();
                let _whole = fs.entries(node, &mut |entry| {
                    entries.extend(entry);
                    ControlFlow::Continue(())
                });
                for entry in &entries {
                    let _found = fs.lookup(node, &entry.name);
                }
                waiting.extend(entries.into_iter().map(|entry| (entry.node, depth + 1)));
            }
            FileType::Symlink => drop(fs.link_target(node)),
            FileType::File => {
                let Ok(file) = fs.open(node) else { continue };
                let mut buf = vec![0; 400_000];
                let _head = file.read_at(0, &mut buf);
                let _tail = file.read_at(file.size().saturating_sub(1000), &mut buf);
                let _extents = file.extents(0..1 << 30);
            }
            _ => {}
        }
    }
    seen
}

#[test]
fn flipped_bits_never_panic_or_hang() {
    if !has_tools() {
        return;
    }
    for options in [
        "-t ext4 -b 1024 -O ^metadata_csum,^has_journal",
        "-t ext2 -b 1024",
        "-t ext4 -b 1024 -O inline_data",
    ] {
        let image = small(options);
        assert!(read_all(image.clone()) > 100);
        let used: Vec<usize> = (0..image.len()).filter(|&at| image[at] != 0).collect();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        };
        for round in 0..150 {
            let mut broken = image.clone();
            for _ in 0..=round % 40 {
                broken[used[random(used.len())]] ^= 1 << random(8);
            }
            read_all(broken);
        }
    }
}

#[test]
fn a_lost_superblock_is_taken_from_its_copy() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 10);
    fs::remove_file(folder.join("sparse")).unwrap();
    for options in ["-t ext4 -b 1024", "-t ext4 -b 2048", "-t ext4 -b 4096"] {
        let image = scratch.path().join("image");
        make(&folder, &image, options, "300M");
        let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
        // The descriptors go too where they stand behind it in the first 4 KiB.
        file.write_all_at(&[0; 4096], 0).unwrap();
        let source = walk::source(&image);
        assert!(!snapscan_disk::fs::ext4::probe(source.as_ref()).unwrap());
        assert!(snapscan_disk::fs::ext4::probe_copies(source.as_ref()).unwrap(), "{options}");
        let fs = Ext4::open(source).unwrap();
        compare(&walk::walk(&fs), &folder, true);
        assert!(
            fs.notes().iter().any(|note| matches!(note, Note::BackupUsed(what) if what.contains("group 1"))),
            "{options}: {:?}",
            fs.notes()
        );
        assert_eq!(fs.info().state, State::Clean);
        fs::remove_file(image).unwrap();
    }
}

#[test]
fn a_damaged_index_is_passed_over_and_said() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 400);
    fs::remove_file(folder.join("sparse")).unwrap();
    for (options, why) in [("-t ext4 -b 1024", "checksum"), ("-t ext3 -b 1024", "")] {
        let image = scratch.path().join("image");
        make(&folder, &image, options, "96M");
        run("e2fsck", &["-fyD"], &image, &[0, 1]);
        let mut bytes = fs::read(&image).unwrap();
        // The index's root: `.`, `..`, then version half MD4 and a length of eight.
        let root = (0..bytes.len())
            .step_by(1024)
            .find(|&at| bytes[at + 4..at + 9] == [12, 0, 1, 2, b'.'] && bytes[at + 28..at + 31] == [1, 8, 0]);
        let root = root.unwrap();
        // The second entry gets the largest hash, so that the third is out of order.
        bytes[root + 40..root + 44].copy_from_slice(&[0xfc, 0xff, 0xff, 0xff]);
        let fs = Ext4::open(Arc::new(bytes)).unwrap();
        let many = fs.lookup(fs.root(), b"many").unwrap().unwrap();
        let mut found = 0;
        for number in 0..400 {
            match fs.lookup(many, format!("name-{number}").as_bytes()) {
                Ok(Some(_)) => found += 1,
                // With checksums the root's own two entries cannot be read, so a scan cannot say "absent".
                Err(Error::Corrupt(damage)) => assert_eq!(damage.scope, Scope::Subtree),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(found, 400, "{options}");
        assert!(fs.notes().iter().any(|note| matches!(note, Note::IndexIgnored(what) if what.contains(why))));
        fs::remove_file(image).unwrap();
    }
}

#[test]
fn a_path_is_resolved_with_one_round_a_hop() {
    if !has_tools() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fill(&folder, 1);
    let image = scratch.path().join("image");
    make(&folder, &image, "-t ext4 -b 4096", "96M");
    let counting = Arc::new(Counting::new(walk::source(&image)));
    let rounds = Arc::new(Rounds::default());
    let cache: Arc<dyn BlockSource> = Cache::new(counting.clone(), &rounds, 16 << 20);
    let mut file = None;
    rounds.run(|| {
        file = Some(Ext4::open(Arc::clone(&cache)).and_then(|fs| {
            let mut node = fs.root();
            for name in [&b"a"[..], b"b", b"c", b"d", "caf\u{e9}".as_bytes()] {
                node = fs.lookup(node, name)?.unwrap();
            }
            fs.open(node)
        }));
    });
    assert_eq!(file.unwrap().unwrap().size(), 9);
    // Superblock, descriptors, then inode and block of the root and four folders, and the file's inode; those that lie
    // in one page take no round of their own.
    assert!(rounds.count() <= 13, "{}", rounds.count());
    assert!(counting.counts().blocks_4k <= 13);
}
