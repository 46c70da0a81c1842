// SPDX-License-Identifier: Apache-2.0
//! Journals that the kernel and debugfs wrote: the overlay against e2fsck's recovery of a copy, block by block.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::super::{Area, Counts, Expect, Loaded, Overlay, load};
use crate::source::{BlockSource, file::FileSource, read_vec};

/// Runs a shell script with `$1` as `path`; what it prints.
fn sh(script: &str, path: &Path) -> String {
    let out = Command::new("sh").args(["-ec", script, "sh"]).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{script}\n{text}\n{}", String::from_utf8_lossy(&out.stderr));
    text
}

/// True if e2fsprogs are here.
fn has_tools() -> bool {
    let found = Command::new("debugfs").arg("-V").stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !found {
        eprintln!("skipped: e2fsprogs are missing");
    }
    found
}

fn is_root_test() -> bool {
    if std::env::var_os("SNAPSCAN_ROOT_TESTS").is_none() {
        eprintln!("skipped: SNAPSCAN_ROOT_TESTS is not set");
        return false;
    }
    assert_eq!(sh("id -u", Path::new("")).trim(), "0", "SNAPSCAN_ROOT_TESTS needs root");
    true
}

/// A field of `dumpe2fs -h`.
fn field(image: &Path, name: &str) -> u64 {
    let text = sh("dumpe2fs -h \"$1\" 2>/dev/null", image);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().parse().unwrap()
}

/// Where debugfs says that the journal lies: its `stat` lists `(0-11):658-669, (IND):670, ...`. Bitmaps are left out
/// (`-c`): on a disk whose journal is not replayed they need not agree with their checksums yet.
fn area(image: &Path) -> Area {
    let text = sh("debugfs -c -R 'stat <8>' \"$1\" 2>&1", image);
    let list = ["BLOCKS:\n", "EXTENTS:\n"].iter().find_map(|title| text.split(title).nth(1));
    let list = list.unwrap_or_else(|| panic!("{}: {text}", image.display()));
    let mut runs = Vec::new();
    for part in list.lines().next().unwrap().split(", ") {
        let (logical, place) = part.strip_prefix('(').unwrap().split_once("):").unwrap();
        if logical.starts_with(|first: char| first.is_ascii_digit()) {
            let (first, last) = place.split_once('-').unwrap_or((place, place));
            let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
            runs.push((first, last - first + 1));
        }
    }
    Area { block_size: u32::try_from(field(image, "Block size")).unwrap(), runs }
}

fn open(path: &Path) -> FileSource {
    FileSource::new(fs::File::open(path).unwrap()).unwrap()
}

fn replay(image: &Path) -> (Arc<Overlay>, Area) {
    let area = area(image);
    let source: Arc<dyn BlockSource> = Arc::new(open(image));
    let expect = Expect { blocks_count: field(image, "Block count") };
    match load(&source, &area, &expect).unwrap() {
        Loaded::Replayed { overlay, .. } => (overlay, area),
        Loaded::Clean => panic!("{}: clean", image.display()),
        Loaded::Stale { why, .. } => panic!("{}: {why}", image.display()),
    }
}

/// Compares the overlay with a copy that e2fsck recovered: all blocks but the journal's own and the superblock, which
/// e2fsck marks. Answers what was met.
fn compare_with_e2fsck(image: &Path) -> Counts {
    let (overlay, area) = replay(image);
    let copy = sh(
        "cp --sparse=always \"$1\" \"$1.e2fsck\"; e2fsck -y -E journal_only \"$1.e2fsck\" >&2 || [ $? -le 1 ]
        echo \"$1.e2fsck\"",
        image,
    );
    let copy = open(Path::new(copy.trim()));
    let size = u64::from(area.block_size);
    let superblock = 1024 / size;
    let mut from_journal = 0_u64;
    for block in 0..overlay.len() / size {
        let in_journal = area.runs.iter().any(|(first, count)| (*first..first + count).contains(&block));
        if block == superblock || in_journal {
            continue;
        }
        let len = usize::try_from(size).unwrap();
        let ours = read_vec(overlay.as_ref(), block * size, len).unwrap();
        let theirs = read_vec(&copy, block * size, len).unwrap();
        assert!(ours == theirs, "{}: block {block} differs", image.display());
        from_journal += u64::from(overlay.covers(block * size..(block + 1) * size));
    }
    assert!(from_journal > 0);
    eprintln!("{}: {from_journal} blocks from the journal, {:?}", image.display(), overlay.counts());
    overlay.counts()
}

#[test]
fn a_real_dirty_image_is_as_e2fsck_recovers_it() {
    let Some(data) = std::env::var_os("SNAPSCAN_REALDATA").map(PathBuf::from) else {
        return eprintln!("skipped: SNAPSCAN_REALDATA is not set");
    };
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    fs::copy(data.join("images/ext4-view-test-disk-4k-block-journal/image.img"), &image).unwrap();
    let counts = compare_with_e2fsck(&image);
    assert!(counts.revokes > 0, "{counts:?}");
}

/// Makes a filesystem with `mkfs`, and a journal with debugfs: blocks, escaped blocks, what `more` says, and a
/// transaction without its commit block.
fn write_with_debugfs(image: &Path, mkfs: &str, open: &str, more: &str) {
    let script = format!(
        "truncate -s 64M \"$1\"; mkfs.ext4 -q -F {mkfs} \"$1\"
        yes text | head -c 2000000 > \"$1.data\"
        {{ printf '\\300\\073\\071\\230'; yes magic | head -c 8000; }} > \"$1.magic\"
        debugfs -w \"$1\" >/dev/null 2>\"$1.errors\" <<END\n{open}\njw -b 9000,9001,9002,9003,9004,9005 $1.data
        jw -b 9010 $1.magic\n{more}\njw -b 9003 $1.magic\njw -b 9020 -c $1.data\njc\nEND"
    );
    sh(&script, image);
}

#[test]
fn journals_that_debugfs_wrote_are_as_e2fsck_recovers_them() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let revoke = "jw -r 9001,9003,60000";
    for (name, mkfs, open, more) in [
        ("plain", "-O ^metadata_csum,^64bit", "jo", revoke),
        ("plain64", "-O ^metadata_csum,64bit", "jo", revoke),
        ("ext3", "-O ^extents,^64bit,^metadata_csum,^flex_bg -b 1024", "jo", revoke),
        ("v2", "-O ^metadata_csum,^64bit", "jo -c -v 2", ""),
        ("v2-64", "-O metadata_csum,64bit", "jo -c -v 2", ""),
        ("v3", "-O ^64bit,metadata_csum", "jo -c -v 3", ""),
        ("v3-64", "-O 64bit,metadata_csum", "jo -c -v 3", ""),
        ("v3-1k", "-b 1024 -O 64bit,metadata_csum", "jo -c -v 3", ""),
    ] {
        let image = folder.path().join(name);
        write_with_debugfs(&image, mkfs, open, more);
        let counts = compare_with_e2fsck(&image);
        let (transactions, revokes, revoked) = if more.is_empty() { (3, 0, 0) } else { (4, 3, 1) };
        assert_eq!((counts.transactions, counts.escaped), (transactions, 2), "{name}");
        assert_eq!((counts.revokes, counts.revoked), (revokes, revoked), "{name}");
    }
}

#[test]
fn a_transaction_that_e2fsck_calls_corrupt_makes_the_filesystem_stale() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    // The commit block that debugfs 1.47.0 writes after revokes alone has no right checksum.
    write_with_debugfs(&image, "-O ^metadata_csum,^64bit", "jo -c -v 2", "jw -r 9001,9003,60000");
    let area = area(&image);
    let source: Arc<dyn BlockSource> = Arc::new(open(&image));
    let loaded = load(&source, &area, &Expect { blocks_count: 16_384 }).unwrap();
    let verdict = sh("e2fsck -y -E journal_only \"$1\" 2>&1 || true", &image);
    match loaded {
        Loaded::Stale { why, overlay } => {
            assert!(why.contains("commit block of transaction 3"), "{why}");
            assert_eq!(overlay.unwrap().counts().transactions, 2);
            assert!(verdict.contains("Journal transaction 3 was corrupt"), "{verdict}");
        }
        _ => assert!(!verdict.contains("corrupt"), "{verdict}"),
    }
}

/// Work whose result stays in the journal: the filesystem is stopped after the last fsync.
const DIRTY: &str = r#"
    m=$(mktemp -d); trap 'umount $m 2>/dev/null || true; rmdir $m' EXIT
    mount -o loop "$1" $m; mkdir $m/old; for i in $(seq 200); do echo "v1 $i" > $m/old/f$i; done
    mkdir $m/old/d; for i in $(seq 400); do : > $m/old/d/a-name-to-fill-the-folder-$i; done; umount $m
    mount -o loop,commit=3600,$OPTIONS "$1" $m
    mkdir $m/new; for i in $(seq 300); do echo "v2 $i" > $m/new/g$i; done; xfs_io -c fsync $m/new/g300
    rm -r $m/old/d; for i in $(seq 1 2 200); do rm $m/old/f$i; done; xfs_io -c fsync $m/new/g1
    for i in $(seq 2 4 200); do mv $m/old/f$i $m/new/moved$i; done; ln -s ../old $m/new/link
    printf '\300\073\071\230 a journalled block that starts with the magic' > $m/new/magic
    xfs_io -c fsync $m/new/g2; xfs_io -x -c 'shutdown -f' $m
    # The kernel may write the superblock while it is copied: a torn one is no disk that ever was.
    for try in 1 2 3 4 5; do cp --sparse=always "$1" "$1.dirty"; dumpe2fs -h "$1.dirty" >/dev/null 2>&1 && break; done
    umount $m
"#;

#[test]
fn journals_that_the_kernel_wrote_are_as_e2fsck_recovers_them() {
    if !is_root_test() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, mkfs, options) in [
        ("default", "", "data=ordered"),
        ("data-journal", "", "data=journal"),
        ("v1", "-O ^metadata_csum,64bit", "journal_checksum"),
        ("v1-async", "-O ^metadata_csum,^64bit", "data=writeback,journal_async_commit"),
        ("v3-async-data", "-O metadata_csum", "data=writeback,journal_async_commit"),
        ("plain", "-O ^metadata_csum,^64bit", "data=ordered"),
        ("1k", "-b 1024", "data=journal"),
        ("ext3", "-O ^extents,^64bit,^metadata_csum,^flex_bg,^extra_isize", "data=journal"),
    ] {
        let image = folder.path().join(name);
        sh(&format!("truncate -s 200M \"$1\"; mkfs.ext4 -q -F -J size=4 {mkfs} \"$1\""), &image);
        sh(&format!("OPTIONS={options}\n{DIRTY}"), &image);
        let counts = compare_with_e2fsck(&folder.path().join(format!("{name}.dirty")));
        assert!(counts.transactions >= 2, "{name}: {counts:?}");
        let journals_data = options == "data=journal";
        assert_eq!((counts.escaped > 0, counts.revokes > 0), (journals_data, !journals_data), "{name}");
    }
}

#[test]
fn fast_commits_that_the_kernel_wrote_make_the_filesystem_stale_and_outdated_ones_do_not() {
    if !is_root_test() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    // What a loop device has written is in its file at once, so that a copy under the mount is a cut.
    let script = r#"truncate -s 200M "$1"; mkfs.ext4 -q -F -O fast_commit -J size=16 "$1"
        m=$(mktemp -d); trap 'umount $m 2>/dev/null || true; rmdir $m' EXIT
        mount -o loop,commit=3600 "$1" $m; mkdir $m/a; echo x > $m/a/1; echo x > $m/a/2; sync -f $m
        echo y >> $m/a/1; xfs_io -c fsync $m/a/1; echo z > $m/a/new; xfs_io -c fsync $m/a/new
        cp --sparse=always "$1" "$1.live"; sync -f $m; cp --sparse=always "$1" "$1.outdated""#;
    sh(script, &image);
    for (name, is_stale) in [("image.live", true), ("image.outdated", false)] {
        let image = folder.path().join(name);
        let tags = sh("debugfs -R 'logdump -a' \"$1\" 2>/dev/null", &image);
        assert!(tags.contains("tag HEAD"), "{tags}");
        let source: Arc<dyn BlockSource> = Arc::new(open(&image));
        match load(&source, &area(&image), &Expect { blocks_count: 51_200 }).unwrap() {
            Loaded::Stale { why, overlay } => assert!(is_stale && overlay.is_some(), "{name}: {why}"),
            Loaded::Replayed { .. } => assert!(!is_stale, "{name}"),
            Loaded::Clean => panic!("{name}: clean"),
        }
    }
}
