// SPDX-License-Identifier: Apache-2.0
//! Fills a mounted XFS with every form in which it keeps things.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fallocate, ioctl_ficlone, lsetxattr, makedev, mknodat, utimensat,
};

/// How much of it.
pub(crate) struct Load {
    /// Names in the largest folder.
    pub(crate) names: usize,
    /// Extents of the most fragmented file.
    pub(crate) extents: u64,
    /// Bytes of a block.
    pub(crate) block: u64,
    pub(crate) reflink: bool,
}

/// Fills the filesystem mounted at `root`.
pub(crate) fn populate(root: &Path, load: &Load) {
    folders(root, load);
    content(root, load);
    links(root);
    specials(root);
    attributes(root);
    owners_and_times(root);
}

fn folders(root: &Path, load: &Load) {
    fs::create_dir(root.join("empty")).unwrap();
    // One more than the last form of a folder takes, from a few bytes up to leaves below nodes.
    for count in [1, 3, 20, 60, 150, 700, load.names] {
        let folder = root.join(format!("folder-{count}"));
        fs::create_dir(&folder).unwrap();
        for n in 0..count {
            File::create(folder.join(format!("name-{n:05}-{}", "x".repeat(n % 40)))).unwrap();
        }
    }
    // Removed names leave unused runs, stale index entries and holes.
    let sparse = root.join("folder-sparse");
    fs::create_dir(&sparse).unwrap();
    let name = |n: usize| sparse.join(format!("{n:04}-{}", "y".repeat(100)));
    (0..load.names / 4).for_each(|n| drop(File::create(name(n)).unwrap()));
    (0..load.names / 4)
        .filter(|n| n / 300 % 2 == 1 || n % 3 == 0)
        .for_each(|n| fs::remove_file(name(n)).unwrap());
    // A folder whose own extents are scattered by a file that grows beside it.
    let scattered = root.join("folder-scattered");
    fs::create_dir(&scattered).unwrap();
    lsetxattr(&scattered, "user.fills", &[7; 200], XattrFlags::empty()).unwrap();
    let beside = File::create(root.join("beside")).unwrap();
    for n in 0..load.names / 8 {
        File::create(scattered.join(format!("{n}-{}", "z".repeat(240)))).unwrap();
        if n % 8 == 0 {
            beside.write_all_at(&[1; 100], n as u64 * load.block * 2).unwrap();
            fallocate(&beside, FallocateFlags::empty(), n as u64 * load.block * 2, load.block).unwrap();
        }
    }
    fs::create_dir(root.join("odd")).unwrap();
    for name in [&b"\xff\xfe"[..], b" ", b"new\nline", b"-", &[b'n'; 255], "gr\u{fc}n".as_bytes()] {
        File::create(root.join("odd").join(std::ffi::OsStr::from_bytes(name))).unwrap();
    }
}

fn content(root: &Path, load: &Load) {
    fs::write(root.join("small"), b"hello").unwrap();
    fs::write(root.join("big"), (0..5_000_000_u32).map(|n| ((n * 7) >> 3) as u8).collect::<Vec<_>>())
        .unwrap();
    let holes = File::create(root.join("fragmented")).unwrap();
    for n in 0..load.extents {
        holes.write_all_at(&n.to_le_bytes(), n * load.block * 2 + 3).unwrap();
    }
    let end = File::create(root.join("hole-at-end")).unwrap();
    end.write_all_at(b"start", 0).unwrap();
    end.set_len((1 << 40) / 4096).unwrap();
    let far = File::create(root.join("hole-at-start")).unwrap();
    far.write_all_at(b"end", 40_000_001).unwrap();
    let unwritten = File::create(root.join("unwritten")).unwrap();
    fallocate(&unwritten, FallocateFlags::empty(), 0, load.block * 20).unwrap();
    unwritten.write_all_at(b"written", load.block * 7 + 11).unwrap();
    let punched = File::create(root.join("punched")).unwrap();
    punched.write_all_at(&vec![5; load.block as usize * 10], 0).unwrap();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&punched, flags, load.block * 2, load.block * 3 + 1).unwrap();
    if load.reflink {
        let clone = File::create(root.join("clone")).unwrap();
        ioctl_ficlone(&clone, File::open(root.join("big")).unwrap()).unwrap();
        clone.write_all_at(b"changed", 1_000_000).unwrap();
    }
}

fn links(root: &Path) {
    for len in [1, 50, 155, 156, 157, 300, 335, 336, 337, 456, 457, 900, 1000, 1023] {
        symlink("t".repeat(len), root.join(format!("link-{len}"))).unwrap();
    }
    let with_attribute = root.join("link-with-attribute");
    symlink("s".repeat(250), &with_attribute).unwrap();
    lsetxattr(&with_attribute, "trusted.on-link", b"v", XattrFlags::empty()).unwrap();
    for n in 0..3 {
        fs::hard_link(root.join("small"), root.join(format!("hard-{n}"))).unwrap();
    }
}

fn specials(root: &Path) {
    for (name, kind, major, minor) in [
        ("fifo", FileType::Fifo, 0, 0),
        ("char", FileType::CharacterDevice, 1, 3),
        ("block", FileType::BlockDevice, 259, 0),
        ("large-minor", FileType::BlockDevice, 511, 200_000),
    ] {
        mknodat(CWD, root.join(name), kind, Mode::from(0o640), makedev(major, minor)).unwrap();
    }
    UnixListener::bind(root.join("socket")).unwrap();
}

fn attributes(root: &Path) {
    let set = |file: &str, name: &str, value: &[u8]| {
        let path = root.join(file);
        if !path.exists() {
            File::create(&path).unwrap();
        }
        lsetxattr(&path, name, value, XattrFlags::empty()).unwrap();
    };
    set("attr-few", "user.one", b"1");
    set("attr-few", "user.empty", b"");
    set("attr-few", "trusted.two", b"two");
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set("attr-few", "security.capability", &capability);
    for n in 0..20 {
        set("attr-leaf", &format!("user.name-{n}"), &[n; 60]);
    }
    for n in 0..600_usize {
        set("attr-node", &format!("user.name-{n}-{}", "m".repeat(n % 100)), &vec![n as u8; n % 300]);
    }
    for n in (0..600).step_by(3) {
        let name = format!("user.name-{n}-{}", "m".repeat(n % 100));
        rustix::fs::removexattr(root.join("attr-node"), name).unwrap();
    }
    for len in [1000, 4040, 4096, 10_000, 65_535, 65_536] {
        set(
            "attr-large",
            &format!("user.large-{len}"),
            &(0..len).map(|n| ((n * 31) >> 4) as u8).collect::<Vec<_>>(),
        );
    }
    let owner = [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255];
    let named = [2, 0, 5, 0, 0xe8, 3, 0, 0];
    let rest =
        [4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255];
    let list = [&owner[..], &named, &rest].concat();
    set("attr-list", "system.posix_acl_access", &list);
    set("folder-3", "system.posix_acl_default", &list);
    set("folder-700", "user.on-folder", b"v");
}

fn owners_and_times(root: &Path) {
    let own = |name: &str, uid, gid| {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        chownat(CWD, root.join(name), Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    };
    own("small", 70_000, 4_000_000_000);
    own("link-50", 1, 2);
    rustix::fs::chmod(root.join("big"), Mode::from(0o6755)).unwrap();
    rustix::fs::chmod(root.join("empty"), Mode::from(0o1777)).unwrap();
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    for (name, seconds) in [("small", -300_000_000), ("big", 1_700_000_000), ("attr-few", 2_147_483_647)] {
        let times =
            Timestamps { last_access: time(seconds, 1), last_modification: time(seconds, 999_999_999) };
        utimensat(CWD, root.join(name), &times, AtFlags::empty()).unwrap();
    }
}
