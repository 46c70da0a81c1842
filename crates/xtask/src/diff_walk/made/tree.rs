// SPDX-License-Identifier: Apache-2.0
//! A tree of 5,000 entries with every kind of object, owner, mode, time and attribute.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};
use rustix::io::Errno;

use super::{files, names};

/// Fills a mounted filesystem.
pub(super) fn fill(root: &Path) -> Result<()> {
    names::fill(&root.join("names")).context("names")?;
    files::fill(&root.join("files")).context("files")?;
    objects(&root.join("objects")).context("objects")?;
    links(&root.join("links")).context("links")?;
    owners_and_modes(&root.join("owners")).context("owners")?;
    attributes(&root.join("attributes")).context("attributes")?;
    times(&root.join("times")).context("times")
}

fn objects(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    let node = |name: &str, kind, major, minor| {
        let done = mknodat(CWD, dir.join(name), kind, Mode::from_raw_mode(0o640), makedev(major, minor));
        // XFS has 18 bits for the minor number.
        may_refuse(done.map_err(Into::into), &[Errno::INVAL])
    };
    node("fifo", FileType::Fifo, 0, 0)?;
    node("socket", FileType::Socket, 0, 0)?;
    // 8 bits of each, the old form on ext4; then what needs the new one (twelve bits and twenty).
    for (major, minor) in
        [(0, 0), (1, 3), (255, 255), (256, 0), (8, 256), (259, 0x3_FFFF), (259, 0xF_FFFF), (4095, 70_000)]
    {
        node(&format!("char-{major}-{minor}"), FileType::CharacterDevice, major, minor)?;
        node(&format!("block-{major}-{minor}"), FileType::BlockDevice, major, minor)?;
    }
    Ok(())
}

fn links(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir.join("far"))?;
    fs::write(dir.join("one"), "many names\n")?;
    for number in 0..40 {
        fs::hard_link(dir.join("one"), dir.join(format!("far/name-{number}")))?;
    }
    mknodat(CWD, dir.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    fs::hard_link(dir.join("pipe"), dir.join("far/pipe"))?;
    symlink("one", dir.join("link"))?;
    fs::hard_link(dir.join("link"), dir.join("far/link"))?;
    // Lengths around each form of storage: inside the inode, and in a block or several.
    for len in [1, 58, 59, 60, 61, 95, 96, 156, 157, 255, 256, 300, 464, 800, 956, 968, 1000, 1022] {
        symlink("t".repeat(len), dir.join(format!("target-{len}")))?;
    }
    for len in [1023, 1024, 2000, 4094, 4095] {
        may_refuse(symlink("t".repeat(len), dir.join(format!("target-{len}"))), &[Errno::NAMETOOLONG])?;
    }
    for (name, target) in [("absolute", "/etc/passwd"), ("up", "../../../../etc"), ("loop", "loop")] {
        symlink(target, dir.join(name))?;
    }
    Ok(symlink(names::bytes(b"\xff\x1b[2J\n"), dir.join("bytes"))?)
}

fn owners_and_modes(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    for (uid, gid) in
        [(0, 0), (1000, 100), (65_534, 65_535), (65_536, 65_537), (70_000, 1), (u32::MAX - 1, 9)]
    {
        let path = dir.join(format!("of-{uid}-{gid}"));
        fs::write(&path, "")?;
        chown(&path, Some(uid), Some(gid))?;
        let path = dir.join(format!("link-of-{uid}-{gid}"));
        symlink("x", &path)?;
        lchown(&path, Some(uid), Some(gid))?;
    }
    for mode in [0, 0o1, 0o600, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777] {
        let file = dir.join(format!("file-{mode:o}"));
        fs::write(&file, "")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        let folder = dir.join(format!("folder-{mode:o}"));
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn attributes(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir.join("folder"))?;
    fs::write(dir.join("file"), "")?;
    symlink("file", dir.join("link"))?;
    for name in ["file", "folder"] {
        attribute(&dir.join(name), "user.small", b"value")?;
        attribute(&dir.join(name), "user.empty", b"")?;
        attribute(&dir.join(name), "system.posix_acl_access", &ACL)?;
    }
    attribute(&dir.join("folder"), "system.posix_acl_default", &ACL)?;
    attribute(&dir.join("link"), "trusted.on-a-link", b"yes")?;
    // cap_net_raw=ep, revision 2, by linux/capability.h.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    attribute(&dir.join("file"), "security.capability", &capability)?;
    for len in [1_usize, 40, 100, 200, 500, 900, 2000, 3000, 4000, 10_000, 40_000, 65_536] {
        let path = dir.join(format!("value-{len}"));
        fs::write(&path, "with an attribute\n")?;
        attribute(&path, "user.value", &files::content(len))?;
    }
    for count in [3, 20, 300] {
        let path = dir.join(format!("count-{count}"));
        fs::write(&path, "")?;
        for number in 0..count {
            attribute(&path, &format!("user.name-{number:03}"), format!("{number}").as_bytes())?;
        }
    }
    let path = dir.join("long-name");
    fs::write(&path, "")?;
    attribute(&path, &format!("user.{}", "n".repeat(250)), b"long")?;
    attribute(&path, &format!("trusted.{}", "n".repeat(247)), b"long")
}

/// user::rwx, user:1000:r-x, group::r-x, mask::rwx, other::---, as acl(5) and linux/posix_acl_xattr.h have it.
const ACL: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 5, 0, 0xe8, 3, 0, 0, 4, 0, 5, 0, 0xff, 0xff, 0xff,
    0xff, 16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
];

/// Sets an attribute if the filesystem has room for it: ext4 has one block for all of a file's.
fn attribute(path: &Path, name: &str, value: &[u8]) -> Result<()> {
    let done = lsetxattr(path, name, value, XattrFlags::empty());
    let refused = [Errno::NOSPC, Errno::TOOBIG, Errno::RANGE, Errno::OPNOTSUPP];
    may_refuse(done.map_err(Into::into), &refused).with_context(|| format!("{} {name}", path.display()))
}

fn times(dir: &Path) -> Result<()> {
    fs::create_dir(dir)?;
    let seconds = [
        0,
        -1,
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        i64::from(i32::MAX) + 1,
        i64::from(u32::MAX),
        i64::from(u32::MAX) + 1,
        0x1_8000_0000,
        0x2_8000_0000,
        0x3_7FFF_FFFF,
        16_299_260_424,
    ];
    for second in seconds {
        for nano in [0, 1, 999_999_999] {
            let path = dir.join(format!("at-{second}-{nano}"));
            fs::write(&path, "")?;
            let time = Timespec { tv_sec: second, tv_nsec: nano };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

/// Passes on all errors but these: what one of the filesystems cannot have.
pub(super) fn may_refuse(done: std::io::Result<()>, expected: &[Errno]) -> Result<()> {
    match done {
        Err(error) if expected.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) => {
            Ok(())
        }
        other => Ok(other?),
    }
}
